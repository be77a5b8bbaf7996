//! Unions in Rust: enums in serde's representations.

use super::code::Code;
use super::model::{Shape, Struct, Tagging, Type, Union, Variant};
use super::names::{Scope, pascal, snake};
use super::rust_text::{comment, quoted};
use super::rust_types::{KEYWORDS, Types, attribute, renamed};
use super::text;

/// rustfmt's maximum width of the fields of a variant on one line (`struct_variant_width`).
const MAX_VARIANT: usize = 35;

impl Types<'_> {
    pub(crate) fn union(&self, union: &Union, name: &str, endless: bool, code: &mut Code) {
        code.line("#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]");
        match &union.tagging {
            Tagging::None => code.line("#[serde(untagged)]"),
            Tagging::External => {}
            Tagging::Internal(tag) => attribute(&[format!("tag = {}", quoted(tag))], code),
            Tagging::Adjacent(tag, content) => attribute(
                &[
                    format!("tag = {}", quoted(tag)),
                    format!("content = {}", quoted(content)),
                ],
                code,
            ),
        }
        code.line(&format!("pub enum {name} {{"));
        let mut scope = Scope::with(&[&["Self"]]);
        let variants = self.in_order(union).into_iter();
        let variants: Vec<_> = variants
            .map(|variant| (variant, scope.take_type(pascal(&variant.name))))
            .collect();
        // If some variants need several lines and others do not, rustfmt breaks the fields of all.
        let broken = |(variant, name): &(&Variant, String)| {
            !text::lines(&variant.doc).is_empty()
                || (union.tagging != Tagging::None && variant.name != *name)
                || self.inline(union, variant).is_some_and(|(shape, tag)| {
                    !shape.has_only(tag) && self.short(shape, tag, endless).is_none()
                })
        };
        let short = variants.iter().all(broken) || !variants.iter().any(broken);
        code.deeper(|code| {
            for (variant, name) in &variants {
                comment(&variant.doc, code);
                if union.tagging != Tagging::None {
                    renamed(&variant.name, name, code);
                }
                match self.inline(union, variant) {
                    Some((shape, tag)) => self.fields_of(shape, tag, name, (endless, short), code),
                    None => code.line(&self.variant(union, variant, name, endless)),
                }
            }
        });
        code.line("}");
    }

    /// The variants in the order in which serde tries them if there is no tag: objects with the
    /// most required members first, then with the most members, and types that accept anything last.
    fn in_order<'u>(&self, union: &'u Union) -> Vec<&'u Variant> {
        let mut variants: Vec<_> = union.variants.iter().collect();
        if union.tagging == Tagging::None {
            let asked = |variant: &&Variant| match self.meant(&variant.ty) {
                Type::Any => (-1, 0),
                Type::Map(_) => (0, 0),
                Type::Named(id) => match &self.api.types[*id].shape {
                    Shape::Struct(shape) => {
                        let fields = shape.fields.iter().filter(|field| field.required);
                        let required = fields.count() + shape.choices.len();
                        let count = |count| i64::try_from(count).unwrap_or(i64::MAX);
                        (count(required), count(shape.fields.len()))
                    }
                    _ => (i64::MAX, 0),
                },
                _ => (i64::MAX, 0),
            };
            variants.sort_by_key(|variant| std::cmp::Reverse(asked(variant)));
        }
        variants
    }

    /// The object and the tag of a variant, if the union is internally tagged.
    fn inline<'u>(&'u self, union: &'u Union, variant: &Variant) -> Option<(&'u Struct, &'u str)> {
        match (&union.tagging, &variant.ty) {
            (Tagging::Internal(tag), Type::Named(id)) => match &self.api.types[*id].shape {
                Shape::Struct(shape) => Some((shape, tag)),
                _ => None,
            },
            _ => None,
        }
    }

    /// Writes a variant with fields, or a unit variant if it has none but the tag.
    fn fields_of(
        &self,
        shape: &Struct,
        tag: &str,
        name: &str,
        (endless, short): (bool, bool),
        code: &mut Code,
    ) {
        if shape.has_only(tag) {
            return code.line(&format!("{name},"));
        }
        match self.short(shape, tag, endless) {
            Some(fields) if short => code.line(&format!("{name} {{ {fields} }},")),
            _ => {
                code.line(&format!("{name} {{"));
                code.deeper(|code| self.fields(shape, Some(tag), "", endless, code));
                code.line("},");
            }
        }
    }

    /// Formats a tuple variant with one value, or a unit variant.
    fn variant(&self, union: &Union, variant: &Variant, name: &str, endless: bool) -> String {
        let shape = match &variant.ty {
            Type::Named(id) => match &self.api.types[*id].shape {
                Shape::Struct(shape) => Some(shape),
                _ => None,
            },
            _ => None,
        };
        let value = match (&union.tagging, shape) {
            (Tagging::None, _) => Some(&variant.ty).filter(|ty| **ty != Type::Null),
            (Tagging::External, Some(shape)) => shape.fields.first().map(|field| &field.ty),
            (Tagging::Adjacent(_, content), Some(shape)) => {
                let field = shape.fields.iter().find(|field| field.name == *content);
                field.map(|field| &field.ty)
            }
            _ => None,
        };
        match value {
            Some(ty) => format!("{name}({}),", self.held(ty, endless)),
            None => format!("{name},"),
        }
    }

    /// The fields on one line, if they are short and none has attributes or documentation.
    fn short(&self, shape: &Struct, tag: &str, endless: bool) -> Option<String> {
        let mut scope = Scope::with(&[KEYWORDS]);
        let mut fields = Vec::new();
        for field in shape.fields.iter().filter(|field| field.name != tag) {
            let name = scope.take(snake(&field.name));
            if !field.required || name != field.name || !text::lines(&field.doc).is_empty() {
                return None;
            }
            fields.push(format!("{name}: {}", self.held(&field.ty, endless)));
        }
        let fields = fields.join(", ");
        let plain = shape.extra.is_none() && shape.choices.is_empty();
        (plain && fields.chars().count() <= MAX_VARIANT).then_some(fields)
    }
}
