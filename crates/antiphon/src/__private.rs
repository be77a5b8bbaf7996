//! What macro output names. Nothing here is part of the public interface: it may change in any
//! release.
//!
//! The macros write `::antiphon::__private::…` and no other path, so that a program may shadow any
//! name of the prelude, and contain no `cfg`: what a feature adds is decided here.

pub use std::clone::Clone;
pub use std::convert::From;
pub use std::default::Default;
pub use std::future::Future;
pub use std::marker::{Send, Sized, Sync};
pub use std::option::Option::{self, None, Some};
pub use std::result::Result::{self, Err, Ok};
pub use std::string::String;
pub use std::sync::Arc;
pub use std::vec::Vec;

pub use antiphon_proto::ErrorObject;

pub use crate::call::{Call, CallFuture, Reply};
pub use crate::context::Context;
pub use crate::router::params::{Slot, decode};
pub use crate::router::{IntoMethod, IntoRouter, Method, NamedParams, Router};
pub use crate::tree::{Access, ParamInfo};

use antiphon_proto::ErrorCode;
use serde::Serialize;

use crate::router::params::Slots;

/// What a method has returned. If it is a `Result`, the inherent method is found first and its error
/// becomes the call's; anything else is the result itself, through the trait.
#[derive(Debug)]
pub struct Outcome<T>(pub T);

impl<T: Serialize, E: Into<ErrorObject>> Outcome<Result<T, E>> {
    /// The result or the error.
    pub fn outcome(self) -> Result<T, ErrorObject> {
        self.0.map_err(Into::into)
    }
}

/// A plain result.
pub trait PlainOutcome<T> {
    /// The result.
    fn outcome(self) -> Result<T, ErrorObject>;
}

impl<T: Serialize> PlainOutcome<T> for Outcome<T> {
    fn outcome(self) -> Result<T, ErrorObject> {
        Ok(self.0)
    }
}

/// What a request handler has returned: a result, or a future of one.
#[derive(Debug)]
pub struct Handled<T>(pub T);

impl Handled<Result<(), ErrorObject>> {
    /// The result.
    pub async fn settle(self) -> Result<(), ErrorObject> {
        self.0
    }
}

/// A request handler that is `async`.
pub trait AsyncHandled {
    /// The result.
    fn settle(self) -> impl Future<Output = Result<(), ErrorObject>> + Send;
}

impl<F: Future<Output = Result<(), ErrorObject>> + Send> AsyncHandled for Handled<F> {
    async fn settle(self) -> Result<(), ErrorObject> {
        self.0.await
    }
}

/// Answers a call with an error.
pub fn refuse(call: Call, error: ErrorObject) -> CallFuture {
    CallFuture::ready(call.answer::<()>(Err(error)))
}

/// The parameters by name, for a request handler.
///
/// # Errors
///
/// −32602 if there are more than the method takes.
pub fn named_params(call: &Call) -> Result<NamedParams, ErrorObject> {
    NamedParams::of(call)
}

/// Decodes what a request handler has left.
///
/// # Errors
///
/// −32602 as for any call.
pub fn decode_named<S: Slots>(
    call: &Call,
    params: &NamedParams,
    slots: S,
) -> Result<S::Values, ErrorObject> {
    let info = call
        .method_info()
        .map(|info| info.params())
        .unwrap_or_default();
    params.decode(info, slots)
}

/// An object's router, to which its methods are added.
#[must_use]
pub fn object(title: &str, documentation: &str) -> Router {
    Router::default().title(title).documentation(documentation)
}

/// The code of an error under `#[derive(ErrorCodes)]`.
#[must_use]
pub fn error_object(code: i64, message: String) -> ErrorObject {
    ErrorObject::new(ErrorCode(code), message)
}
