//! `allOf`, and objects with a choice in them: a `oneOf` in one of the parts, or beside `properties`.

use std::collections::HashSet;

use super::members::{Choice, Members, is_constant, is_telling};
use super::model::{Field, Shape, Tagging, Type, Union, Variant};
use super::schema::{MAX_DEPTH, MAX_READ, Schemas};
use super::tagging;
use crate::openrpc::value::{Json, doc};

/// Maximum depth of choices within variants of choices.
const MAX_NESTED: usize = 8;

impl<'a> Schemas<'a> {
    /// Merges the members of all parts of `allOf`.
    pub(super) fn all_of(&mut self, schema: &'a Json, name: &str) -> Shape {
        let parts = schema.list("allOf").iter();
        let parts: Vec<_> = parts.filter(|part| is_telling(part)).collect();
        let alone = ["properties", "$ref", "oneOf", "anyOf"];
        if let ([only], true) = (
            &parts[..],
            alone.iter().all(|key| schema.get(key).is_none()),
        ) {
            return self.shape(only, name);
        }
        let mut members = Members::default();
        if members.add(self.root, schema) {
            let shape = self.merged(members, name);
            let null = !parts.is_empty() && parts.iter().all(|part| self.allows_null(part));
            return if null {
                self.or_null(shape, schema, name)
            } else {
                shape
            };
        }
        // A value fits all parts, so it fits the type of any: constants say most.
        let constant = parts.iter().find(|part| is_constant(self.resolved(part)));
        match (constant.or(parts.first()), schema.get("type")) {
            (Some(part), _) => self.shape(part, name),
            (None, Some(Json::String(kind))) => self.of_type(schema, kind, name),
            _ => Shape::Alias(Type::Any),
        }
    }

    /// The schema behind references, as far as a few of them lead.
    fn resolved(&self, mut schema: &'a Json) -> &'a Json {
        for _ in 0..MAX_DEPTH {
            let next = schema.text("$ref").and_then(|to| self.root.pointer(to));
            let Some(next) = next else { break };
            schema = next;
        }
        schema
    }

    fn allows_null(&self, schema: &'a Json) -> bool {
        let schema = self.resolved(schema);
        let listed = schema
            .list("type")
            .iter()
            .any(|kind| kind.as_str() == Some("null"));
        let variants = schema.list("oneOf").iter().chain(schema.list("anyOf"));
        let mut variants = variants.map(|variant| variant.text("type"));
        schema.flag("nullable") || listed || variants.any(|kind| kind == Some("null"))
    }

    /// An object with these members: a struct, which has a union for each choice. If there is
    /// nothing but a choice, it is the union itself.
    pub(super) fn merged(&mut self, members: Members<'a>, name: &str) -> Shape {
        self.merged_within(members, name, 0)
    }

    fn merged_within(&mut self, mut members: Members<'a>, name: &str, depth: usize) -> Shape {
        self.read += 1;
        let choices = std::mem::take(&mut members.choices);
        let mut unions = Vec::new();
        // The names of all members so far: none may be read twice.
        let mut known: HashSet<_> = members.properties.iter().map(|(name, _)| *name).collect();
        for (at, choice) in choices.iter().enumerate() {
            if depth == MAX_NESTED || self.read >= MAX_READ {
                let mut shape = self.fields(&members, name);
                shape.extra = Some(Type::Any);
                return Shape::Struct(shape);
            }
            let names: Vec<_> = choice
                .variants
                .iter()
                .map(|variant| self.names(variant))
                .collect();
            let (word, ty) = match choice.reference {
                Some(reference)
                    if choice.whole && names.iter().all(|names| names.is_disjoint(&known)) =>
                {
                    let word = reference.rsplit('/').next().unwrap_or_default();
                    (word.to_owned(), self.reference(reference))
                }
                _ => {
                    let word = match (choice.title, at) {
                        (Some(title), _) => title.to_owned(),
                        (None, 0) => "kind".to_owned(),
                        (None, at) => format!("kind {}", at + 1),
                    };
                    // What every variant has, it has in its own way.
                    let common = |name: &str| names.iter().all(|names| names.contains(name));
                    members.properties.retain(|(name, _)| {
                        let moved = common(name);
                        if moved {
                            known.remove(name);
                        }
                        !moved
                    });
                    let inner = format!("{name} {word}");
                    let union = self.choice(choice, &members, &known, &inner, depth);
                    let id = self.define(inner, String::new(), Shape::Union(union));
                    (word, Type::Named(id))
                }
            };
            known.extend(names.into_iter().flatten());
            unions.push(Field {
                name: word,
                doc: String::new(),
                ty,
                required: true,
            });
        }
        if let ([Field { ty, .. }], true, None) =
            (&unions[..], members.properties.is_empty(), members.extra)
        {
            return Shape::Alias(ty.clone());
        }
        let mut shape = self.fields(&members, name);
        if !unions.is_empty() {
            // They would be read as those of the variants, too.
            shape.extra = None;
        }
        shape.choices = unions;
        Shape::Struct(shape)
    }

    /// The union of a choice, without the members that are read before it.
    fn choice(
        &mut self,
        choice: &Choice<'a>,
        outer: &Members<'a>,
        known: &HashSet<&'a str>,
        name: &str,
        depth: usize,
    ) -> Union {
        let tagging = match tagging::of(&choice.variants) {
            Tagging::Internal(tag) if !known.contains(&*tag) => Tagging::Internal(tag),
            _ => Tagging::None,
        };
        let mut variants = Vec::new();
        for (schema, number) in choice.variants.iter().zip(1..) {
            let words = tagging::names(&tagging, schema, number);
            let word = words.into_iter().next().map(|(word, _)| word);
            let word = word.unwrap_or_else(|| format!("variant {number}"));
            let inner = format!("{name} {word}");
            let mut members = Members::default();
            let ty = match members.add(self.root, schema) {
                true => {
                    members.properties.retain(|(name, _)| !known.contains(name));
                    members.required.extend(&outer.required);
                    match self.merged_within(members, &inner, depth + 1) {
                        Shape::Alias(ty) => ty,
                        shape => Type::Named(self.define(inner, doc(schema), shape)),
                    }
                }
                false => Type::Map(Box::new(Type::Any)),
            };
            variants.push(Variant {
                name: word,
                doc: doc(schema),
                ty,
            });
        }
        self.tagged(tagging, variants)
    }

    /// The names of all members that an object of this schema can have.
    fn names(&mut self, schema: &'a Json) -> HashSet<&'a str> {
        let mut names = HashSet::new();
        let mut waiting = vec![(schema, 0)];
        while let Some((schema, depth)) = waiting.pop() {
            self.read += 1;
            if depth == MAX_NESTED || self.read >= MAX_READ {
                continue;
            }
            let mut members = Members::default();
            members.add(self.root, schema);
            names.extend(members.properties.iter().map(|(name, _)| *name));
            let variants = members
                .choices
                .into_iter()
                .flat_map(|choice| choice.variants);
            waiting.extend(variants.map(|variant| (variant, depth + 1)));
        }
        names
    }
}
