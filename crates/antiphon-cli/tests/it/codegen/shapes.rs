//! ShapesClient: Shapes 2.0.0, over JSON-RPC 2.0.
//!
//! Every kind of type, and text that tries to leave its comment.
//!
//! */ alert(1); /* """ import os """ \
//!
//! It needs the crates `antiphon` with the feature `client`, `serde` with the feature `derive`, and `serde_json`.
//!
//! Written by `antiphon codegen`: changes are lost when it runs again.

// Nobody calls all of the methods, and names are those of the document.
#![allow(dead_code, missing_docs, unreachable_pub, unused_imports)]
#![allow(clippy::all, clippy::nursery, clippy::pedantic, rustdoc::all)]

use std::collections::BTreeMap;
use std::future::IntoFuture;
use std::marker::PhantomData;
use std::mem::take;

use antiphon::client::{
    Batch, CallFuture, Client, Error, PendingCall, PendingSubscription, Ticket,
};
use antiphon::{IntoParams, Params};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The client: a method for each of the server's.
#[derive(Clone, Debug)]
pub struct ShapesClient(Client);

impl ShapesClient {
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

    /// The methods of `shapes`.
    pub fn shapes(&self) -> ShapesMethods {
        ShapesMethods(self.0.clone())
    }

    /// A method that has the name of a namespace.
    pub fn shapes_(&self) -> Call<ShapesResult> {
        Call::new(&self.0, "shapes", ())
    }

    /// A method whose name is a keyword.
    pub fn await_(&self, needed: &str, late: Option<i64>) -> Call<Tree> {
        let mut params = Arguments::new(Passing::ByName);
        params.required("needed", needed);
        params.optional("late", late);
        Call::new(&self.0, "await", params.finish())
    }

    /// The same as [`await_`](Self::await_), with parameters by name.
    pub fn await_named(&self, params: &AwaitParams) -> Call<Tree> {
        Call::new(&self.0, "await", Params::from_value(params))
    }

    /// A method whose name the client has itself.
    pub fn send(&self, values: &[SendValuesItem]) -> Call<Value> {
        Call::new(&self.0, "send", (values,))
    }

    /// */ } */ """ \
    /// #}
    ///  process.exit()
    ///
    /// - `int`: */ """
    pub fn set_trace(&self, int: Option<SetTraceInt>) -> Call<Value> {
        let mut params = Arguments::new(Passing::Either);
        params.optional("int", int);
        Call::new(&self.0, "$/set-Trace", params.finish())
    }

    /// The same as [`set_trace`](Self::set_trace), with parameters by name.
    pub fn set_trace_named(&self, params: &SetTraceParams) -> Call<Value> {
        Call::new(&self.0, "$/set-Trace", Params::from_value(params))
    }

    /// Calls `logs`.
    pub fn logs(&self) -> PendingSubscription<Value> {
        subscribe(&self.0, "logs", "rpc.unsubscribe", ())
    }
}

/// The methods of `shapes`.
#[derive(Clone, Debug)]
pub struct ShapesMethods(Client);

impl ShapesMethods {
    /// The methods of `shapes.store`.
    pub fn store(&self) -> ShapesStoreMethods {
        ShapesStoreMethods(self.0.clone())
    }

    /// Finds shapes.
    ///
    /// Example:
    ///
    ///    find("red")
    ///
    /// ```text
    /// let x = 1;
    /// ```
    ///
    /// See [Shape] and [the site](https://shapes.example), or Vec<Shape>.
    ///
    /// Needs the scope `shapes:read`.
    ///
    /// - `limit`: At most so many.
    ///
    /// Result: What was found.
    ///
    /// # Errors
    ///
    /// The server declares the codes 1001, 1002, -32602.
    pub fn find(&self, color: Color, limit: Option<u32>, after: Option<&str>) -> Call<Vec<Shape>> {
        let mut params = Arguments::new(Passing::Either);
        params.required("color", color);
        params.optional("limit", limit);
        params.optional("after", after);
        Call::new(&self.0, "shapes.find", params.finish())
    }

    /// The same as [`find`](Self::find), with parameters by name.
    pub fn find_named(&self, params: &ShapesFindParams) -> Call<Vec<Shape>> {
        Call::new(&self.0, "shapes.find", Params::from_value(params))
    }

    /// Parameters with names that are taken.
    #[deprecated]
    pub fn move_(
        &self,
        self_: i64,
        class: &str,
        fn_: &str,
        new_place: &[f64],
        new_place_: Option<&(f64, String)>,
        type_: Option<Color>,
    ) -> Call<()> {
        let mut params = Arguments::new(Passing::ByPosition);
        params.required("self", self_);
        params.required("class", class);
        params.required("fn", fn_);
        params.required("new-place", new_place);
        params.optional("new_place", new_place_);
        params.optional("type", type_);
        Call::new(&self.0, "shapes.move", params.finish())
    }

    /// Shapes as they change.
    pub fn watch(&self, color: Option<Color>) -> PendingSubscription<Event> {
        let mut params = Arguments::new(Passing::Either);
        params.optional("color", color);
        subscribe(&self.0, "shapes.watch", "shapes.unwatch", params.finish())
    }

    /// The same as [`watch`](Self::watch), with parameters by name.
    pub fn watch_named(&self, params: &ShapesWatchParams) -> PendingSubscription<Event> {
        subscribe(
            &self.0,
            "shapes.watch",
            "shapes.unwatch",
            Params::from_value(params),
        )
    }
}

/// The methods of `shapes.store`.
#[derive(Clone, Debug)]
pub struct ShapesStoreMethods(Client);

impl ShapesStoreMethods {
    /// Needs the scopes `shapes:write`, */ `x`.
    ///
    /// - `shape`: The shape.
    /// - `options`: How to put it.
    pub fn put(&self, shape: &Shape, options: Option<&ShapesStorePutOptions>) -> Call<u64> {
        let mut params = Arguments::new(Passing::ByName);
        params.required("shape", shape);
        params.optional("options", options);
        Call::new(&self.0, "shapes.store.put", params.finish())
    }

    /// The same as [`put`](Self::put), with parameters by name.
    pub fn put_named(&self, params: &ShapesStorePutParams) -> Call<u64> {
        Call::new(&self.0, "shapes.store.put", Params::from_value(params))
    }
}

/// Parameters of `await`, by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct AwaitParams {
    pub needed: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub late: Option<i64>,
}

/// Parameters of `$/set-Trace`, by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SetTraceParams {
    /// */ """
    #[serde(skip_serializing_if = "Option::is_none")]
    pub int: Option<SetTraceInt>,
}

/// Parameters of `shapes.find`, by name.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ShapesFindParams {
    pub color: Color,
    /// At most so many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// Parameters of `shapes.watch`, by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ShapesWatchParams {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub color: Option<Color>,
}

/// Parameters of `shapes.store.put`, by name.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ShapesStorePutParams {
    /// The shape.
    pub shape: Shape,
    /// How to put it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub options: Option<ShapesStorePutOptions>,
}

/// Codes of errors that the server declares.
pub mod error_code {
    use antiphon::ErrorCode;

    /// There is no such shape
    pub const NOT_FOUND: ErrorCode = ErrorCode(1001);

    /// Too many shapes: "never" mind */
    pub const TOO_MANY_SHAPES_NEVER_MIND: ErrorCode = ErrorCode(1002);
}

/// A colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Color {
    #[serde(rename = "red")]
    Red,
    #[serde(rename = "green")]
    Green,
    /// That of the thing itself.
    #[serde(rename = "self")]
    Self2,
    #[serde(rename = "1st choice")]
    T1stChoice,
}

/// A place on the plane.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// To the right.
    pub x: f64,
    pub y: f64,
    /// Ends here: */ """
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}

/// Told apart by `kind`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind")]
pub enum Shape {
    /// Round.
    #[serde(rename = "circle")]
    Circle { center: Point, radius: f32 },
    #[serde(rename = "labelled-point")]
    LabelledPoint {
        /// To the right.
        x: f64,
        y: f64,
        /// Ends here: */ """
        #[serde(default, skip_serializing_if = "Option::is_none")]
        label: Option<String>,
    },
    #[serde(rename = "nothing")]
    Nothing,
}

/// Told apart by its only member.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Command {
    #[serde(rename = "start")]
    Start,
    #[serde(rename = "stop")]
    Stop,
    #[serde(rename = "wait")]
    Wait(u16),
    #[serde(rename = "draw")]
    Draw(CommandDraw),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
pub enum Event {
    Added(Shape),
    Removed(i64),
    Cleared,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tree {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<Box<Tree>>,
    pub right: Option<Box<Tree>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub children: Option<Vec<Tree>>,
}

/// A type that contains itself.
pub type Json = Option<Json2>;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Nested(pub Vec<Nested>);

pub type Itself = Value;

pub type Place = Point;

/// A length.
pub type Meters = f64;

pub type Limited = i64;

/// A name that differs by its first letter only.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Point2 {
    pub int: i8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    #[serde(rename = "__proto__")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proto: Option<String>,
    #[serde(rename = "a b")]
    pub a_b: String,
    #[serde(rename = "a-b")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub a_b_: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<PointKind>,
    /// Other members.
    #[serde(flatten)]
    pub extra: BTreeMap<String, Value>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Option2 {
    #[serde(rename = "Any")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub any: Option<Limited>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub far: Option<Meters>,
    #[serde(rename = "where")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub where_: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nested: Option<Nested>,
    /// Other members.
    #[serde(flatten)]
    pub extra: BTreeMap<String, i64>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Empty {}

pub type Mixed = Option<Value>;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CommandDraw {
    pub shape: Shape,
}

/// A type that contains itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Json2 {
    Boolean(bool),
    Number(f64),
    String(String),
    Array(Vec<Json>),
    Variant5(BTreeMap<String, Json>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ShapesStorePutOptionsMode {
    #[serde(rename = "fast")]
    Fast,
    #[serde(rename = "safe")]
    Safe,
}

/// How to put it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ShapesStorePutOptions {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overwrite: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<ShapesStorePutOptionsMode>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ShapesResult {
    pub count: i64,
    #[serde(rename = "by-color")]
    pub by_color: BTreeMap<String, i64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum SendValuesItem {
    String(String),
    Number(f64),
    Tree(Tree),
}

/// A constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum PointKind {
    #[serde(rename = "old")]
    Old,
}

/// A constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SetTraceInt {
    #[serde(rename = "x\"y\\z")]
    XYZ,
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
