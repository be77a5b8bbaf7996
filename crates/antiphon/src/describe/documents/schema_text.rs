//! Describes JSON Schemas in words, for Markdown.

use serde_json::Value;

use crate::describe::documents::markdown_escape::{code, plain};
use crate::describe::documents::markdown_text::line;
use crate::describe::documents::schemas::PATH;

/// The type of a schema in words: `list of integer`, or `string or null`.
pub(super) fn type_of(schema: &Value) -> String {
    let Some(members) = schema.as_object() else {
        return "anything".to_owned();
    };
    if let Some(reference) = members.get("$ref").and_then(Value::as_str) {
        let name = name_of(reference);
        return format!("[{}](#{})", code(&name), anchor(&name));
    }
    if let Some(value) = members.get("const") {
        return code(&value.to_string());
    }
    if let Some(Value::Array(values)) = members.get("enum") {
        return any_of(values.iter().map(|value| code(&value.to_string())));
    }
    for (word, joint) in [("allOf", " and "), ("anyOf", " or "), ("oneOf", " or ")] {
        if let Some(Value::Array(schemas)) = members.get(word) {
            return joined(schemas.iter().map(type_of), joint);
        }
    }
    match members.get("type") {
        Some(Value::String(name)) => named(name, schema),
        Some(Value::Array(names)) => {
            let names = names.iter().filter_map(Value::as_str);
            any_of(names.map(|name| named(name, schema)))
        }
        _ => "anything".to_owned(),
    }
}

/// Joins alternatives without duplicates.
fn any_of(types: impl Iterator<Item = String>) -> String {
    joined(types, " or ")
}

/// Joins types without duplicates.
fn joined(types: impl Iterator<Item = String>, joint: &str) -> String {
    let mut known: Vec<String> = Vec::new();
    for found in types {
        if !known.contains(&found) {
            known.push(found);
        }
    }
    known.join(joint)
}

fn named(name: &str, schema: &Value) -> String {
    match (
        name,
        schema.get("items"),
        schema.get("additionalProperties"),
    ) {
        ("array", Some(Value::Array(items)), _) => {
            let items: Vec<_> = items.iter().map(type_of).collect();
            format!("list of {}", items.join(", "))
        }
        ("array", Some(items), _) => format!("list of {}", type_of(items)),
        ("array", None, _) => "list".to_owned(),
        ("object", _, Some(values @ Value::Object(_))) => format!("object of {}", type_of(values)),
        _ => plain(name),
    }
}

/// The members of an object as table rows: name, type, whether it is required, description. Those
/// of the parts of `allOf` are among them, except of parts that have a name.
pub(super) fn members(schema: &Value) -> Vec<[String; 4]> {
    let parts = schema.get("allOf").and_then(Value::as_array);
    let parts = parts
        .into_iter()
        .flatten()
        .filter(|part| part.get("$ref").is_none());
    // The recursion is bounded by the parser's depth limit.
    let of_parts = parts.flat_map(members);
    let Some(Value::Object(properties)) = schema.get("properties") else {
        return of_parts.collect();
    };
    let required = schema.get("required").and_then(Value::as_array);
    let is_required = |name: &str| required.is_some_and(|names| names.iter().any(|n| n == name));
    let row = |(name, schema): (&String, &Value)| {
        let description = schema.get("description").and_then(Value::as_str);
        [
            code(name),
            type_of(schema),
            yes(is_required(name)),
            line(description.unwrap_or_default()),
        ]
    };
    properties.iter().map(row).chain(of_parts).collect()
}

/// The values of an enumeration as table rows: value, description. Empty for any other schema.
pub(super) fn values(schema: &Value) -> Vec<[String; 2]> {
    let described = |value: &Value, of: &Value| {
        let description = of.get("description").and_then(Value::as_str);
        [
            code(&value.to_string()),
            line(description.unwrap_or_default()),
        ]
    };
    let listed = |schema: &Value| -> Option<Vec<[String; 2]>> {
        match (schema.get("const"), schema.get("enum")) {
            (Some(value), _) => Some(vec![described(value, schema)]),
            (None, Some(Value::Array(values))) => {
                let rows = values.iter().map(|value| described(value, &Value::Null));
                Some(rows.collect())
            }
            _ => None,
        }
    };
    let rows = match schema.get("oneOf") {
        Some(Value::Array(schemas)) => {
            let rows: Option<Vec<_>> = schemas.iter().map(listed).collect();
            rows.map(|rows| rows.concat())
        }
        _ => listed(schema),
    };
    rows.unwrap_or_default()
}

/// The name of the definition that a reference points to.
fn name_of(reference: &str) -> String {
    let text = reference.strip_prefix('#').unwrap_or(reference);
    let text = text.strip_prefix(PATH).unwrap_or(text);
    let text = text.strip_prefix('/').unwrap_or(text);
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let escaped = match (first, after) {
            (b'%', [high, low, ..]) => hexadecimal(*high, *low),
            _ => None,
        };
        bytes.push(escaped.unwrap_or(*first));
        rest = after
            .get(if escaped.is_some() { 2 } else { 0 }..)
            .unwrap_or_default();
    }
    let text = String::from_utf8_lossy(&bytes);
    text.replace("~1", "/").replace("~0", "~")
}

fn hexadecimal(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

/// The anchor of a type's description on the page.
pub(super) fn anchor(name: &str) -> String {
    let letters = name.chars().map(|c| match c.is_ascii_alphanumeric() {
        true => c.to_ascii_lowercase(),
        false => '-',
    });
    format!("type-{}", letters.collect::<String>())
}

/// Formats a truth value for a table.
pub(super) fn yes(is_so: bool) -> String {
    (if is_so { "yes" } else { "no" }).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::describe::documents::schemas::reference;
    use serde_json::json;

    #[test]
    fn members_of_unnamed_parts_are_told() {
        let schema = json!({
            "properties": {"a": {"type": "string"}},
            "allOf": [
                {"properties": {"b": {}}, "required": ["b"]},
                {"$ref": "#/components/schemas/Book"},
                {"allOf": [{"properties": {"c": {}}}]},
            ],
        });
        let rows = members(&schema).into_iter();
        let rows: Vec<_> = rows
            .map(|[name, _, required, _]| name + " " + &required)
            .collect();
        assert_eq!(rows, ["`a` no", "`b` yes", "`c` no"]);
    }

    #[test]
    fn schemas_are_told_in_words() {
        for (schema, words) in [
            (json!(true), "anything"),
            (json!({}), "anything"),
            (json!({"type": "number", "format": "double"}), "number"),
            (json!({"type": ["string", "null"]}), "string or null"),
            (json!({"type": "array"}), "list"),
            (
                json!({"type": "array", "items": {"type": "string"}}),
                "list of string",
            ),
            (
                json!({"type": "array", "items": [{"type": "string"}, {"type": "null"}]}),
                "list of string, null",
            ),
            (
                json!({"type": "object", "additionalProperties": {"type": "string"}}),
                "object of string",
            ),
            (json!({"enum": ["a", 1]}), "`\"a\"` or `1`"),
            (json!({"const": "a"}), "`\"a\"`"),
            (
                json!({"anyOf": [{"$ref": reference("A/b~ä")}, {"type": "null"}]}),
                "[`A/b~ä`](#type-a-b--) or null",
            ),
            (
                json!({"allOf": [{"$ref": "#/components/schemas/Book"}], "default": {}}),
                "[`Book`](#type-book)",
            ),
            (
                json!({"allOf": [{"$ref": "#/components/schemas/Book"}, {"type": "object"}]}),
                "[`Book`](#type-book) and object",
            ),
        ] {
            assert_eq!(type_of(&schema), words, "{schema}");
        }
    }
}
