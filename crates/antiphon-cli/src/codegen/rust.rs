//! Generator of clients in Rust that use the `antiphon` crate.

use std::collections::HashMap;

use super::code::{Breaking, Code};
use super::model::{Api, Field, Method, Passing, Type};
use super::names::{Scope, pascal, snake};
use super::rust_file::{errors, head};
use super::rust_text::{comment, quoted};
use super::rust_types::{KEYWORDS, Types};
use super::text;
use super::tree::Node;

/// Calls and parameter passing of every generated client.
const RUNTIME: &str = include_str!("runtime.rs");

/// rustfmt's maximum width of call arguments on one line (`fn_call_width`).
const MAX_ARGUMENTS: usize = 60;

/// Maximum length of a tuple that implements `IntoParams`.
const MAX_TUPLE: usize = 16;

/// Code for methods with additional named parameters.
const REST: &str = "
impl Arguments {
    fn rest<T: Serialize>(&mut self, params: Option<&BTreeMap<String, T>>) {
        for (name, value) in params.into_iter().flatten() {
            self.named = take(&mut self.named).insert(name.clone(), value);
        }
    }
}
";

/// Generates the whole file.
pub(crate) fn write(api: &Api, client: &str) -> String {
    let mut types = Types::new(api);
    let client = types.globals.take_type(client.to_owned());
    let root = Node::of(api, |_| true);
    let mut writer = Writer {
        structs: HashMap::from([(String::new(), client.clone())]),
        params: HashMap::new(),
        types: &mut types,
    };
    writer.name_all(&root);

    let mut body = Code::new(4, 100);
    for node in root.outer_first() {
        writer.methods(node, &mut body);
    }
    for node in root.outer_first() {
        for method in &node.methods {
            writer.params_struct(method, &mut body);
        }
    }
    errors(api, &mut body);
    types.write_all(&mut body);
    body.raw(RUNTIME);
    if api.methods.iter().any(|method| method.stream.is_some()) {
        body.raw(SUBSCRIBE);
    }
    if api.methods.iter().any(|method| method.rest) {
        body.raw(REST);
    }
    let body = body.finish();
    format!("{}{body}", head(api, &client, &body))
}

/// Code for documents with subscriptions.
const SUBSCRIBE: &str = "
fn subscribe<T: DeserializeOwned>(
    client: &Client,
    method: &'static str,
    unsubscribe: &'static str,
    params: impl IntoParams,
) -> PendingSubscription<T> {
    let subscription = client.subscribe(method, params);
    subscription.unsubscribe_method(unsubscribe)
}
";

struct Writer<'w, 'a> {
    types: &'w mut Types<'a>,
    /// The struct of each namespace, by full name.
    structs: HashMap<String, String>,
    /// The parameter struct of each method that has one, by method name.
    params: HashMap<String, String>,
}

impl Writer<'_, '_> {
    fn name_all(&mut self, root: &Node<'_>) {
        for node in root.outer_first() {
            let full_name = node.full_name();
            if !node.path.is_empty() {
                let name = format!("{}Methods", pascal(&full_name));
                let name = self.types.globals.take_type(name);
                self.structs.insert(full_name, name);
            }
            for method in &node.methods {
                let by_name = method.passing != Passing::ByPosition;
                if by_name && method.params.iter().any(|param| !param.required) {
                    let name = format!("{}Params", pascal(&method.name));
                    let name = self.types.globals.take_type(name);
                    self.params.insert(method.name.clone(), name);
                }
            }
        }
    }

    fn methods(&self, node: &Node<'_>, code: &mut Code) {
        let name = &self.structs[&node.full_name()];
        let root = node.path.is_empty();
        match root {
            true => code.line("/// The client: a method for each of the server's."),
            false => comment(
                &format!("The methods of `{}`.", text::one_line(&node.full_name())),
                code,
            ),
        }
        code.line("#[derive(Clone, Debug)]");
        code.line(&format!("pub struct {name}(Client);"));
        code.blank(1);
        let mut scope = Scope::with(&[KEYWORDS]);
        // Reserve all names first, so that no variation of a name takes the name of a later method.
        let own: &[&str] = if root {
            &["new", "connect", "client"]
        } else {
            &[]
        };
        for name in own {
            scope.take((*name).to_owned());
        }
        let nodes: Vec<_> = node
            .nodes
            .iter()
            .map(|node| scope.take(snake(node.name())))
            .collect();
        let methods = node.methods.iter();
        let methods: Vec<_> = methods
            .map(|method| scope.take(snake(method.path().1)))
            .collect();
        code.line(&format!("impl {name} {{"));
        code.deeper(|code| {
            if root {
                code.lines(ROOT);
            }
            let mut first = !root;
            for (inner, name) in node.nodes.iter().zip(&nodes) {
                separate(&mut first, code);
                let ty = &self.structs[&inner.full_name()];
                comment(
                    &format!("The methods of `{}`.", text::one_line(&inner.full_name())),
                    code,
                );
                code.list(
                    &format!("pub fn {name}("),
                    &["&self".to_owned()],
                    &format!(") -> {ty} {{"),
                    Breaking::Apart,
                );
                code.deeper(|code| code.line(&format!("{ty}(self.0.clone())")));
                code.line("}");
            }
            for (method, name) in node.methods.iter().zip(&methods) {
                separate(&mut first, code);
                self.by_place(method, name, code);
                if let Some(params) = self.params.get(&method.name) {
                    code.blank(1);
                    let named = scope.take(format!("{}_named", name.trim_end_matches('_')));
                    self.by_name(method, name, &named, params, code);
                }
            }
        });
        code.line("}");
        code.blank(1);
    }

    fn by_place(&self, method: &Method, name: &str, code: &mut Code) {
        let mut scope = Scope::with(&[KEYWORDS, &["params", "subscribe"]]);
        let params = method.params.iter();
        let params: Vec<_> = params
            .map(|param| (param, scope.take(snake(&param.name))))
            .collect();
        comment(&doc(method, &params), code);
        if method.deprecated {
            code.line("#[deprecated]");
        }
        let args = params
            .iter()
            .map(|(param, name)| format!("{name}: {}", self.param(param)));
        let args: Vec<_> = ["&self".to_owned()].into_iter().chain(args).collect();
        code.list(
            &format!("pub fn {name}("),
            &args,
            &format!(") -> {} {{", self.result(method)),
            Breaking::Apart,
        );
        code.deeper(|code| {
            let all = params.iter().all(|(param, _)| param.required);
            if params.is_empty() {
                return self.made(method, &["()".to_owned()], code);
            }
            if all && method.passing != Passing::ByName && params.len() <= MAX_TUPLE {
                let names: Vec<_> = params.iter().map(|(_, name)| name.clone()).collect();
                return self.made(method, &tuple(&names), code);
            }
            let passing = match method.passing {
                Passing::Either => "Either",
                Passing::ByName => "ByName",
                Passing::ByPosition => "ByPosition",
            };
            code.line(&format!(
                "let mut params = Arguments::new(Passing::{passing});"
            ));
            for (at, (param, name)) in params.iter().enumerate() {
                if method.rest && at + 1 == params.len() {
                    code.line(&format!("params.rest({name});"));
                    continue;
                }
                let how = if param.required {
                    "required"
                } else {
                    "optional"
                };
                call(
                    &format!("params.{how}("),
                    &[quoted(&param.name), name.clone()],
                    ");",
                    code,
                );
            }
            self.made(method, &["params.finish()".to_owned()], code);
        });
        code.line("}");
    }

    fn by_name(&self, method: &Method, name: &str, named: &str, params: &str, code: &mut Code) {
        comment(
            &format!("The same as [`{name}`](Self::{name}), with parameters by name."),
            code,
        );
        if method.deprecated {
            code.line("#[deprecated]");
        }
        code.list(
            &format!("pub fn {named}("),
            &["&self".to_owned(), format!("params: &{params}")],
            &format!(") -> {} {{", self.result(method)),
            Breaking::Apart,
        );
        code.deeper(|code| self.made(method, &["Params::from_value(params)".to_owned()], code));
        code.line("}");
    }

    /// Writes the expression that makes the call. `params` is an expression on one line, or the
    /// lines of a longer one.
    fn made(&self, method: &Method, params: &[String], code: &mut Code) {
        let mut args = vec!["&self.0".to_owned(), quoted(&method.name)];
        let made = match &method.stream {
            None => "Call::new(",
            Some(stream) => {
                args.push(quoted(&stream.unsubscribe));
                "subscribe("
            }
        };
        match params {
            [only] => {
                args.push(only.clone());
                call(made, &args, ")", code);
            }
            lines => {
                code.line(made);
                code.deeper(|code| {
                    code.lines(args.iter().map(|arg| format!("{arg},")));
                    code.lines(lines);
                });
                code.line(")");
            }
        }
    }

    fn result(&self, method: &Method) -> String {
        match &method.stream {
            None => format!("Call<{}>", self.types.write(&method.result)),
            Some(stream) => format!("PendingSubscription<{}>", self.types.write(&stream.item)),
        }
    }

    fn param(&self, param: &Field) -> String {
        match (&param.ty, param.required) {
            (ty, true) => self.types.lent(ty),
            (Type::Nullable(inner), false) => format!("Option<{}>", self.types.lent(inner)),
            (ty, false) => format!("Option<{}>", self.types.lent(ty)),
        }
    }

    fn params_struct(&self, method: &Method, code: &mut Code) {
        let Some(name) = self.params.get(&method.name) else {
            return;
        };
        let about = format!("Parameters of `{}`, by name.", text::one_line(&method.name));
        comment(&about, code);
        let default = method
            .params
            .iter()
            .all(|param| !param.required || self.types.has_default(&param.ty));
        let default = if default { "Default, " } else { "" };
        code.line(&format!(
            "#[derive(Clone, Debug, {default}PartialEq, Serialize)]"
        ));
        code.line(&format!("pub struct {name} {{"));
        code.deeper(|code| {
            let mut scope = Scope::with(&[KEYWORDS]);
            for (at, param) in method.params.iter().enumerate() {
                let name = scope.take(snake(&param.name));
                let rest = method.rest && at + 1 == method.params.len();
                self.types.param(param, &name, rest, code);
            }
        });
        code.line("}");
        code.blank(1);
    }
}

/// Methods of the client itself.
const ROOT: &[&str] = &[
    "/// The methods of the server that a client talks to.",
    "pub fn new(client: Client) -> Self {",
    "    Self(client)",
    "}",
    "",
    "/// A client of the server at this address. Nothing is connected before the first call.",
    "pub fn connect(url: impl AsRef<str>) -> Result<Self, Error> {",
    "    Client::connect(url).map(Self)",
    "}",
    "",
    "/// What sends the calls: it begins batches, too.",
    "pub fn client(&self) -> &Client {",
    "    &self.0",
    "}",
];

fn separate(first: &mut bool, code: &mut Code) {
    if !std::mem::take(first) {
        code.blank(1);
    }
}

/// The tuple of positional parameters, on one line or on several.
fn tuple(names: &[String]) -> Vec<String> {
    match names {
        [only] => vec![format!("({only},)")],
        names if names.join(", ").len() <= MAX_ARGUMENTS => vec![format!("({})", names.join(", "))],
        names => {
            let names = names.iter().map(|name| format!("    {name},"));
            let first = std::iter::once("(".to_owned());
            first.chain(names).chain(["),".to_owned()]).collect()
        }
    }
}

/// Writes a function call; rustfmt limits its arguments to less than the line width.
fn call(before: &str, args: &[String], after: &str, code: &mut Code) {
    let joined = args.join(", ");
    let line = format!("{before}{joined}{after}");
    if joined.chars().count() <= MAX_ARGUMENTS && code.fits(&line) {
        return code.line(&line);
    }
    code.line(before);
    code.deeper(|code| code.lines(args.iter().map(|arg| format!("{arg},"))));
    code.line(after);
}

fn doc(method: &Method, params: &[(&Field, String)]) -> String {
    let stands_in = format!("Calls `{}`.", text::one_line(&method.name));
    let about = match text::lines(&method.doc).is_empty() {
        true => &stands_in,
        false => &method.doc,
    };
    let params = params.iter().filter(|(param, _)| !param.doc.is_empty());
    let params = params.map(|(param, name)| format!("- `{name}`: {}", text::one_line(&param.doc)));
    let params: Vec<_> = params.collect();
    let result = match &*text::one_line(&method.result_doc) {
        "" => String::new(),
        doc => format!("Result: {doc}"),
    };
    let errors = match method.errors.is_empty() {
        true => String::new(),
        false => {
            let codes: Vec<_> = method.errors.iter().map(i64::to_string).collect();
            format!(
                "# Errors\n\nThe server declares the codes {}.",
                codes.join(", ")
            )
        }
    };
    text::paragraphs(&[about, &params.join("\n"), &result, &errors])
}
