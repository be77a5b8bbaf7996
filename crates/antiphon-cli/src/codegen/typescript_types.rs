//! Types in TypeScript: interfaces and unions.

use super::code::Code;
use super::model::{Api, Field, Literal, Shape, Struct, Type};
use super::names::{Scope, is_identifier, pascal};
use super::text;

/// Global names that are already taken.
const GLOBALS: &[&str] = &[
    "AbortController",
    "AbortSignal",
    "Array",
    "AsyncGenerator",
    "AsyncIterable",
    "Awaited",
    "Call",
    "CallOptions",
    "CallTimeoutError",
    "ClientBase",
    "ClientOptions",
    "Core",
    "Error",
    "ErrorCode",
    "Exchange",
    "FetchTransport",
    "Infinity",
    "Items",
    "JSON",
    "Map",
    "Math",
    "NaN",
    "Number",
    "Object",
    "Params",
    "Promise",
    "PromiseLike",
    "PromiseSettledResult",
    "ProtocolError",
    "Record",
    "Response",
    "RpcError",
    "RpcRequest",
    "Set",
    "StreamError",
    "String",
    "Subscription",
    "Symbol",
    "TextDecoder",
    "Tokens",
    "Transport",
    "TransportError",
    "TypeError",
    "URL",
    "WebSocket",
    "WebSocketTransport",
];

pub(crate) struct Types<'a> {
    api: &'a Api,
    names: Vec<String>,
    /// All global names so far.
    pub(crate) globals: Scope,
}

impl<'a> Types<'a> {
    pub(crate) fn new(api: &'a Api) -> Self {
        let mut globals = Scope::with(&[GLOBALS]);
        let names = api
            .types
            .iter()
            .map(|def| globals.take_type(pascal(&def.name)));
        Self {
            names: names.collect(),
            api,
            globals,
        }
    }

    /// Formats a type.
    pub(crate) fn write(&self, ty: &Type) -> String {
        match ty {
            Type::Any => "unknown".to_owned(),
            Type::Null => "null".to_owned(),
            Type::Bool => "boolean".to_owned(),
            Type::Int(_) | Type::Float(_) => "number".to_owned(),
            Type::String => "string".to_owned(),
            Type::Literal(values) => literals(values).join(" | "),
            Type::Array(item) => match &**item {
                Type::Nullable(_) => format!("({})[]", self.write(item)),
                Type::Literal(values) if values.len() > 1 => format!("({})[]", self.write(item)),
                item => format!("{}[]", self.write(item)),
            },
            Type::Tuple(items) => {
                let items: Vec<_> = items.iter().map(|item| self.write(item)).collect();
                format!("[{}]", items.join(", "))
            }
            // `Record` does not allow a recursive type.
            Type::Map(value) => format!("{{ [key: string]: {} }}", self.write(value)),
            Type::Nullable(inner) => format!("{} | null", self.write(inner)),
            Type::Named(id) => self.names[*id].clone(),
        }
    }

    /// Documentation of a value, which says if its type may round it.
    pub(crate) fn doc(&self, doc: &str, ty: &Type) -> String {
        match is_wide(ty) {
            true => text::paragraphs(&[doc, WIDE]),
            false => doc.to_owned(),
        }
    }

    /// Whether any type of the document may round its values.
    pub(crate) fn rounds(&self) -> bool {
        let types = self.api.types.iter().any(|def| match &def.shape {
            Shape::Struct(shape) => {
                let fields = shape.fields.iter().map(|field| &field.ty);
                fields.chain(&shape.extra).any(is_wide)
            }
            Shape::Union(union) => union.variants.iter().any(|variant| is_wide(&variant.ty)),
            Shape::Alias(ty) => is_wide(ty),
            Shape::Enum(_) => false,
        });
        types
            || self.api.methods.iter().any(|method| {
                let stream = method.stream.iter().map(|stream| &stream.item);
                let params = method.params.iter().map(|param| &param.ty);
                params.chain(stream).chain([&method.result]).any(is_wide)
            })
    }

    pub(crate) fn write_all(&self, code: &mut Code) {
        for (def, name) in self.api.types.iter().zip(&self.names) {
            match &def.shape {
                Shape::Struct(shape) => {
                    comment(&def.doc, code);
                    self.interface(shape, name, code);
                }
                Shape::Enum(values) => {
                    let told = values.iter().filter(|value| !value.doc.is_empty());
                    let told = told.map(|value| {
                        let doc = text::one_line(&value.doc);
                        format!("- `{}`: {doc}", text::quoted(&value.value))
                    });
                    let told: Vec<_> = told.collect();
                    comment(&text::paragraphs(&[&def.doc, &told.join("\n")]), code);
                    let values = values.iter().map(|value| text::quoted(&value.value));
                    union(name, &values.collect::<Vec<_>>(), code);
                }
                Shape::Union(shape) => {
                    comment(&def.doc, code);
                    let mut types: Vec<String> = Vec::new();
                    for variant in &shape.variants {
                        let ty = self.write(&variant.ty);
                        if !types.contains(&ty) {
                            types.push(ty);
                        }
                    }
                    union(name, &types, code);
                }
                Shape::Alias(Type::Literal(values)) => {
                    comment(&def.doc, code);
                    union(name, &literals(values), code);
                }
                Shape::Alias(ty) => {
                    comment(&self.doc(&def.doc, ty), code);
                    code.line(&format!("export type {name} = {};", self.write(ty)));
                }
            }
            code.blank(1);
        }
    }

    fn interface(&self, shape: &Struct, name: &str, code: &mut Code) {
        if shape.is_empty() {
            return code.line(&format!("export interface {name} {{}}"));
        }
        match shape.choices.is_empty() {
            true => code.line(&format!("export interface {name} {{")),
            false => code.line(&format!("export type {name} = {{")),
        }
        code.deeper(|code| {
            for field in &shape.fields {
                comment(&self.doc(&field.doc, &field.ty), code);
                code.line(&format!("{};", self.member(field)));
            }
            match &shape.extra {
                None => {}
                Some(Type::Any) => code.line("[key: string]: unknown;"),
                Some(ty) => {
                    comment(&format!("Other members: `{}`.", self.write(ty)), code);
                    code.line("[key: string]: unknown;");
                }
            }
        });
        let choices = shape
            .choices
            .iter()
            .map(|choice| format!(" & {}", self.write(&choice.ty)));
        match choices.collect::<String>() {
            choices if choices.is_empty() => code.line("}"),
            choices => code.line(&format!("}}{choices};")),
        }
    }

    /// Formats a member: `name?: type`.
    pub(crate) fn member(&self, field: &Field) -> String {
        let name = match is_identifier(&field.name) {
            true => field.name.clone(),
            false => text::quoted(&field.name),
        };
        let mark = if field.required { "" } else { "?" };
        format!("{name}{mark}: {}", self.write(&field.ty))
    }
}

/// What is said of integers that may have more digits than a `number`.
const WIDE: &str = "An integer of 64 bits: beyond 2⁵³ − 1 it is rounded.";

/// Whether the type has integers of 64 bits, without another type that says so.
fn is_wide(ty: &Type) -> bool {
    match ty {
        Type::Int(int) => int.wide,
        Type::Nullable(inner) | Type::Array(inner) | Type::Map(inner) => is_wide(inner),
        Type::Tuple(items) => items.iter().any(is_wide),
        _ => false,
    }
}

fn union(name: &str, types: &[String], code: &mut Code) {
    let line = format!("export type {name} = {};", types.join(" | "));
    if code.fits(&line) {
        return code.line(&line);
    }
    code.line(&format!("export type {name} ="));
    code.deeper(|code| {
        let joined = format!("{};", types.join(" | "));
        if code.fits(&joined) {
            return code.line(&joined);
        }
        for (at, ty) in types.iter().enumerate() {
            let end = if at + 1 == types.len() { ";" } else { "" };
            code.line(&format!("| {ty}{end}"));
        }
    });
}

fn literals(values: &[Literal]) -> Vec<String> {
    let literal = |value: &Literal| match value {
        Literal::String(text) => text::quoted(text),
        Literal::Integer(number) => number.to_string(),
        Literal::Bool(value) => value.to_string(),
    };
    values.iter().map(literal).collect()
}

/// Writes a JSDoc comment with `*/` escaped, so that no text can end it early.
pub(crate) fn comment(doc: &str, code: &mut Code) {
    let marked;
    let doc = match doc.strip_suffix("Deprecated.") {
        // As `doc` of a schema marks it.
        Some(about) if about.is_empty() || about.ends_with('\n') => {
            marked = format!("{about}@deprecated");
            &marked
        }
        _ => doc,
    };
    // Remove invisible characters first: one of them could separate `*` from `/`.
    let lines = text::lines(doc)
        .into_iter()
        .map(|line| line.replace("*/", "*\\/"));
    let lines: Vec<_> = lines.collect();
    match &lines[..] {
        [] => {}
        [only] if code.fits(&format!("/** {only} */")) => {
            code.line(&format!("/** {} */", only.trim_start()))
        }
        lines => {
            code.line("/**");
            for line in lines {
                code.line(format!(" * {line}").trim_end());
            }
            code.line(" */");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leads_out_of_a_comment() {
        let table = [
            ("plain", "/** plain */\n"),
            ("*/ alert(1) /*", "/** *\\/ alert(1) /* */\n"),
            ("a*\u{202e}/b", "/** a*\\/b */\n"),
            ("a\r*/\u{2028}b", "/**\n * a\n * *\\/\n * b\n */\n"),
            ("ends with *", "/** ends with * */\n"),
            ("/", "/** / */\n"),
            ("Deprecated.", "/** @deprecated */\n"),
            ("a\n\nDeprecated.", "/**\n * a\n *\n * @deprecated\n */\n"),
            ("It is Deprecated.", "/** It is Deprecated. */\n"),
        ];
        for (doc, expected) in table {
            let mut code = Code::new(2, 80);
            comment(doc, &mut code);
            assert_eq!(code.finish(), expected, "{doc:?}");
        }
    }
}
