//! Markdown output: namespaces, methods, types.

use std::fmt::Write as _;

use serde_json::Value;

use crate::describe::documents::model::{Content, Document, Error, Example, Method, Subscription};
use crate::describe::documents::schema_text::{anchor, cell, code, members, type_of, values, yes};
use crate::describe::documents::specification::NO_VERSION;

pub(super) fn text(document: &Document) -> String {
    let mut page = Page::default();
    let info = &document.info;
    page.paragraph(&format!("# {}", info.title));
    if !matches!(info.version.as_str(), "" | NO_VERSION) {
        page.paragraph(&format!("Version {}", info.version));
    }
    page.documentation(&info.description);
    let servers: Vec<_> = document.servers.iter().map(|server| &server.url).collect();
    if !servers.is_empty() {
        let servers = servers.iter().map(|url| format!("<{url}>"));
        let servers: Vec<_> = servers.collect();
        page.paragraph(&format!("Served at {}.", servers.join(", ")));
    }
    let mut namespace = None;
    for method in &document.methods {
        let tag = method.tags.first();
        let name = tag.map_or("Methods", |tag| tag.name.as_str());
        if namespace != Some(name) {
            namespace = Some(name);
            page.paragraph(&format!("## {name}"));
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

    /// Adds Markdown text of a doc comment. Its headings are moved below those of the page.
    fn documentation(&mut self, text: &str) {
        let mut fenced = false;
        let lines = text.lines().map(|line| {
            let start = line.trim_start();
            fenced ^= start.starts_with("```") || start.starts_with("~~~");
            match start.starts_with('#') && !fenced {
                true => format!("###{start}"),
                false => line.to_owned(),
            }
        });
        self.paragraph(&lines.collect::<Vec<_>>().join("\n"));
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
            self.paragraph(format!("**Deprecated.** {reason}").trim());
        }
        if let Some(access) = method.extensions.get("x-access").and_then(Value::as_str) {
            self.paragraph(&format!("For callers with access `{access}`."));
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
        } = subscription;
        let plain = match plain {
            true => " They come without `seq` and `end`.",
            false => "",
        };
        self.paragraph(&format!(
            "A subscription: items come as notifications {}, until {} ends it.{plain} An item: {}.",
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
        let mut text = format!("```json\n{{\"method\": {name}, \"params\": {params}}}\n");
        if let Some(result) = &example.result {
            // Writing to a `String` cannot fail.
            let _ = writeln!(text, "{{\"result\": {}}}", result.value);
        }
        text.push_str("```");
        self.paragraph(&text);
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
            self.paragraph(&format!("```json\n{schema}\n```"));
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
        param.description.clone(),
    ]
}

fn error(method: &Method, error: &Error) -> [String; 3] {
    let code = error.code.to_string();
    let doc = method.error_docs.get(&code).cloned().unwrap_or_default();
    [code, error.message.clone(), doc]
}
