//! Types in Rust: structs and enums for serde, and type aliases.

use super::code::Code;
use super::model::{Api, EnumValue, Field, Float, Shape, Struct, Type, TypeDef, texts};
use super::names::{Scope, pascal, snake};
use super::recursive;
use super::rust_constants::Constants;
use super::rust_text::{comment, quoted};

/// Rust's keywords.
pub(crate) const KEYWORDS: &[&str] = &[
    "_", "abstract", "as", "async", "await", "become", "box", "break", "const", "continue",
    "crate", "do", "dyn", "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if",
    "impl", "in", "let", "loop", "macro", "match", "mod", "move", "mut", "override", "priv", "pub",
    "ref", "return", "self", "static", "struct", "super", "trait", "true", "try", "type", "typeof",
    "unsafe", "unsized", "use", "virtual", "where", "while", "yield",
];

/// Type names that are already taken in a generated file.
const GLOBALS: &[&str] = &[
    "Arguments",
    "AsRef",
    "BTreeMap",
    "Batch",
    "Box",
    "Call",
    "CallFuture",
    "Client",
    "Clone",
    "Copy",
    "Debug",
    "Default",
    "Deserialize",
    "DeserializeOwned",
    "Eq",
    "Err",
    "Error",
    "ErrorCode",
    "From",
    "Hash",
    "Into",
    "IntoParams",
    "IntoFuture",
    "None",
    "Ok",
    "Option",
    "Params",
    "PartialEq",
    "Passing",
    "PendingCall",
    "PendingSubscription",
    "PhantomData",
    "Result",
    "Self",
    "Serialize",
    "Some",
    "String",
    "Ticket",
    "Value",
    "Vec",
];

/// Maximum length of a tuple for which the standard library implements `PartialEq` and `Debug`.
const MAX_TUPLE: usize = 12;

pub(crate) struct Types<'a> {
    pub(crate) api: &'a Api,
    names: Vec<String>,
    /// Whether each type directly contains itself, so that it has to be boxed.
    endless: Vec<bool>,
    /// Whether each type is an alias whose target mentions the alias again.
    knotted: Vec<bool>,
    constants: Constants<'a>,
    /// All global names so far.
    pub(crate) globals: Scope,
}

impl<'a> Types<'a> {
    pub(crate) fn new(api: &'a Api) -> Self {
        let mut globals = Scope::with(&[GLOBALS]);
        let names = api
            .types
            .iter()
            .map(|def| globals.take_type(pascal(&def.name)));
        let names = names.collect();
        Self {
            names,
            endless: recursive::endless(&api.types),
            knotted: recursive::knotted(&api.types),
            constants: Constants::named(api, &mut globals),
            globals,
            api,
        }
    }

    /// Formats a type.
    pub(crate) fn write(&self, ty: &Type) -> String {
        match ty {
            Type::Any => "Value".to_owned(),
            Type::Null => "()".to_owned(),
            Type::Bool => "bool".to_owned(),
            Type::Int(int) => format!("{}{}", if int.signed { 'i' } else { 'u' }, int.bits),
            Type::Float(Float::Single) => "f32".to_owned(),
            Type::Float(Float::Double) => "f64".to_owned(),
            Type::String => "String".to_owned(),
            Type::Literal(values) => self.constants.type_of(values),
            Type::Array(item) => format!("Vec<{}>", self.write(item)),
            Type::Tuple(items) if items.len() > MAX_TUPLE => "Vec<Value>".to_owned(),
            Type::Tuple(items) => match &items[..] {
                [only] => format!("({},)", self.write(only)),
                items => {
                    let items: Vec<_> = items.iter().map(|item| self.write(item)).collect();
                    format!("({})", items.join(", "))
                }
            },
            Type::Map(value) => format!("BTreeMap<String, {}>", self.write(value)),
            Type::Nullable(inner) => format!("Option<{}>", self.write(inner)),
            Type::Named(id) => self.names[*id].clone(),
        }
    }

    /// Formats a type as a parameter: small types by value, all others by reference.
    pub(crate) fn lent(&self, ty: &Type) -> String {
        match self.meant(ty) {
            Type::String => "&str".to_owned(),
            Type::Array(item) => format!("&[{}]", self.write(item)),
            Type::Nullable(inner) => format!("Option<{}>", self.lent(inner)),
            meant if self.is_small(meant) => self.write(ty),
            _ => format!("&{}", self.write(ty)),
        }
    }

    /// Whether the type surely implements `Default`.
    pub(crate) fn has_default(&self, ty: &Type) -> bool {
        match self.meant(ty) {
            Type::Named(_) => false,
            Type::Literal(values) => texts(values).is_none(),
            Type::Tuple(items) => items.iter().all(|item| self.has_default(item)),
            _ => true,
        }
    }

    fn is_small(&self, ty: &Type) -> bool {
        match ty {
            Type::Null | Type::Bool | Type::Int(_) | Type::Float(_) => true,
            Type::Literal(values) => self.constants.type_of(values) != "String",
            Type::Named(id) => match &self.api.types[*id].shape {
                Shape::Enum(_) => true,
                Shape::Alias(Type::Literal(values)) => texts(values).is_some(),
                _ => false,
            },
            _ => false,
        }
    }

    /// Resolves type aliases.
    pub(crate) fn meant<'t>(&'t self, mut ty: &'t Type) -> &'t Type {
        // Terminates: aliases of themselves have been broken up, and recursive aliases are not
        // followed.
        while let Type::Named(id) = ty {
            match &self.api.types[*id].shape {
                Shape::Alias(Type::Literal(values)) if texts(values).is_some() => break,
                Shape::Alias(next) if !self.knotted[*id] => ty = next,
                _ => break,
            }
        }
        ty
    }

    pub(crate) fn write_all(&self, code: &mut Code) {
        for (id, (def, name)) in self.api.types.iter().zip(&self.names).enumerate() {
            // The enum has the fields of its variants itself.
            if !def.of_variant {
                comment(&def.doc, code);
                self.definition(id, def, name, code);
                code.blank(1);
            }
        }
        for (values, name) in self.constants.iter() {
            let values = texts(values).unwrap_or_default();
            comment("A constant.", code);
            texts_enum(name, values.into_iter().map(|text| (text, "")), code);
            code.blank(1);
        }
    }

    fn definition(&self, id: usize, def: &TypeDef, name: &str, code: &mut Code) {
        match &def.shape {
            Shape::Struct(shape) => self.record(shape, name, self.endless[id], code),
            Shape::Enum(values) => {
                let values = values
                    .iter()
                    .map(|EnumValue { value, doc }| (&**value, &**doc));
                texts_enum(name, values, code);
            }
            Shape::Union(union) => self.union(union, name, self.endless[id], code),
            Shape::Alias(Type::Literal(values)) if texts(values).is_some() => {
                let values = texts(values).unwrap_or_default();
                texts_enum(name, values.into_iter().map(|text| (text, "")), code);
            }
            Shape::Alias(ty) if self.knotted[id] => {
                code.line("#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]");
                code.line("#[serde(transparent)]");
                let ty = self.held(ty, self.endless[id]);
                code.line(&format!("pub struct {name}(pub {ty});"));
            }
            Shape::Alias(ty) => broken(
                &format!("pub type {name} ="),
                &format!("{};", self.write(ty)),
                code,
            ),
        }
    }

    fn record(&self, shape: &Struct, name: &str, endless: bool, code: &mut Code) {
        let default = shape
            .fields
            .iter()
            .all(|field| !field.required || self.has_default(&field.ty));
        let default = if default && shape.choices.is_empty() {
            "Default, "
        } else {
            ""
        };
        code.line(&format!(
            "#[derive(Clone, Debug, {default}PartialEq, Serialize, Deserialize)]"
        ));
        if shape.is_empty() {
            return code.line(&format!("pub struct {name} {{}}"));
        }
        code.line(&format!("pub struct {name} {{"));
        code.deeper(|code| self.fields(shape, None, "pub ", endless, code));
        code.line("}");
    }

    /// Writes the fields, except for the tag of a variant.
    pub(crate) fn fields(
        &self,
        shape: &Struct,
        tag: Option<&str>,
        public: &str,
        endless: bool,
        code: &mut Code,
    ) {
        let mut scope = Scope::with(&[KEYWORDS]);
        for field in shape
            .fields
            .iter()
            .filter(|field| Some(&*field.name) != tag)
        {
            let name = scope.take(snake(&field.name));
            self.field(field, &name, public, endless, code);
        }
        for choice in &shape.choices {
            let name = scope.take(snake(&choice.name));
            comment("The members of one of these.", code);
            code.line("#[serde(flatten)]");
            let ty = self.held(&choice.ty, endless);
            broken(&format!("{public}{name}:"), &format!("{ty},"), code);
        }
        if let Some(ty) = &shape.extra {
            let name = scope.take("extra".to_owned());
            comment("Other members.", code);
            code.line("#[serde(flatten)]");
            let ty = self.write(&Type::Map(Box::new(ty.clone())));
            broken(&format!("{public}{name}:"), &format!("{ty},"), code);
        }
    }

    /// Writes a field of a parameter struct, which is only serialized.
    pub(crate) fn param(&self, param: &Field, name: &str, rest: bool, code: &mut Code) {
        comment(&param.doc, code);
        if rest {
            code.line("#[serde(flatten)]");
        } else {
            renamed(&param.name, name, code);
        }
        if !param.required {
            code.line("#[serde(skip_serializing_if = \"Option::is_none\")]");
        }
        let ty = match param.required {
            true => self.write(&param.ty),
            false => self.write(&nullable(&param.ty)),
        };
        broken(&format!("pub {name}:"), &format!("{ty},"), code);
    }

    /// Writes a field. An optional one is an `Option` that is skipped if it is `None`.
    fn field(&self, field: &Field, name: &str, public: &str, endless: bool, code: &mut Code) {
        comment(&field.doc, code);
        renamed(&field.name, name, code);
        let ty = match field.required {
            true => self.held(&field.ty, endless),
            false => self.held(&nullable(&field.ty), endless),
        };
        if !field.required {
            code.line("#[serde(default, skip_serializing_if = \"Option::is_none\")]");
        }
        broken(&format!("{public}{name}:"), &format!("{ty},"), code);
    }

    /// Formats the type of a field or variant. With `endless`, types that directly contain
    /// themselves are boxed.
    pub(crate) fn held(&self, ty: &Type, endless: bool) -> String {
        match ty {
            Type::Named(id) if endless && self.endless[*id] => format!("Box<{}>", self.write(ty)),
            Type::Nullable(inner) => format!("Option<{}>", self.held(inner, endless)),
            Type::Tuple(items) if items.len() <= MAX_TUPLE => {
                let items: Vec<_> = items.iter().map(|item| self.held(item, endless)).collect();
                match &items[..] {
                    [only] => format!("({only},)"),
                    items => format!("({})", items.join(", ")),
                }
            }
            ty => self.write(ty),
        }
    }
}

/// Writes a string enumeration.
fn texts_enum<'t>(name: &str, values: impl Iterator<Item = (&'t str, &'t str)>, code: &mut Code) {
    code.line("#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]");
    code.line(&format!("pub enum {name} {{"));
    let mut scope = Scope::with(&[&["Self"]]);
    code.deeper(|code| {
        for (value, doc) in values {
            let name = scope.take_type(pascal(value));
            comment(doc, code);
            renamed(value, &name, code);
            code.line(&format!("{name},"));
        }
    });
    code.line("}");
}

/// Writes `#[serde(rename)]` if the name in JSON differs from the identifier.
pub(crate) fn renamed(original: &str, name: &str, code: &mut Code) {
    if original != name {
        attribute(&[format!("rename = {}", quoted(original))], code);
    }
}

/// Writes a serde attribute.
pub(crate) fn attribute(items: &[String], code: &mut Code) {
    let joined = items.join(", ");
    // rustfmt's maximum width of attribute arguments (`attr_fn_like_width`).
    if joined.chars().count() <= 70 {
        return code.line(&format!("#[serde({joined})]"));
    }
    code.line("#[serde(");
    code.deeper(|code| {
        for (at, item) in items.iter().enumerate() {
            let end = if at + 1 == items.len() { "" } else { "," };
            code.line(&format!("{item}{end}"));
        }
    });
    code.line(")]");
}

/// Writes both parts on one line, or on two if they do not fit.
fn broken(before: &str, after: &str, code: &mut Code) {
    let line = format!("{before} {after}");
    if code.fits(&line) {
        return code.line(&line);
    }
    code.line(before);
    code.deeper(|code| code.line(after));
}

/// The type of an optional field.
fn nullable(ty: &Type) -> Type {
    match ty {
        // `or_null` would not change these, as they include null. The `Option` tells a missing
        // member.
        Type::Any | Type::Null => Type::Nullable(Box::new(ty.clone())),
        ty => ty.clone().or_null(),
    }
}
