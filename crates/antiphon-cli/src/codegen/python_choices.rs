//! Objects with choices as Python has to see them: combined with each of their variants.

use super::model::{Api, Shape, Struct, Type};
use super::names::{Scope, pascal};

/// Maximum count of combinations of an object with its variants; with more it is a `dict`.
const MAX_COMBINED: usize = 64;

/// Maximum depth of choices within choices.
const MAX_NESTED: usize = 8;

/// An object with the members of one variant of each of its choices.
pub(super) struct Combined {
    pub(super) name: String,
    pub(super) shape: Struct,
}

/// All combinations of an object with its variants, named after both. None if there are too many.
pub(super) fn combined(
    api: &Api,
    shape: &Struct,
    name: &str,
    globals: &mut Scope,
) -> Vec<Combined> {
    let all = with_choices(api, shape, 0).unwrap_or_default();
    let named = all.into_iter().map(|(words, shape)| Combined {
        name: globals.take_type(pascal(&format!("{name} {words}"))),
        shape,
    });
    named.collect()
}

/// Objects with the words that tell them apart.
type Objects = Vec<(String, Struct)>;

fn with_choices(api: &Api, shape: &Struct, depth: usize) -> Option<Objects> {
    let own = Struct {
        fields: shape.fields.clone(),
        extra: shape.extra.clone(),
        choices: Vec::new(),
    };
    let mut all = vec![(String::new(), own)];
    for choice in &shape.choices {
        let variants = objects(api, &choice.ty, depth + 1)?;
        if all.len() * variants.len() > MAX_COMBINED {
            return None;
        }
        let mut combined = Vec::new();
        for (words, shape) in &all {
            for (more, variant) in &variants {
                let fields = shape.fields.iter().chain(&variant.fields);
                combined.push((
                    format!("{words} {more}"),
                    Struct {
                        fields: fields.cloned().collect(),
                        extra: shape.extra.clone().or_else(|| variant.extra.clone()),
                        choices: Vec::new(),
                    },
                ));
            }
        }
        all = combined;
    }
    Some(all)
}

/// The objects that a type stands for. `None` if it has others, or too many.
fn objects(api: &Api, ty: &Type, depth: usize) -> Option<Objects> {
    if depth > MAX_NESTED {
        return None;
    }
    let Type::Named(id) = ty else { return None };
    match &api.types[*id].shape {
        Shape::Struct(shape) => with_choices(api, shape, depth),
        Shape::Alias(ty) => objects(api, ty, depth + 1),
        Shape::Enum(_) => None,
        Shape::Union(union) => {
            let mut all = Vec::new();
            for variant in &union.variants {
                let name = &variant.name;
                let inner = objects(api, &variant.ty, depth + 1)?.into_iter();
                all.extend(inner.map(|(words, shape)| (format!("{name} {words}"), shape)));
                if all.len() > MAX_COMBINED {
                    return None;
                }
            }
            Some(all)
        }
    }
}
