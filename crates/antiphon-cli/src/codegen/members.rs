//! Members of an object whose schema has several parts.

use std::collections::HashSet;

use super::value::Json;

/// References in a row that are followed within one object.
const MAX_DEPTH: usize = 64;

#[derive(Default)]
pub(crate) struct Members<'a> {
    pub(crate) properties: Vec<(&'a str, &'a Json)>,
    pub(crate) required: HashSet<&'a str>,
    /// What `additionalProperties` says, unless it is a plain no.
    pub(crate) extra: Option<&'a Json>,
    known: HashSet<&'a str>,
    /// References that were followed: each adds its members once.
    followed: HashSet<&'a str>,
    depth: usize,
}

impl<'a> Members<'a> {
    /// What the schema itself says.
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

    /// The same with all parts and references. False if it is not only an object.
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
