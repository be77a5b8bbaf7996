//! Generator of clients in Python 3.9 or later that need only the standard library.

use std::collections::HashMap;

use super::code::{Breaking, Code};
use super::model::{Api, Method, Passing, Type};
use super::names::pascal;
use super::python_names::{Errors, Members};
use super::python_types::{Types, docstring};
use super::text;
use super::tree::Node;

/// Transport, batches and errors of every generated client.
const RUNTIME: &str = include_str!("runtime.py");

/// Generates the whole file.
pub(crate) fn write(api: &Api, client: &str) -> String {
    let mut types = Types::new(api);
    let client = types.globals.take_type(client.to_owned());
    let async_client = types.globals.take_type(format!("Async{client}"));
    let errors = Errors::new(api, &mut types.globals);
    let root = Node::of(api, |method| method.stream.is_none());

    let mut body = Code::new(4, 88);
    body.raw("# Types.\n\n\n");
    types.write_all(&mut body);
    body.raw("# What all clients have in common.\n\n\n");
    body.raw(RUNTIME);
    body.blank(2);
    body.raw("# Errors that the server declares, and those of JSON-RPC itself.\n\n\n");
    errors.write(&mut body);
    body.raw("# Methods.\n\n\n");
    let mut writer = Writer {
        members: Members::new(&root, &types),
        classes: HashMap::new(),
        types: &mut types,
        errors: &errors,
    };
    writer.name_classes(&root);
    for node in root.inner_first() {
        writer.calls(node, &mut body);
    }
    body.raw("calls = Calls()\n\n\n");
    for (how, name) in [(Kind::Sync, &client), (Kind::Async, &async_client)] {
        for node in root.inner_first() {
            writer.methods(node, how, name, &mut body);
        }
    }
    let body = body.finish();
    format!("{}{body}", head(api, &client, &body))
}

/// The module docstring and the imports that the file uses.
fn head(api: &Api, client: &str, body: &str) -> String {
    let mut code = Code::new(4, 88);
    let about = format!("{client}: {}, over JSON-RPC 2.0.", called(api));
    let streams = api.methods.iter().filter(|method| method.stream.is_some());
    let streams: Vec<_> = streams.map(|method| text::one_line(&method.name)).collect();
    let missing = match streams.is_empty() {
        true => String::new(),
        false => format!(
            "Left out, because they need a connection that stays: {}.",
            streams.join(", ")
        ),
    };
    let origin = "Written by `antiphon codegen`: changes are lost when it runs again.";
    docstring(
        &text::paragraphs(&[&about, &api.doc, &missing, origin]),
        &mut code,
    );
    code.raw("\nfrom __future__ import annotations\n\n");
    for module in [
        "asyncio",
        "enum",
        "http.client",
        "inspect",
        "itertools",
        "json",
        "socket",
        "ssl",
        "threading",
        "time",
        "urllib.error",
        "urllib.parse",
        "urllib.request",
        "warnings",
    ] {
        if body.contains(&format!("{module}.")) {
            code.line(&format!("import {module}"));
        }
    }
    let words: std::collections::HashSet<&str> = body
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .collect();
    let names = [
        "Any",
        "Awaitable",
        "Callable",
        "Dict",
        "Generic",
        "List",
        "Literal",
        "Mapping",
        "Optional",
        "Sequence",
        "Tuple",
        "Type",
        "TypedDict",
        "TypeVar",
        "Union",
    ];
    let names: Vec<_> = names.iter().filter(|name| words.contains(**name)).collect();
    let names: Vec<_> = names.into_iter().map(|&name| name.to_owned()).collect();
    code.line("from typing import (");
    code.deeper(|code| code.lines(names.iter().map(|name| format!("{name},"))));
    code.line(")");
    code.blank(1);
    format!("{}\n", code.finish())
}

/// Title and version of the server.
fn called(api: &Api) -> String {
    let title = match &*text::one_line(&api.title) {
        "" => "a server".to_owned(),
        title => title.to_owned(),
    };
    format!("{title} {}", text::one_line(&api.version))
        .trim_end()
        .to_owned()
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Calls,
    Sync,
    Async,
}

struct Writer<'w, 'a> {
    types: &'w mut Types<'a>,
    members: Members,
    errors: &'w Errors,
    /// The class of each namespace, by full name.
    classes: HashMap<(Kind, String), String>,
}

impl Writer<'_, '_> {
    fn name_classes(&mut self, root: &Node<'_>) {
        for node in root.inner_first() {
            let (full, plain) = (node.full_name(), pascal(&node.full_name()));
            if full.is_empty() {
                self.classes.insert((Kind::Calls, full), "Calls".to_owned());
                continue;
            }
            for (kind, name) in [
                (Kind::Calls, format!("{plain}Calls")),
                (Kind::Sync, format!("{plain}Methods")),
                (Kind::Async, format!("Async{plain}Methods")),
            ] {
                let name = self.types.globals.take_type(name);
                self.classes.insert((kind, full.clone()), name);
            }
        }
    }

    fn class(&self, kind: Kind, node: &Node<'_>) -> &str {
        let class = self.classes.get(&(kind, node.full_name()));
        class.map_or("Any", String::as_str)
    }

    /// The class of calls in a namespace, for use in batches and notifications.
    fn calls(&self, node: &Node<'_>, code: &mut Code) {
        code.line(&format!("class {}:", self.class(Kind::Calls, node)));
        code.deeper(|code| {
            let of = match node.full_name() {
                name if name.is_empty() => String::new(),
                name => format!(" of ``{}``", text::one_line(&name)),
            };
            docstring(
                &format!("Calls{of} that are not sent yet, for batches and notifications."),
                code,
            );
            if !node.nodes.is_empty() {
                code.blank(1);
            }
            for inner in &node.nodes {
                let name = &self.members.namespaces[&inner.full_name()];
                code.line(&format!("{name} = {}()", self.class(Kind::Calls, inner)));
            }
            for method in &node.methods {
                code.blank(1);
                self.call(method, code);
            }
        });
        code.blank(2);
    }

    fn call(&self, method: &Method, code: &mut Code) {
        let names = self.types.params(&method.params);
        let result = format!("Call[{}]", self.types.annotation(&method.result));
        self.signature("def", method, &names, &result, code);
        code.deeper(|code| {
            docstring(&self.summary(method), code);
            if method.deprecated {
                let message = text::quoted(&format!("{} is deprecated", method.name));
                let args = [
                    message,
                    "DeprecationWarning".to_owned(),
                    "stacklevel=3".to_owned(),
                ];
                code.list("warnings.warn(", &args, ")", Breaking::Together);
            }
            let name = text::quoted(&method.name);
            if method.params.is_empty() {
                return code.line(&format!("return Call({name})"));
            }
            let how = match method.passing {
                Passing::Either => "_either",
                Passing::ByName => "_by_name",
                Passing::ByPosition => "_by_position",
            };
            let pairs = method.params.iter().zip(&names);
            let pairs: Vec<_> = pairs
                .map(|(param, name)| format!("({}, {name})", text::quoted(&param.name)))
                .collect();
            let pairs = match (method.rest, names.last(), &pairs[..]) {
                (true, Some(name), [pairs @ .., _]) => {
                    [pairs, &[format!("*_rest({name})")]].concat()
                }
                _ => pairs,
            };
            let whole = format!("return Call({name}, {how}({}))", pairs.join(", "));
            if code.fits(&whole) {
                return code.line(&whole);
            }
            let inner = format!("{name}, {how}({})", pairs.join(", "));
            code.line("return Call(");
            code.deeper(|code| match code.fits(&inner) {
                true => code.line(&inner),
                false => {
                    code.line(&format!("{name},"));
                    code.list(&format!("{how}("), &pairs, "),", Breaking::Together);
                }
            });
            code.line(")");
        });
    }

    /// The class of a namespace, or the client class for the root.
    fn methods(&self, node: &Node<'_>, kind: Kind, client: &str, code: &mut Code) {
        let (base, prefix) = match kind {
            Kind::Async => ("_AsyncClient", "async "),
            _ => ("_Client", ""),
        };
        let root = node.path.is_empty();
        match root {
            true => code.line(&format!("class {client}({base}):")),
            false => code.line(&format!("class {}:", self.class(kind, node))),
        }
        code.deeper(|code| {
            match (root, kind) {
                (true, Kind::Async) => docstring(
                    &format!(
                        "The client for asyncio; see :class:`{}`.",
                        client.strip_prefix("Async").unwrap_or(client)
                    ),
                    code,
                ),
                (true, _) => {
                    docstring("The client. Options are those of :class:`_Settings`.", code)
                }
                (false, _) => {
                    let name = text::one_line(&node.full_name());
                    docstring(&format!("The methods of ``{name}``."), code);
                    code.blank(1);
                    code.line(&format!("def __init__(self, client: {base}) -> None:"));
                    code.deeper(|code| code.line("self._client = client"));
                }
            }
            for inner in &node.nodes {
                let (name, class) = (
                    &self.members.namespaces[&inner.full_name()],
                    self.class(kind, inner),
                );
                code.blank(1);
                code.line("@property");
                code.line(&format!("def {name}(self) -> {class}:"));
                code.deeper(|code| {
                    let full = text::one_line(&inner.full_name());
                    docstring(&format!("The methods of ``{full}``."), code);
                    code.line(&format!(
                        "return {class}({})",
                        if root { "self" } else { "self._client" }
                    ));
                });
            }
            for method in &node.methods {
                code.blank(1);
                let names = self.types.params(&method.params);
                let result = self.types.annotation(&method.result);
                self.signature(&format!("{prefix}def"), method, &names, &result, code);
                code.deeper(|code| {
                    docstring(&self.doc(method, &names), code);
                    let wait = if kind == Kind::Async { "await " } else { "" };
                    let sender = if root { "self" } else { "self._client" };
                    let call = self.members.call(node, method);
                    let line = format!("return {wait}{sender}.send({call}({}))", names.join(", "));
                    if code.fits(&line) {
                        return code.line(&line);
                    }
                    code.line(&format!("return {wait}{sender}.send("));
                    code.deeper(|code| {
                        code.list(&format!("{call}("), &names, ")", Breaking::Together)
                    });
                    code.line(")");
                });
            }
        });
        code.blank(2);
    }

    fn signature(
        &self,
        def: &str,
        method: &Method,
        names: &[String],
        result: &str,
        code: &mut Code,
    ) {
        let name = &self.members.methods[&method.name];
        let params = method.params.iter().zip(names).map(|(param, name)| {
            let ty = self.types.annotation(&param.ty);
            match (param.required, &param.ty) {
                (true, _) => format!("{name}: {ty}"),
                (false, Type::Any) => format!("{name}: Any = UNSET"),
                (false, _) => format!("{name}: Union[{ty}, Unset] = UNSET"),
            }
        });
        let params: Vec<_> = std::iter::once("self".to_owned()).chain(params).collect();
        let (before, after) = (format!("{def} {name}("), format!(") -> {result}:"));
        code.list(&before, &params, &after, Breaking::Together);
    }

    /// The first line of the documentation, or a generated sentence if there is none.
    fn summary(&self, method: &Method) -> String {
        let lines = text::lines(&method.doc);
        let first = lines.into_iter().find(|line| !line.trim().is_empty());
        first.unwrap_or_else(|| format!("Call ``{}``.", text::one_line(&method.name)))
    }

    fn doc(&self, method: &Method, names: &[String]) -> String {
        let doc = match text::lines(&method.doc).is_empty() {
            true => self.summary(method),
            false => method.doc.clone(),
        };
        let deprecated = if method.deprecated { "Deprecated." } else { "" };
        let params = method
            .params
            .iter()
            .zip(names)
            .filter(|(param, _)| !param.doc.is_empty());
        let field = |name: String, doc: &str| format!(":{name}: {}", text::one_line(doc));
        let mut fields: Vec<_> = params
            .map(|(param, name)| field(format!("param {name}"), &param.doc))
            .collect();
        if !method.result_doc.is_empty() {
            fields.push(field("returns".to_owned(), &method.result_doc));
        }
        for &code in &method.errors {
            let error = self.errors.name(code);
            fields.push(format!(":raises {error}: {code}"));
        }
        text::paragraphs(&[&doc, deprecated, &fields.join("\n")])
    }
}
