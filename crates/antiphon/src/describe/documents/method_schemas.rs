//! Schemas of single parameters and results.

use schemars::{Schema, SchemaGenerator};
use serde_json::Value;

use crate::describe::schema_source::Place;
use crate::describe::{MethodInfo, ParamInfo};

/// With feature `describe`.
impl MethodInfo {
    /// The schema of the result: of `T` if the method returns a `Result<T, E>`, and of an item if
    /// it is a subscription. `None` if the type does not implement
    /// [`JsonSchema`](schemars::JsonSchema).
    ///
    /// Named types are defined in the generator and referenced.
    #[must_use]
    pub fn result_schema(&self, generator: &mut SchemaGenerator) -> Option<Schema> {
        self.result.make(generator, Place::Document)
    }
}

/// With feature `describe`.
impl ParamInfo {
    /// The schema of the parameter's type; `None` if the type does not implement
    /// [`JsonSchema`](schemars::JsonSchema).
    ///
    /// Named types are defined in the generator and referenced. The type of a
    /// [flattened](Self::is_flattened) parameter is not, so that its members can be read.
    #[must_use]
    pub fn schema(&self, generator: &mut SchemaGenerator) -> Option<Schema> {
        let place = match self.flattened {
            true => Place::Alone,
            false => Place::Document,
        };
        self.schema.make(generator, place)
    }

    /// The default value; `None` if there is none, if it has no JSON form, or if it is null. The
    /// default expression is evaluated on each call.
    #[must_use]
    pub fn default_value(&self) -> Option<Value> {
        self.default.make().filter(|value| !value.is_null())
    }
}
