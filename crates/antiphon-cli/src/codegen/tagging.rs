//! Tagging of unions: detection of serde's enum representations.

use super::model::Tagging;
use crate::openrpc::value::Json;

/// The representation that all variants have in common.
pub(crate) fn of(variants: &[&Json]) -> Tagging {
    if variants
        .iter()
        .all(|variant| texts(variant).is_some() || wrapped(variant).is_some())
    {
        return Tagging::External;
    }
    let Some(tag) = variants.first().and_then(|variant| tags(variant).next()) else {
        return Tagging::None;
    };
    let mut values: Vec<_> = variants
        .iter()
        .filter_map(|variant| value(variant, tag))
        .collect();
    let tagged = values.len();
    values.sort_unstable();
    values.dedup();
    // The tag must have a different value in every variant.
    if tagged != variants.len() || values.len() != tagged {
        return Tagging::None;
    }
    match content(variants, tag) {
        Some(content) => Tagging::Adjacent(tag.to_owned(), content.to_owned()),
        None => Tagging::Internal(tag.to_owned()),
    }
}

/// The names of the variants in one schema, each with its string if the variant is only a string.
pub(crate) fn names<'a>(
    tagging: &Tagging,
    schema: &'a Json,
    number: usize,
) -> Vec<(String, Option<&'a str>)> {
    let name = match tagging {
        Tagging::None => None,
        Tagging::External => {
            if let Some(texts) = texts(schema) {
                return texts
                    .into_iter()
                    .map(|text| (text.to_owned(), Some(text)))
                    .collect();
            }
            wrapped(schema)
        }
        Tagging::Internal(tag) | Tagging::Adjacent(tag, _) => value(schema, tag),
    };
    let named = || {
        let reference = schema
            .text("$ref")
            .and_then(|reference| reference.rsplit('/').next());
        let kind = schema.text("type").filter(|&kind| kind != "object");
        schema.text("title").or(reference).or(kind)
    };
    let name = name
        .or_else(named)
        .map_or_else(|| format!("variant {number}"), str::to_owned);
    vec![(name, None)]
}

/// The values of a schema that allows only string constants.
pub(crate) fn texts(schema: &Json) -> Option<Vec<&str>> {
    if let Some(value) = schema.get("const") {
        return Some(vec![value.as_str()?]);
    }
    let values = schema.get("enum")?.items();
    let texts: Option<Vec<_>> = values.iter().map(Json::as_str).collect();
    texts.filter(|texts| !texts.is_empty())
}

/// The name of the only member of an object.
fn wrapped(schema: &Json) -> Option<&str> {
    let plain = ["$ref", "allOf", "oneOf", "anyOf"];
    let [(name, _)] = schema.get("properties")?.members() else {
        return None;
    };
    let closed = schema.get("additionalProperties") == Some(&Json::Bool(false));
    let whole =
        closed && required(schema, name) && plain.iter().all(|key| schema.get(key).is_none());
    whole.then_some(name)
}

fn required(schema: &Json, name: &str) -> bool {
    schema
        .list("required")
        .iter()
        .any(|required| required.as_str() == Some(name))
}

/// Members that are string constants.
fn tags(schema: &Json) -> impl Iterator<Item = &str> {
    let members = schema.get("properties").map_or(&[][..], Json::members);
    let names = members.iter().map(|(name, _)| &**name);
    names.filter(|name| value(schema, name).is_some())
}

/// The value of a required string constant.
fn value<'a>(schema: &'a Json, tag: &str) -> Option<&'a str> {
    let texts = texts(schema.get("properties")?.get(tag)?)?;
    match texts[..] {
        [text] if required(schema, tag) => Some(text),
        _ => None,
    }
}

/// The content member, if every member other than the tag has the same name in all variants.
fn content<'a>(variants: &[&'a Json], tag: &str) -> Option<&'a str> {
    let mut content: Option<&str> = None;
    for variant in variants {
        if variant.get("allOf").is_some() || variant.get("$ref").is_some() {
            return None;
        }
        for (name, _) in variant.get("properties")?.members() {
            let other = content.is_some_and(|content| content != name);
            match name == tag {
                true => {}
                false if other || !required(variant, name) => return None,
                false => content = Some(name.as_str()),
            }
        }
    }
    content
}
