//! Model of an API, independent of the target language: types, methods, error codes.

/// The contents of an OpenRPC document.
#[derive(Debug)]
pub(crate) struct Api {
    pub(crate) title: String,
    pub(crate) version: String,
    pub(crate) doc: String,
    pub(crate) types: Vec<TypeDef>,
    pub(crate) methods: Vec<Method>,
    /// The errors of all methods, one per code, sorted by code.
    pub(crate) errors: Vec<ErrorDef>,
}

/// Index of a type in [`Api::types`].
pub(crate) type TypeId = usize;

/// A named type.
#[derive(Debug)]
pub(crate) struct TypeDef {
    /// The name in the document, or words that describe where the type was found.
    pub(crate) name: String,
    pub(crate) doc: String,
    pub(crate) shape: Shape,
    /// Whether the type is the object of a variant of a tagged union. A language with such unions
    /// needs no separate definition of it.
    pub(crate) of_variant: bool,
}

/// The kind of a named type.
#[derive(Debug)]
pub(crate) enum Shape {
    Struct(Struct),
    /// A string enumeration.
    Enum(Vec<EnumValue>),
    Union(Union),
    Alias(Type),
}

#[derive(Debug)]
pub(crate) struct Struct {
    pub(crate) fields: Vec<Field>,
    /// The type of additional members; `None` if the document mentions none.
    pub(crate) extra: Option<Type>,
    /// Unions of objects: the struct has the members of one variant of each as well. None of these
    /// has the name of a field.
    pub(crate) choices: Vec<Field>,
}

impl Struct {
    /// Whether it has no members at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.has_only("") && self.fields.is_empty()
    }

    /// Whether it has no members but one of this name.
    pub(crate) fn has_only(&self, name: &str) -> bool {
        let fields = self.fields.iter().all(|field| field.name == name);
        fields && self.extra.is_none() && self.choices.is_empty()
    }
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

/// How the variants of a union are told apart.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Tagging {
    /// By their structure alone (untagged).
    None,
    /// A string, or an object whose only member is named after the variant.
    External,
    /// A tag member of this name.
    Internal(String),
    /// A tag member of the first name, and the content in a member of the second.
    Adjacent(String, String),
}

#[derive(Debug)]
pub(crate) struct Variant {
    /// The value of the tag, if the union has one; otherwise a name for the variant.
    pub(crate) name: String,
    pub(crate) doc: String,
    /// The type of the whole value, tag included.
    pub(crate) ty: Type,
}

/// The use of a type.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Type {
    Any,
    Null,
    Bool,
    Int(Int),
    Float(Float),
    String,
    /// One of these constants; never empty.
    Literal(Vec<Literal>),
    Array(Box<Self>),
    Tuple(Vec<Self>),
    /// An object with arbitrary member names.
    Map(Box<Self>),
    Nullable(Box<Self>),
    Named(TypeId),
}

impl Type {
    /// The type extended by null; unchanged if it includes null already.
    pub(crate) fn or_null(self) -> Self {
        match self {
            Self::Any | Self::Null | Self::Nullable(_) => self,
            other => Self::Nullable(Box::new(other)),
        }
    }
}

/// An integer type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Int {
    pub(crate) signed: bool,
    /// Size in bits: 8, 16, 32 or 64.
    pub(crate) bits: u8,
    /// Whether the document says that it may have more digits than a floating-point number.
    pub(crate) wide: bool,
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
    /// The full name, with namespaces.
    pub(crate) name: String,
    pub(crate) doc: String,
    pub(crate) deprecated: bool,
    /// Parameters, required ones first.
    pub(crate) params: Vec<Field>,
    /// Whether the last parameter is a map of additional named parameters.
    pub(crate) rest: bool,
    pub(crate) passing: Passing,
    pub(crate) result: Type,
    /// Documentation of the result.
    pub(crate) result_doc: String,
    /// The codes of the declared errors; each is in [`Api::errors`].
    pub(crate) errors: Vec<i64>,
    pub(crate) stream: Option<Stream>,
}

impl Method {
    /// The namespaces, and the name within the last one.
    pub(crate) fn path(&self) -> (Vec<&str>, &str) {
        let mut names: Vec<_> = self.name.split('.').collect();
        let name = names.pop().unwrap_or_default();
        (names, name)
    }
}

/// How parameters can be passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Passing {
    Either,
    ByName,
    ByPosition,
}

/// The properties of a subscription.
#[derive(Debug)]
pub(crate) struct Stream {
    /// The method that ends the subscription.
    pub(crate) unsubscribe: String,
    /// Whether items have cursors.
    pub(crate) resumes: bool,
    pub(crate) item: Type,
}

#[derive(Debug)]
pub(crate) struct ErrorDef {
    pub(crate) code: i64,
    /// Words from which the identifier is made.
    pub(crate) name: String,
    /// The message of the error, followed by its documentation.
    pub(crate) doc: String,
}

/// The errors that the JSON-RPC specification defines.
pub(crate) const STANDARD_ERRORS: [(i64, &str); 5] = [
    (-32700, "Parse error"),
    (-32600, "Invalid request"),
    (-32601, "Method not found"),
    (-32602, "Invalid params"),
    (-32603, "Internal error"),
];

/// The constants as strings, if all of them are strings.
pub(crate) fn texts(values: &[Literal]) -> Option<Vec<&str>> {
    values.iter().map(text).collect()
}

fn text(value: &Literal) -> Option<&str> {
    match value {
        Literal::String(text) => Some(text),
        _ => None,
    }
}
