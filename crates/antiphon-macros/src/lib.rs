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

/// Makes the methods of an `impl` block or of a trait remote methods.
///
/// # On an `impl` block
///
/// Methods whose names begin with `rpc_` are remote, under the name after this prefix. All other
/// methods stay private. The block itself does not change. The type can then be served, or nested
/// in a router.
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
/// let dispatcher = Router::new().nest("calc", Calculator).build().unwrap();
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
/// | `serve_as = "on"` | sets the prefix of remote methods: `on_` | `rpc` |
/// | `namespace = "calc"` | adds a prefix to the remote names of the object | none |
/// | `separator = "/"` | sets the separator after this prefix, and after those of nested routers | `.` |
/// | `rename_all = "camelCase"` | changes the case of the remote names; also `PascalCase`, `snake_case`, `SCREAMING_SNAKE_CASE`, `kebab-case` | names as in Rust |
/// | `title = "Sums"` | sets the title of the object in documents | the name of the type |
/// | `scope = "accounts:read"` | requires these scopes, separated by spaces, of the callers of all methods | none |
/// | `client = false` | generates no client | `true` |
///
/// The doc comment of the block becomes the documentation of the object, and the doc comment of a
/// method that of the method.
///
/// ## Methods
///
/// A method takes `&self`, or no `self` at all. Many calls of it may run at the same time, so state
/// that changes must be in a `Mutex` or something similar. There are three forms:
///
/// - `fn` runs in the task that reads the connection, unless its parameters are larger than 256 KiB.
///   It must return quickly, because no other call of that connection proceeds meanwhile.
/// - `async fn` may wait, but must not block its thread. Its future must be `Send`.
/// - `fn` with `#[method(blocking)]` runs on a thread where it may block.
///
/// A method returns a type that implements `Serialize`, or a `Result` of such a type and an error
/// that converts into `ErrorObject`; see [`macro@ErrorCodes`]. The error `Failure` accepts every
/// error through `?`. An error type that does not convert is a compile error, even if it implements
/// `Serialize`:
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
/// `#[method(…)]` makes a method remote, whatever its name is, and has these options:
///
/// | option | what it does |
/// |---|---|
/// | `name = "…"` | sets the remote name; `rename_all` does not change it |
/// | `doc = "…"` | sets the documentation, instead of the doc comment |
/// | `format = "csv"` | sets a word for request handlers and `ctx.format()`; messages are JSON all the same |
/// | `request_handler = path` | sets a function that may change the parameters first |
/// | `example = "…"` | adds an example for documents: `{"params": [3, 4], "result": 7}` |
/// | `errors = ShopError` | names an enum with [`macro@ErrorCodes`] whose errors documents list here |
/// | `deprecated`, `deprecated = "…"` | marks the method as deprecated, and says what to use instead; so does `#[deprecated]` |
/// | `blocking` | runs a `fn` on a thread where it may block |
/// | `local` | only callers on the same machine, and admins, can see and call the method |
/// | `admin` | only callers with the server's admin token can see and call the method |
/// | `public` | anonymous callers may call it, once the server has an authenticator |
/// | `scope = "accounts:write"` | requires these scopes of the caller, beside those of the block |
/// | `cost = 10` | how many calls it counts as for the rate limit of its caller; 0 exempts it |
/// | `idempotent` | it may run twice for one call: the generated client, and whoever forwards it, may send it again when a connection is lost |
/// | `read_only` | it changes nothing, and so is `idempotent`, too: whoever forwards it may answer equal calls at the same time with one result |
/// | `destructive`, `destructive = false` | that it may destroy something, or only ever adds: agents are told |
/// | `tool = false` | agents do not get it as a tool |
/// | `skip` | makes the method private, although its name has the prefix |
/// | `stream` and four more | see [subscriptions](#subscriptions) |
///
/// ## Parameters
///
/// Callers pass parameters by position or by name. A method has at most 16. Their types are owned
/// and implement `Deserialize`. An `Option` may be left out. A parameter whose type is named
/// `Context`, or that has the attribute `#[ctx]`, is the context of the call. Callers do not pass
/// it. `#[arg(…)]` has these options:
///
/// | option | what it does |
/// |---|---|
/// | `default`, `default = 10` | callers may leave out the parameter; it then has the default of its type, or this value |
/// | `name = "type"` | sets the name that callers use |
/// | `flatten` | collects all members that no other parameter takes; the method can then be called by name only |
///
/// The doc comment of a parameter becomes its description in documents.
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
/// A method that returns a stream is a subscription. The result of a call is the id of the
/// subscription, and the items of the stream follow as notifications. The return type must be
/// written as `impl Stream<Item = T>`, or as `Result<impl Stream<Item = T>, E>` if the method may
/// fail. For any other stream type use the option `stream`. The method may be a `fn` or an
/// `async fn`. Items may be `Result`s: an error is sent to the subscriber and ends the stream.
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
/// let dispatcher = Router::of(Library { books: vec![] }).build().unwrap();
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
/// A method may also return a `Subscription<T>` of a `Topic<T>`, or a `Result` of it. It is known by that
/// name, so a type of your own with this name and one parameter cannot be a plain result; if it is a
/// stream, say `stream`.
///
/// A stream must be `Send`. It may borrow from `&self` and from a `&Context`, which live as long as
/// the subscription. So `+ use<>` and `+ 'static` are allowed, but not necessary. The
/// connection polls its streams itself, between reading and writing, so a stream must be quick, and
/// must not block. What takes long belongs into a task that sends into a channel.
///
/// | option | what it does |
/// |---|---|
/// | `stream`, `stream = "T"` | declares that the method returns a stream, if its type does not show this; the generated client reads the items as `T` |
/// | `notification = "…"` | sets the full method name of the notifications, instead of the name of the method |
/// | `unsubscribe = "…"` | sets the full name of a method that ends subscriptions, in addition to `rpc.unsubscribe` |
/// | `plain` | sends messages without `seq` and `end`, as Ethereum clients expect them |
/// | `overflow = "…"` | sets what happens if a subscriber does not keep up: `disconnect` (the default, unless a topic has another one), `drop_oldest`, `drop_newest`, `latest_only`, `conflate` or `block` |
///
/// The error type of the items must convert into `ErrorObject`, like that of a method:
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
/// All methods of the trait are remote, for every type that implements it. The macro adds a method
/// `into_router(self)` to the trait, and the supertraits `Send + Sync + 'static`. The futures of
/// its `async fn`s, and each `impl Stream`, must be `Send`.
///
/// A program that only calls the service depends on the crate with the trait. That crate needs this
/// library with `default-features = false, features = ["macros", "client"]`.
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
/// let router = Router::of(Polite.into_router()).nest("again", Polite.into_router());
/// # router.build().unwrap();
/// ```
///
/// The options are the same as those of a block. If `serve_as` is given, only methods with this
/// prefix are remote.
///
/// # The client
///
/// With the feature `client`, the macro generates a client with an `async fn` for each remote
/// method. The name of the client is that of the type or trait, followed by `Client`:
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
/// The client of a block is `pub` in the module of the block. The client of a trait has the
/// visibility of the trait. Where a method of a block borrows (`&'static str`), the client returns
/// an owned type (`String`). A generic block has no client, because the macro cannot know the types
/// that it is served with.
///
/// The result type of a client method is the `T` of a return type that is named `Result<T, …>`. If
/// the return type does not show `T` (`impl Serialize`, or an alias `Result` without parameters),
/// the caller names it: `client.list::<Vec<u8>>().await`.
///
/// For a subscription, the client has a `fn` that returns an
/// `antiphon::client::PendingSubscription<T>`, where `T` is the type of the items. The subscription
/// begins when this is awaited. If neither `Stream<Item = T>` nor `stream = "T"` shows the type,
/// the caller names it: `client.ticks::<u8>().await`.
#[proc_macro_attribute]
pub fn rpc(options: TokenStream, item: TokenStream) -> TokenStream {
    expand::rpc(options.into(), &item.into()).into()
}

/// Makes a function a remote method, for `router.method(divide)`.
///
/// It has the options of `#[method]`, and the parameters have those of `#[arg]`; see [`macro@rpc`].
/// After this, the name of the function means the method. The function itself is `divide::call`.
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
/// let dispatcher = Router::new().method(divide).build().unwrap();
/// let answer = dispatcher.handle(r#"{"jsonrpc":"2.0","id":1,"method":"divide","params":[3]}"#);
/// assert_eq!(answer.await.unwrap(), r#"{"jsonrpc":"2.0","id":1,"result":1.5}"#);
/// # }
/// ```
#[proc_macro_attribute]
pub fn rpc_method(options: TokenStream, item: TokenStream) -> TokenStream {
    expand::rpc_method(options.into(), &item.into()).into()
}

/// Gives each variant of an enum a code, a message and data, and implements the conversion into
/// `ErrorObject`.
///
/// - `#[code(1404)]` is required for each variant. The code is any integer except those reserved
///   for the protocol: −32768…−32000 and −32800.
/// - `#[message("out of {what}")]` may contain fields in braces, as in `format!`; `{0}` is a field
///   without a name. Default: the first line of the doc comment, or else the name of the variant in
///   words.
/// - `#[data]` on a field sends its value as `data` of the error. With several such fields, `data`
///   is an object of them, or an array if the fields have no names. On a variant, it applies to all
///   fields.
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
