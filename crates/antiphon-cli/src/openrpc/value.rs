//! JSON values that keep the order of their members.
//!
//! Types and fields are generated in document order, which `serde_json::Value` does not keep.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};
use serde_json::Number;

use super::place::steps;

/// A JSON value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    Number(Number),
    String(String),
    Array(Vec<Self>),
    Object(Vec<(String, Self)>),
}

impl Json {
    /// The value of a member. If a name is repeated, the last one counts, as in most parsers.
    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        let named = self.members().iter().rev().find(|(key, _)| key == name);
        named.map(|(_, value)| value)
    }

    /// The members of an object; empty for any other value.
    pub(crate) fn members(&self) -> &[(String, Self)] {
        match self {
            Self::Object(members) => members,
            _ => &[],
        }
    }

    /// The items of an array; empty for any other value.
    pub(crate) fn items(&self) -> &[Self] {
        match self {
            Self::Array(items) => items,
            _ => &[],
        }
    }

    pub(crate) fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The value of a string member.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_str()
    }

    /// The items of an array member; empty if it is missing or no array.
    pub(crate) fn list(&self, name: &str) -> &[Self] {
        self.get(name).map_or(&[], Self::items)
    }

    /// Whether a member is `true`.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.get(name) == Some(&Self::Bool(true))
    }

    /// The value of an integer member.
    pub(crate) fn integer(&self, name: &str) -> Option<i64> {
        match self.get(name)? {
            Self::Number(number) => number.as_i64(),
            _ => None,
        }
    }

    /// Resolves a reference within this document (`#/components/schemas/X`).
    pub(crate) fn pointer(&self, reference: &str) -> Option<&Self> {
        self.at(reference.strip_prefix('#')?)
    }

    /// The value that a JSON pointer leads to.
    pub(super) fn at(&self, pointer: &str) -> Option<&Self> {
        steps(pointer).try_fold(self, |at, step| match at {
            Self::Array(items) => items.get(step.parse::<usize>().ok()?),
            at => at.get(&step),
        })
    }

    /// The count of values in this one, itself included.
    pub(super) fn count(&self) -> usize {
        // The recursion is bounded by the parser's depth limit.
        1 + match self {
            Self::Array(items) => items.iter().map(Self::count).sum(),
            Self::Object(members) => members.iter().map(|(_, value)| value.count()).sum(),
            _ => 0,
        }
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Number(number) => number.serialize(serializer),
            Self::String(text) => serializer.serialize_str(text),
            Self::Array(items) => serializer.collect_seq(items),
            Self::Object(members) => {
                serializer.collect_map(members.iter().map(|(name, value)| (name, value)))
            }
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Values;

        impl<'de> Visitor<'de> for Values {
            type Value = Json;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }

            fn visit_unit<E>(self) -> Result<Json, E> {
                Ok(Json::Null)
            }

            fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
                Ok(Json::Bool(value))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
                Ok(Json::Number(value.into()))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
                Ok(Json::Number(value.into()))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
                Ok(Number::from_f64(value).map_or(Json::Null, Json::Number))
            }

            fn visit_str<E>(self, value: &str) -> Result<Json, E> {
                Ok(Json::String(value.to_owned()))
            }

            fn visit_string<E>(self, value: String) -> Result<Json, E> {
                Ok(Json::String(value))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Json::Array(items))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Json::Object(members))
            }
        }

        deserializer.deserialize_any(Values)
    }
}

/// The documentation of a schema: its description, or else its title.
pub(crate) fn doc(schema: &Json) -> String {
    let text = schema.text("description").or_else(|| schema.text("title"));
    let text = text.unwrap_or_default().trim();
    match schema.flag("deprecated") {
        true if text.is_empty() => "Deprecated.".to_owned(),
        true => format!("{text}\n\nDeprecated."),
        false => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_keep_their_order_and_references_are_followed() {
        let json: Json =
            serde_json::from_str(r#"{"z":{"a/b":[1,{"~":true}]},"a":null,"z2":"x"}"#).unwrap();
        let names: Vec<_> = json.members().iter().map(|(name, _)| &**name).collect();
        assert_eq!(names, ["z", "a", "z2"]);
        let table = [
            ("#", Some(json.clone())),
            ("#/z/a~1b/1/~0", Some(Json::Bool(true))),
            ("#/z/a~1b/2", None),
            ("#/a/b", None),
            ("other.json#/a", None),
        ];
        for (reference, expected) in table {
            assert_eq!(json.pointer(reference), expected.as_ref(), "{reference}");
        }
    }
}
