//! Model of an API, before it is written in any language: types, methods, error codes.

/// Everything that a document says.
#[derive(Debug)]
pub(crate) struct Api {
    pub(crate) title: String,
    pub(crate) version: String,
    pub(crate) doc: String,
    pub(crate) types: Vec<TypeDef>,
    pub(crate) methods: Vec<Method>,
    /// Declared by any method, each code once, in the order of their codes.
    pub(crate) errors: Vec<ErrorDef>,
}

/// The place of a type in [`Api::types`].
pub(crate) type TypeId = usize;

/// A type with a name.
#[derive(Debug)]
pub(crate) struct TypeDef {
    /// As the document has it, or words that tell where it was found.
    pub(crate) name: String,
    pub(crate) doc: String,
    pub(crate) shape: Shape,
    /// It is the object of one variant of a tagged union: languages that have such unions need it
    /// not by itself.
    pub(crate) of_variant: bool,
}

/// What a named type is.
#[derive(Debug)]
pub(crate) enum Shape {
    Struct(Struct),
    /// One of several texts.
    Enum(Vec<EnumValue>),
    Union(Union),
    Alias(Type),
}

#[derive(Debug)]
pub(crate) struct Struct {
    pub(crate) fields: Vec<Field>,
    /// What members beyond these may be, where the document says that there are some.
    pub(crate) extra: Option<Type>,
}

#[derive(Debug, Clone)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) doc: String,
    pub(crate) ty: Type,
    pub(crate) required: bool,
}

#[derive(Debug)]
pub(crate) struct EnumValue {
    pub(crate) value: String,
    pub(crate) doc: String,
}

#[derive(Debug)]
pub(crate) struct Union {
    pub(crate) tagging: Tagging,
    pub(crate) variants: Vec<Variant>,
}

/// How a value tells which variant it is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Tagging {
    /// By what it looks like.
    None,
    /// A text, or an object whose one member has the name of the variant.
    External,
    /// A member of this name.
    Internal(String),
    /// A member of this name, and another with all the rest.
    Adjacent(String, String),
}

#[derive(Debug)]
pub(crate) struct Variant {
    /// The tag, where there is one.
    pub(crate) name: String,
    pub(crate) doc: String,
    /// The whole value, its tag included.
    pub(crate) ty: Type,
}

/// A type where it is used.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Type {
    Any,
    Null,
    Bool,
    Int(Int),
    Float(Float),
    String,
    /// One of these constants; there is at least one.
    Literal(Vec<Literal>),
    Array(Box<Self>),
    Tuple(Vec<Self>),
    /// An object with any names.
    Map(Box<Self>),
    Nullable(Box<Self>),
    Named(TypeId),
}

impl Type {
    /// The same, or null.
    pub(crate) fn or_null(self) -> Self {
        match self {
            Self::Any | Self::Null | Self::Nullable(_) => self,
            other => Self::Nullable(Box::new(other)),
        }
    }
}

/// The size of a whole number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Int {
    pub(crate) signed: bool,
    /// 8, 16, 32 or 64.
    pub(crate) bits: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Float {
    Single,
    Double,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Literal {
    String(String),
    Integer(i64),
    Bool(bool),
}

#[derive(Debug)]
pub(crate) struct Method {
    /// Its whole name, with namespaces.
    pub(crate) name: String,
    pub(crate) doc: String,
    pub(crate) deprecated: bool,
    /// Required ones first.
    pub(crate) params: Vec<Field>,
    /// The last parameter is a map of others, which go by the names that it has.
    pub(crate) rest: bool,
    pub(crate) passing: Passing,
    pub(crate) result: Type,
    /// What is said of the result.
    pub(crate) result_doc: String,
    /// Codes that it declares; each is in [`Api::errors`].
    pub(crate) errors: Vec<i64>,
    pub(crate) stream: Option<Stream>,
}

impl Method {
    /// Namespaces, and then the name itself.
    pub(crate) fn path(&self) -> (Vec<&str>, &str) {
        let mut names: Vec<_> = self.name.split('.').collect();
        let name = names.pop().unwrap_or_default();
        (names, name)
    }
}

/// How parameters may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Passing {
    Either,
    ByName,
    ByPosition,
}

/// What makes a method a subscription.
#[derive(Debug)]
pub(crate) struct Stream {
    /// The method that ends it.
    pub(crate) unsubscribe: String,
    pub(crate) item: Type,
}

#[derive(Debug)]
pub(crate) struct ErrorDef {
    pub(crate) code: i64,
    /// Words for a name.
    pub(crate) name: String,
    /// Its message, and what else is said of it.
    pub(crate) doc: String,
}

/// What the specification itself declares.
pub(crate) const STANDARD_ERRORS: [(i64, &str); 5] = [
    (-32700, "Parse error"),
    (-32600, "Invalid request"),
    (-32601, "Method not found"),
    (-32602, "Invalid params"),
    (-32603, "Internal error"),
];

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
