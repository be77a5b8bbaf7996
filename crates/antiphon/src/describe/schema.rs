//! Source of a document's JSON Schemas and default values.
//!
//! A method keeps functions that make them, so a server that nobody asks pays nothing. Macros see
//! names, not types: whether a type has a schema is found out here, by the compiler, where the
//! function is chosen. An inherent method comes before one of a trait, and what needs no further
//! reference before what does. In a generic block the bounds decide that are written there.

use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde_json::Value;

/// What makes the schema of a type, if there is one.
#[derive(Clone, Copy, Default)]
pub struct SchemaSource {
    make: Option<Make>,
}

/// What makes the value of a parameter that was left out, as JSON.
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

/// The schema of a parameter's type, as macros ask for it.
#[doc(hidden)]
#[macro_export]
macro_rules! __schema_of {
    ($ty:ty) => {{
        #[allow(unused_imports)] // it depends on the type
        use $crate::__private::WithoutSchema as _;
        $crate::__private::SchemaOf::<$ty>::new().schema()
    }};
}

/// The schema of what a method returns: of the `T`, if that is a `Result<T, E>` by whatever name.
#[doc(hidden)]
#[macro_export]
macro_rules! __schema_of_outcome {
    ($ty:ty) => {{
        #[allow(unused_imports)] // it depends on the type
        use $crate::__private::{PlainSchema as _, WithoutSchema as _};
        $crate::__private::OutcomeOf::<$ty>::new().schema()
    }};
}

/// The default value of a parameter, made by a function.
#[doc(hidden)]
#[macro_export]
macro_rules! __default_of {
    ($ty:ty, $default:expr) => {
        $crate::__private::DefaultSource::of(|| {
            #[allow(unused_imports)] // it depends on the type
            use $crate::__private::WithoutJson as _;
            $crate::__private::DefaultOf::<$ty>::new($default).json()
        })
    };
}

type Make = fn(&mut SchemaGenerator, Place) -> Schema;

/// Where a schema is going to stand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    /// In a document: a type with a name is referred to, and defined once.
    Document,
    /// By itself, so that its members can be read.
    Alone,
}

impl SchemaSource {
    /// No schema.
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
    /// No value.
    #[must_use]
    pub const fn none() -> Self {
        Self { make: None }
    }

    /// A value that is made when it is asked for.
    #[must_use]
    pub fn of(make: fn() -> Option<Value>) -> Self {
        Self { make: Some(make) }
    }

    pub(crate) fn make(self) -> Option<Value> {
        self.make.and_then(|make| make())
    }
}

/// A type whose schema is looked for.
#[derive(Debug)]
pub struct SchemaOf<T>(PhantomData<T>);

/// What a method returns, whose schema is looked for.
#[derive(Debug)]
pub struct OutcomeOf<T>(PhantomData<T>);

impl<T> SchemaOf<T> {
    /// The question.
    #[allow(clippy::new_without_default)] // nobody needs one
    #[must_use]
    pub fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T> OutcomeOf<T> {
    /// The question.
    #[allow(clippy::new_without_default)] // nobody needs one
    #[must_use]
    pub fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T: JsonSchema> SchemaOf<T> {
    /// There is one.
    #[must_use]
    pub fn schema(self) -> SchemaSource {
        SchemaSource::of::<T>()
    }
}

impl<T: JsonSchema, E> OutcomeOf<Result<T, E>> {
    /// That of the `T`.
    #[must_use]
    pub fn schema(self) -> SchemaSource {
        SchemaSource::of::<T>()
    }
}

/// What is no `Result`.
pub trait PlainSchema {
    /// There is one.
    fn schema(self) -> SchemaSource;
}

impl<T: JsonSchema> PlainSchema for OutcomeOf<T> {
    fn schema(self) -> SchemaSource {
        SchemaSource::of::<T>()
    }
}

/// All the rest. It takes a reference, and so it comes last.
pub trait WithoutSchema {
    /// There is none.
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

/// A default value that may have a JSON form.
#[derive(Debug)]
pub struct DefaultOf<T>(fn() -> T);

impl<T> DefaultOf<T> {
    /// The value that this function makes.
    pub fn new(make: fn() -> T) -> Self {
        Self(make)
    }
}

impl<T: Serialize> DefaultOf<T> {
    /// It has.
    #[must_use]
    pub fn json(self) -> Option<Value> {
        serde_json::to_value((self.0)()).ok()
    }
}

/// A value without a JSON form.
pub trait WithoutJson {
    /// It has none.
    fn json(&self) -> Option<Value>;
}

impl<T> WithoutJson for DefaultOf<T> {
    fn json(&self) -> Option<Value> {
        None
    }
}
