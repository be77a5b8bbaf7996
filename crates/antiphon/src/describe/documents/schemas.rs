//! The schemas of a document, in which each named type is defined once.
//!
//! The schema of a type may differ between input and output: a member with a default value is
//! optional in a parameter but always present in a result. So there are two generators. A type with
//! the same schema on both sides is defined once; otherwise the output schema gets a name of its
//! own.

use std::collections::{BTreeMap, BTreeSet};

use schemars::generate::SchemaSettings;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value};

/// JSON Pointer of the definitions in a document.
pub(super) const PATH: &str = "/components/schemas";
/// Suffix of the name of an output schema that differs from the input schema.
const SUFFIX: &str = "Result";

pub(super) struct Schemas {
    params: SchemaGenerator,
    results: SchemaGenerator,
}

/// The definitions of a document, and the renamed ones among those that results refer to.
pub(super) struct Definitions {
    pub(super) schemas: Map<String, Value>,
    renamed: Renamed,
}

/// Original references, and the suffix to add to each.
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

    /// Generates the schema of a parameter.
    pub(super) fn param(
        &mut self,
        make: impl FnOnce(&mut SchemaGenerator) -> Option<Schema>,
    ) -> Option<Schema> {
        make(&mut self.params)
    }

    /// Generates the schema of a result. Its references are valid only after
    /// [`Definitions::correct`].
    pub(super) fn result(
        &mut self,
        make: impl FnOnce(&mut SchemaGenerator) -> Option<Schema>,
    ) -> Option<Schema> {
        make(&mut self.results)
    }

    /// Converts a schema to JSON, in the draft that OpenRPC uses.
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
    /// Updates the references in a result's schema to renamed definitions.
    pub(super) fn correct(&self, schema: &mut Value) {
        visit_references(schema, &mut |reference| {
            if let Some(added) = self.renamed.get(reference) {
                reference.push_str(added);
            }
        });
    }
}

/// The names of types whose schemas differ between input and output, directly or through
/// references.
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

/// The reference to a definition with this name: a JSON Pointer in a URL fragment.
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
