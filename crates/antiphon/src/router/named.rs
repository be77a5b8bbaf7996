//! Named parameters of a call, for request handlers that read and change them.

use antiphon_proto::ErrorObject;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::{RawValue, to_raw_value};

use crate::call::Call;
use crate::describe::{MethodInfo, ParamInfo};
use crate::router::params::{self, Slots, refuse};

/// The named parameters of a call, which a request handler may change before they are decoded.
///
/// Positional parameters are included, under the names of the method's parameters. A handler can
/// add parameters that the caller has left out, and replace others. Set a handler with
/// `#[method(request_handler = …)]`; see [`#[rpc]`](macro@crate::rpc).
///
/// ```
/// use antiphon::{Context, ErrorObject, NamedParams};
///
/// fn in_cents(_ctx: &Context, _format: &str, params: &mut NamedParams) -> Result<(), ErrorObject> {
///     if let Some(euros) = params.get::<f64>("amount") {
///         params.insert("amount", euros * 100.0);
///     }
///     Ok(())
/// }
/// ```
#[derive(Debug, Default)]
pub struct NamedParams(Vec<(String, Box<RawValue>)>);

impl NamedParams {
    /// The parameters of a call.
    ///
    /// # Errors
    ///
    /// −32602 if there are more positional parameters than the method takes.
    pub(crate) fn of(call: &mut Call) -> Result<Self, ErrorObject> {
        let params = Self::read(call)?;
        call.forget_params();
        Ok(params)
    }

    fn read(call: &Call) -> Result<Self, ErrorObject> {
        let info = call
            .method_info()
            .map(MethodInfo::params)
            .unwrap_or_default();
        let Some(text) = call.params() else {
            return Ok(Self::default());
        };
        if text.starts_with('{') {
            let object = antiphon_proto::params::members(text);
            return object
                .map(Self)
                .map_err(|error| refuse(&error.to_string(), None, "value"));
        }
        let values: Vec<Box<RawValue>> = serde_json::from_str(text)
            .map_err(|error| refuse(&error.to_string(), None, "value"))?;
        if values.len() > info.len() {
            let reason = format!("too many parameters, at most {} are taken", info.len());
            return Err(refuse(&reason, None, "too_many"));
        }
        let names = info.iter().map(|param| param.name.clone());
        Ok(Self(names.zip(values).collect()))
    }

    /// The value of a parameter; `None` if it is missing or cannot be decoded as a `T`.
    #[must_use]
    pub fn get<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        let (_, value) = self.0.iter().find(|(known, _)| known == name)?;
        serde_json::from_str(value.get()).ok()
    }

    /// Whether there is a parameter of this name.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known == name)
    }

    /// Sets a parameter. A value that cannot be serialized removes the parameter instead, so that a
    /// call without a required parameter is refused with −32602.
    pub fn insert<T: Serialize>(&mut self, name: impl Into<String>, value: T) {
        let name = name.into();
        self.remove(&name);
        if let Ok(value) = to_raw_value(&value) {
            self.0.push((name, value));
        }
    }

    /// Removes a parameter; returns whether there was one.
    pub fn remove(&mut self, name: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|(known, _)| known != name);
        self.0.len() < before
    }

    /// The names of the parameters, in the order of the call. Inserted ones come last.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    pub(crate) fn decode<S: Slots>(
        &self,
        info: &[ParamInfo],
        slots: S,
    ) -> Result<S::Values, ErrorObject> {
        let members = self.0.iter().map(|(name, value)| {
            format!("{}:{}", serde_json::Value::from(name.as_str()), value.get())
        });
        let text = format!("{{{}}}", members.collect::<Vec<_>>().join(","));
        params::decode_text(Some(text.as_bytes()), info, slots)
    }
}
