//! Generator of TypeScript clients without dependencies, for browsers, Node.js, Deno and Bun.

use std::collections::HashMap;

use super::code::{Breaking, Code};
use super::model::{Api, Field, Method, Passing, Type};
use super::names::{Scope, kept, pascal};
use super::text;
use super::tree::Node;
use super::typescript_file::{errors, head, runtime};
use super::typescript_types::{Types, comment};

/// Member names that classes already have or that are special in JavaScript.
const MEMBERS: &[&str] = &[
    "batch",
    "close",
    "core",
    "constructor",
    "then",
    "toString",
    "toLocaleString",
    "toJSON",
    "valueOf",
    "hasOwnProperty",
    "isPrototypeOf",
    "propertyIsEnumerable",
];

/// Names that parameters cannot have.
const KEYWORDS: &[&str] = &[
    "arguments",
    "await",
    "break",
    "case",
    "catch",
    "class",
    "const",
    "continue",
    "debugger",
    "default",
    "delete",
    "do",
    "else",
    "enum",
    "eval",
    "export",
    "extends",
    "false",
    "finally",
    "for",
    "function",
    "if",
    "implements",
    "import",
    "in",
    "instanceof",
    "interface",
    "let",
    "new",
    "null",
    "package",
    "private",
    "protected",
    "public",
    "return",
    "static",
    "super",
    "switch",
    "this",
    "throw",
    "true",
    "try",
    "typeof",
    "undefined",
    "var",
    "void",
    "while",
    "with",
    "yield",
    // Names that method bodies use.
    "byName",
    "byPosition",
    "either",
    "params",
];

/// Generates the whole file.
pub(crate) fn write(api: &Api, client: &str) -> String {
    let mut types = Types::new(api);
    let client = types.globals.take_type(client.to_owned());
    let root = Node::of(api, |_| true);
    let mut writer = Writer {
        classes: HashMap::new(),
        types: &mut types,
    };
    for node in root.inner_first() {
        let name = writer
            .types
            .globals
            .take_type(format!("{}Methods", pascal(&node.full_name())));
        writer.classes.insert(node.full_name(), name);
    }
    let mut classes = Code::new(2, 80);
    for node in root.inner_first() {
        writer.class(node, &client, &mut classes);
    }
    let classes = classes.finish();
    let mut code = Code::new(2, 80);
    head(api, &client, writer.types.rounds(), &mut code);
    code.raw("// Types.\n\n");
    writer.types.write_all(&mut code);
    code.raw("// What all clients have in common.\n\n");
    code.raw(&runtime(&classes));
    code.raw("\n// Methods.\n\n");
    errors(api, &mut code);
    code.raw(&classes);
    code.finish()
}

struct Writer<'w, 'a> {
    types: &'w mut Types<'a>,
    /// The class of each namespace, by full name.
    classes: HashMap<String, String>,
}

impl Writer<'_, '_> {
    fn class(&self, node: &Node<'_>, client: &str, code: &mut Code) {
        let root = node.path.is_empty();
        let mut scope = Scope::with(&[MEMBERS]);
        if root {
            code.line("/** The client: a method for each of the server's. */");
            code.line(&format!("export class {client} extends ClientBase {{"));
        } else {
            comment(
                &format!("The methods of `{}`.", text::one_line(&node.full_name())),
                code,
            );
            code.line(&format!(
                "export class {} {{",
                self.classes[&node.full_name()]
            ));
        }
        code.deeper(|code| {
            if !root {
                code.line("private readonly core: Core;");
            }
            for inner in &node.nodes {
                let (name, class) = (
                    scope.take(kept(inner.name())),
                    &self.classes[&inner.full_name()],
                );
                match root {
                    true => code.line(&format!("readonly {name} = new {class}(this.core);")),
                    false => code.line(&format!("readonly {name}: {class};")),
                }
            }
            if !root {
                self.constructor(node, code);
            }
            // Reserve all names first, so that no variation of a name takes the name of a later
            // method.
            let names: Vec<_> = node
                .methods
                .iter()
                .map(|method| scope.take(kept(method.path().1)))
                .collect();
            for (at, (method, name)) in node.methods.iter().zip(&names).enumerate() {
                if at > 0 || !root || !node.nodes.is_empty() {
                    code.blank(1);
                }
                self.by_place(method, name, code);
                if !method.params.is_empty() && method.passing != Passing::ByPosition {
                    code.blank(1);
                    let named = scope.take(format!("{name}Named"));
                    self.by_name(method, name, &named, code);
                }
            }
        });
        code.line("}");
        code.blank(1);
    }

    fn constructor(&self, node: &Node<'_>, code: &mut Code) {
        let mut scope = Scope::with(&[MEMBERS]);
        code.blank(1);
        code.line("constructor(core: Core) {");
        code.deeper(|code| {
            code.line("this.core = core;");
            for inner in &node.nodes {
                let name = scope.take(kept(inner.name()));
                let class = &self.classes[&inner.full_name()];
                code.line(&format!("this.{name} = new {class}(core);"));
            }
        });
        code.line("}");
    }

    fn by_place(&self, method: &Method, name: &str, code: &mut Code) {
        let mut scope = Scope::with(&[KEYWORDS]);
        let names: Vec<_> = method
            .params
            .iter()
            .map(|param| scope.take(kept(&param.name)))
            .collect();
        let docs = method.params.iter().zip(&names);
        let docs = docs.map(|(param, name)| (name, self.types.doc(&param.doc, &param.ty)));
        let tags: Vec<_> = docs
            .filter(|(_, doc)| !doc.is_empty())
            .map(|(name, doc)| format!("@param {name} {}", text::one_line(&doc)))
            .collect();
        let result = match method.stream {
            Some(_) => String::new(),
            None => self.types.doc(&method.result_doc, &method.result),
        };
        comment(&doc(method, &result, &tags), code);
        let params = method.params.iter().zip(&names).map(|(param, name)| {
            let named = Field {
                name: name.clone(),
                ..param.clone()
            };
            self.types.member(&named)
        });
        let (result, call) = self.result(method);
        let params: Vec<_> = params.collect();
        code.list(
            &format!("{name}("),
            &params,
            &format!("): {result} {{"),
            Breaking::Apart,
        );
        let how = match method.passing {
            Passing::Either => "either",
            Passing::ByName => "byName",
            Passing::ByPosition => "byPosition",
        };
        let pairs = method.params.iter().zip(&names);
        let pairs: Vec<_> = pairs
            .map(|(param, name)| format!("[{}, {name}]", text::quoted(&param.name)))
            .collect();
        let pairs = match (method.rest, names.last(), &pairs[..]) {
            (true, Some(name), [pairs @ .., _]) => {
                [pairs, &[format!("...Object.entries({name} ?? {{}})")]].concat()
            }
            _ => pairs,
        };
        code.deeper(|code| {
            if pairs.is_empty() {
                return code.list(
                    &format!("return this.core.{}(", call.0),
                    &call.1,
                    ");",
                    Breaking::Apart,
                );
            }
            let whole = format!("{how}({})", pairs.join(", "));
            let line = format!(
                "return this.core.{}({}, {whole});",
                call.0,
                call.1.join(", ")
            );
            if code.fits(&line) {
                return code.line(&line);
            }
            code.line(&format!("return this.core.{}(", call.0));
            code.deeper(|code| {
                code.lines(call.1.iter().map(|arg| format!("{arg},")));
                code.list(&format!("{how}("), &pairs, "),", Breaking::Apart);
            });
            code.line(");");
        });
        code.line("}");
    }

    fn by_name(&self, method: &Method, name: &str, named: &str, code: &mut Code) {
        comment(
            &format!("The same as `{name}`, with parameters by name."),
            code,
        );
        let (result, call) = self.result(method);
        let members: Vec<_> = method
            .params
            .iter()
            .map(|param| self.types.member(param))
            .collect();
        let members = match (method.rest, &members[..]) {
            (true, [members @ .., _]) => {
                [members, &["[name: string]: unknown".to_owned()]].concat()
            }
            _ => members,
        };
        let mark = if method.params.iter().any(|param| param.required) {
            ""
        } else {
            "?"
        };
        let line = format!(
            "{named}(params{mark}: {{ {} }}): {result} {{",
            members.join("; ")
        );
        if code.fits(&line) {
            code.line(&line);
        } else {
            code.line(&format!("{named}(params{mark}: {{"));
            code.deeper(|code| code.lines(members.iter().map(|member| format!("{member};"))));
            code.line(&format!("}}): {result} {{"));
        }
        code.deeper(|code| {
            let args: Vec<_> = call
                .1
                .iter()
                .cloned()
                .chain(["params".to_owned()])
                .collect();
            code.list(
                &format!("return this.core.{}(", call.0),
                &args,
                ");",
                Breaking::Apart,
            );
        });
        code.line("}");
    }

    /// The return type of a method, and the member of `core` to call with its first arguments.
    fn result(&self, method: &Method) -> (String, (&'static str, Vec<String>)) {
        let name = text::quoted(&method.name);
        match &method.stream {
            None => (
                format!("Call<{}>", self.ty(&method.result)),
                ("call", vec![name]),
            ),
            Some(stream) => (
                format!("Subscription<{}>", self.ty(&stream.item)),
                (
                    match stream.resumes {
                        true => "resumable",
                        false => "subscription",
                    },
                    vec![name, text::quoted(&stream.unsubscribe)],
                ),
            ),
        }
    }

    fn ty(&self, ty: &Type) -> String {
        self.types.write(ty)
    }
}

fn doc(method: &Method, result: &str, params: &[String]) -> String {
    let stands_in = format!("Calls `{}`.", text::one_line(&method.name));
    let about = match text::lines(&method.doc).is_empty() {
        true => &stands_in,
        false => &method.doc,
    };
    let mut tags = params.to_vec();
    if !result.is_empty() {
        tags.push(format!("@returns {}", text::one_line(result)));
    }
    tags.extend(
        method
            .errors
            .iter()
            .map(|code| format!("@throws {{RpcError}} with the code {code}")),
    );
    if method.deprecated {
        tags.push("@deprecated".to_owned());
    }
    text::paragraphs(&[about, &tags.join("\n")])
}
