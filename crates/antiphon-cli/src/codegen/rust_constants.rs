//! Rust: constants of a schema. Those that are texts get types, by which unions without tags tell
//! their variants apart.

use super::model::{Literal, Shape, Tagging, Type};
use super::names::pascal;
use super::rust_types::Types;

impl<'a> Types<'a> {
    pub(crate) fn literal(&self, values: &[Literal]) -> String {
        let named = self.constants.iter().find(|(known, _)| *known == values);
        match (named, values) {
            (Some((_, name)), _) => name.clone(),
            (None, [Literal::Integer(_), ..]) if values.iter().all(is_integer) => "i64".to_owned(),
            (None, [Literal::Bool(_), ..]) if values.iter().all(is_bool) => "bool".to_owned(),
            _ => "Value".to_owned(),
        }
    }

    /// Gives constant texts types, by which unions tell their variants apart.
    pub(crate) fn name_constants(&mut self) {
        let api = self.api;
        for def in &api.types {
            match &def.shape {
                Shape::Struct(shape) => {
                    for field in &shape.fields {
                        // What tells a variant from others is not written as a field.
                        if !def.of_variant || !is_one_text(&field.ty) {
                            self.name_constant(&field.ty, &format!("{} {}", def.name, field.name));
                        }
                    }
                }
                Shape::Union(union) if union.tagging == Tagging::None => {
                    for variant in &union.variants {
                        self.name_constant(&variant.ty, &format!("{} {}", def.name, variant.name));
                    }
                }
                Shape::Alias(ty) if !matches!(ty, Type::Literal(_)) => {
                    self.name_constant(ty, &format!("{} value", def.name));
                }
                _ => {}
            }
        }
        for method in &api.methods {
            for param in &method.params {
                self.name_constant(&param.ty, &format!("{} {}", method.name, param.name));
            }
            self.name_constant(&method.result, &format!("{} result", method.name));
            if let Some(stream) = &method.stream {
                self.name_constant(&stream.item, &format!("{} item", method.name));
            }
        }
    }

    fn name_constant(&mut self, ty: &'a Type, name: &str) {
        match ty {
            Type::Literal(values)
                if texts(values).is_some()
                    && self.constants.iter().all(|(known, _)| known != values) =>
            {
                let name = self.globals.take_type(pascal(name));
                self.constants.push((values, name));
            }
            Type::Array(inner) | Type::Map(inner) | Type::Nullable(inner) => {
                self.name_constant(inner, name);
            }
            Type::Tuple(items) => items.iter().for_each(|item| self.name_constant(item, name)),
            _ => {}
        }
    }
}

/// Constants that are texts alone.
pub(crate) fn texts(values: &[Literal]) -> Option<Vec<&str>> {
    values.iter().map(text).collect()
}

fn text(value: &Literal) -> Option<&str> {
    match value {
        Literal::String(text) => Some(text),
        _ => None,
    }
}

fn is_one_text(ty: &Type) -> bool {
    matches!(ty, Type::Literal(values) if matches!(values[..], [Literal::String(_)]))
}

fn is_integer(value: &Literal) -> bool {
    matches!(value, Literal::Integer(_))
}

fn is_bool(value: &Literal) -> bool {
    matches!(value, Literal::Bool(_))
}
