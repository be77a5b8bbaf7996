//! The members of an OpenRPC document, as far as we write and read them, in the order of the
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
    /// None for what is never answered; no method of ours.
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
    /// What stands here of the errors beyond their messages, by their codes.
    #[serde(
        default,
        rename = "x-error-docs",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub(super) error_docs: BTreeMap<String, String>,
    /// Our other members: `x-access` and so on.
    #[serde(flatten)]
    pub(super) extensions: BTreeMap<String, Value>,
    /// The subscription, which becomes a member when all schemas are known.
    #[serde(rename = "x-subscription", skip_serializing_if = "Option::is_none")]
    pub(super) subscription: Option<Subscription>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Tag {
    pub(super) name: String,
    /// The first sentence only: it stands at every method.
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
    /// That the type says nothing about itself, in contrast to one that may be anything.
    #[serde(rename = "x-no-schema", skip_serializing_if = "Option::is_none")]
    pub(super) no_schema: Option<bool>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Error {
    pub(super) code: i64,
    pub(super) message: String,
}

/// A call with its answer: an "example pairing".
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

/// What follows the answer of a method that streams.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Subscription {
    pub(super) notification: String,
    pub(super) unsubscribe: String,
    /// The schema of what stands as `result` in the notifications' parameters.
    pub(super) item: Content,
    /// Notifications without `seq` and `end`.
    #[serde(default)]
    pub(super) plain: bool,
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

// What serde calls takes a reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_false(flag: &bool) -> bool {
    !flag
}
