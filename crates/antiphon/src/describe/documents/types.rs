//! Schemas of single parameters and results.

use schemars::{Schema, SchemaGenerator};
use serde_json::Value;

use crate::describe::schema::Place;
use crate::describe::{MethodInfo, ParamInfo};

/// With feature `describe`.
impl MethodInfo {
    /// The schema of the result: of the `T` if the method returns a `Result<T, E>`, and of an item
    /// if it is a subscription. `None` if the type does not implement
    /// [`JsonSchema`](schemars::JsonSchema).
    ///
    /// Types with names are defined in the generator, and referred to.
    #[must_use]
    pub fn result_schema(&self, generator: &mut SchemaGenerator) -> Option<Schema> {
        self.result.make(generator, Place::Document)
    }
}

/// With feature `describe`.
impl ParamInfo {
    /// The schema of its type; `None` if that does not implement
    /// [`JsonSchema`](schemars::JsonSchema).
    ///
    /// Types with names are defined in the generator, and referred to. That of a parameter which is
    /// [flattened](Self::is_flattened) stands for itself, so that its members can be read.
    #[must_use]
    pub fn schema(&self, generator: &mut SchemaGenerator) -> Option<Schema> {
        let place = match self.flattened {
            true => Place::Alone,
            false => Place::Document,
        };
        self.schema.make(generator, place)
    }

    /// The value it has if a call leaves it out; `None` if there is no such value, if it has no JSON
    /// form, or if it is null. The expression behind it runs anew each time.
    #[must_use]
    pub fn default_value(&self) -> Option<Value> {
        self.default.make().filter(|value| !value.is_null())
    }
}
