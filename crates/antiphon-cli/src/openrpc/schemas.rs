//! References in schemas.

use super::bundle::Bundle;
use super::files::Unread;
use super::place::At;
use super::value::Json;

/// Members whose values are data, in which nothing is a reference.
const DATA: [&str; 5] = ["const", "default", "enum", "example", "examples"];

/// Members that hold schemas by name, where a name means nothing.
const NAMED: [&str; 6] = [
    "properties",
    "patternProperties",
    "definitions",
    "$defs",
    "dependencies",
    "dependentSchemas",
];

impl Bundle {
    /// A schema whose references lead to parts of the document. A reference to nothing is left out:
    /// the schema then says less.
    pub(super) fn schema(&mut self, schema: &Json, at: &At<'_>) -> Result<Json, String> {
        // The recursion is bounded by the parser's depth limit.
        Ok(match schema {
            Json::Object(members) => {
                let mut copied = Vec::with_capacity(members.len());
                for (name, value) in members {
                    let at = at.member(name);
                    let value = match (&**name, value) {
                        ("$ref", Json::String(reference)) => match self.found(reference, &at)? {
                            Some(reference) => Json::String(reference),
                            None => continue,
                        },
                        (name, value) if DATA.contains(&name) => value.clone(),
                        (name, Json::Object(schemas)) if NAMED.contains(&name) => {
                            let mut copied = Vec::with_capacity(schemas.len());
                            for (name, schema) in schemas {
                                copied.push((name.clone(), self.schema(schema, &at.member(name))?));
                            }
                            Json::Object(copied)
                        }
                        (_, value) => self.schema(value, &at)?,
                    };
                    copied.push((name.clone(), value));
                }
                Json::Object(copied)
            }
            Json::Array(items) => {
                let mut copied = Vec::with_capacity(items.len());
                for (index, item) in items.iter().enumerate() {
                    copied.push(self.schema(item, &at.item(index))?);
                }
                Json::Array(copied)
            }
            other => other.clone(),
        })
    }

    /// The reference as the document has it; `None` if it leads to nothing.
    fn found(&mut self, reference: &str, at: &At<'_>) -> Result<Option<String>, String> {
        let place = match self.target(reference, at) {
            Ok(place) => place,
            Err(Unread::Fault(error)) => return Err(self.fault(at, &error)),
            Err(Unread::Elsewhere(why)) => {
                self.note(at, &format!("{reference:?} allows any value: {why}"));
                return Ok(None);
            }
        };
        if self.files.json(place.file).at(&place.pointer).is_none() {
            self.note(
                at,
                &format!("{reference:?} allows any value: it leads to nothing"),
            );
            return Ok(None);
        }
        Ok(Some(self.name_of("schemas", place)))
    }
}
