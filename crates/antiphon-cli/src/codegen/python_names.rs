//! Names of error classes and class members in Python.

use std::collections::HashMap;

use super::code::Code;
use super::model::{Api, Method, STANDARD_ERRORS};
use super::names::{Scope, kept, pascal};
use super::python_types::{Types, docstring};
use super::tree::Node;

/// Members that every client class has.
const CLIENT: &[&str] = &[
    "send",
    "notify",
    "batch",
    "_post",
    "_read",
    "_exchange",
    "_head",
    "_answer",
    "_body",
    "_chunks",
    "_refused",
    "_too_long",
    "_url",
    "_timeout",
    "_headers",
    "_max_response",
    "_ssl_context",
    "_ids",
    "_client",
];

/// Error classes by code.
pub(crate) struct Errors {
    classes: Vec<(i64, String, String)>,
}

impl Errors {
    pub(crate) fn new(api: &Api, globals: &mut Scope) -> Self {
        let standard = STANDARD_ERRORS
            .iter()
            .map(|&(code, name)| (code, name, name));
        let declared = api
            .errors
            .iter()
            .map(|error| (error.code, &*error.name, &*error.doc));
        let class = |(code, name, doc): (i64, &str, &str)| {
            let name = pascal(name);
            let name = match name.ends_with("Error") {
                true => name,
                false => format!("{name}Error"),
            };
            (code, globals.take_type(name), doc.to_owned())
        };
        Self {
            classes: standard.chain(declared).map(class).collect(),
        }
    }

    pub(crate) fn name(&self, code: i64) -> &str {
        let class = self.classes.iter().find(|(of, ..)| *of == code);
        class.map_or("RpcError", |(_, name, _)| name)
    }

    pub(crate) fn write(&self, code: &mut Code) {
        for (number, name, doc) in &self.classes {
            code.line(&format!("class {name}(RpcError):"));
            code.deeper(|code| {
                let about = format!("{number}: {doc}");
                docstring(about.trim_end_matches(": "), code);
                code.blank(1);
                code.line(&format!("CODE = {number}"));
            });
            code.blank(2);
        }
        code.line("_ERRORS: Dict[int, Type[RpcError]] = {");
        code.deeper(|code| {
            code.lines(
                self.classes
                    .iter()
                    .map(|(_, name, _)| format!("{name}.CODE: {name},")),
            );
        });
        code.line("}");
        code.blank(2);
    }
}

/// Names of namespaces and methods as class members.
pub(crate) struct Members {
    pub(crate) namespaces: HashMap<String, String>,
    pub(crate) methods: HashMap<String, String>,
}

impl Members {
    pub(crate) fn new(root: &Node<'_>, types: &Types<'_>) -> Self {
        let mut members = Self {
            namespaces: HashMap::new(),
            methods: HashMap::new(),
        };
        for node in root.inner_first() {
            let mut scope = types.class_scope(CLIENT);
            for inner in &node.nodes {
                let name = scope.take(kept(inner.name()));
                members.namespaces.insert(inner.full_name(), name);
            }
            for method in &node.methods {
                let name = scope.take(kept(method.path().1));
                members.methods.insert(method.name.clone(), name);
            }
        }
        members
    }

    /// The expression for a call: `calls.calc.add`.
    pub(crate) fn call(&self, node: &Node<'_>, method: &Method) -> String {
        let mut names = vec!["calls"];
        let mut path = Vec::new();
        for name in &node.path {
            path.push(*name);
            names.extend(self.namespaces.get(&path.join(".")).map(String::as_str));
        }
        names.extend(self.methods.get(&method.name).map(String::as_str));
        names.join(".")
    }
}
