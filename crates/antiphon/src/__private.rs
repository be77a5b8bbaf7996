//! What macro output names. Nothing here is part of the public interface: it may change in any
//! release.
//!
//! The macros write `::antiphon::__private::…` and no other path, so that a program may shadow any
//! name of the prelude, and contain no `cfg`: what a feature adds is decided here.

pub use std::clone::Clone;
pub use std::convert::{From, Into};
pub use std::default::Default;
pub use std::fmt::Debug;
pub use std::future::Future;
pub use std::marker::{Copy, Send, Sized, Sync};
pub use std::option::Option::{self, None, Some};
pub use std::result::Result::{self, Err, Ok};
pub use std::string::String;
pub use std::sync::Arc;
pub use std::vec::Vec;
pub use std::{concat, format, unreachable};

pub use antiphon_proto::{ErrorObject, Params};
pub use serde::de::DeserializeOwned;
pub use serde::{Deserialize, Serialize};

pub use crate::__client as client;
pub use crate::{
    __default_of as default_of, __schema_of as schema_of, __schema_of_outcome as schema_of_outcome,
};

pub use crate::call::{Call, Reply};
pub use crate::call_future::CallFuture;
pub use crate::client::{Client, Error as ClientError, PendingSubscription};
pub use crate::context::Context;
#[cfg(feature = "describe")]
pub use crate::describe::schema_source::{
    DefaultOf, OutcomeOf, PlainSchema, SchemaOf, WithoutJson, WithoutSchema,
};
pub use crate::describe::schema_source::{DefaultSource, SchemaSource};
pub use crate::describe::{Access, ParamInfo};
pub use crate::error::{ErrorCodes, ErrorInfo};
pub use crate::router::params::{Slot, decode};
pub use crate::router::{IntoMethod, IntoRouter, Method, NamedParams, Router};
pub use crate::subscription::Producer;
pub use crate::topic::Overflow;

use std::borrow::Cow;

use antiphon_proto::ErrorCode;
use serde::Serializer;
use serde::ser::SerializeMap as _;
use serde_json::value::{RawValue, to_raw_value};

use crate::router::params::Slots;
use crate::subscription::{Items, Kind, Produced};
use crate::topic::Subscription;

/// What a macro has made for a client: it is there if the library can be one.
#[doc(hidden)]
#[macro_export]
macro_rules! __client {
    ($($item:tt)*) => { $($item)* };
}

/// The error of a remote method: whatever converts into [`ErrorObject`].
///
/// The compiler is told not to look behind the implementation, so that its message is the one here
/// and not that `ErrorObject: From<…>` is missing.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the error of a remote method",
    label = "does not convert into `antiphon::ErrorObject`",
    note = "return `Result<_, antiphon::Failure>`, which takes any error through `?`: the caller gets \
            −32603 and an incident id, the log gets the error",
    note = "or return `Result<_, antiphon::ErrorObject>`, whose code and message the caller gets: \
            `ErrorObject::new(1, \"no such book\")`",
    note = "or derive `antiphon::ErrorCodes` for an enum of your own"
)]
pub trait MethodError {
    /// The error that the caller gets.
    fn into_error_object(self) -> ErrorObject;
}

#[diagnostic::do_not_recommend]
impl<E: Into<ErrorObject>> MethodError for E {
    fn into_error_object(self) -> ErrorObject {
        self.into()
    }
}

/// What a method has returned. If it is a `Result`, the inherent method is found first and its error
/// becomes the call's; anything else is the result itself, through the trait.
///
/// The bounds stand on the methods, not on the blocks: a `Result` whose error does not convert must
/// be an error of the compiler, not a plain result that happens to have a JSON form.
#[derive(Debug)]
pub struct Outcome<T>(pub T);

impl<T, E> Outcome<Result<T, E>> {
    /// The result or the error.
    pub fn outcome(self) -> Result<T, ErrorObject>
    where
        T: Serialize,
        E: MethodError,
    {
        self.0.map_err(E::into_error_object)
    }
}

/// A plain result.
pub trait PlainOutcome<T> {
    /// The result.
    fn outcome(self) -> Result<T, ErrorObject>
    where
        T: Serialize;
}

impl<T> PlainOutcome<T> for Outcome<T> {
    fn outcome(self) -> Result<T, ErrorObject>
    where
        T: Serialize,
    {
        Ok(self.0)
    }
}

/// What a method that streams has returned: a stream, or a `Result` of one. Items are told apart by
/// [`Outcome`].
#[derive(Debug)]
pub struct Opened<T>(pub T);

impl<S, E> Opened<Result<S, E>> {
    /// The stream or the error.
    pub fn stream(self) -> Result<S, ErrorObject>
    where
        E: MethodError,
    {
        self.0.map_err(E::into_error_object)
    }
}

/// A stream as it is.
pub trait PlainOpened<S> {
    /// The stream.
    fn stream(self) -> Result<S, ErrorObject>;
}

impl<S> PlainOpened<S> for Opened<S> {
    fn stream(self) -> Result<S, ErrorObject> {
        Ok(self.0)
    }
}

/// Whether the caller can be sent a stream.
///
/// # Errors
///
/// What the call is answered with if not: its method does not run.
pub fn may_stream(call: &Call) -> Result<(), ErrorObject> {
    call.may_stream()
}

/// Answers a call with the subscription that its method opens, or with the method's error. `method`
/// makes the future in which the method runs and then gives its stream to the producer.
pub fn subscribe<F>(
    call: Call,
    method: impl FnOnce(Producer) -> F,
) -> impl Future<Output = Reply> + Send
where
    F: Future<Output = Result<(), ErrorObject>> + Send + 'static,
{
    let produced = Produced::new(method);
    async move {
        match produced.open().await {
            Ok(items) => call.subscribe(items),
            Err(error) => Reply::error(error),
        }
    }
}

/// What a method that follows a topic has returned: a subscription, or a `Result` of one.
#[derive(Debug)]
pub struct Followed<T>(pub T);

impl<T> Followed<Subscription<T>> {
    /// The subscription.
    pub fn subscription(self) -> Result<Subscription<T>, ErrorObject> {
        Ok(self.0)
    }
}

impl<T, E: MethodError> Followed<Result<Subscription<T>, E>> {
    /// The subscription or the error.
    pub fn subscription(self) -> Result<Subscription<T>, ErrorObject> {
        self.0.map_err(E::into_error_object)
    }
}

/// Answers a call with a subscription to a topic, or with the method's error.
pub fn follow<T>(call: Call, subscription: Result<Subscription<T>, ErrorObject>) -> Reply {
    match subscription {
        Ok(subscription) => call.subscribe(Items::Topic(Box::new(subscription.into_feed()))),
        Err(error) => Reply::error(error),
    }
}

/// What a request handler has returned: a result, or a future of one.
#[derive(Debug)]
pub struct Handled<T>(pub T);

impl<E> Handled<Result<(), E>> {
    /// The result.
    pub async fn settle(self) -> Result<(), ErrorObject>
    where
        E: MethodError,
    {
        self.0.map_err(E::into_error_object)
    }
}

/// A request handler that is `async`.
pub trait AsyncHandled {
    /// The result.
    fn settle(self) -> impl Future<Output = Result<(), ErrorObject>> + Send;
}

impl<F, E> AsyncHandled for Handled<F>
where
    F: Future<Output = Result<(), E>> + Send,
    E: MethodError,
{
    async fn settle(self) -> Result<(), ErrorObject> {
        self.0.await.map_err(E::into_error_object)
    }
}

/// Creates a method that has its reply when its handler returns. The handler is handed the call where
/// it is, because each move of a call copies it.
pub fn immediate(
    name: &str,
    handler: impl Fn(&mut Call) -> Reply + Send + Sync + 'static,
) -> Method {
    Method::immediate(name.to_owned(), handler)
}

/// Creates the reply from the outcome of a method, as [`Call::answer`] does.
#[inline]
pub fn answer<T: Serialize>(call: &mut Call, outcome: Result<T, ErrorObject>) -> Reply {
    call.reply(outcome)
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
pub fn named_params(call: &mut Call) -> Result<NamedParams, ErrorObject> {
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

/// A parameter with what documents may say of its values.
#[must_use]
pub fn param(info: ParamInfo, schema: SchemaSource, default: DefaultSource) -> ParamInfo {
    ParamInfo {
        schema,
        default,
        ..info
    }
}

/// A parameter made of all members that no other one takes.
#[must_use]
pub fn flattened(info: ParamInfo, schema: SchemaSource) -> ParamInfo {
    ParamInfo {
        schema,
        flattened: true,
        ..info
    }
}

/// A method whose handler opens streams.
#[must_use]
pub fn streams(method: Method) -> Method {
    method.opens(Kind::Stream)
}

/// A method whose handler follows a topic.
#[must_use]
pub fn follows(method: Method) -> Method {
    method.opens(Kind::Topic)
}

/// A method with the schema of its result, or of an item.
#[must_use]
pub fn returning(method: Method, schema: SchemaSource) -> Method {
    Method {
        result: schema,
        ..method
    }
}

/// An object that many calls share.
pub fn share<T: Send + Sync + 'static>(object: T) -> Arc<T> {
    Arc::new(object)
}

/// An object's router, to which its methods are added.
#[must_use]
pub fn object(title: &str, documentation: &str) -> Router {
    Router::new().title(title).documentation(documentation)
}

/// An object's router under a name of the object's own.
#[must_use]
pub fn namespace(name: &str, router: Router) -> Router {
    Router::new().nest(name, router)
}

/// A parameter that must be given.
#[must_use]
pub fn required<T: DeserializeOwned>() -> Slot<T> {
    Slot::required()
}

/// A parameter that may be left out.
pub fn optional<T: DeserializeOwned>(default: fn() -> T) -> Slot<T> {
    Slot::optional(default)
}

/// A parameter made of all others.
#[must_use]
pub fn flatten<T: DeserializeOwned>() -> Slot<T> {
    Slot::flatten()
}

/// The reply of work that follows a request handler.
pub async fn settled(future: CallFuture) -> Reply {
    match future.await {
        Ok(reply) => reply,
        Err(never) => match never {},
    }
}

/// The error of a variant under `#[derive(ErrorCodes)]`.
pub fn error_object(code: i64, message: impl Into<Cow<'static, str>>) -> ErrorObject {
    ErrorObject::new(ErrorCode(code), message)
}

/// What documents say of a variant under `#[derive(ErrorCodes)]`.
#[must_use]
pub const fn error_info(code: i64, message: &'static str, doc: &'static str) -> ErrorInfo {
    ErrorInfo::new(code, message).doc(doc)
}

/// The fields of a variant as the `data` of its error. One that has no JSON form is left out.
#[derive(Debug)]
pub struct Members<const N: usize>(pub [(&'static str, Option<Box<RawValue>>); N]);

impl<const N: usize> Serialize for Members<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in &self.0 {
            if let Some(value) = value {
                map.serialize_entry(name, value)?;
            }
        }
        map.end()
    }
}

/// One field for [`Members`].
pub fn json<T: Serialize + ?Sized>(value: &T) -> Option<Box<RawValue>> {
    to_raw_value(value).ok()
}
