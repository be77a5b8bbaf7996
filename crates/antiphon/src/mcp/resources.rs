//! Resources, for the user's methods `resources/list`, `resources/read` and
//! `resources/templates/list`.

use antiphon_proto::ErrorObject;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// A resource, in a list or as a link.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Resource {
    /// Its address.
    pub uri: String,
    /// Its name, for programs.
    pub name: String,
    /// Its name, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Its media type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mime_type: Option<String>,
    /// Its size in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Other members, as `annotations`.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl Resource {
    /// A resource with this address and name.
    pub fn new(uri: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            uri: uri.into(),
            name: name.into(),
            ..Self::default()
        }
    }

    /// Sets what it is.
    #[must_use]
    pub fn description(mut self, text: impl Into<String>) -> Self {
        self.description = Some(text.into());
        self
    }

    /// Sets its media type.
    #[must_use]
    pub fn mime_type(mut self, media_type: impl Into<String>) -> Self {
        self.mime_type = Some(media_type.into());
        self
    }
}

/// Resources whose addresses have gaps to fill in (RFC 6570).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResourceTemplate {
    /// Their addresses: `file:///{path}`.
    pub uri_template: String,
    /// Their name, for programs.
    pub name: String,
    /// What they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Their media type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mime_type: Option<String>,
    /// Other members, as `title` and `annotations`.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// The content of a resource: a text, or bytes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResourceContents {
    /// Its address.
    pub uri: String,
    /// Its media type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mime_type: Option<String>,
    /// The text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The bytes, as Base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blob: Option<String>,
}

impl ResourceContents {
    /// A text at this address.
    pub fn text(uri: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            uri: uri.into(),
            text: Some(text.into()),
            ..Self::default()
        }
    }

    /// Bytes at this address, as Base64.
    pub fn blob(uri: impl Into<String>, base64: impl Into<String>) -> Self {
        Self {
            uri: uri.into(),
            blob: Some(base64.into()),
            ..Self::default()
        }
    }

    /// Sets its media type.
    #[must_use]
    pub fn mime_type(mut self, media_type: impl Into<String>) -> Self {
        self.mime_type = Some(media_type.into());
        self
    }
}

/// The result of `resources/list`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Resources {
    /// The resources.
    pub resources: Vec<Resource>,
    /// Where the list goes on, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// The result of `resources/templates/list`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResourceTemplates {
    /// The templates.
    pub resource_templates: Vec<ResourceTemplate>,
    /// Where the list goes on, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// The result of `resources/read`.
///
/// ```
/// use antiphon::mcp::{ReadResource, ResourceContents, no_such_resource};
/// use antiphon::{ErrorObject, rpc};
///
/// struct Notes;
///
/// #[rpc]
/// impl Notes {
///     #[method(name = "resources/read")]
///     fn read(&self, uri: String) -> Result<ReadResource, ErrorObject> {
///         match uri.as_str() {
///             "notes://today" => Ok(ReadResource::new(ResourceContents::text(uri, "tea"))),
///             _ => Err(no_such_resource(&uri)),
///         }
///     }
/// }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReadResource {
    /// The contents: there are several if the address is that of a folder.
    pub contents: Vec<ResourceContents>,
}

impl ReadResource {
    /// A single content.
    #[must_use]
    pub fn new(contents: ResourceContents) -> Self {
        Self {
            contents: vec![contents],
        }
    }
}

/// The error of a resource that there is not: −32602.
#[must_use]
pub fn no_such_resource(uri: &str) -> ErrorObject {
    ErrorObject::new(
        antiphon_proto::ErrorCode::INVALID_PARAMS,
        "Resource not found",
    )
    .with_data(&json!({"uri": uri}))
}
