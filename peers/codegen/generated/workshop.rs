//! WorkshopClient: Workshop 1.2.0, over JSON-RPC 2.0.
//!
//! A workshop: sums, shapes and drawers, to try clients on.
//!
//! Text that tries to leave its comment: */ """ \ `${x}`
//!
//! ```text
//! compile_error!("an example is no test");
//! ```
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
pub struct WorkshopClient(Client);

impl WorkshopClient {
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

    /// The methods of `news`.
    pub fn news(&self) -> NewsMethods {
        NewsMethods(self.0.clone())
    }

    /// The methods of `shapes`.
    pub fn shapes(&self) -> ShapesMethods {
        ShapesMethods(self.0.clone())
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

    /// Was there before `page`.
    #[deprecated]
    pub fn list(&self) -> Call<(u8, Option<String>)> {
        Call::new(&self.0, "list", ())
    }

    /// A page of something, whose parameters have names only.
    ///
    /// - `limit`: How many at most.
    pub fn page(
        &self,
        words: &[String],
        limit: Option<u32>,
        start: Option<u32>,
    ) -> Call<Vec<String>> {
        let mut params = Arguments::new(Passing::ByName);
        params.required("words", words);
        params.optional("limit", limit);
        params.optional("start", start);
        Call::new(&self.0, "page", params.finish())
    }

    /// The same as [`page`](Self::page), with parameters by name.
    pub fn page_named(&self, params: &PageParams) -> Call<Vec<String>> {
        Call::new(&self.0, "page", Params::from_value(params))
    }

    /// Answers, so that callers know that somebody is there.
    pub fn ping(&self) -> Call<String> {
        Call::new(&self.0, "ping", ())
    }

    /// Counts from 1 to `count`, or for ever.
    ///
    /// - `milliseconds`: From one to the next.
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

    /// Adds numbers, whatever they are called.
    ///
    /// - `extra`: Other parameters.
    pub fn total(&self, start: i64, extra: Option<&BTreeMap<String, i64>>) -> Call<i64> {
        let mut params = Arguments::new(Passing::ByName);
        params.required("start", start);
        params.rest(extra);
        Call::new(&self.0, "total", params.finish())
    }

    /// The same as [`total`](Self::total), with parameters by name.
    pub fn total_named(&self, params: &TotalParams) -> Call<i64> {
        Call::new(&self.0, "total", Params::from_value(params))
    }
}

/// The methods of `calc`.
#[derive(Clone, Debug)]
pub struct CalcMethods(Client);

impl CalcMethods {
    /// Adds two numbers.
    pub fn add(&self, a: f64, b: f64) -> Call<f64> {
        Call::new(&self.0, "calc.add", (a, b))
    }

    /// Divides two numbers.
    ///
    /// - `b`: Anything but 0.
    ///
    /// # Errors
    ///
    /// The server declares the codes 1.
    pub fn divide(&self, a: i64, b: i64) -> Call<i64> {
        Call::new(&self.0, "calc.divide", (a, b))
    }

    /// Paths of `size` steps, each of them `step` long.
    pub fn random_paths(
        &self,
        num_paths: Option<u32>,
        size: Option<u32>,
        step: Option<f64>,
    ) -> Call<Vec<Vec<f64>>> {
        let mut params = Arguments::new(Passing::Either);
        params.optional("num_paths", num_paths);
        params.optional("size", size);
        params.optional("step", step);
        Call::new(&self.0, "calc.randomPaths", params.finish())
    }

    /// The same as [`random_paths`](Self::random_paths), with parameters by name.
    pub fn random_paths_named(&self, params: &CalcRandomPathsParams) -> Call<Vec<Vec<f64>>> {
        Call::new(&self.0, "calc.randomPaths", Params::from_value(params))
    }
}

/// The methods of `news`.
#[derive(Clone, Debug)]
pub struct NewsMethods(Client);

impl NewsMethods {
    /// Lines about a subject.
    pub fn follow(&self, subject: &str) -> PendingSubscription<String> {
        subscribe(&self.0, "news.follow", "rpc.unsubscribe", (subject,))
    }

    /// Tells a line, and returns its number.
    pub fn tell(&self, subject: &str, line: &str) -> Call<u64> {
        Call::new(&self.0, "news.tell", (subject, line))
    }
}

/// The methods of `shapes`.
#[derive(Clone, Debug)]
pub struct ShapesMethods(Client);

impl ShapesMethods {
    /// The methods of `shapes.drawers`.
    pub fn drawers(&self) -> ShapesDrawersMethods {
        ShapesDrawersMethods(self.0.clone())
    }

    /// The area of a shape.
    pub fn area(&self, shape: &Shape) -> Call<f64> {
        Call::new(&self.0, "shapes.area", (shape,))
    }

    /// Numbers or texts, as they came.
    pub fn either(&self, values: &[Either]) -> Call<Vec<Either>> {
        Call::new(&self.0, "shapes.either", (values,))
    }

    /// The shape of a colour, if there is one.
    pub fn find(
        &self,
        color: Color,
        names: Option<&BTreeMap<String, Color>>,
    ) -> Call<Option<ShapeResult>> {
        let mut params = Arguments::new(Passing::Either);
        params.required("color", color);
        params.optional("names", names);
        Call::new(&self.0, "shapes.find", params.finish())
    }

    /// The same as [`find`](Self::find), with parameters by name.
    pub fn find_named(&self, params: &ShapesFindParams) -> Call<Option<ShapeResult>> {
        Call::new(&self.0, "shapes.find", Params::from_value(params))
    }

    /// Follows a command, and says what came of it.
    pub fn follow(&self, command: &Command) -> Call<Vec<Event>> {
        Call::new(&self.0, "shapes.follow", (command,))
    }

    /// A tree in which every branch has two.
    pub fn tree(&self, depth: u8) -> Call<Tree> {
        Call::new(&self.0, "shapes.tree", (depth,))
    }

    /// What happens to shapes; fails after the second event.
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

/// The methods of `shapes.drawers`.
#[derive(Clone, Debug)]
pub struct ShapesDrawersMethods(Client);

impl ShapesDrawersMethods {
    /// Takes everything out.
    pub fn clear(&self) -> Call<()> {
        Call::new(&self.0, "shapes.drawers.clear", ())
    }

    /// Puts a shape into a drawer.
    ///
    /// - `try_`: Whether to press.
    ///
    /// # Errors
    ///
    /// The server declares the codes 101, 102.
    pub fn put(&self, shape: &Shape, drawer: u8, try_: Option<bool>) -> Call<Receipt> {
        let mut params = Arguments::new(Passing::Either);
        params.required("shape", shape);
        params.required("drawer", drawer);
        params.optional("try", try_);
        Call::new(&self.0, "shapes.drawers.put", params.finish())
    }

    /// The same as [`put`](Self::put), with parameters by name.
    pub fn put_named(&self, params: &ShapesDrawersPutParams) -> Call<Receipt> {
        Call::new(&self.0, "shapes.drawers.put", Params::from_value(params))
    }
}

/// Parameters of `echo`, by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct EchoParams {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<Value>,
}

/// Parameters of `page`, by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PageParams {
    pub words: Vec<String>,
    /// How many at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<u32>,
}

/// Parameters of `ticks`, by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct TicksParams {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// From one to the next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub milliseconds: Option<u64>,
}

/// Parameters of `total`, by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct TotalParams {
    pub start: i64,
    /// Other parameters.
    #[serde(flatten)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extra: Option<BTreeMap<String, i64>>,
}

/// Parameters of `calc.randomPaths`, by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct CalcRandomPathsParams {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub num_paths: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<f64>,
}

/// Parameters of `shapes.find`, by name.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ShapesFindParams {
    pub color: Color,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub names: Option<BTreeMap<String, Color>>,
}

/// Parameters of `shapes.watch`, by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ShapesWatchParams {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub color: Option<Color>,
}

/// Parameters of `shapes.drawers.put`, by name.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ShapesDrawersPutParams {
    pub shape: Shape,
    pub drawer: u8,
    /// Whether to press.
    #[serde(rename = "try")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub try_: Option<bool>,
}

/// Codes of errors that the server declares.
pub mod error_code {
    use antiphon::ErrorCode;

    /// division by zero
    ///
    /// There is no such number.
    pub const DIVISION_BY_ZERO: ErrorCode = ErrorCode(1);

    /// there is no such drawer
    pub const THERE_IS_NO_SUCH_DRAWER: ErrorCode = ErrorCode(101);

    /// drawer {drawer} is full
    ///
    /// Pressing may help.
    pub const DRAWER_DRAWER_IS_FULL: ErrorCode = ErrorCode(102);
}

/// A colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Color {
    #[serde(rename = "red")]
    Red,
    #[serde(rename = "green")]
    Green,
    /// Almost violet.
    #[serde(rename = "deep-blue")]
    DeepBlue,
}

/// A text, or an object with one member.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Command {
    #[serde(rename = "stop")]
    Stop,
    /// So many milliseconds.
    #[serde(rename = "wait")]
    Wait(u16),
    #[serde(rename = "draw")]
    Draw(CommandDraw),
}

/// A number or a text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Either {
    Integer(i64),
    String(String),
}

/// What has happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", content = "data")]
pub enum Event {
    Drawn(ShapeResult),
    Waited(u16),
    Cleared,
}

/// A place on the plane.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Point {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// To the right.
    pub x: f64,
    pub y: f64,
}

/// A place on the plane.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PointResult {
    pub label: Option<String>,
    /// To the right.
    pub x: f64,
    pub y: f64,
}

/// What is where.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Receipt {
    pub drawer: u8,
    pub shape: ShapeResult,
}

/// With four corners.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rectangle {
    pub height: f64,
    pub width: f64,
}

/// Told apart by its kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind")]
pub enum Shape {
    /// Round.
    #[serde(rename = "circle")]
    Circle { center: Point, radius: f64 },
    #[serde(rename = "rectangle")]
    Rectangle { height: f64, width: f64 },
    #[serde(rename = "nothing")]
    Nothing,
}

/// Told apart by its kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind")]
pub enum ShapeResult {
    /// Round.
    #[serde(rename = "circle")]
    Circle { center: PointResult, radius: f64 },
    #[serde(rename = "rectangle")]
    Rectangle { height: f64, width: f64 },
    #[serde(rename = "nothing")]
    Nothing,
}

/// Has others of its kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tree {
    pub children: Vec<Tree>,
    pub next: Option<Box<Tree>>,
    #[serde(rename = "type")]
    pub type_: Color,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CommandDraw {
    pub shape: Shape,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u8>,
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

impl Arguments {
    fn rest<T: Serialize>(&mut self, params: Option<&BTreeMap<String, T>>) {
        for (name, value) in params.into_iter().flatten() {
            self.named = take(&mut self.named).insert(name.clone(), value);
        }
    }
}
