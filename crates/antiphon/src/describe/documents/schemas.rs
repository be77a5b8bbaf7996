//! Schemas of a document, each named type once.
//!
//! What a type accepts and what it writes may differ: a member with a default may be left out by a
//! caller, but is always there in an answer. So there are two generators. Types that look the same
//! on both sides are defined once; of the others, what is written gets a name of its own.

use std::collections::{BTreeMap, BTreeSet};

use schemars::generate::SchemaSettings;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value};

/// Where definitions stand in a document.
pub(super) const PATH: &str = "/components/schemas";
/// What is added to the name of a type where it is written, if it looks different there.
const SUFFIX: &str = "Result";

pub(super) struct Schemas {
    params: SchemaGenerator,
    results: SchemaGenerator,
}

/// The definitions of a document, and which of those that results refer to have another name now.
pub(super) struct Definitions {
    pub(super) schemas: Map<String, Value>,
    renamed: Renamed,
}

/// References as they were, and what has to be added to each.
type Renamed = BTreeMap<String, String>;

impl Schemas {
    pub(super) fn new() -> Self {
        let settings = SchemaSettings::draft07().with(|settings| {
            settings.definitions_path = PATH.into();
            settings.meta_schema = None;
        });
        Self {
            params: settings.clone().for_deserialize().into_generator(),
            results: settings.for_serialize().into_generator(),
        }
    }

    /// A schema of something that callers send.
    pub(super) fn param(
        &mut self,
        make: impl FnOnce(&mut SchemaGenerator) -> Option<Schema>,
    ) -> Option<Schema> {
        make(&mut self.params)
    }

    /// A schema of something that callers get. Its references hold after [`Definitions::correct`].
    pub(super) fn result(
        &mut self,
        make: impl FnOnce(&mut SchemaGenerator) -> Option<Schema>,
    ) -> Option<Schema> {
        make(&mut self.results)
    }

    /// A schema as it stands in a document, in the words of the draft that OpenRPC has.
    pub(super) fn finish(&mut self, mut schema: Schema) -> Value {
        for transform in self.params.transforms_mut() {
            transform.transform(&mut schema);
        }
        schema.to_value()
    }

    pub(super) fn into_definitions(mut self) -> Definitions {
        let mut schemas = self.params.take_definitions(true);
        let results = self.results.take_definitions(true);
        let different = different(&schemas, &results);
        let mut names = BTreeMap::new();
        let mut renamed = Renamed::new();
        for name in different {
            let mut added = SUFFIX.to_owned();
            while schemas.contains_key(&format!("{name}{added}"))
                || results.contains_key(&format!("{name}{added}"))
            {
                added.push_str(SUFFIX);
            }
            renamed.insert(reference(&name), added.clone());
            names.insert(name.clone(), format!("{name}{added}"));
        }
        let mut definitions = Definitions {
            schemas: Map::new(),
            renamed,
        };
        for (name, mut schema) in results {
            definitions.correct(&mut schema);
            let name = names.remove(&name).unwrap_or(name);
            schemas.insert(name, schema);
        }
        definitions.schemas = schemas;
        definitions
    }
}

impl Definitions {
    /// Lets the references of a result's schema point to where their types are now.
    pub(super) fn correct(&self, schema: &mut Value) {
        visit_references(schema, &mut |reference| {
            if let Some(added) = self.renamed.get(reference) {
                reference.push_str(added);
            }
        });
    }
}

/// The names that do not mean the same on both sides, by themselves or by what they refer to.
fn different(params: &Map<String, Value>, results: &Map<String, Value>) -> BTreeSet<String> {
    let mut different: BTreeSet<String> = BTreeSet::new();
    loop {
        let before = different.len();
        let references: BTreeSet<String> = different.iter().map(|name| reference(name)).collect();
        for (name, schema) in results {
            let Some(other) = params.get(name) else {
                continue;
            };
            let mut changes = schema != other;
            visit_references(&mut schema.clone(), &mut |found| {
                changes |= references.contains(found);
            });
            if changes {
                different.insert(name.clone());
            }
        }
        if different.len() == before {
            return different;
        }
    }
}

fn visit_references(schema: &mut Value, visit: &mut dyn FnMut(&mut String)) {
    match schema {
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::String(reference) if name == "$ref" => visit(reference),
                    value => visit_references(value, visit),
                }
            }
        }
        Value::Array(items) => items
            .iter_mut()
            .for_each(|item| visit_references(item, visit)),
        _ => {}
    }
}

/// How a schema refers to a definition of this name: a JSON Pointer in the fragment of a URL.
pub(super) fn reference(name: &str) -> String {
    let mut text = format!("#{PATH}/");
    for byte in name.bytes() {
        match byte {
            b'~' => text.push_str("~0"),
            b'/' => text.push_str("~1"),
            b'!' | b'$' | b'&'..=b';' | b'=' | b'?'..=b'Z' | b'_' | b'a'..=b'z' => {
                text.push(char::from(byte));
            }
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn map(value: &Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn a_type_differs_if_one_that_it_refers_to_does() {
        let refers = |name: &str| json!({"$ref": reference(name)});
        let params = map(&json!({
            "A": {"type": "string"}, "B": refers("A"), "C": {"items": [refers("B")]},
            "D": {"type": "null"}, "E": refers("E"),
        }));
        let mut results = params.clone();
        assert!(different(&params, &results).is_empty());
        results.insert("A".to_owned(), json!({"type": "number"}));
        results.insert("Only".to_owned(), refers("A"));
        let names: Vec<_> = different(&params, &results).into_iter().collect();
        assert_eq!(names, ["A", "B", "C"]);
    }

    #[test]
    fn references_are_written_as_the_generator_writes_them() {
        struct Odd;
        impl schemars::JsonSchema for Odd {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                "a/b~c d<ä>".into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                schemars::json_schema!({"type": "null"})
            }
        }
        let mut schemas = Schemas::new();
        let schema = schemas.param(|generator| Some(generator.subschema_for::<Odd>()));
        let schema = schemas.finish(schema.unwrap());
        assert_eq!(schema, json!({"$ref": reference("a/b~c d<ä>")}));
    }
}
