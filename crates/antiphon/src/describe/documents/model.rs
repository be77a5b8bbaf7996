//! The members of an OpenRPC document that are read and written here, in the order of the
//! specification.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Document {
    pub(super) openrpc: String,
    pub(super) info: Info,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) servers: Vec<Server>,
    pub(super) methods: Vec<Method>,
    #[serde(default, skip_serializing_if = "Components::is_empty")]
    pub(super) components: Components,
    /// Documentation of namespaces that is longer than a sentence.
    #[serde(
        default,
        rename = "x-namespaces",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub(super) namespaces: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Info {
    pub(super) title: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) description: String,
    #[serde(default)]
    pub(super) version: String,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Server {
    #[serde(default)]
    pub(super) name: String,
    pub(super) url: String,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Method {
    pub(super) name: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) tags: Vec<Tag>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) summary: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) description: String,
    #[serde(default)]
    pub(super) params: Vec<Content>,
    /// `None` for notifications; methods of a router always have a result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) result: Option<Content>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) deprecated: Option<bool>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) errors: Vec<Error>,
    #[serde(default = "either")]
    pub(super) param_structure: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) examples: Vec<Example>,
    /// Documentation of the errors, by code.
    #[serde(
        default,
        rename = "x-error-docs",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub(super) error_docs: BTreeMap<String, String>,
    /// Other extension members, such as `x-access`.
    #[serde(flatten)]
    pub(super) extensions: BTreeMap<String, Value>,
    /// The subscription. Its references are corrected when all schemas are known.
    #[serde(rename = "x-subscription", skip_serializing_if = "Option::is_none")]
    pub(super) subscription: Option<Subscription>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Tag {
    pub(super) name: String,
    /// The first sentence only, since it is repeated at each method.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) description: String,
}

/// A parameter or a result: a "content descriptor".
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Content {
    pub(super) name: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) description: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) required: Option<bool>,
    #[serde(default = "anything")]
    pub(super) schema: Value,
    /// Set if the type has no schema, in contrast to a type that accepts any value.
    #[serde(rename = "x-no-schema", skip_serializing_if = "Option::is_none")]
    pub(super) no_schema: Option<bool>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Error {
    pub(super) code: i64,
    pub(super) message: String,
}

/// A call with its result: an "example pairing".
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Example {
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) params: Vec<ExampleValue>,
    /// Whether the parameters were given by name.
    #[serde(default, rename = "x-by-name", skip_serializing_if = "is_false")]
    pub(super) is_named: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) result: Option<ExampleValue>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct ExampleValue {
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) value: Value,
}

/// The notifications that follow the response of a subscription method.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Subscription {
    pub(super) notification: String,
    pub(super) unsubscribe: String,
    /// The schema of `result` in the parameters of the notifications.
    pub(super) item: Content,
    /// Whether the notifications have no `seq` and `end`.
    #[serde(default)]
    pub(super) plain: bool,
    /// Whether items have a cursor, and a request with `after` goes on behind one.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) resumes: bool,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(super) struct Components {
    #[serde(default)]
    pub(super) schemas: Map<String, Value>,
}

impl Components {
    fn is_empty(&self) -> bool {
        self.schemas.is_empty()
    }
}

fn either() -> String {
    "either".to_owned()
}

fn anything() -> Value {
    Value::Bool(true)
}

// serde's `skip_serializing_if` passes a reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_false(flag: &bool) -> bool {
    !flag
}
