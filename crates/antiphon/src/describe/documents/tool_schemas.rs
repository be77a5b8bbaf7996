//! JSON Schemas of tools: each is complete in itself, and in the 2020-12 draft.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// Where the references of a document point.
const SCHEMAS: &str = "#/components/schemas/";

/// The most bytes of one schema, with all that it refers to. A larger one is left out: an agent would
/// read it at every turn.
const MAX_SCHEMA: usize = 256 * 1024;

/// The keywords whose value is a schema, or a list of schemas.
const SCHEMA: [&str; 16] = [
    "additionalItems",
    "additionalProperties",
    "allOf",
    "anyOf",
    "contains",
    "else",
    "if",
    "items",
    "not",
    "oneOf",
    "prefixItems",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
    "contentSchema",
];

/// The keywords whose value is an object of schemas.
const NAMED: [&str; 5] = [
    "$defs",
    "definitions",
    "dependentSchemas",
    "patternProperties",
    "properties",
];

/// The definitions of one schema, as far as it refers to them.
struct Definitions<'a> {
    known: &'a Map<String, Value>,
    found: BTreeMap<String, Value>,
    bytes: usize,
}

/// Completes a schema with the definitions that it refers to; `None` if it is too large.
pub(super) fn complete(
    mut schema: Map<String, Value>,
    known: &Map<String, Value>,
) -> Option<Map<String, Value>> {
    let mut definitions = Definitions {
        known,
        found: BTreeMap::new(),
        bytes: 0,
    };
    definitions.keywords(&mut schema)?;
    if !definitions.found.is_empty() {
        let found = definitions.found.into_iter().collect();
        match schema.get_mut("$defs").and_then(Value::as_object_mut) {
            Some(own) => own.extend::<Map<_, _>>(found),
            None => drop(schema.insert("$defs".to_owned(), Value::Object(found))),
        }
    }
    Some(schema)
}

/// The schema itself, or the definition that it is a reference to and nothing more.
pub(super) fn resolved(schema: &Value, known: &Map<String, Value>) -> Value {
    let mut schema = schema;
    // A chain is short, and may be a circle.
    for _ in 0..8 {
        let target = match schema {
            Value::Object(members) if members.len() == 1 => members.get("$ref"),
            _ => None,
        };
        let name = target.and_then(Value::as_str).and_then(definition);
        match name.and_then(|name| known.get(&name)) {
            Some(found) => schema = found,
            None => break,
        }
    }
    schema.clone()
}

/// The name of the definition that a reference points to or into.
fn definition(reference: &str) -> Option<String> {
    let rest = reference.strip_prefix(SCHEMAS)?;
    let name = rest.split('/').next().unwrap_or(rest);
    let mut bytes = Vec::with_capacity(name.len());
    let mut left = name.as_bytes();
    while let [first, others @ ..] = left {
        let (byte, rest) = match (*first, others) {
            (b'%', [high, low, rest @ ..]) => (hex(*high)? << 4 | hex(*low)?, rest),
            (b'~', [b'0', rest @ ..]) => (b'~', rest),
            (b'~', [b'1', rest @ ..]) => (b'/', rest),
            (byte, rest) => (byte, rest),
        };
        bytes.push(byte);
        left = rest;
    }
    String::from_utf8(bytes).ok()
}

fn hex(digit: u8) -> Option<u8> {
    let value = char::from(digit).to_digit(16)?;
    u8::try_from(value).ok()
}

impl Definitions<'_> {
    fn schema(&mut self, schema: &mut Value) -> Option<()> {
        match schema {
            Value::Object(keywords) => self.keywords(keywords),
            Value::Array(schemas) => schemas.iter_mut().try_for_each(|one| self.schema(one)),
            _ => Some(()),
        }
    }

    fn keywords(&mut self, keywords: &mut Map<String, Value>) -> Option<()> {
        self.bytes += keywords.iter().map(size).sum::<usize>();
        if self.bytes > MAX_SCHEMA {
            return None;
        }
        if let Some(Value::String(reference)) = keywords.get_mut("$ref") {
            self.reference(reference)?;
        }
        // What was a list of schemas for the first items has a keyword of its own by now.
        if let Some(Value::Array(_)) = keywords.get("items") {
            let first = keywords.remove("items").unwrap_or_default();
            keywords.insert("prefixItems".to_owned(), first);
            if let Some(rest) = keywords.remove("additionalItems") {
                keywords.insert("items".to_owned(), rest);
            }
        }
        for name in SCHEMA {
            if let Some(schema) = keywords.get_mut(name) {
                self.schema(schema)?;
            }
        }
        for name in NAMED {
            let named = keywords.get_mut(name).and_then(Value::as_object_mut);
            for (_, schema) in named.into_iter().flatten() {
                self.schema(schema)?;
            }
        }
        Some(())
    }

    /// Points a reference to where the definition will be, which is found if it is not yet.
    fn reference(&mut self, reference: &mut String) -> Option<()> {
        let Some(name) = definition(reference) else {
            return Some(());
        };
        if let Some(rest) = reference.strip_prefix(SCHEMAS) {
            *reference = format!("#/$defs/{rest}");
        }
        if !self.found.contains_key(&name)
            && let Some(schema) = self.known.get(&name)
        {
            let mut schema = schema.clone();
            // Before it is looked into: it may refer to itself.
            self.found.insert(name.clone(), Value::Bool(true));
            self.schema(&mut schema)?;
            self.found.insert(name, schema);
        }
        Some(())
    }
}

/// About the bytes of a keyword, without the schemas in it, which are counted themselves.
fn size((name, value): (&String, &Value)) -> usize {
    let is_counted = SCHEMA.contains(&name.as_str()) || NAMED.contains(&name.as_str());
    name.len()
        + match value {
            Value::Object(members) if is_counted => members.keys().map(String::len).sum(),
            Value::Array(schemas) if is_counted => schemas.len(),
            value => text_size(value),
        }
}

/// About the bytes of a value as text. The recursion is bounded by the parser's depth limit.
fn text_size(value: &Value) -> usize {
    4 + match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(text_size).sum(),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| name.len() + text_size(value))
            .sum(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn map(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(members) => members,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn a_schema_has_the_definitions_that_it_needs_and_no_others() {
        let known = map(json!({
            "A": {"items": [{"$ref": "#/components/schemas/B~1c%20d"}], "additionalItems": false},
            "B/c d": {"properties": {"self": {"$ref": "#/components/schemas/B~1c%20d"}}},
            "C": {"type": "null"},
        }));
        let schema = map(json!({
            "properties": {
                "items": {"$ref": "#/components/schemas/A"},
                "other": {"$ref": "#/elsewhere"},
            },
            "default": {"$ref": "#/components/schemas/C"},
        }));
        let expected = json!({
            "properties": {"items": {"$ref": "#/$defs/A"}, "other": {"$ref": "#/elsewhere"}},
            "default": {"$ref": "#/components/schemas/C"},
            "$defs": {
                "A": {"prefixItems": [{"$ref": "#/$defs/B~1c%20d"}], "items": false},
                "B/c d": {"properties": {"self": {"$ref": "#/$defs/B~1c%20d"}}},
            },
        });
        assert_eq!(complete(schema, &known), Some(map(expected)));
    }

    #[test]
    fn a_reference_alone_becomes_its_target_and_a_circle_ends() {
        let known = map(json!({
            "A": {"$ref": "#/components/schemas/B"},
            "B": {"type": "object"},
            "C": {"$ref": "#/components/schemas/C"},
        }));
        let to = |name: &str| json!({"$ref": format!("{SCHEMAS}{name}")});
        assert_eq!(resolved(&to("A"), &known), json!({"type": "object"}));
        assert_eq!(resolved(&to("C"), &known), to("C"));
        assert_eq!(resolved(&to("none"), &known), to("none"));
    }

    #[test]
    fn a_schema_that_is_too_large_is_none() {
        let text = "x".repeat(MAX_SCHEMA / 2);
        let known = map(json!({"A": {"description": text}, "B": {"description": text}}));
        let refer = |names: &[&str]| {
            let all: Vec<_> = names
                .iter()
                .map(|name| json!({"$ref": format!("{SCHEMAS}{name}")}))
                .collect();
            complete(map(json!({"allOf": all})), &known)
        };
        assert!(refer(&["A", "A"]).is_some());
        assert!(refer(&["A", "B"]).is_none());
    }
}
