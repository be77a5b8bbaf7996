//! CalculatorClient: Calculator 0.1.0, over JSON-RPC 2.0.
//!
//! Sums and random walks, to try clients on.
//!
//! It needs the crates `antiphon` with the feature `client`, `serde` with the feature `derive`, and `serde_json`.
//!
//! Written by `antiphon codegen`: changes are lost when it runs again.

// Nobody calls all of the methods, and names are those of the document.
#![allow(dead_code, missing_docs, unreachable_pub, unused_imports)]
#![allow(clippy::all, clippy::nursery, clippy::pedantic, rustdoc::all)]

use std::future::IntoFuture;
use std::marker::PhantomData;
use std::mem::take;

use antiphon::client::{
    Batch, CallFuture, Client, Error, PendingCall, PendingSubscription, Ticket,
};
use antiphon::{IntoParams, Params};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The client: a method for each of the server's.
#[derive(Clone, Debug)]
pub struct CalculatorClient(Client);

impl CalculatorClient {
    /// The methods of the server that a client talks to.
    pub fn new(client: Client) -> Self {
        Self(client)
    }

    /// A client of the server at this address. Nothing is connected before the first call.
    pub fn connect(url: impl AsRef<str>) -> Result<Self, Error> {
        Client::connect(url).map(Self)
    }

    /// What sends the calls: it begins batches, too.
    pub fn client(&self) -> &Client {
        &self.0
    }

    /// The methods of `calc`.
    pub fn calc(&self) -> CalcMethods {
        CalcMethods(self.0.clone())
    }

    /// Answers, so that callers know that somebody is there.
    pub fn ping(&self) -> Call<String> {
        Call::new(&self.0, "ping", ())
    }

    /// Gives back what it was given.
    pub fn echo(&self, message: Option<&Value>) -> Call<Value> {
        let mut params = Arguments::new(Passing::Either);
        params.optional("message", message);
        Call::new(&self.0, "echo", params.finish())
    }

    /// The same as [`echo`](Self::echo), with parameters by name.
    pub fn echo_named(&self, params: &EchoParams) -> Call<Value> {
        Call::new(&self.0, "echo", Params::from_value(params))
    }

    /// Counts from 1, once a second or as often as is asked for, to `count` or for ever.
    pub fn ticks(&self, count: Option<u64>, milliseconds: Option<u64>) -> PendingSubscription<u64> {
        let mut params = Arguments::new(Passing::Either);
        params.optional("count", count);
        params.optional("milliseconds", milliseconds);
        subscribe(&self.0, "ticks", "rpc.unsubscribe", params.finish())
    }

    /// The same as [`ticks`](Self::ticks), with parameters by name.
    pub fn ticks_named(&self, params: &TicksParams) -> PendingSubscription<u64> {
        subscribe(
            &self.0,
            "ticks",
            "rpc.unsubscribe",
            Params::from_value(params),
        )
    }
}

/// The methods of `calc`.
#[derive(Clone, Debug)]
pub struct CalcMethods(Client);

impl CalcMethods {
    /// Add two numbers.
    pub fn add(&self, a: f64, b: f64) -> Call<f64> {
        Call::new(&self.0, "calc.add", (a, b))
    }

    /// Divide the first number by the second.
    ///
    /// - `b`: Anything but 0.
    ///
    /// # Errors
    ///
    /// The server declares the codes -32602.
    pub fn divide(&self, a: f64, b: f64) -> Call<f64> {
        Call::new(&self.0, "calc.divide", (a, b))
    }

    /// Random walks.
    ///
    /// Lists of numbers, each a random walk from 0 in `size` steps, which are normally distributed
    /// with the mean `mu` and the standard deviation `sigma`.
    pub fn randompaths(
        &self,
        num_paths: Option<u64>,
        size: Option<u64>,
        mu: Option<f64>,
        sigma: Option<f64>,
    ) -> Call<Vec<Vec<f64>>> {
        let mut params = Arguments::new(Passing::Either);
        params.optional("num_paths", num_paths);
        params.optional("size", size);
        params.optional("mu", mu);
        params.optional("sigma", sigma);
        Call::new(&self.0, "calc.randompaths", params.finish())
    }

    /// The same as [`randompaths`](Self::randompaths), with parameters by name.
    pub fn randompaths_named(&self, params: &CalcRandompathsParams) -> Call<Vec<Vec<f64>>> {
        Call::new(&self.0, "calc.randompaths", Params::from_value(params))
    }
}

/// Parameters of `echo`, by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct EchoParams {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<Value>,
}

/// Parameters of `ticks`, by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct TicksParams {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub milliseconds: Option<u64>,
}

/// Parameters of `calc.randompaths`, by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct CalcRandompathsParams {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub num_paths: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mu: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sigma: Option<f64>,
}

/// A call of one method, which is sent when it is awaited.
#[must_use = "a call is sent when it is awaited"]
pub struct Call<R> {
    client: Client,
    method: &'static str,
    params: Params,
    result: PhantomData<fn() -> R>,
}

impl<R: DeserializeOwned> Call<R> {
    fn new(client: &Client, method: &'static str, params: impl IntoParams) -> Self {
        Self {
            client: client.clone(),
            method,
            params: params.into_params(),
            result: PhantomData,
        }
    }

    /// The same call with options: an id, a timeout, progress.
    pub fn pending(self) -> PendingCall<R> {
        self.client.call(self.method, self.params)
    }

    /// Adds it to a batch, which begins with [`Client::batch`].
    pub fn add_to(self, batch: &mut Batch) -> Ticket<R> {
        batch.call(self.method, self.params)
    }

    /// Sends it as a notification: the method runs, and its outcome is not told.
    pub fn notify(self) -> CallFuture<()> {
        self.client.notify(self.method, self.params)
    }

    /// Adds it to a batch as a notification.
    pub fn notify_in(self, batch: &mut Batch) {
        batch.notify(self.method, self.params);
    }
}

impl<R: DeserializeOwned> IntoFuture for Call<R> {
    type Output = Result<R, Error>;
    type IntoFuture = CallFuture<R>;

    fn into_future(self) -> CallFuture<R> {
        self.pending().into_future()
    }
}

/// How parameters may be sent.
#[derive(Clone, Copy, PartialEq)]
enum Passing {
    Either,
    ByName,
    ByPosition,
}

/// Parameters on their way.
struct Arguments {
    passing: Passing,
    positional: Params,
    named: Params,
    /// Parameters that were left out, and not followed by others so far.
    left_out: usize,
    /// One was left out before another.
    gap: bool,
}

impl Arguments {
    fn new(passing: Passing) -> Self {
        Self {
            passing,
            positional: Params::none(),
            named: Params::none(),
            left_out: 0,
            gap: false,
        }
    }

    fn required(&mut self, name: &'static str, value: impl Serialize) {
        if self.passing != Passing::ByPosition {
            self.named = take(&mut self.named).insert(name, &value);
        }
        if self.passing != Passing::ByName {
            for _ in 0..take(&mut self.left_out) {
                self.gap = true;
                self.positional = take(&mut self.positional).push(());
            }
            self.positional = take(&mut self.positional).push(&value);
        }
    }

    fn optional(&mut self, name: &'static str, value: Option<impl Serialize>) {
        match value {
            Some(value) => self.required(name, value),
            None => self.left_out += 1,
        }
    }

    /// By position if that is allowed, unless one is left out before another and names are allowed.
    fn finish(self) -> Params {
        match self.passing {
            Passing::ByName => self.named,
            Passing::Either if self.gap => self.named,
            Passing::Either | Passing::ByPosition => self.positional,
        }
    }
}

fn subscribe<T: DeserializeOwned>(
    client: &Client,
    method: &'static str,
    unsubscribe: &'static str,
    params: impl IntoParams,
) -> PendingSubscription<T> {
    let subscription = client.subscribe(method, params);
    subscription.unsubscribe_method(unsubscribe)
}
