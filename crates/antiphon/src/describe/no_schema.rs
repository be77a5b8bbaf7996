//! Source of JSON Schemas and default values in builds without feature `describe`: there are none.

/// No schema.
#[derive(Clone, Copy, Debug, Default)]
pub struct SchemaSource;

/// No default value.
#[derive(Clone, Copy, Debug, Default)]
pub struct DefaultSource;

impl SchemaSource {
    /// No schema.
    #[must_use]
    pub const fn none() -> Self {
        Self
    }
}

impl DefaultSource {
    /// No value.
    #[must_use]
    pub const fn none() -> Self {
        Self
    }
}

/// The schema of a parameter's type, as macros ask for it.
#[doc(hidden)]
#[macro_export]
macro_rules! __schema_of {
    ($ty:ty) => {
        $crate::__private::SchemaSource::none()
    };
}

/// The schema of what a method returns: of the `T`, if that is a `Result<T, E>` by whatever name.
#[doc(hidden)]
#[macro_export]
macro_rules! __schema_of_outcome {
    ($ty:ty) => {
        $crate::__private::SchemaSource::none()
    };
}

/// The default value of a parameter, made by a function.
#[doc(hidden)]
#[macro_export]
macro_rules! __default_of {
    ($ty:ty, $default:expr) => {
        $crate::__private::DefaultSource::none()
    };
}
