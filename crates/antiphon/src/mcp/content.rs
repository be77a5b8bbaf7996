//! Content of messages: what agents see.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::resources::{Resource, ResourceContents};
use crate::describe::FOR_AGENTS;

/// A part of a message or of a result.
///
/// ```
/// use antiphon::mcp::Content;
///
/// let text = serde_json::to_value(Content::text("hello")).unwrap();
/// assert_eq!(text, serde_json::json!({"type": "text", "text": "hello"}));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Content {
    /// A text.
    Text {
        /// The text.
        text: String,
    },
    /// A picture.
    #[serde(rename_all = "camelCase")]
    Image {
        /// The picture, as Base64.
        data: String,
        /// Its media type.
        mime_type: String,
    },
    /// A sound.
    #[serde(rename_all = "camelCase")]
    Audio {
        /// The sound, as Base64.
        data: String,
        /// Its media type.
        mime_type: String,
    },
    /// The content of a resource.
    Resource {
        /// The content.
        resource: ResourceContents,
    },
    /// Where a resource is.
    ResourceLink(Resource),
}

impl Content {
    /// A text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text { text: text.into() }
    }

    /// A picture, as Base64.
    pub fn image(data: impl Into<String>, mime_type: impl Into<String>) -> Self {
        Self::Image {
            data: data.into(),
            mime_type: mime_type.into(),
        }
    }

    /// A sound, as Base64.
    pub fn audio(data: impl Into<String>, mime_type: impl Into<String>) -> Self {
        Self::Audio {
            data: data.into(),
            mime_type: mime_type.into(),
        }
    }

    /// The content of a resource.
    #[must_use]
    pub fn resource(resource: ResourceContents) -> Self {
        Self::Resource { resource }
    }
}

/// The result of a method that decides itself what an agent sees.
///
/// ```
/// use antiphon::Router;
/// use antiphon::mcp::{Content, ToolResult};
///
/// let draw = || ToolResult::new([Content::text("a dot"), Content::image("iVBORw0=", "image/png")]);
/// let router = Router::new().method_fn("draw", draw);
/// ```
///
/// With `#[rpc]`, or with [`returns`](crate::Method::returns), the schema of the result says that it is one
/// of these. A closure that is added with [`method_fn`](crate::Router::method_fn) has no schema: use
/// [`Method::returns`](crate::Method::returns).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ToolResult {
    /// What an agent sees.
    #[serde(default)]
    pub content: Vec<Content>,
    /// The same for programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub structured_content: Option<Value>,
    /// Whether the tool has failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_error: Option<bool>,
    /// What has to be asked before it can go on; since 2026-07-28.
    #[serde(flatten)]
    input: Option<Input>,
}

/// What a client is asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Input {
    result_type: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    input_requests: BTreeMap<String, Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    request_state: Option<String>,
}

impl ToolResult {
    /// A result with this content.
    #[must_use]
    pub fn new(content: impl IntoIterator<Item = Content>) -> Self {
        Self {
            content: content.into_iter().collect(),
            ..Self::default()
        }
    }

    /// A result with this text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::new([Content::text(text)])
    }

    /// The result of a tool that has failed for this reason.
    pub fn failed(reason: impl Into<String>) -> Self {
        Self {
            is_error: Some(true),
            ..Self::text(reason)
        }
    }

    /// Asks the client first: requests of the methods `elicitation/create`, `sampling/createMessage` or
    /// `roots/list` by key. The client calls the tool again with its answers, which
    /// [`Request::input_responses`](super::Request::input_responses) has, and with the state, which
    /// [`Request::request_state`](super::Request::request_state) has.
    ///
    /// [`Context::elicit`](crate::Context::elicit) and its like do this by themselves, also for clients
    /// before 2026-07-28, whom this result means nothing.
    #[must_use]
    pub fn input_required(
        requests: impl IntoIterator<Item = (String, Value)>,
        state: Option<String>,
    ) -> Self {
        Self {
            input: Some(Input {
                result_type: "input_required".to_owned(),
                input_requests: requests.into_iter().collect(),
                request_state: state,
            }),
            ..Self::default()
        }
    }

    /// Adds the same for programs.
    #[must_use]
    pub fn structured(mut self, value: impl Into<Value>) -> Self {
        self.structured_content = Some(value.into());
        self
    }
}

impl JsonSchema for ToolResult {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ToolResult".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let content = generator.subschema_for::<Vec<Content>>();
        json_schema!({
            "type": "object",
            "properties": {
                "content": content,
                "structuredContent": true,
                "isError": {"type": "boolean"},
            },
            "required": ["content"],
            (FOR_AGENTS): true,
        })
    }
}

/// Who says something.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The user.
    User,
    /// The model.
    Assistant,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn results_are_written_as_the_protocol_has_them() {
        let text = json!([{"type": "text", "text": "a"}]);
        for (result, expected) in [
            (ToolResult::text("a"), json!({"content": text})),
            (
                ToolResult::failed("a"),
                json!({"content": text, "isError": true}),
            ),
            (
                ToolResult::text("a").structured(json!({"x": 1})),
                json!({"content": text, "structuredContent": {"x": 1}}),
            ),
            (
                ToolResult::input_required(
                    [("k".to_owned(), json!({"method": "roots/list"}))],
                    None,
                ),
                json!({
                    "content": [],
                    "resultType": "input_required",
                    "inputRequests": {"k": {"method": "roots/list"}},
                }),
            ),
        ] {
            let written = serde_json::to_value(&result).unwrap();
            assert_eq!(written, expected);
            assert_eq!(
                serde_json::from_value::<ToolResult>(written).unwrap(),
                result
            );
        }
        let resource = ResourceContents::text("test://a", "hello").mime_type("text/plain");
        let written = serde_json::to_value(Content::resource(resource)).unwrap();
        let inner = json!({"uri": "test://a", "mimeType": "text/plain", "text": "hello"});
        assert_eq!(written, json!({"type": "resource", "resource": inner}));
        let link = Content::ResourceLink(Resource::new("test://a", "a"));
        let written = serde_json::to_value(link).unwrap();
        assert_eq!(
            written,
            json!({"type": "resource_link", "uri": "test://a", "name": "a"})
        );
    }
}
