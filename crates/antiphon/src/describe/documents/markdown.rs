//! Markdown output: namespaces, methods, types.
//!
//! All texts of the document pass through `markdown_text.rs` or become code.

use std::fmt::Write as _;

use antiphon_proto::is_printable;
use serde_json::Value;

use crate::describe::documents::markdown_escape::{cell, code, destination, is_link, plain};
use crate::describe::documents::markdown_text::{blocks, line};
use crate::describe::documents::model::{Content, Document, Error, Example, Method, Subscription};
use crate::describe::documents::schema_text::{anchor, members, type_of, values, yes};
use crate::describe::documents::specification::NO_VERSION;

pub(super) fn text(document: &Document) -> String {
    let mut page = Page::default();
    let info = &document.info;
    page.paragraph(&format!("# {}", plain(&info.title)));
    if !matches!(info.version.as_str(), "" | NO_VERSION) {
        page.paragraph(&format!("Version {}", plain(&info.version)));
    }
    page.documentation(&info.description);
    let servers: Vec<_> = document.servers.iter().map(|server| &server.url).collect();
    if !servers.is_empty() {
        let servers = servers.iter().map(|url| match is_link(url) {
            true => destination(url),
            false => code(url),
        });
        let servers: Vec<_> = servers.collect();
        page.paragraph(&format!("Served at {}.", servers.join(", ")));
    }
    let mut namespace = None;
    for method in &document.methods {
        let tag = method.tags.first();
        let name = tag.map_or("Methods", |tag| tag.name.as_str());
        if namespace != Some(name) {
            namespace = Some(name);
            page.paragraph(&format!("## {}", plain(name)));
            page.documentation(tag.map_or("", |tag| document.about(tag)));
        }
        page.method(method);
    }
    if !document.components.schemas.is_empty() {
        page.paragraph("## Types");
    }
    for (name, schema) in &document.components.schemas {
        page.schema(name, schema);
    }
    page.0
}

/// Paragraphs separated by empty lines.
#[derive(Default)]
struct Page(String);

impl Page {
    fn paragraph(&mut self, text: &str) {
        let text = text.trim();
        if text.is_empty() {
            return;
        }
        if !self.0.is_empty() {
            self.0.push('\n');
        }
        self.0.push_str(text);
        self.0.push('\n');
    }

    /// Adds a description. Its headings are moved below those of the page.
    fn documentation(&mut self, text: &str) {
        self.paragraph(&blocks(text));
    }

    /// Adds a table, unless it has no rows.
    fn table<const N: usize>(&mut self, head: [&str; N], rows: &[[String; N]]) {
        if rows.is_empty() {
            return;
        }
        let line = |cells: [&str; N]| format!("| {} |\n", cells.join(" | "));
        let mut text = line(head) + &line(["---"; N]);
        for row in rows {
            let row: [String; N] =
                std::array::from_fn(|at| row.get(at).map_or(String::new(), |text| cell(text)));
            text.push_str(&line(std::array::from_fn(|at| {
                row.get(at).map_or("", String::as_str)
            })));
        }
        self.paragraph(&text);
    }

    fn method(&mut self, method: &Method) {
        self.paragraph(&format!("### {}", code(&signature(method))));
        if method.deprecated == Some(true) {
            let reason = method.extensions.get("x-deprecated-reason");
            let reason = reason.and_then(Value::as_str).unwrap_or_default();
            self.paragraph(format!("**Deprecated.** {}", line(reason)).trim());
        }
        if let Some(access) = method.extensions.get("x-access").and_then(Value::as_str) {
            self.paragraph(&format!("For callers with access {}.", code(access)));
        }
        if method.extensions.get("x-public") == Some(&Value::Bool(true)) {
            self.paragraph("Callers need not be known.");
        }
        let scopes = method.extensions.get("x-scopes").and_then(Value::as_array);
        let scopes: Vec<_> = (scopes.into_iter().flatten())
            .filter_map(Value::as_str)
            .map(code)
            .collect();
        match scopes.len() {
            0 => {}
            1 => self.paragraph(&format!("Callers need the scope {}.", scopes.concat())),
            _ => self.paragraph(&format!("Callers need the scopes {}.", scopes.join(", "))),
        }
        match method.extensions.get("x-cost").and_then(Value::as_u64) {
            Some(0) => self.paragraph("Exempt from rate limits."),
            Some(cost) => self.paragraph(&format!("Counts as {cost} calls for rate limits.")),
            None => {}
        }
        let has = |name| method.extensions.get(name) == Some(&Value::Bool(true));
        match (has("x-read-only"), has("x-idempotent")) {
            (true, _) => self.paragraph("It changes nothing."),
            (false, true) => {
                self.paragraph("A call may be repeated: it has the same effect as one.")
            }
            (false, false) => {}
        }
        self.documentation(method.doc());
        let rows: Vec<_> = method.params.iter().map(param).collect();
        self.table(
            ["Parameter", "Type", "Required", "Default", "Description"],
            &rows,
        );
        if let Some(values) = method.extensions.get("x-additional-params") {
            self.paragraph(&format!("Further parameters by name: {}.", type_of(values)));
        }
        if method.param_structure == "by-name" {
            self.paragraph("Parameters are given by name only.");
        }
        match &method.subscription {
            Some(subscription) => self.subscription(subscription),
            None => match &method.result {
                Some(result) => self.paragraph(&format!("Result: {}.", shown(result))),
                None => self.paragraph("It is not answered."),
            },
        }
        let rows: Vec<_> = method.errors.iter().map(|e| error(method, e)).collect();
        self.table(["Error", "Message", "Description"], &rows);
        for example in &method.examples {
            self.example(method, example);
        }
    }

    fn subscription(&mut self, subscription: &Subscription) {
        let Subscription {
            notification,
            unsubscribe,
            item,
            plain,
            resumes,
        } = subscription;
        let plain = match plain {
            true => " They come without `seq` and `end`.",
            false => "",
        };
        let resumes = match resumes {
            true => " Each has a `cursor`, behind which a request with the member `after` goes on.",
            false => "",
        };
        self.paragraph(&format!(
            "A subscription: items come as notifications {}, until {} ends it.{plain}{resumes} An item: {}.",
            code(notification),
            code(unsubscribe),
            shown(item)
        ));
    }

    fn example(&mut self, method: &Method, example: &Example) {
        let is_named = method.param_structure == "by-name" || example.is_named;
        let params = example.params.iter();
        let params = match is_named {
            true => params
                .map(|param| (param.name.clone(), param.value.clone()))
                .collect::<serde_json::Map<_, _>>()
                .into(),
            false => Value::from_iter(params.map(|param| param.value.clone())),
        };
        let name = Value::from(method.name.as_str());
        let mut text = format!("{{\"method\": {name}, \"params\": {params}}}\n");
        if let Some(result) = &example.result {
            // Writing to a `String` cannot fail.
            let _ = writeln!(text, "{{\"result\": {}}}", result.value);
        }
        self.json(&text);
    }

    /// Adds a block of JSON, in which strings may contain backquotes, but no line begins with one.
    fn json(&mut self, text: &str) {
        let shown = text.chars().map(|c| match is_printable(c) || c == '\n' {
            true => c,
            false => char::REPLACEMENT_CHARACTER,
        });
        let text: String = shown.collect();
        self.paragraph(&format!("```json\n{}\n```", text.trim_end()));
    }

    fn schema(&mut self, name: &str, schema: &Value) {
        self.paragraph(&format!(
            "<a id=\"{}\"></a>\n\n### {}",
            anchor(name),
            code(name)
        ));
        let description = schema.get("description").and_then(Value::as_str);
        self.documentation(description.unwrap_or_default());
        let (values, rows) = (values(schema), members(schema));
        if values.is_empty() && rows.is_empty() {
            let mut schema = schema.clone();
            if let Some(members) = schema.as_object_mut() {
                members.remove("description");
                members.remove("title");
            }
            let schema = serde_json::to_string_pretty(&schema).unwrap_or_default();
            self.json(&schema);
        }
        let is_more = ["allOf", "anyOf", "oneOf"]
            .iter()
            .any(|word| schema.get(word).is_some());
        if is_more && !rows.is_empty() {
            self.paragraph(&format!("Type: {}.", type_of(schema)));
        }
        self.table(["Value", "Description"], &values);
        self.table(["Member", "Type", "Required", "Description"], &rows);
    }
}

/// The signature of a method: `calc.add(a, b?)`.
fn signature(method: &Method) -> String {
    let param = |param: &Content| match param.required {
        Some(false) => format!("{}?", param.name),
        _ => param.name.clone(),
    };
    let params: Vec<_> = method.params.iter().map(param).collect();
    format!("{}({})", method.name, params.join(", "))
}

fn shown(content: &Content) -> String {
    match content.no_schema {
        Some(true) => "not described".to_owned(),
        _ => type_of(&content.schema),
    }
}

fn param(param: &Content) -> [String; 5] {
    let default = param.schema.get("default").map(Value::to_string);
    [
        code(&param.name),
        shown(param),
        yes(param.required == Some(true)),
        default.map_or(String::new(), |value| code(&value)),
        line(&param.description),
    ]
}

fn error(method: &Method, error: &Error) -> [String; 3] {
    let code = error.code.to_string();
    let doc = method.error_docs.get(&code).map_or("", String::as_str);
    let doc = line(doc);
    [code, plain(&error.message), doc]
}
