//! Functions and closures as methods: `router.method_fn("add", |a: f64, b: f64| a + b)`.
//!
//! A function may take a [`Context`] first and then up to eight parameters; it may answer at once or
//! with a future, plainly or with a `Result`, or return a stream of either, or a subscription to a topic. The marker types keep these apart for the compiler;
//! nobody needs to name them.

use antiphon_proto::ErrorObject;
use futures_core::Stream;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::call::{Call, Reply};
use crate::call_future::CallFuture;
use crate::context::Context;
use crate::router::method::Method;
use crate::router::params::{Slot, decode};
use crate::subscription::{Items, Kind, erase};
use crate::topic::Subscription;

/// A function or closure that can be a method; see [`Method::function`]. The compiler infers
/// `Marker`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a remote method",
    note = "it must be a `Fn` that takes `Context` or nothing first, then at most eight owned \
            arguments that implement `Deserialize`, and returns something that implements \
            `Serialize`, a `Result` of it, a future or stream of either, or a `Subscription`",
    note = "the error of a `Result` must convert into `ErrorObject`: use `antiphon::Failure` for any \
            error, `antiphon::ErrorObject` for a message to the caller, or an enum that derives \
            `antiphon::ErrorCodes`"
)]
pub trait Function<Marker>: Send + Sync + 'static {
    /// Creates a method with this name.
    fn into_method(self, name: String) -> Method;
}

/// A type that such a function may return. The compiler infers `Marker`.
pub trait Outcome<Marker> {
    /// The type of the result.
    type Value: Serialize;

    /// The result, or the error for the caller.
    ///
    /// # Errors
    ///
    /// The error that the function has returned, as an [`ErrorObject`].
    fn outcome(self) -> Result<Self::Value, ErrorObject>;
}

/// Marks functions that return their result directly.
#[derive(Debug)]
pub enum Plain {}

/// Marks functions that return a `Result`.
#[derive(Debug)]
pub enum Fallible {}

impl<T: Serialize> Outcome<Plain> for T {
    type Value = T;

    fn outcome(self) -> Result<T, ErrorObject> {
        Ok(self)
    }
}

impl<T: Serialize, E: Into<ErrorObject>> Outcome<Fallible> for Result<T, E> {
    type Value = T;

    fn outcome(self) -> Result<T, ErrorObject> {
        self.map_err(Into::into)
    }
}

/// Marks functions that return at once. The parameters are the types of the arguments, and the kind
/// of result.
#[derive(Debug)]
pub struct Now<Args, Marker>(std::marker::PhantomData<(Args, Marker)>);

/// Marks functions that return a future.
#[derive(Debug)]
pub struct Later<Args, Marker>(std::marker::PhantomData<(Args, Marker)>);

/// Marks functions that return a subscription to a topic.
#[derive(Debug)]
pub struct Follows<Args, T>(std::marker::PhantomData<(Args, T)>);

/// Marks functions that return a stream.
#[derive(Debug)]
pub struct Streams<Args, Marker>(std::marker::PhantomData<(Args, Marker)>);

fn refused(call: Call, error: ErrorObject) -> CallFuture {
    CallFuture::ready(call.answer::<()>(Err(error)))
}

/// A method whose function opens a subscription to these items.
fn subscribing(
    name: String,
    kind: Kind,
    open: impl Fn(&mut Call) -> Result<Items, ErrorObject> + Send + Sync + 'static,
) -> Method {
    let method = Method::new(name, move |mut call| {
        let items = call.may_stream().and_then(|()| open(&mut call));
        match items {
            Ok(items) => CallFuture::ready(call.subscribe(items)),
            Err(error) => refused(call, error),
        }
    });
    method.opens(kind)
}

impl Method {
    /// Creates a method from a closure or function.
    ///
    /// The function takes a [`Context`] first, if it needs one, and then up to eight owned
    /// arguments that implement `Deserialize`. It returns a value that implements `Serialize`, or a
    /// `Result` of it whose error converts into an [`ErrorObject`], or a future or a stream of
    /// either, or a [`Subscription`] to a topic. A function that returns a stream makes a subscription.
    ///
    /// An argument that is an `Option` may be left out. Parameters can be passed by position only,
    /// unless [`params`](Self::params) gives them names.
    ///
    /// ```
    /// use antiphon::{Context, ErrorObject, Method, Router};
    ///
    /// async fn greet(_ctx: Context, name: String) -> Result<String, ErrorObject> {
    ///     Ok(format!("good evening, {name}"))
    /// }
    ///
    /// let greet = Method::function("greet", greet).params(["name"]);
    /// let router = Router::new().method(greet);
    /// ```
    pub fn function<Marker>(name: impl Into<String>, function: impl Function<Marker>) -> Self {
        function.into_method(name.into())
    }
}

macro_rules! functions {
    ($($name:ident)*) => {
        functions!(@with () () () $($name)*);
        functions!(@with (Context) (Context,) (ctx) $($name)*);
    };
    // The first group is part of the marker, the second of the signature; the third names the value.
    (@with ($($mark:ident)?) ($($ctx:ty,)?) ($($value:ident)?) $($name:ident)*) => {
        impl<Fun, Ret, Marker, $($name),*> Function<Now<($($mark,)? ($($name,)*),), Marker>> for Fun
        where
            Fun: Fn($($ctx,)? $($name),*) -> Ret + Send + Sync + 'static,
            Ret: Outcome<Marker>,
            $($name: DeserializeOwned,)*
        {
            #[allow(non_snake_case, clippy::unused_unit)] // type parameters name their values
            fn into_method(self, name: String) -> Method {
                Method::immediate(name, move |call: &mut Call| {
                    let ($($name,)*) = match decode(call, ($(Slot::<$name>::nullable(),)*)) {
                        Ok(arguments) => arguments,
                        Err(error) => return Reply::error(error),
                    };
                    $(let $value = call.context();)?
                    call.reply(self($($value,)? $($name),*).outcome())
                })
            }
        }

        impl<Fun, Ret, Marker, $($name),*> Function<Streams<($($mark,)? ($($name,)*),), Marker>> for Fun
        where
            Fun: Fn($($ctx,)? $($name),*) -> Ret + Send + Sync + 'static,
            Ret: Stream + Send + 'static,
            Marker: 'static,
            Ret::Item: Outcome<Marker>,
            <Ret::Item as Outcome<Marker>>::Value: 'static,
            $($name: DeserializeOwned,)*
        {
            #[allow(non_snake_case, clippy::unused_unit)] // type parameters name their values
            fn into_method(self, name: String) -> Method {
                subscribing(name, Kind::Stream, move |call| {
                    let ($($name,)*) = decode(call, ($(Slot::<$name>::nullable(),)*))?;
                    $(let $value = call.context();)?
                    Ok(erase(self($($value,)? $($name),*), Outcome::outcome))
                })
            }
        }

        impl<Fun, Topical, $($name),*> Function<Follows<($($mark,)? ($($name,)*),), Topical>> for Fun
        where
            Fun: Fn($($ctx,)? $($name),*) -> Subscription<Topical> + Send + Sync + 'static,
            Topical: 'static,
            $($name: DeserializeOwned,)*
        {
            #[allow(non_snake_case, clippy::unused_unit)] // type parameters name their values
            fn into_method(self, name: String) -> Method {
                subscribing(name, Kind::Topic, move |call| {
                    let ($($name,)*) = decode(call, ($(Slot::<$name>::nullable(),)*))?;
                    $(let $value = call.context();)?
                    let feed = self($($value,)? $($name),*).into_feed();
                    Ok(Items::Topic(Box::new(feed)))
                })
            }
        }

        impl<Fun, Fut, Marker, $($name),*> Function<Later<($($mark,)? ($($name,)*),), Marker>> for Fun
        where
            Fun: Fn($($ctx,)? $($name),*) -> Fut + Send + Sync + 'static,
            Fut: Future + Send + 'static,
            Fut::Output: Outcome<Marker>,
            $($name: DeserializeOwned,)*
        {
            #[allow(non_snake_case, clippy::unused_unit)] // type parameters name their values
            fn into_method(self, name: String) -> Method {
                Method::new(name, move |mut call| {
                    let ($($name,)*) = match decode(&mut call, ($(Slot::<$name>::nullable(),)*)) {
                        Ok(arguments) => arguments,
                        Err(error) => return refused(call, error),
                    };
                    let context = call.context();
                    $(let $value = context.clone();)?
                    let future = self($($value,)? $($name),*);
                    CallFuture::boxed(&context, async move { call.answer(future.await.outcome()) })
                })
            }
        }
    };
}

functions!();
functions!(A);
functions!(A B);
functions!(A B C);
functions!(A B C D);
functions!(A B C D E);
functions!(A B C D E F);
functions!(A B C D E F G);
functions!(A B C D E F G H);
