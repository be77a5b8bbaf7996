//! Converts a method of a router to a method of an OpenRPC document.

use std::collections::BTreeMap;

use schemars::Schema;
use serde_json::{Map, Value, json};

use crate::describe::documents::model::{
    Content, Error, Example, ExampleValue, Method, Subscription, Tag,
};
use crate::describe::documents::schemas::Schemas;
use crate::describe::{Access, MethodInfo, Node, ParamInfo, Tree};
use crate::error::ErrorInfo;

/// The member that says whether a call may destroy something.
pub(super) const DESTRUCTIVE: &str = "x-destructive";

/// The member that is `false` where agents do not get a method as a tool.
pub(super) const TOOL: &str = "x-tool";

pub(super) fn method(tree: &Tree, info: &MethodInfo, schemas: &mut Schemas) -> Method {
    let mut extensions = BTreeMap::new();
    let params = params(info, schemas, &mut extensions);
    if info.access() != Access::Public {
        let access = format!("{:?}", info.access()).to_lowercase();
        extensions.insert("x-access".to_owned(), access.into());
    }
    if info.is_public() {
        extensions.insert("x-public".to_owned(), true.into());
    }
    let scopes: Vec<_> = info.scopes().collect();
    if !scopes.is_empty() {
        extensions.insert("x-scopes".to_owned(), scopes.into());
    }
    if info.cost() != 1 {
        extensions.insert("x-cost".to_owned(), info.cost().into());
    }
    if info.is_idempotent() {
        extensions.insert("x-idempotent".to_owned(), true.into());
    }
    if info.is_read_only() {
        extensions.insert("x-read-only".to_owned(), true.into());
    }
    if let Some(is_destructive) = info.is_destructive() {
        extensions.insert(DESTRUCTIVE.to_owned(), is_destructive.into());
    }
    if !info.is_tool && !info.is_subscription() {
        extensions.insert(TOOL.to_owned(), false.into());
    }
    if let Some(reason) = info.deprecated().filter(|reason| !reason.is_empty()) {
        extensions.insert("x-deprecated-reason".to_owned(), reason.into());
    }
    let summary = summary(info.doc());
    let description = match info.doc().trim() == summary {
        true => String::new(),
        false => info.doc().to_owned(),
    };
    Method {
        name: info.name().to_owned(),
        tags: tags(tree, info),
        summary,
        description,
        params,
        result: Some(result(info, schemas)),
        deprecated: info.deprecated().map(|_| true),
        errors: info.errors().iter().map(Error::of).collect(),
        param_structure: match info.params().iter().any(ParamInfo::is_flattened) {
            true => "by-name".to_owned(),
            false => "either".to_owned(),
        },
        examples: examples(info),
        error_docs: error_docs(info),
        extensions,
        subscription: subscription(info, schemas),
    }
}

/// The first sentence of a doc comment, on one line.
pub(super) fn summary(doc: &str) -> String {
    let lines = doc.trim().lines().map(str::trim);
    let paragraph: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
    let paragraph = paragraph.join(" ");
    match paragraph.split_once(". ") {
        Some((sentence, _)) => format!("{sentence}."),
        None => paragraph,
    }
}

/// The namespace of the method as a tag; none for the root.
fn tags(tree: &Tree, info: &MethodInfo) -> Vec<Tag> {
    let node = tree.node_of(info);
    if node.is_root() {
        return Vec::new();
    }
    vec![Tag {
        name: node.namespace().to_owned(),
        description: summary(about(&node)),
    }]
}

/// The documentation of a namespace, or its title.
pub(super) fn about(node: &Node) -> &str {
    match node.documentation() {
        "" => node.title(),
        documentation => documentation,
    }
}

fn params(
    info: &MethodInfo,
    schemas: &mut Schemas,
    extensions: &mut BTreeMap<String, Value>,
) -> Vec<Content> {
    let mut params = Vec::new();
    for param in info.params() {
        if param.is_flattened() {
            let rest = members(param, schemas, &mut params);
            if rest != Value::Bool(false) {
                extensions.insert("x-additional-params".to_owned(), rest);
            }
        } else {
            params.push(one_param(param, schemas));
        }
    }
    params
}

fn one_param(param: &ParamInfo, schemas: &mut Schemas) -> Content {
    let schema = schemas.param(|generator| param.schema(generator));
    let no_schema = schema.is_none();
    let mut schema = schema.unwrap_or_else(|| true.into());
    if let Some(default) = param.default_value() {
        schema.insert("default".to_owned(), default);
    }
    Content {
        name: param.name().to_owned(),
        description: param.documentation().to_owned(),
        required: Some(param.is_required()),
        schema: schemas.finish(schema),
        no_schema: no_schema.then_some(true),
    }
}

/// Adds the members of a flattened parameter to `params`; returns the schema of further members.
fn members(param: &ParamInfo, schemas: &mut Schemas, params: &mut Vec<Content>) -> Value {
    let Some(schema) = schemas.param(|generator| param.schema(generator)) else {
        return Value::Bool(true);
    };
    let schema = schemas.finish(schema);
    let required: Vec<_> = match schema.get("required") {
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if let Some(Value::Object(properties)) = schema.get("properties") {
        for (name, schema) in properties {
            params.push(Content {
                name: name.clone(),
                description: text(schema, "description"),
                required: Some(required.contains(&name.as_str())),
                schema: schema.clone(),
                no_schema: None,
            });
        }
        return schema
            .get("additionalProperties")
            .cloned()
            .unwrap_or(Value::Bool(false));
    }
    match schema.get("additionalProperties") {
        Some(values) => values.clone(),
        None => schema,
    }
}

fn text(schema: &Value, name: &str) -> String {
    let text = schema.get(name).and_then(Value::as_str);
    text.unwrap_or_default().to_owned()
}

fn result(info: &MethodInfo, schemas: &mut Schemas) -> Content {
    if info.is_subscription() {
        return Content {
            name: "subscription".to_owned(),
            description: "The id of the subscription, whose items follow as notifications."
                .to_owned(),
            required: None,
            schema: json!({"type": "string"}),
            no_schema: None,
        };
    }
    returned("result", info, schemas)
}

/// The return value of the method, or an item of its subscription.
fn returned(name: &str, info: &MethodInfo, schemas: &mut Schemas) -> Content {
    let schema = schemas.result(|generator| info.result_schema(generator));
    let no_schema = schema.is_none();
    let schema: Schema = schema.unwrap_or_else(|| true.into());
    Content {
        name: name.to_owned(),
        description: String::new(),
        required: None,
        schema: schemas.finish(schema),
        no_schema: no_schema.then_some(true),
    }
}

fn subscription(info: &MethodInfo, schemas: &mut Schemas) -> Option<Subscription> {
    Some(Subscription {
        notification: info.notification()?.to_owned(),
        unsubscribe: info.unsubscribe()?.to_owned(),
        item: returned("result", info, schemas),
        plain: info.is_plain(),
        resumes: info.resumes(),
    })
}

impl Error {
    fn of(info: &ErrorInfo) -> Self {
        Self {
            code: info.code().0,
            message: info.message().to_owned(),
        }
    }
}

/// The documentation of errors, by code; OpenRPC's error objects have no member for it.
fn error_docs(info: &MethodInfo) -> BTreeMap<String, String> {
    let told = info.errors().iter();
    let told = told.filter(|error| !error.documentation().is_empty());
    told.map(|error| (error.code().0.to_string(), error.documentation().to_owned()))
        .collect()
}

/// The examples. Texts of the wrong form are skipped; the macros reject them at compile time.
fn examples(info: &MethodInfo) -> Vec<Example> {
    let texts = info.examples().iter();
    let members = texts.filter_map(|text| serde_json::from_str::<Map<String, Value>>(text).ok());
    let members = members.enumerate();
    let example = |(at, mut members): (usize, Map<String, Value>)| Example {
        name: format!("example {}", at + 1),
        is_named: matches!(members.get("params"), Some(Value::Object(_))),
        params: example_params(info, members.remove("params")),
        result: members.remove("result").map(|value| ExampleValue {
            name: "result".to_owned(),
            value,
        }),
    };
    members.map(example).collect()
}

fn example_params(info: &MethodInfo, params: Option<Value>) -> Vec<ExampleValue> {
    match params {
        Some(Value::Array(values)) => {
            let name = |at: usize| match info.params().get(at) {
                Some(param) => param.name().to_owned(),
                None => format!("{}", at + 1),
            };
            let values = values.into_iter().enumerate();
            let values = values.map(|(at, value)| ExampleValue {
                name: name(at),
                value,
            });
            values.collect()
        }
        Some(Value::Object(members)) => {
            let members = members.into_iter();
            members
                .map(|(name, value)| ExampleValue { name, value })
                .collect()
        }
        _ => Vec::new(),
    }
}
