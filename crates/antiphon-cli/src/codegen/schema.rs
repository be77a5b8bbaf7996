//! Converter of JSON Schema to types. A schema that no type can express exactly becomes a wider
//! type, never a narrower one: every value that matches the schema also matches the type.
//!
//! The supported subset is `type`, `properties`, `required`, `additionalProperties`,
//! `patternProperties`, `items`, `prefixItems`, `enum`, `const`, `oneOf`, `anyOf`, `allOf`,
//! references within the document, `nullable`, `format` of numbers, and `true`. The representations
//! of enums that serde writes are recognised.

use std::collections::HashMap;
use std::mem;

use super::constants::{MAX_VALUES, constants, texts};
use super::members::Members;
use super::model::{Field, Literal, Shape, Struct, Tagging, Type, TypeDef, TypeId, Union, Variant};
use super::numbers::{float, integer};
use super::recursive;
use super::tagging;
use crate::openrpc::value::{Json, doc};

/// Maximum count of schemas that are converted, including repetitions. `allOf` is expanded wherever
/// it is used, which could grow exponentially in a hostile document. Any further schema becomes
/// `Any`.
pub(super) const MAX_READ: usize = 100_000;

/// Maximum nesting of schemas that are not references.
pub(super) const MAX_DEPTH: usize = 32;

/// Converter that collects the types of all schemas.
pub(crate) struct Schemas<'a> {
    pub(super) root: &'a Json,
    /// Types of the schemas that references point to.
    named: HashMap<String, TypeId>,
    /// Named types whose shape is not known yet. A queue avoids recursion, as chains of references
    /// may have any length.
    waiting: Vec<(TypeId, &'a Json)>,
    pub(super) types: Vec<TypeDef>,
    pub(super) read: usize,
    /// The schemas being converted, outermost first.
    open: Vec<&'a Json>,
}

impl<'a> Schemas<'a> {
    /// A converter of the schemas in this document.
    pub(crate) fn new(root: &'a Json) -> Self {
        Self {
            root,
            named: HashMap::new(),
            waiting: Vec::new(),
            types: Vec::new(),
            read: 0,
            open: Vec::new(),
        }
    }

    /// Creates the type of a referenced schema, named after the reference.
    pub(crate) fn component(&mut self, reference: &str, schema: &'a Json) -> TypeId {
        if let Some(&id) = self.named.get(reference) {
            return id;
        }
        let name = reference.rsplit('/').next().unwrap_or_default();
        let name = name.replace("~1", "/").replace("~0", "~");
        let id = self.define(name, doc(schema), Shape::Alias(Type::Any));
        self.named.insert(reference.to_owned(), id);
        self.waiting.push((id, schema));
        id
    }

    /// Converts the remaining schemas and returns all types.
    pub(crate) fn finish(mut self) -> Vec<TypeDef> {
        self.settle();
        recursive::break_up(&mut self.types);
        self.types
    }

    /// Determines the shapes of all types that so far only have a name.
    pub(crate) fn settle(&mut self) {
        while !self.waiting.is_empty() {
            for (id, schema) in mem::take(&mut self.waiting) {
                let name = self.types[id].name.clone();
                self.types[id].shape = self.shape(schema, &name);
            }
        }
    }

    /// The type of a schema. `name` is used if the type needs a name.
    pub(crate) fn ty(&mut self, schema: &'a Json, name: &str) -> Type {
        // `allOf` may lead back to an enclosing schema that has no name to refer to.
        let again = self.open.iter().any(|open| std::ptr::eq(*open, schema));
        if again || self.read >= MAX_READ || self.open.len() >= MAX_DEPTH {
            return Type::Any;
        }
        self.read += 1;
        self.open.push(schema);
        let shape = self.shape(schema, name);
        self.open.pop();
        match shape {
            Shape::Alias(ty) => ty,
            shape => Type::Named(self.define(name.to_owned(), doc(schema), shape)),
        }
    }

    pub(super) fn define(&mut self, name: String, doc: String, shape: Shape) -> TypeId {
        self.types.push(TypeDef {
            name,
            doc,
            shape,
            of_variant: false,
        });
        self.types.len() - 1
    }

    /// The shape of a schema. Nested schemas get named types where they need them.
    pub(super) fn shape(&mut self, schema: &'a Json, name: &str) -> Shape {
        if schema.flag("nullable") {
            let shape = self.not_null(schema, name);
            return self.or_null(shape, schema, name);
        }
        self.not_null(schema, name)
    }

    /// Adds null to a shape. A shape that needs a name becomes a named type.
    pub(super) fn or_null(&mut self, shape: Shape, schema: &'a Json, name: &str) -> Shape {
        Shape::Alias(match shape {
            Shape::Alias(ty) => ty.or_null(),
            shape => Type::Named(self.define(name.to_owned(), doc(schema), shape)).or_null(),
        })
    }

    fn not_null(&mut self, schema: &'a Json, name: &str) -> Shape {
        if schema.get("allOf").is_some()
            || (schema.get("$ref").is_some() && schema.get("properties").is_some())
        {
            return self.all_of(schema, name);
        }
        if let Some(reference) = schema.text("$ref") {
            return Shape::Alias(self.reference(reference));
        }
        if let Some(value) = schema.get("const") {
            return constants(&[value]);
        }
        if schema.get("enum").is_some() {
            let (nulls, values): (Vec<_>, Vec<_>) = schema
                .list("enum")
                .iter()
                .partition(|&value| *value == Json::Null);
            let shape = constants(&values);
            return match nulls.is_empty() {
                true => shape,
                false => self.or_null(shape, schema, name),
            };
        }
        for key in ["oneOf", "anyOf"] {
            if schema.get(key).is_some() {
                return self.one_of(schema, schema.list(key), name);
            }
        }
        match schema.get("type") {
            Some(Json::Array(types)) => self.one_of_types(schema, types, name),
            Some(Json::String(kind)) => self.of_type(schema, kind, name),
            _ if schema.get("properties").is_some() => self.of_type(schema, "object", name),
            _ if schema.get("items").is_some() || schema.get("prefixItems").is_some() => {
                self.of_type(schema, "array", name)
            }
            _ => Shape::Alias(Type::Any),
        }
    }

    pub(super) fn reference(&mut self, reference: &str) -> Type {
        match self.root.pointer(reference) {
            Some(schema) => Type::Named(self.component(reference, schema)),
            // References to other documents are not followed.
            None => Type::Any,
        }
    }

    pub(super) fn of_type(&mut self, schema: &'a Json, kind: &str, name: &str) -> Shape {
        Shape::Alias(match kind {
            "null" => Type::Null,
            "boolean" => Type::Bool,
            "string" => Type::String,
            "integer" => Type::Int(integer(schema)),
            "number" => Type::Float(float(schema)),
            "array" => self.array(schema, name),
            "object" => return self.object(schema, name),
            _ => Type::Any,
        })
    }

    /// Converts `"type": ["string", "null"]`.
    fn one_of_types(&mut self, schema: &'a Json, types: &'a [Json], name: &str) -> Shape {
        let kinds: Vec<_> = types.iter().filter_map(Json::as_str).collect();
        let others: Vec<_> = kinds
            .iter()
            .copied()
            .filter(|&kind| kind != "null")
            .collect();
        let shape = match others[..] {
            [] => {
                return Shape::Alias(if kinds.is_empty() {
                    Type::Any
                } else {
                    Type::Null
                });
            }
            [kind] => self.of_type(schema, kind, name),
            _ => {
                let variants = others.iter().map(|kind| {
                    let inner = format!("{name} {kind}");
                    let shape = self.of_type(schema, kind, &inner);
                    let ty = match shape {
                        Shape::Alias(ty) => ty,
                        shape => Type::Named(self.define(inner, String::new(), shape)),
                    };
                    let (name, doc) = ((*kind).to_owned(), String::new());
                    Variant { name, doc, ty }
                });
                Shape::Union(Union {
                    variants: variants.collect(),
                    tagging: Tagging::None,
                })
            }
        };
        match kinds.len() == others.len() {
            true => shape,
            false => self.or_null(shape, schema, name),
        }
    }

    fn array(&mut self, schema: &'a Json, name: &str) -> Type {
        let listed = schema
            .get("items")
            .filter(|items| matches!(items, Json::Array(_)));
        if let Some(Json::Array(items)) = schema.get("prefixItems").or(listed) {
            let len = i64::try_from(items.len()).ok();
            let closed = schema.integer("maxItems") == len
                || schema.get("additionalItems") == Some(&Json::Bool(false))
                || schema.get("items") == Some(&Json::Bool(false));
            let complete = schema
                .integer("minItems")
                .is_none_or(|min| Some(min) == len);
            return match closed && complete && !items.is_empty() {
                true => Type::Tuple(
                    (1..)
                        .zip(items)
                        .map(|(at, item)| self.ty(item, &format!("{name} {at}")))
                        .collect(),
                ),
                false => Type::Array(Box::new(Type::Any)),
            };
        }
        let item = schema.get("items");
        let item = item.map_or(Type::Any, |item| self.ty(item, &format!("{name} item")));
        Type::Array(Box::new(item))
    }

    fn object(&mut self, schema: &'a Json, name: &str) -> Shape {
        let mut members = Members::default();
        members.own(schema);
        let closed = schema.get("additionalProperties") == Some(&Json::Bool(false));
        if schema.get("properties").is_none() && (!closed || members.extra.is_some()) {
            let values = members.extra.map_or(Type::Any, |values| {
                self.ty(values, &format!("{name} value"))
            });
            return Shape::Alias(Type::Map(Box::new(values)));
        }
        Shape::Struct(self.fields(&members, name))
    }

    pub(super) fn fields(&mut self, members: &Members<'a>, name: &str) -> Struct {
        let fields = members.properties.iter().map(|&(field, schema)| Field {
            name: field.to_owned(),
            doc: doc(schema),
            ty: self.ty(schema, &format!("{name} {field}")),
            required: members.required.contains(field),
        });
        let fields = fields.collect();
        let extra = members
            .extra
            .map(|schema| self.ty(schema, &format!("{name} extra")));
        Struct {
            fields,
            extra,
            choices: Vec::new(),
        }
    }

    fn one_of(&mut self, schema: &'a Json, variants: &'a [Json], name: &str) -> Shape {
        let null = |schema: &Json| {
            schema.text("type") == Some("null") || schema.get("const") == Some(&Json::Null)
        };
        let others: Vec<_> = variants.iter().filter(|variant| !null(variant)).collect();
        let shape = match others[..] {
            [] => {
                return Shape::Alias(if variants.is_empty() {
                    Type::Any
                } else {
                    Type::Null
                });
            }
            // The schema has members that all variants share.
            _ if schema.get("properties").is_some() => {
                let mut members = Members::default();
                match members.add(self.root, schema) {
                    true => self.merged(members, name),
                    false => Shape::Alias(Type::Any),
                }
            }
            [only] => self.shape(only, name),
            _ if others.len() > MAX_VALUES => return Shape::Alias(Type::Any),
            _ => match texts(&others) {
                Some(values) => Shape::Enum(values),
                None => Shape::Union(self.union(&others, name)),
            },
        };
        match others.len() == variants.len() {
            true => shape,
            false => self.or_null(shape, schema, name),
        }
    }

    fn union(&mut self, schemas: &[&'a Json], name: &str) -> Union {
        let tagging = tagging::of(schemas);
        let mut variants = Vec::new();
        for (schema, number) in schemas.iter().zip(1_usize..) {
            for (given, text) in tagging::names(&tagging, schema, number) {
                let ty = match text {
                    Some(text) => Type::Literal(vec![Literal::String(text.to_owned())]),
                    None => self.variant(schema, &format!("{name} {given}"), &tagging),
                };
                variants.push(Variant {
                    name: given,
                    doc: doc(schema),
                    ty,
                });
            }
        }
        self.tagged(tagging, variants)
    }

    /// A union with a tag, if all its variants are objects.
    pub(super) fn tagged(&mut self, mut tagging: Tagging, variants: Vec<Variant>) -> Union {
        let structs = variants.iter().all(|variant| match variant.ty {
            Type::Named(id) => matches!(self.types[id].shape, Shape::Struct(_)),
            _ => tagging == Tagging::External,
        });
        if !structs {
            tagging = Tagging::None;
        }
        if tagging != Tagging::None {
            for variant in &variants {
                if let Type::Named(id) = variant.ty {
                    self.types[id].of_variant = true;
                }
            }
        }
        Union { tagging, variants }
    }

    /// The type of a variant. With an external tag it is a wrapper object, and the name goes to the
    /// content.
    fn variant(&mut self, schema: &'a Json, name: &str, tagging: &Tagging) -> Type {
        if *tagging != Tagging::External {
            return self.ty(schema, name);
        }
        let mut members = Members::default();
        members.own(schema);
        let fields = members.properties.iter().map(|&(field, schema)| Field {
            name: field.to_owned(),
            doc: String::new(),
            ty: self.ty(schema, name),
            required: true,
        });
        let fields = fields.collect();
        let shape = Shape::Struct(Struct {
            fields,
            extra: None,
            choices: Vec::new(),
        });
        Type::Named(self.define(format!("{name} variant"), doc(schema), shape))
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    fn read(schemas: &str) -> Vec<TypeDef> {
        let document = format!(r#"{{"components":{{"schemas":{schemas}}}}}"#);
        let root: Json = serde_json::from_str(&document).unwrap();
        let mut read = Schemas::new(&root);
        let Some(Json::Object(members)) = root.pointer("#/components/schemas") else {
            panic!("{schemas}");
        };
        for (name, schema) in members {
            read.component(&format!("#/components/schemas/{name}"), schema);
        }
        read.finish()
    }

    #[test]
    fn what_contains_itself_comes_to_an_end() {
        let table = [
            (r##"{"A":{"$ref":"#/components/schemas/A"}}"##, 1),
            (
                r##"{"A":{"anyOf":[{"$ref":"#/components/schemas/B"},{"type":"null"}]},
                    "B":{"$ref":"#/components/schemas/A"}}"##,
                2,
            ),
            (
                r##"{"A":{"allOf":[{"$ref":"#/components/schemas/A"},{"properties":
                    {"p":{"allOf":[{"$ref":"#/components/schemas/A"},{"type":"object"}]}}}]}}"##,
                2,
            ),
        ];
        for (schemas, types) in table {
            assert_eq!(read(schemas).len(), types, "{schemas}");
        }
    }

    #[test]
    fn what_doubles_itself_comes_to_an_end() {
        let mut schemas = String::from(r#"{"x0":{"properties":{"y":{"type":"string"}}}"#);
        for n in 1..100 {
            let before = format!(r##"{{"$ref":"#/components/schemas/x{}"}}"##, n - 1);
            let own = format!(r#"{{"properties":{{"p{n}":{{"allOf":[{before},{{}}]}}}}}}"#);
            let _ = write!(schemas, r#","x{n}":{{"allOf":[{before},{own}]}}"#);
        }
        assert!(read(&format!("{schemas}}}")).len() <= MAX_READ + 100);
    }
}
