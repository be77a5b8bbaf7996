//! Parser of OpenRPC documents: document → model.

use std::collections::BTreeMap;

use super::model::{Api, ErrorDef, Field, Method, Passing, STANDARD_ERRORS, Stream, Type};
use super::schema::Schemas;
use super::text::{one_line, paragraphs};
use crate::openrpc::value::Json;

/// Maximum length of a chain of references.
const MAX_HOPS: usize = 16;

/// Reads a document that `openrpc::read` has checked.
///
/// # Errors
///
/// If there is a fault in it; the error text says where.
pub(crate) fn read(root: &Json) -> Result<Api, String> {
    let mut reader = Reader {
        root,
        schemas: Schemas::new(root),
        errors: BTreeMap::new(),
    };
    let references: Vec<_> = components(root)
        .map(|name| {
            format!(
                "#/components/schemas/{}",
                name.replace('~', "~0").replace('/', "~1")
            )
        })
        .collect();
    for reference in &references {
        if let Some(schema) = root.pointer(reference) {
            reader.schemas.component(reference, schema);
        }
    }
    reader.schemas.settle();
    let mut read = Vec::new();
    for method in root.list("methods") {
        read.push(reader.method(method)?);
    }
    let info = root.get("info");
    let about = |key| {
        info.and_then(|info| info.text(key))
            .unwrap_or_default()
            .to_owned()
    };
    Ok(Api {
        title: about("title"),
        version: about("version"),
        doc: about("description"),
        types: reader.schemas.finish(),
        methods: read,
        errors: reader.errors.into_values().collect(),
    })
}

fn components(root: &Json) -> impl Iterator<Item = &str> {
    let schemas = root
        .pointer("#/components/schemas")
        .map_or(&[][..], Json::members);
    schemas.iter().map(|(name, _)| &**name)
}

struct Reader<'a> {
    root: &'a Json,
    schemas: Schemas<'a>,
    errors: BTreeMap<i64, ErrorDef>,
}

impl<'a> Reader<'a> {
    /// Follows references until it reaches a value that is not one.
    fn resolve(&self, mut json: &'a Json) -> Result<&'a Json, String> {
        for _ in 0..MAX_HOPS {
            let Some(reference) = json.text("$ref") else {
                return Ok(json);
            };
            let found = self.root.pointer(reference);
            json =
                found.ok_or_else(|| format!("{reference:?} leads to nothing in this document"))?;
        }
        Err(format!("a reference leads to more than {MAX_HOPS} others"))
    }

    fn method(&mut self, json: &'a Json) -> Result<Method, String> {
        let json = self.resolve(json)?;
        let name = json.text("name").filter(|name| !name.is_empty());
        let name = name.ok_or("a method has no name")?;
        let told = |error| format!("the method {name:?}: {error}");
        let (mut params, mut passing) = self.params(json, name).map_err(told)?;
        let rest = json.get("x-additional-params");
        let rest = rest.filter(|&rest| *rest != Json::Bool(false));
        if let Some(schema) = rest {
            passing = Passing::ByName;
            let ty = self.schemas.ty(schema, &format!("{name} extra"));
            self.schemas.settle();
            params.push(Field {
                name: "extra".to_owned(),
                doc: "Other parameters.".to_owned(),
                ty: Type::Map(Box::new(ty)),
                required: false,
            });
        }
        let (result, mut result_doc) = self.result(json, name).map_err(told)?;
        let errors = self.declared(json).map_err(told)?;
        let stream = json
            .get("x-subscription")
            .map(|stream| self.stream(stream, name));
        if stream.is_some() {
            // It describes the subscription id, which callers never see.
            result_doc.clear();
        }
        Ok(Method {
            name: name.to_owned(),
            doc: paragraphs(&[&about(json), &needs(json)]),
            deprecated: json.flag("deprecated"),
            params,
            rest: rest.is_some(),
            passing,
            result,
            result_doc,
            errors,
            stream,
        })
    }

    /// The parameters, required ones first, and the ways in which they can be passed in this order.
    fn params(&mut self, json: &'a Json, method: &str) -> Result<(Vec<Field>, Passing), String> {
        let mut passing = match json.text("paramStructure") {
            Some("by-name") => Passing::ByName,
            Some("by-position") => Passing::ByPosition,
            _ => Passing::Either,
        };
        let mut params: Vec<Field> = Vec::new();
        for param in json.list("params") {
            let param = self.resolve(param)?;
            let name = param.text("name").ok_or("a parameter has no name")?;
            if params.iter().any(|other| other.name == name) {
                return Err(format!("two parameters have the name {name:?}"));
            }
            params.push(Field {
                name: name.to_owned(),
                doc: self.content_doc(param),
                ty: self.content(param, &format!("{method} {name}")),
                required: param.flag("required"),
            });
        }
        let last = params.iter().rposition(|param| param.required);
        let ordered = last.is_none_or(|last| params[..last].iter().all(|param| param.required));
        if let (false, Some(last)) = (ordered, last) {
            if passing == Passing::ByPosition {
                // By position, only trailing parameters can be omitted.
                params[..last]
                    .iter_mut()
                    .for_each(|param| param.required = true);
            } else {
                params.sort_by_key(|param| !param.required);
                passing = Passing::ByName;
            }
        }
        Ok((params, passing))
    }

    fn result(&mut self, json: &'a Json, method: &str) -> Result<(Type, String), String> {
        match json.get("result") {
            // A method without a result is meant for notifications; a call of it is answered with
            // null.
            None => Ok((Type::Any, String::new())),
            Some(result) => {
                let result = self.resolve(result)?;
                let ty = self.content(result, &format!("{method} result"));
                Ok((ty, self.content_doc(result)))
            }
        }
    }

    fn content(&mut self, descriptor: &'a Json, name: &str) -> Type {
        let schema = descriptor.get("schema");
        let ty = schema.map_or(Type::Any, |schema| self.schemas.ty(schema, name));
        self.schemas.settle();
        ty
    }

    fn content_doc(&self, descriptor: &Json) -> String {
        let text = about(descriptor);
        let text = match (&*text, descriptor.get("schema")) {
            ("", Some(schema)) => schema
                .text("description")
                .unwrap_or_default()
                .trim()
                .to_owned(),
            _ => text,
        };
        match descriptor.flag("deprecated") {
            true => format!("{text}\nDeprecated.").trim().to_owned(),
            false => text,
        }
    }

    fn declared(&mut self, json: &'a Json) -> Result<Vec<i64>, String> {
        let mut codes = Vec::new();
        for error in json.list("errors") {
            let key = error
                .text("$ref")
                .and_then(|reference| reference.rsplit('/').next());
            let error = self.resolve(error)?;
            let code = error.integer("code").ok_or("an error has no code")?;
            let message = error.text("message").unwrap_or_default();
            // Antiphon documents its errors in more detail in this extension, outside of `errors`.
            let more = json.get("x-error-docs");
            let more = more.and_then(|docs| docs.text(&code.to_string()));
            if STANDARD_ERRORS
                .iter()
                .all(|&(standard, _)| standard != code)
            {
                self.errors.entry(code).or_insert_with(|| ErrorDef {
                    code,
                    name: key.unwrap_or(message).to_owned(),
                    doc: format!("{}\n\n{}", one_line(message), more.unwrap_or_default())
                        .trim()
                        .to_owned(),
                });
            }
            if !codes.contains(&code) {
                codes.push(code);
            }
        }
        Ok(codes)
    }

    fn stream(&mut self, json: &'a Json, method: &str) -> Stream {
        let item = json.get("item");
        // A content descriptor or a bare schema.
        let schema = item.and_then(|item| item.get("schema")).or(item);
        let item = schema.map_or(Type::Any, |item| {
            self.schemas.ty(item, &format!("{method} item"))
        });
        self.schemas.settle();
        // The client finds the stream of an item by subscription id, so the name of the
        // notification does not matter.
        let unsubscribe = json.text("unsubscribe").unwrap_or("rpc.unsubscribe");
        Stream {
            unsubscribe: unsubscribe.to_owned(),
            resumes: json.flag("resumes"),
            item,
        }
    }
}

/// What a caller needs, if the server asks who calls.
fn needs(json: &Json) -> String {
    let shown = |scope: &str| {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || ":./-_".contains(c);
        match scope.chars().all(is_plain) {
            true => format!("`{scope}`"),
            false => one_line(scope),
        }
    };
    let scopes = json.list("x-scopes").iter();
    let scopes: Vec<_> = scopes.filter_map(Json::as_str).map(shown).collect();
    match &*scopes {
        [] => String::new(),
        [scope] => format!("Needs the scope {scope}."),
        scopes => format!("Needs the scopes {}.", scopes.join(", ")),
    }
}

/// Summary and description, without repeating the same text.
fn about(json: &Json) -> String {
    let text = |key| json.text(key).unwrap_or_default().trim();
    match (text("summary"), text("description")) {
        (summary, "") => summary.to_owned(),
        (summary, whole) if whole.starts_with(summary) => whole.to_owned(),
        (summary, whole) => format!("{summary}\n\n{whole}"),
    }
}
