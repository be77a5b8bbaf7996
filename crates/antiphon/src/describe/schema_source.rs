//! Sources of the JSON Schemas and default values in documents.
//!
//! A method stores functions that generate its schemas, so a server pays nothing until a document
//! is requested. Macros see only the names of types. Whether a type implements [`JsonSchema`] is
//! decided by the compiler's method resolution (autoref specialization): an inherent method is
//! preferred to a trait method, and a method that needs no autoref to one that does. In a generic
//! block, only the bounds written there count.

use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde_json::Value;

/// Generates the schema of a type, if it has one.
#[derive(Clone, Copy, Default)]
pub struct SchemaSource {
    make: Option<Make>,
}

/// Creates the JSON form of a parameter's default value.
#[derive(Clone, Copy, Default)]
pub struct DefaultSource {
    make: Option<fn() -> Option<Value>>,
}

impl fmt::Debug for SchemaSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SchemaSource")
    }
}

impl fmt::Debug for DefaultSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DefaultSource")
    }
}

/// Used by macros: the schema of a parameter's type.
#[doc(hidden)]
#[macro_export]
macro_rules! __schema_of {
    ($ty:ty) => {{
        #[allow(unused_imports)] // whether it is used depends on the type
        use $crate::__private::WithoutSchema as _;
        $crate::__private::SchemaOf::<$ty>::new().schema()
    }};
}

/// Used by macros: the schema of a method's return type; of `T` for `Result<T, E>` and its aliases.
#[doc(hidden)]
#[macro_export]
macro_rules! __schema_of_outcome {
    ($ty:ty) => {{
        #[allow(unused_imports)] // whether it is used depends on the type
        use $crate::__private::{PlainSchema as _, WithoutSchema as _};
        $crate::__private::OutcomeOf::<$ty>::new().schema()
    }};
}

/// Used by macros: the default value of a parameter, made by a function.
#[doc(hidden)]
#[macro_export]
macro_rules! __default_of {
    ($ty:ty, $default:expr) => {
        $crate::__private::DefaultSource::of(|| {
            #[allow(unused_imports)] // whether it is used depends on the type
            use $crate::__private::WithoutJson as _;
            $crate::__private::DefaultOf::<$ty>::new($default).json()
        })
    };
}

type Make = fn(&mut SchemaGenerator, Place) -> Schema;

/// Where a schema will be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    /// In a document: named types become references, and are defined once.
    Document,
    /// Standalone, so that its members can be read.
    Alone,
}

impl SchemaSource {
    /// Returns a source without a schema.
    #[must_use]
    pub const fn none() -> Self {
        Self { make: None }
    }

    pub(crate) fn of<T: JsonSchema>() -> Self {
        Self {
            make: Some(|generator, place| match place {
                Place::Document => generator.subschema_for::<T>(),
                Place::Alone => T::json_schema(generator),
            }),
        }
    }

    pub(crate) fn make(self, generator: &mut SchemaGenerator, place: Place) -> Option<Schema> {
        self.make.map(|make| make(generator, place))
    }
}

impl DefaultSource {
    /// Returns a source without a value.
    #[must_use]
    pub const fn none() -> Self {
        Self { make: None }
    }

    /// Returns a source that creates the value on request.
    #[must_use]
    pub fn of(make: fn() -> Option<Value>) -> Self {
        Self { make: Some(make) }
    }

    pub(crate) fn make(self) -> Option<Value> {
        self.make.and_then(|make| make())
    }
}

/// Looks up the schema of a type.
#[derive(Debug)]
pub struct SchemaOf<T>(PhantomData<T>);

/// Looks up the schema of a method's return type.
#[derive(Debug)]
pub struct OutcomeOf<T>(PhantomData<T>);

impl<T> SchemaOf<T> {
    /// Creates a lookup.
    #[allow(clippy::new_without_default)] // only macros use it
    #[must_use]
    pub fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T> OutcomeOf<T> {
    /// Creates a lookup.
    #[allow(clippy::new_without_default)] // only macros use it
    #[must_use]
    pub fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T: JsonSchema> SchemaOf<T> {
    /// The schema of a type that implements [`JsonSchema`].
    #[must_use]
    pub fn schema(self) -> SchemaSource {
        SchemaSource::of::<T>()
    }
}

impl<T: JsonSchema, E> OutcomeOf<Result<T, E>> {
    /// The schema of `T`.
    #[must_use]
    pub fn schema(self) -> SchemaSource {
        SchemaSource::of::<T>()
    }
}

/// Lookup for return types that implement [`JsonSchema`] but are no `Result<T, E>`.
pub trait PlainSchema {
    /// The schema of the type.
    fn schema(self) -> SchemaSource;
}

impl<T: JsonSchema> PlainSchema for OutcomeOf<T> {
    fn schema(self) -> SchemaSource {
        SchemaSource::of::<T>()
    }
}

/// Fallback for all other types. Its method takes a reference, so the compiler chooses it last.
pub trait WithoutSchema {
    /// Returns a source without a schema.
    fn schema(&self) -> SchemaSource;
}

impl<T> WithoutSchema for SchemaOf<T> {
    fn schema(&self) -> SchemaSource {
        SchemaSource::default()
    }
}

impl<T> WithoutSchema for OutcomeOf<T> {
    fn schema(&self) -> SchemaSource {
        SchemaSource::default()
    }
}

/// Looks up the JSON form of a default value.
#[derive(Debug)]
pub struct DefaultOf<T>(fn() -> T);

impl<T> DefaultOf<T> {
    /// Creates a lookup for the value that this function returns.
    pub fn new(make: fn() -> T) -> Self {
        Self(make)
    }
}

impl<T: Serialize> DefaultOf<T> {
    /// The JSON form of the value.
    #[must_use]
    pub fn json(self) -> Option<Value> {
        serde_json::to_value((self.0)()).ok()
    }
}

/// Fallback for values that do not implement [`Serialize`].
pub trait WithoutJson {
    /// Always `None`.
    fn json(&self) -> Option<Value>;
}

impl<T> WithoutJson for DefaultOf<T> {
    fn json(&self) -> Option<Value> {
        None
    }
}
