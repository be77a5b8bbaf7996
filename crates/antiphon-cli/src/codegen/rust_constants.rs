//! Constants of a schema in Rust. String constants become enums, which untagged unions need to tell
//! their variants apart.

use super::model::{Api, Literal, Shape, Tagging, Type, texts};
use super::names::{Scope, pascal};

/// The string constants of an API, with the names of their types.
pub(crate) struct Constants<'a>(Vec<(&'a [Literal], String)>);

impl<'a> Constants<'a> {
    /// All constant types, in output order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &(&'a [Literal], String)> {
        self.0.iter()
    }

    /// The Rust type of a constant.
    pub(crate) fn type_of(&self, values: &[Literal]) -> String {
        let named = self.0.iter().find(|(known, _)| *known == values);
        match (named, values) {
            (Some((_, name)), _) => name.clone(),
            (None, [Literal::Integer(_), ..]) if values.iter().all(is_integer) => "i64".to_owned(),
            (None, [Literal::Bool(_), ..]) if values.iter().all(is_bool) => "bool".to_owned(),
            _ => "Value".to_owned(),
        }
    }

    /// Names a type for every string constant.
    pub(crate) fn named(api: &'a Api, globals: &mut Scope) -> Self {
        let mut named = Self(Vec::new());
        for def in &api.types {
            match &def.shape {
                Shape::Struct(shape) => {
                    for field in &shape.fields {
                        // The tag of a variant is not written as a field.
                        if !def.of_variant || !is_one_text(&field.ty) {
                            named.name(globals, &field.ty, &format!("{} {}", def.name, field.name));
                        }
                    }
                }
                Shape::Union(union) if union.tagging == Tagging::None => {
                    for variant in &union.variants {
                        named.name(
                            globals,
                            &variant.ty,
                            &format!("{} {}", def.name, variant.name),
                        );
                    }
                }
                Shape::Alias(ty) if !matches!(ty, Type::Literal(_)) => {
                    named.name(globals, ty, &format!("{} value", def.name));
                }
                _ => {}
            }
        }
        for method in &api.methods {
            for param in &method.params {
                named.name(
                    globals,
                    &param.ty,
                    &format!("{} {}", method.name, param.name),
                );
            }
            named.name(globals, &method.result, &format!("{} result", method.name));
            if let Some(stream) = &method.stream {
                named.name(globals, &stream.item, &format!("{} item", method.name));
            }
        }
        named
    }

    fn name(&mut self, globals: &mut Scope, ty: &'a Type, name: &str) {
        match ty {
            Type::Literal(values)
                if texts(values).is_some() && self.0.iter().all(|(known, _)| known != values) =>
            {
                let name = globals.take_type(pascal(name));
                self.0.push((values, name));
            }
            Type::Array(inner) | Type::Map(inner) | Type::Nullable(inner) => {
                self.name(globals, inner, name);
            }
            Type::Tuple(items) => items.iter().for_each(|item| self.name(globals, item, name)),
            _ => {}
        }
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
