//! The attribute macros of Antiphon: `#[rpc]`, `#[rpc_method]` and
//! `#[derive(ErrorCodes)]`.
//!
//! A program uses them through the library, which exports them: `use antiphon::rpc;`.
//!
//! | file | what it does |
//! |---|---|
//! | `attr.rs` | parser of the attributes: tokens → options |
//! | `model.rs`, `method.rs` | a block or a trait → a service and its methods, with all checks |
//! | `stream.rs` | methods that return a stream, and the options for their messages |
//! | `server.rs` | expansion of the handler side |
//! | `describe.rs` | expansion of a method's description |
//! | `client.rs` | expansion of the client |
//! | `expand.rs` | expansion of each attribute |
//! | `error_codes.rs`, `message.rs` | the derive |
//! | `errors.rs`, `docs.rs`, `names.rs`, `types.rs`, `json.rs` | helpers of all of them |

mod attr;
mod client;
mod describe;
mod docs;
mod error_codes;
mod errors;
mod expand;
mod json;
mod message;
mod method;
mod model;
mod names;
mod server;
mod stream;
mod types;

use proc_macro::TokenStream;

/// Makes an object's methods remote, or an interface's.
///
/// # On an `impl` block
///
/// Methods whose names begin with `rpc_` are remote, under the name behind it; all others are
/// private. The block stays as it is, and the type becomes something that can be served or nested.
///
/// ```
/// use antiphon::{Context, ErrorObject, Router, rpc};
///
/// struct Calculator;
///
/// /// Does sums.
/// #[rpc]
/// impl Calculator {
///     /// Adds two numbers.
///     fn rpc_add(&self, a: f64, b: f64) -> f64 {
///         a + b
///     }
///
///     /// Divides two numbers.
///     async fn rpc_divide(&self, ctx: &Context, a: f64, b: f64) -> Result<f64, ErrorObject> {
///         if b == 0.0 {
///             return Err(ErrorObject::new(1, format!("{} by zero", ctx.node().title())));
///         }
///         Ok(a / b)
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let dispatcher = Router::default().nest("calc", Calculator).build().unwrap();
/// let ask = |method: &str, params: &str| {
///     dispatcher.handle(format!(
///         r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#
///     ))
/// };
/// assert_eq!(
///     ask("calc.add", r#"{"b":7,"a":3}"#).await.unwrap(),
///     r#"{"jsonrpc":"2.0","id":1,"result":10.0}"#
/// );
/// assert_eq!(
///     ask("calc.divide", "[1,0]").await.unwrap(),
///     r#"{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"Calculator by zero"}}"#
/// );
/// # }
/// ```
///
/// | option | what it does | default |
/// |---|---|---|
/// | `serve_as = "on"` | remote methods begin with `on_` | `rpc` |
/// | `namespace = "calc"` | the object brings a prefix of its own | none |
/// | `separator = "/"` | stands behind that prefix, and those of routers nested below | `.` |
/// | `rename_all = "camelCase"` | names as callers write them; also `PascalCase`, `snake_case`, `SCREAMING_SNAKE_CASE`, `kebab-case` | as they are |
/// | `title = "Sums"` | what documents call the object | the type's name |
/// | `client = false` | makes no client | `true` |
///
/// The doc comment of the block is the object's documentation, that of a method the method's.
///
/// ## Methods
///
/// A method takes `&self` or nothing, and is called many times at the same time: what changes is
/// kept behind a `Mutex`. It is one of these:
///
/// - `fn` runs where the call was read and must be quick: no other call of the connection moves on.
/// - `async fn` may wait and must not block. Its future must be `Send`.
/// - `fn` with `#[method(blocking)]` runs on a thread for such work.
///
/// It returns anything that implements `Serialize`, or a `Result` of it with any error that converts
/// into `ErrorObject`; see [`macro@ErrorCodes`]. A `Failure` takes every error, for `?`. An error
/// that does not convert is refused, also if it has a JSON form:
///
/// ```compile_fail,E0277
/// # struct Numbers;
/// #[antiphon::rpc]
/// impl Numbers {
///     fn rpc_parse(&self, text: String) -> Result<u8, String> {
///         text.parse().map_err(|_| "no number".to_owned())
///     }
/// }
/// ```
///
/// `#[method(…)]` on a method has these options, and makes a method remote whatever its name is:
///
/// | option | what it does |
/// |---|---|
/// | `name = "…"` | the remote name, as it stands |
/// | `doc = "…"` | the documentation, in place of the doc comment |
/// | `format = "csv"` | a word for request handlers and `ctx.format()`; the wire stays JSON |
/// | `request_handler = path` | a function that changes the parameters first |
/// | `example = "…"` | a call for documents: `{"params": [3, 4], "result": 7}` |
/// | `errors = ShopError` | the enum under [`macro@ErrorCodes`] whose errors documents list here |
/// | `deprecated`, `deprecated = "…"` | tells callers to use something else; so does `#[deprecated]` |
/// | `blocking` | for a `fn` that blocks |
/// | `local` | only callers on this machine see it, and admins |
/// | `admin` | only callers with the server's admin token see it |
/// | `skip` | not remote, in spite of its name |
/// | `stream` and four more | for [subscriptions](#subscriptions) |
///
/// ## Parameters
///
/// Callers give them by position or by name. They are owned types that implement `Deserialize`, at
/// most 16. An `Option` may be left out. A parameter whose type is called `Context`, or that carries
/// `#[ctx]`, is the call's context and none of the caller's. `#[arg(…)]` has these options:
///
/// | option | what it does |
/// |---|---|
/// | `default`, `default = 10` | may be left out: the type's default value, or this one |
/// | `name = "type"` | the name callers use |
/// | `flatten` | takes all members that no other parameter takes; the method is called by name only |
///
/// A doc comment on a parameter goes into documents.
///
/// ```
/// use antiphon::{Context, ErrorObject, NamedParams, rpc};
/// use std::collections::BTreeMap;
///
/// struct Shop;
///
/// #[rpc]
/// impl Shop {
///     fn rpc_find(&self, #[arg(name = "type")] kind: String, #[arg(default = 10)] limit: u32) -> Vec<String> {
///         vec![kind; limit as usize]
///     }
///
///     #[method(request_handler = in_cents)]
///     fn rpc_pay(&self, amount: f64, #[arg(flatten)] notes: BTreeMap<String, String>) -> f64 {
///         amount + notes.len() as f64
///     }
/// }
///
/// /// Runs first: what it puts in fills what is open, or takes the place of what is there. It may be
/// /// `async`, and its error is the answer.
/// fn in_cents(_ctx: &Context, _format: &str, params: &mut NamedParams) -> Result<(), ErrorObject> {
///     if let Some(euros) = params.get::<f64>("amount") {
///         params.insert("amount", euros * 100.0);
///     }
///     Ok(())
/// }
/// ```
///
/// ## Subscriptions
///
/// A method that returns a stream, at once or as an `async fn`, is answered with the id of a
/// subscription; the stream's items follow as notifications. That is any method whose return type is
/// written `impl Stream<Item = T>`, or `Result<impl Stream<Item = T>, E>` if it may refuse. An item
/// may be a `Result` as well: its error ends the stream and is told.
///
/// ```
/// use antiphon::{ErrorObject, Router, rpc};
/// use futures_util::stream::{self, Stream, StreamExt};
///
/// struct Library { books: Vec<String> }
///
/// #[rpc]
/// impl Library {
///     /// All titles that begin like this, one after the other.
///     fn rpc_titles(&self, start: String) -> impl Stream<Item = &str> {
///         let titles = self.books.iter().map(String::as_str);
///         stream::iter(titles.filter(move |title| title.starts_with(&start)))
///     }
///
///     /// Counts down, if there is anything to count.
///     #[method(notification = "remaining", overflow = "latest_only")]
///     async fn rpc_countdown(&self, from: u8) -> Result<impl Stream<Item = u8>, ErrorObject> {
///         if from == 0 {
///             return Err(ErrorObject::new(1, "nothing left"));
///         }
///         Ok(stream::iter((0..from).rev()))
///     }
///
///     /// A type that is not written `impl Stream`, whose items a client reads as texts.
///     #[method(stream = "String")]
///     fn rpc_all(&self) -> stream::BoxStream<'_, &String> {
///         stream::iter(&self.books).boxed()
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let dispatcher = Router::new(Library { books: vec![] }).build().unwrap();
/// assert!(dispatcher.tree().methods(antiphon::Access::Admin).iter().all(|method| method.is_subscription()));
///
/// // Whom no stream can be sent is told so, and the method does not run.
/// let answer = dispatcher.handle(r#"{"jsonrpc":"2.0","id":1,"method":"all"}"#).await.unwrap();
/// assert_eq!(
///     answer,
///     r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32004,"message":"Method needs a session"}}"#
/// );
/// # }
/// ```
///
/// A stream must be `Send`. It may borrow from `&self` and from a `&Context`, which live as long as
/// the subscription; so `+ use<>` and `+ 'static` are allowed and not needed. It is asked for items
/// where other work of its connection runs, and must not block.
///
/// | option | what it does |
/// |---|---|
/// | `stream`, `stream = "T"` | the method returns a stream, though its type does not say so; a client reads the items as `T` |
/// | `notification = "…"` | the full name of the notifications, in place of the method's own |
/// | `unsubscribe = "…"` | the full name of a method that ends subscriptions, besides `rpc.unsubscribe` |
/// | `plain` | messages without `seq` and `end`, as Ethereum's clients know them |
/// | `overflow = "…"` | for a subscriber that does not keep up: `disconnect` (the default), `drop_oldest`, `latest_only` or `block` |
///
/// The error of an item must convert into `ErrorObject`, as that of a method must:
///
/// ```compile_fail,E0277
/// # use futures_util::stream::{self, Stream};
/// # struct Numbers;
/// #[antiphon::rpc]
/// impl Numbers {
///     fn rpc_all(&self) -> impl Stream<Item = Result<u8, String>> {
///         stream::iter([Ok(1), Err("no number".to_owned())])
///     }
/// }
/// ```
///
/// # On a trait
///
/// All methods of the trait are remote, whatever implements it. The trait gets a method
/// `into_router(self)`, and `Send + Sync + 'static` as supertraits; its `async fn`s promise futures
/// that are `Send`, and what is written `impl Stream` promises to be `Send`, too. A program that only calls the service needs the crate with the trait, and that
/// crate needs this library with `default-features = false, features = ["macros", "client"]`.
///
/// ```
/// use antiphon::{Router, rpc};
///
/// #[rpc]
/// pub trait Greeter {
///     /// Greets somebody.
///     async fn greet(&self, name: String) -> String;
/// }
///
/// struct Polite;
///
/// impl Greeter for Polite {
///     async fn greet(&self, name: String) -> String {
///         format!("Good evening, {name}")
///     }
/// }
///
/// let router = Router::new(Polite.into_router()).nest("again", Polite.into_router());
/// # router.build().unwrap();
/// ```
///
/// The options are the same; if `serve_as` is given, only methods that begin with it are remote.
///
/// # The client
///
/// With feature `client` either form makes one, with an `async fn` for each remote method:
///
/// ```no_run
/// use antiphon::{Client, rpc};
/// use antiphon::client::Error;
///
/// #[rpc]
/// pub trait Greeter {
///     async fn greet(&self, name: String) -> String;
/// }
///
/// # async fn example() -> Result<(), Error> {
/// let greeter = GreeterClient::new(Client::connect("http://localhost:8060")?.namespace("again"));
/// assert_eq!(greeter.greet("Ann".to_owned()).await?, "Good evening, Ann");
/// # Ok(())
/// # }
/// ```
///
/// A block's client is `pub` where the block stands; a trait's is as visible as the trait. What a
/// block's method borrows (`&'static str`), its client owns (`String`). A generic block makes none:
/// nobody knows which types it is served with.
///
/// The result of a method is the `T` of what is called `Result<T, …>`. Where the type does not show
/// it (`impl Serialize`, an alias `Result` without parameters), the caller says what to read:
/// `client.list::<Vec<u8>>().await`.
///
/// For a method that streams the client has a plain `fn`. It gives an
/// `antiphon::client::PendingSubscription<T>`, which begins when it is awaited. `T` is the value of an
/// item. Where neither `Stream<Item = T>` nor `stream = "T"` shows it, the caller says what to read:
/// `client.ticks::<u8>().await`.
#[proc_macro_attribute]
pub fn rpc(options: TokenStream, item: TokenStream) -> TokenStream {
    expand::rpc(options.into(), &item.into()).into()
}

/// Makes a function a remote method, for `router.method(divide)`.
///
/// It has the options of `#[method]` under [`macro@rpc`], and parameters as they are there. The name
/// stands for the method from then on; the function itself is `divide::call`.
///
/// ```
/// use antiphon::{Router, rpc_method};
///
/// /// Divides two numbers.
/// #[rpc_method]
/// fn divide(a: f64, #[arg(default = 2.0)] b: f64) -> f64 {
///     a / b
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// assert_eq!(divide::call(1.0, 4.0), 0.25);
///
/// let dispatcher = Router::default().method(divide).build().unwrap();
/// let answer = dispatcher.handle(r#"{"jsonrpc":"2.0","id":1,"method":"divide","params":[3]}"#);
/// assert_eq!(answer.await.unwrap(), r#"{"jsonrpc":"2.0","id":1,"result":1.5}"#);
/// # }
/// ```
#[proc_macro_attribute]
pub fn rpc_method(options: TokenStream, item: TokenStream) -> TokenStream {
    expand::rpc_method(options.into(), &item.into()).into()
}

/// Gives the variants of an enum codes, messages and data, and makes it convert into `ErrorObject`.
///
/// - `#[code(1404)]`: any integer but the protocol's own, −32768…−32000 and −32800. Each variant has
///   one.
/// - `#[message("out of {what}")]`: with fields in braces as `format!` has them, `{0}` for one
///   without a name. Without it the message is the first line of the doc comment; without that, the
///   variant's name in words.
/// - `#[data]` on a field: what a program gets to read. On several fields it makes an object of them
///   (a list, if they have no names); on the variant it means all fields.
///
/// ```
/// use antiphon::{ErrorCodes, ErrorObject};
///
/// #[derive(Debug, ErrorCodes)]
/// enum ShopError {
///     /// The shop is closed.
///     #[code(1403)]
///     Closed,
///     #[code(1404)]
///     #[message("only {left} {what} left")]
///     OutOfStock {
///         what: String,
///         #[data]
///         left: u32,
///     },
/// }
///
/// let error = ErrorObject::from(ShopError::OutOfStock { what: "nuts".into(), left: 2 });
/// assert_eq!(error.to_json(), r#"{"code":1404,"message":"only 2 nuts left","data":2}"#);
/// assert_eq!(ErrorObject::from(ShopError::Closed).message(), "The shop is closed.");
/// ```
#[proc_macro_derive(ErrorCodes, attributes(code, message, data))]
pub fn error_codes(input: TokenStream) -> TokenStream {
    error_codes::derive(input.into()).into()
}
