//! The members of an OpenRPC document, as far as we write them, in the order of the specification.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

#[derive(Serialize, Debug)]
pub(super) struct Document {
    pub(super) openrpc: &'static str,
    pub(super) info: Info,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) servers: Vec<Server>,
    pub(super) methods: Vec<Method>,
    #[serde(skip_serializing_if = "Components::is_empty")]
    pub(super) components: Components,
}

#[derive(Serialize, Debug)]
pub(super) struct Info {
    pub(super) title: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) description: String,
    pub(super) version: String,
}

#[derive(Serialize, Debug, Clone)]
pub(super) struct Server {
    pub(super) name: String,
    pub(super) url: String,
}

#[derive(Serialize, Debug)]
#[serde(rename_all = "camelCase")]
pub(super) struct Method {
    pub(super) name: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) tags: Vec<Tag>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) summary: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) description: String,
    pub(super) params: Vec<Content>,
    pub(super) result: Content,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) deprecated: Option<bool>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) errors: Vec<Error>,
    pub(super) param_structure: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) examples: Vec<Example>,
    /// Our own members: `x-subscription` and others.
    #[serde(flatten)]
    pub(super) extensions: BTreeMap<&'static str, Value>,
    /// The subscription, which becomes a member when all schemas are known.
    #[serde(rename = "x-subscription", skip_serializing_if = "Option::is_none")]
    pub(super) subscription: Option<Subscription>,
}

#[derive(Serialize, Debug)]
pub(super) struct Tag {
    pub(super) name: String,
    /// The first sentence only: it stands at every method.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) description: String,
    #[serde(skip)]
    pub(super) documentation: String,
}

/// A parameter or a result: a "content descriptor".
#[derive(Serialize, Debug)]
pub(super) struct Content {
    pub(super) name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) description: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) required: Option<bool>,
    pub(super) schema: Value,
    /// That the type says nothing about itself, in contrast to one that may be anything.
    #[serde(rename = "x-no-schema", skip_serializing_if = "Option::is_none")]
    pub(super) no_schema: Option<bool>,
}

#[derive(Serialize, Debug)]
pub(super) struct Error {
    pub(super) code: i64,
    pub(super) message: &'static str,
    /// The specification has no place for it.
    #[serde(skip)]
    pub(super) doc: &'static str,
}

/// A call with its answer: an "example pairing".
#[derive(Serialize, Debug)]
pub(super) struct Example {
    pub(super) name: String,
    pub(super) params: Vec<ExampleValue>,
    /// Whether the parameters were given by name.
    #[serde(skip)]
    pub(super) is_named: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) result: Option<ExampleValue>,
}

#[derive(Serialize, Debug)]
pub(super) struct ExampleValue {
    pub(super) name: String,
    pub(super) value: Value,
}

/// What follows the answer of a method that streams.
#[derive(Serialize, Debug)]
pub(super) struct Subscription {
    pub(super) notification: String,
    pub(super) unsubscribe: String,
    /// The schema of what stands as `result` in the notifications' parameters.
    pub(super) item: Content,
    /// Notifications without `seq` and `end`.
    pub(super) plain: bool,
}

#[derive(Serialize, Debug)]
pub(super) struct Components {
    pub(super) schemas: Map<String, Value>,
}

impl Components {
    fn is_empty(&self) -> bool {
        self.schemas.is_empty()
    }
}
