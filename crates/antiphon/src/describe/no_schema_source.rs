//! Stub for builds without feature `describe`: there are no JSON Schemas and no default values.

/// Stub without a schema.
#[derive(Clone, Copy, Debug, Default)]
pub struct SchemaSource;

/// Stub without a default value.
#[derive(Clone, Copy, Debug, Default)]
pub struct DefaultSource;

impl SchemaSource {
    /// Returns the stub.
    #[must_use]
    pub const fn none() -> Self {
        Self
    }
}

impl DefaultSource {
    /// Returns the stub.
    #[must_use]
    pub const fn none() -> Self {
        Self
    }
}

/// Used by macros: the schema of a parameter's type.
#[doc(hidden)]
#[macro_export]
macro_rules! __schema_of {
    ($ty:ty) => {
        $crate::__private::SchemaSource::none()
    };
}

/// Used by macros: the schema of a method's return type; of `T` for `Result<T, E>` and its aliases.
#[doc(hidden)]
#[macro_export]
macro_rules! __schema_of_outcome {
    ($ty:ty) => {
        $crate::__private::SchemaSource::none()
    };
}

/// Used by macros: the default value of a parameter, made by a function.
#[doc(hidden)]
#[macro_export]
macro_rules! __default_of {
    ($ty:ty, $default:expr) => {
        $crate::__private::DefaultSource::none()
    };
}
