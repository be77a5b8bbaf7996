//! Methods as tools for agents.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::describe::documents::method::{DESTRUCTIVE, TOOL};
use crate::describe::documents::model::{Content, Document, Method};
use crate::describe::documents::tool_schemas::{complete, resolved};
use crate::describe::{Reader, Tree};

/// The keyword of a result's schema that says: the result itself is what agents see.
pub(crate) const FOR_AGENTS: &str = "x-mcp-tool-result";

/// What a reader may call: methods as tools, and the names of all methods.
#[derive(Debug, Default)]
pub(crate) struct Tools {
    pub(crate) tools: Vec<Tool>,
    pub(crate) names: BTreeSet<String>,
}

/// A method as a tool.
#[derive(Debug)]
pub(crate) struct Tool {
    pub(crate) name: String,
    pub(crate) description: String,
    /// The schema of the arguments, an object.
    pub(crate) input: Map<String, Value>,
    /// The schema of the result; `None` if it is not known, or says nothing.
    pub(crate) output: Option<Map<String, Value>>,
    /// The names of the parameters in order, if they can be passed by position only.
    pub(crate) positional: Option<Vec<String>>,
    pub(crate) is_read_only: bool,
    pub(crate) is_idempotent: bool,
    pub(crate) is_destructive: Option<bool>,
    /// Whether the result itself is what agents see.
    pub(crate) is_for_agents: bool,
}

impl Tree {
    /// The methods of this router, and those that it forwards, in a stable order.
    pub(crate) fn tools(&self, reader: Reader) -> Tools {
        of(&self.openrpc(reader).0)
    }
}

fn of(document: &Document) -> Tools {
    let known = &document.components.schemas;
    let methods = document.methods.iter();
    let is_tool = |method: &&Method| {
        method.subscription.is_none() && method.extensions.get(TOOL) != Some(&Value::Bool(false))
    };
    Tools {
        tools: methods
            .clone()
            .filter(is_tool)
            .map(|method| Tool::of(method, known))
            .collect(),
        names: methods.map(|method| method.name.clone()).collect(),
    }
}

impl Tool {
    fn of(method: &Method, known: &Map<String, Value>) -> Self {
        let has = |name| method.extensions.get(name) == Some(&Value::Bool(true));
        let result = method.result.as_ref();
        let returned = result.filter(|result| result.no_schema != Some(true));
        let returned = returned.map(|result| resolved(&result.schema, known));
        let returned = match returned {
            Some(Value::Object(schema)) if !schema.is_empty() => Some(schema),
            _ => None,
        };
        let is_for_agents = (returned.as_ref())
            .is_some_and(|schema| schema.get(FOR_AGENTS) == Some(&Value::Bool(true)));
        let output = returned.filter(|_| !is_for_agents);
        let names = || method.params.iter().map(|param| param.name.clone());
        Self {
            name: method.name.clone(),
            description: description(method),
            input: complete(arguments(method), known).unwrap_or_else(anything),
            output: output.and_then(|schema| complete(schema, known)),
            positional: (method.param_structure == "by-position").then(|| names().collect()),
            is_read_only: has("x-read-only"),
            is_idempotent: has("x-idempotent"),
            is_destructive: method.extensions.get(DESTRUCTIVE).and_then(Value::as_bool),
            is_for_agents,
        }
    }
}

fn description(method: &Method) -> String {
    let doc = method.doc().trim();
    if method.deprecated != Some(true) {
        return doc.to_owned();
    }
    let reason = method.extensions.get("x-deprecated-reason");
    let reason = reason.and_then(Value::as_str).unwrap_or_default();
    let note = match reason {
        "" => "Deprecated.".to_owned(),
        reason => format!("Deprecated: {reason}"),
    };
    format!("{doc}\n\n{note}").trim_start().to_owned()
}

/// The schema of arguments of which nothing is known.
fn anything() -> Map<String, Value> {
    Map::from_iter([("type".to_owned(), "object".into())])
}

/// The schema of the arguments, whose references are those of the document.
fn arguments(method: &Method) -> Map<String, Value> {
    let mut schema = anything();
    let property = |param: &Content| (param.name.clone(), described(param));
    let properties: Map<_, _> = method.params.iter().map(property).collect();
    let required: Vec<_> = (method.params.iter())
        .filter(|param| param.required == Some(true))
        .map(|param| Value::from(param.name.as_str()))
        .collect();
    if !properties.is_empty() {
        schema.insert("properties".to_owned(), properties.into());
    }
    if !required.is_empty() {
        schema.insert("required".to_owned(), required.into());
    }
    let rest = method.extensions.get("x-additional-params");
    let rest = rest.cloned().unwrap_or(Value::Bool(false));
    schema.insert("additionalProperties".to_owned(), rest);
    schema
}

/// The schema of a parameter with its description. Readers expect an object, also for what may be
/// anything.
fn described(param: &Content) -> Value {
    let mut schema = match &param.schema {
        Value::Object(keywords) => keywords.clone(),
        Value::Bool(false) => return json!({"not": {}}),
        _ => Map::new(),
    };
    if !param.description.is_empty() {
        // In older drafts nothing counts beside a reference; where tools are read it does.
        schema.insert("description".to_owned(), param.description.as_str().into());
    }
    Value::Object(schema)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Access, Method, OpenRpcDocument, ParamInfo, Router};

    #[test]
    fn methods_are_tools_in_a_stable_order_with_schemas_of_their_own() {
        #[derive(serde::Deserialize, schemars::JsonSchema)]
        #[expect(dead_code, reason = "only its schema is of interest")]
        struct Point {
            x: f64,
            next: Option<Box<Self>>,
        }
        let draw = Method::function("draw", |_: Option<u8>| 1)
            .params([ParamInfo::optional("at")
                .typed::<Option<Point>>()
                .doc("Where.")])
            .returns::<u8>()
            .doc("Draws.")
            .deprecated("use `paint`")
            .destructive(false)
            .idempotent();
        let router = Router::new()
            .method_fn("z", || 1)
            .method(draw)
            .method(Method::function("not", || 1).tool(false))
            .method(Method::function("local", || 1).access(Access::Local))
            .method(Method::function("ticks", || 1).subscription());
        let frozen = router.build().unwrap();
        let Tools { tools, names } = frozen.tree().tools(Access::Public.into());
        let listed: Vec<_> = tools.iter().map(|tool| tool.name.as_str()).collect();
        assert_eq!(listed, ["draw", "z"]);
        assert_eq!(
            names.into_iter().collect::<Vec<_>>(),
            ["draw", "not", "ticks", "z"]
        );
        let [draw, z] = &tools[..] else { panic!() };
        assert_eq!(draw.description, "Draws.\n\nDeprecated: use `paint`");
        assert_eq!(draw.is_destructive, Some(false));
        assert!(draw.is_idempotent && !draw.is_read_only);
        let input = Value::Object(draw.input.clone());
        assert_eq!(input["properties"]["at"]["description"], "Where.");
        assert_eq!(input["additionalProperties"], false);
        assert_eq!(input["$defs"]["Point"]["properties"]["x"]["type"], "number");
        assert!(!input.to_string().contains("components"), "{input}");
        assert_eq!(draw.output.as_ref().unwrap()["type"], "integer");
        assert_eq!(z.output, None);
    }

    #[test]
    fn documents_of_others_are_read_as_they_are() {
        let text = json!({
            "openrpc": "1.3.2", "info": {"title": "x", "version": "1"},
            "methods": [
                {"name": "p", "paramStructure": "by-position", "params": [{"name": "a"}, {"name": "b"}]},
                {"name": "r", "params": [], "result": {"name": "r", "schema": {"$ref": "#/components/schemas/R"}}},
                {"name": "m", "params": [], "result": {"name": "r", "schema": {FOR_AGENTS: true}}},
            ],
            "components": {"schemas": {"R": {"type": "object"}}},
        });
        let document: OpenRpcDocument = text.to_string().parse().unwrap();
        let tools = of(&document.0).tools;
        let names = ["a", "b"].map(str::to_owned).to_vec();
        assert_eq!(tools[0].positional, Some(names));
        assert_eq!(tools[0].input["properties"]["a"], json!({}));
        assert_eq!(tools[1].output.as_ref().unwrap()["type"], "object");
        assert!(tools[2].is_for_agents && tools[2].output.is_none());
    }
}
