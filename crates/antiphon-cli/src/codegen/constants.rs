//! Enumerations and constants of a schema.

use super::model::{EnumValue, Literal, Shape, Type};
use super::tagging;
use crate::openrpc::value::{Json, doc};

/// Maximum count of values of an enumeration. A longer one becomes any string or any value.
pub(crate) const MAX_VALUES: usize = 1000;

/// The shape of a schema with these constants as its only values.
pub(crate) fn constants(values: &[&Json]) -> Shape {
    if values.len() > MAX_VALUES {
        let texts = values.iter().all(|value| value.as_str().is_some());
        return Shape::Alias(if texts { Type::String } else { Type::Any });
    }
    if let (true, Some(values)) = (values.len() > 1, values_of(values)) {
        return Shape::Enum(values);
    }
    let literal = |value: &&Json| match value {
        Json::String(text) => Some(Literal::String(text.clone())),
        Json::Bool(value) => Some(Literal::Bool(*value)),
        Json::Number(number) => number.as_i64().map(Literal::Integer),
        _ => None,
    };
    Shape::Alias(
        match values.iter().map(literal).collect::<Option<Vec<_>>>() {
            Some(literals) if !literals.is_empty() => Type::Literal(literals),
            _ if values == [&Json::Null] => Type::Null,
            _ => Type::Any,
        },
    )
}

fn values_of(values: &[&Json]) -> Option<Vec<EnumValue>> {
    let mut texts: Vec<EnumValue> = Vec::new();
    for value in values {
        let value = value.as_str()?.to_owned();
        if texts.iter().all(|other| other.value != value) {
            texts.push(EnumValue {
                value,
                doc: String::new(),
            });
        }
    }
    Some(texts)
}

/// The values of a union whose variants are all string constants, each with its own documentation.
pub(crate) fn texts(variants: &[&Json]) -> Option<Vec<EnumValue>> {
    let mut values: Vec<EnumValue> = Vec::new();
    for variant in variants {
        for value in tagging::texts(variant)? {
            if values.iter().all(|other| other.value != value) {
                values.push(EnumValue {
                    value: value.to_owned(),
                    doc: doc(variant),
                });
            }
        }
    }
    Some(values)
}
