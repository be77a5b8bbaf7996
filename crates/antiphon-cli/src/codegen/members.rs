//! Members of an object that is defined by several schemas.

use std::collections::HashSet;

use crate::openrpc::value::Json;

/// Maximum depth of nested references within one object.
const MAX_DEPTH: usize = 64;

/// Maximum length of a chain of references that is followed to see what a schema is.
const MAX_HOPS: usize = 16;

#[derive(Default)]
pub(crate) struct Members<'a> {
    pub(crate) properties: Vec<(&'a str, &'a Json)>,
    pub(crate) required: HashSet<&'a str>,
    /// The schema of members without a name of their own.
    pub(crate) extra: Option<&'a Json>,
    pub(crate) choices: Vec<Choice<'a>>,
    known: HashSet<&'a str>,
    /// The references already followed; each adds its members only once.
    followed: HashSet<&'a str>,
    depth: usize,
}

/// A `oneOf` or `anyOf`: the object has the members of one of these as well.
pub(crate) struct Choice<'a> {
    /// The reference to it, if it is a schema of its own.
    pub(crate) reference: Option<&'a str>,
    pub(crate) title: Option<&'a str>,
    /// The variants that are objects.
    pub(crate) variants: Vec<&'a Json>,
    /// Whether there are no others.
    pub(crate) whole: bool,
}

impl<'a> Members<'a> {
    /// Adds the members of the schema itself.
    pub(crate) fn own(&mut self, schema: &'a Json) {
        let properties = schema.get("properties").map_or(&[][..], Json::members);
        for (name, property) in properties {
            if self.known.insert(name) {
                self.properties.push((name, property));
            } else if is_constant(property) {
                // All of the schemas apply: the narrowest one says most.
                let known = self.properties.iter_mut().find(|(known, _)| known == name);
                if let Some((_, known)) = known.filter(|(_, known)| !is_constant(known)) {
                    *known = property;
                }
            }
        }
        let required = schema.list("required");
        self.required
            .extend(required.iter().filter_map(Json::as_str));
        self.extra = self.extra.or_else(|| extra(schema));
    }

    /// Adds the members of the schema, of its `allOf` and of its reference. Returns false if it may
    /// be anything but an object.
    pub(crate) fn add(&mut self, root: &'a Json, schema: &'a Json) -> bool {
        self.add_named(root, schema, None)
    }

    fn add_named(&mut self, root: &'a Json, schema: &'a Json, reference: Option<&'a str>) -> bool {
        if !may_be_object(schema) || self.depth == MAX_DEPTH {
            return false;
        }
        self.depth += 1;
        self.own(schema);
        let chosen = ["oneOf", "anyOf"]
            .into_iter()
            .filter(|key| schema.get(key).is_some())
            .all(|key| {
                let only = ["properties", "allOf", "$ref", "required"];
                let whole = only.iter().all(|key| schema.get(key).is_none());
                self.choose(root, schema, key, reference.filter(|_| whole))
            });
        let referred = match schema.text("$ref") {
            Some(reference) if self.followed.insert(reference) => match root.pointer(reference) {
                Some(schema) => self.add_named(root, schema, Some(reference)),
                None => false,
            },
            _ => true,
        };
        let objects =
            chosen && referred && schema.list("allOf").iter().all(|part| self.add(root, part));
        self.depth -= 1;
        objects
    }

    /// Adds a choice. Returns false if none of its variants is an object.
    fn choose(
        &mut self,
        root: &'a Json,
        schema: &'a Json,
        key: &str,
        reference: Option<&'a str>,
    ) -> bool {
        let all = schema.list(key);
        let variants = all.iter().filter(|variant| is_object(root, variant));
        let variants: Vec<_> = variants.collect();
        match variants[..] {
            [] => all.is_empty(),
            // They only say which members there are together.
            _ if variants.iter().all(|variant| !is_telling(variant)) => true,
            [only] => self.add(root, only),
            _ => {
                self.choices.push(Choice {
                    reference,
                    title: schema.text("title"),
                    whole: variants.len() == all.len(),
                    variants,
                });
                true
            }
        }
    }
}

/// The schema of members without a name of their own; `None` if there are none.
fn extra(schema: &Json) -> Option<&Json> {
    let named = schema
        .get("patternProperties")
        .map_or(&[][..], Json::members);
    match (schema.get("additionalProperties"), named) {
        (Some(Json::Bool(false)), []) => None,
        (Some(Json::Bool(false)), [(_, only)]) => Some(only),
        (extra, []) => extra,
        _ => Some(&Json::Bool(true)),
    }
}

/// Whether the schema allows nothing but constants.
pub(crate) fn is_constant(schema: &Json) -> bool {
    schema.get("const").is_some() || schema.get("enum").is_some()
}

/// Whether the schema says what a value is, and not only what it is called, or is not.
pub(crate) fn is_telling(schema: &Json) -> bool {
    let keys = [
        "$ref",
        "type",
        "properties",
        "additionalProperties",
        "patternProperties",
        "allOf",
        "oneOf",
        "anyOf",
        "items",
        "prefixItems",
    ];
    is_constant(schema) || keys.iter().any(|key| schema.get(key).is_some())
}

/// Whether nothing in the schema itself rules out an object.
fn may_be_object(schema: &Json) -> bool {
    let object = |kind: &Json| kind.as_str() == Some("object");
    let kind = match schema.get("type") {
        None => true,
        Some(Json::Array(kinds)) => kinds.iter().any(object),
        Some(kind) => object(kind),
    };
    kind && !is_constant(schema) && *schema != Json::Bool(false)
}

/// Whether the schema may be that of an object, as far as references tell.
fn is_object<'a>(root: &'a Json, mut schema: &'a Json) -> bool {
    for _ in 0..MAX_HOPS {
        if !may_be_object(schema) {
            return false;
        }
        let Some(next) = schema.text("$ref").and_then(|to| root.pointer(to)) else {
            break;
        };
        schema = next;
    }
    true
}
