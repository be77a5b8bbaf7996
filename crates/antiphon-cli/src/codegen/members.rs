//! Members of an object that is defined by several schemas.

use std::collections::HashSet;

use crate::openrpc::value::Json;

/// Maximum depth of nested references within one object.
const MAX_DEPTH: usize = 64;

#[derive(Default)]
pub(crate) struct Members<'a> {
    pub(crate) properties: Vec<(&'a str, &'a Json)>,
    pub(crate) required: HashSet<&'a str>,
    /// The schema in `additionalProperties`, unless it is `false`.
    pub(crate) extra: Option<&'a Json>,
    known: HashSet<&'a str>,
    /// The references already followed; each adds its members only once.
    followed: HashSet<&'a str>,
    depth: usize,
}

impl<'a> Members<'a> {
    /// Adds the members of the schema itself.
    pub(crate) fn own(&mut self, schema: &'a Json) {
        let properties = schema.get("properties").map_or(&[][..], Json::members);
        for (name, property) in properties {
            if self.known.insert(name) {
                self.properties.push((name, property));
            }
        }
        let required = schema.list("required");
        self.required
            .extend(required.iter().filter_map(Json::as_str));
        let extra = schema.get("additionalProperties");
        let extra = extra.filter(|&extra| *extra != Json::Bool(false));
        self.extra = self.extra.or(extra);
    }

    /// Adds the members of the schema, of its `allOf` and of its reference. Returns false if it may
    /// be anything but an object.
    pub(crate) fn add(&mut self, root: &'a Json, schema: &'a Json) -> bool {
        let other = ["oneOf", "anyOf", "enum", "const"];
        let kind = schema.get("type");
        if other.iter().any(|key| schema.get(key).is_some())
            || kind.is_some_and(|kind| kind.as_str() != Some("object"))
        {
            return false;
        }
        if self.depth == MAX_DEPTH {
            return false;
        }
        self.depth += 1;
        self.own(schema);
        let referred = match schema.text("$ref") {
            Some(reference) if self.followed.insert(reference) => match root.pointer(reference) {
                Some(schema) => self.add(root, schema),
                None => false,
            },
            _ => true,
        };
        let objects = referred && schema.list("allOf").iter().all(|part| self.add(root, part));
        self.depth -= 1;
        objects
    }
}
