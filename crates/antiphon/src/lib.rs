//! Antiphon is a server and a client for [JSON-RPC 2.0](https://www.jsonrpc.org/specification). You
//! write an object; its methods become remote methods; a client calls them as if they were local.
//!
//! ```no_run
//! # mod program {
//! use antiphon::{ErrorObject, Router, Server, ServerCommands, rpc};
//!
//! struct Calculator;
//!
//! #[rpc]
//! impl Calculator {
//!     /// Adds two numbers.
//!     fn rpc_add(&self, a: f64, b: f64) -> f64 {
//!         a + b
//!     }
//!
//!     /// Divides two numbers.
//!     async fn rpc_divide(&self, a: f64, b: f64) -> Result<f64, ErrorObject> {
//!         if b == 0.0 {
//!             return Err(ErrorObject::invalid_params("division by zero"));
//!         }
//!         Ok(a / b)
//!     }
//! }
//!
//! fn main() -> std::process::ExitCode {
//!     let router = Router::new(ServerCommands::new()).nest("calc", Calculator);
//!     Server::new(router).start() // on 127.0.0.1:8060, until SIGINT or SIGTERM
//! }
//! # }
//! # fn main() {}
//! ```
//!
//! ```no_run
//! # #[cfg(feature = "client")] {
//! use antiphon::{Client, call};
//!
//! # async fn example() -> Result<(), antiphon::client::Error> {
//! let client = Client::connect("http://127.0.0.1:8060")?;
//! let sum: f64 = call!(client.calc.add(3, 4)).await?;
//! let quotient: f64 = call!(client.calc.divide(b = 8, a = 1)).await?;
//! # Ok(())
//! # }
//! # }
//! ```
//!
//! # Methods
//!
//! Under [`#[rpc]`](macro@rpc) every method whose name begins with `rpc_` is remote, under the name
//! behind the prefix; all others stay private. What a method may do depends on how it is written:
//!
//! - `fn` runs where the call was read, and must be quick;
//! - `async fn` may wait, and must not block;
//! - `fn` under `#[method(blocking)]` runs on a thread that may block.
//!
//! Parameters are owned types that implement `Deserialize`. A caller gives them by position or by
//! name; an `Option`, and what carries `#[arg(default)]`, may be left out. Results implement
//! `Serialize`.
//!
//! A free function becomes a method with [`#[rpc_method]`](macro@rpc_method), a closure with
//! [`Router::method_fn`]. `#[rpc]` on a trait makes an interface that several objects implement, and
//! that a client can share without the server's code. [`macro@rpc`] has every option.
//!
//! # Namespaces
//!
//! A [`Router`] hangs objects under names, to any depth, and free of conflicts: what is wrong with the
//! names is said when the router is frozen, all at once.
//!
//! ```
//! use antiphon::Router;
//!
//! let math = Router::default().method_fn("add", |a: f64, b: f64| a + b);
//! let router = Router::default()
//!     .method_fn("ping", || "pong")
//!     .nest("science", Router::default().nest("math", math)); // science.math.add
//! # let methods = router.build()?;
//! # let names: Vec<_> = methods.tree().methods(antiphon::Access::Admin).iter().map(|m| m.name().to_owned()).collect();
//! # assert_eq!(names, ["ping", "science.math.add"]);
//! # Ok::<(), antiphon::RouterError>(())
//! ```
//!
//! # Errors
//!
//! A method returns `T`, or `Result<T, E>` with any `E` that converts into an [`ErrorObject`]. There
//! are three ways to such an error:
//!
//! - [`ErrorObject::new`] with a code and a message, for one or two of them;
//! - [`#[derive(ErrorCodes)]`](macro@ErrorCodes) on an enum, which gives each variant its code;
//! - [`Failure`], which takes any error through `?`. The caller gets −32603 with an incident id, the
//!   log gets the id and the chain of causes. A panic ends the same way.
//!
//! ```
//! # #[cfg(feature = "macros")] {
//! use antiphon::{ErrorCodes, ErrorObject};
//!
//! #[derive(ErrorCodes)]
//! enum ShopError {
//!     #[code(1404)]
//!     #[message("only {left} left")]
//!     OutOfStock {
//!         #[data]
//!         left: u32,
//!     },
//! }
//!
//! let error = ErrorObject::from(ShopError::OutOfStock { left: 2 });
//! assert_eq!(error.to_json(), r#"{"code":1404,"message":"only 2 left","data":2}"#);
//! # }
//! ```
//!
//! [`ErrorCode`] lists the codes that the specification and this crate reserve.
//!
//! # The call a method answers
//!
//! A parameter of type [`Context`] is none of the caller's. It knows the peer, the HTTP headers, the
//! id, the deadline, whether anybody still waits, the [`Tree`] of all methods and the running method's
//! place in it. Work that outlives the answer goes to [`Context::spawn`], and ends with the
//! connection.
//!
//! # Clients
//!
//! [`Client`] calls by name; what `#[rpc]` generates beside an object or a trait calls by type:
//!
//! ```
//! # mod program {
//! use antiphon::{Client, Router, rpc};
//!
//! #[rpc]
//! trait Greeter {
//!     async fn greet(&self, name: String) -> String;
//! }
//!
//! struct Polite;
//!
//! impl Greeter for Polite {
//!     async fn greet(&self, name: String) -> String {
//!         format!("good evening, {name}")
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # pub async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // A client speaks to any service over HTTP requests; this one is in the same process.
//! let service = Router::new(Polite.into_router()).into_service()?;
//! let client = Client::builder("http://localhost").service(service).build()?;
//!
//! let greeter = GreeterClient::new(client.clone());
//! assert_eq!(greeter.greet("Ann".into()).await?, "good evening, Ann");
//!
//! let mut batch = client.batch();
//! let ann = batch.call::<String>("greet", ("Ann",));
//! let ben = batch.call::<String>("greet", ("Ben",));
//! let mut responses = batch.send().await?;
//! assert_eq!(responses.take(ben)?, "good evening, Ben");
//! assert_eq!(responses.take(ann)?, "good evening, Ann");
//! # Ok(())
//! # }
//! # }
//! # fn main() {
//! #     program::main().unwrap();
//! # }
//! ```
//!
//! [`client::Error::kind`] answers the question that matters after a failure: whether the call may
//! have run. A client called inside a method passes the caller's deadline and trace on. Programs
//! without `async` have the same client in `blocking`.
//!
//! # Sessions
//!
//! Over WebSocket, TCP, Unix sockets, standard input and output, or [in process](Client::in_process)
//! the connection is a session: both sides call, at any time, and cancel what they no longer wait for
//! (`$/cancelRequest`, answered with −32800). A method finds its caller in `Context::peer`; a client
//! says what may be called there with [`ClientBuilder::router`](client::ClientBuilder::router). A
//! method that returns a stream makes a subscription, which [`Client::subscribe`] reads; [`Overflow`]
//! says what happens when nobody does. Over HTTP such a method is read as an event stream, and
//! nobody can be called back.
//!
//! ```
//! # mod program {
//! use antiphon::{Client, Context, ErrorObject, Router, call, rpc};
//! use futures_util::stream::{self, Stream};
//!
//! struct Lift;
//!
//! #[rpc]
//! impl Lift {
//!     /// The floors on the way, after the caller was asked where to.
//!     async fn rpc_ride(&self, ctx: &Context) -> Result<impl Stream<Item = u8>, ErrorObject> {
//!         let floor: u8 = call!((ctx.peer()?).floor()).await?;
//!         Ok(stream::iter(1..=floor))
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # pub async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let server = Router::new(Lift).build()?; // or a `Server`, and its address in place of `in_process`
//! let passenger = Router::default().method_fn("floor", || 3);
//! let client = Client::builder("").in_process(&server).router(passenger).build()?;
//!
//! let mut floors = client.subscribe::<u8>("ride", ()).await?;
//! let mut seen = Vec::new();
//! while let Some(floor) = floors.next().await {
//!     seen.push(floor?);
//! }
//! assert_eq!(seen, [1, 2, 3]);
//! # Ok(())
//! # }
//! # }
//! # fn main() {
//! #     program::main().unwrap();
//! # }
//! ```
//!
//! A publisher lives in one process, and subscriptions are not resumed: a client that
//! [reconnects](client::ClientBuilder::reconnect) subscribes again, and is told. WebSocket over HTTP/2
//! is not offered.
//!
//! # Layers
//!
//! [`Router::layer`] and [`Server::call_layer`] take `tower` layers over `Service<Call>`. They see
//! every call exactly once, also those inside a batch. [`Server::http_layer`] takes layers over HTTP
//! requests, such as those of tower-http.
//!
//! # Without a server, and inside another one
//!
//! [`Router::build`] gives a [`Dispatcher`]: one message in, at most one message out, no socket. It is
//! also what tests are made with.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), antiphon::RouterError> {
//! use antiphon::Router;
//!
//! let dispatcher = Router::default().method_fn("add", |a: i64, b: i64| a + b).build()?;
//! let answer = dispatcher.handle(r#"{"jsonrpc":"2.0","id":"x","method":"add","params":[3,4]}"#);
//! assert_eq!(answer.await.unwrap(), r#"{"jsonrpc":"2.0","id":"x","result":7}"#);
//! # Ok(())
//! # }
//! ```
//!
//! [`Router::into_service`] gives an [`HttpService`], which axum and anything else that speaks `tower`
//! can mount.
//!
//! # Who may call
//!
//! A server that nothing is said to listens on loopback and answers to loopback names. Requests of web
//! pages are refused unless the page is its own or its origin was given to [`Server::allow_origin`].
//! A server that strangers can reach starts only after
//! [`allow_unauthenticated_public`](Server::allow_unauthenticated_public): it has no authentication of
//! its own; an HTTP layer can add it. Methods under `#[method(local)]` are there for callers on the
//! same machine only, and for others they do not exist.
//!
//! # Limits
//!
//! Everything that a peer could make grow has a bound, and every wait a deadline: [`Settings`] has
//! those of connections, [`Limits`] those of calls,
//! [`SessionLimits`] those of sessions, [`ClientBuilder`](client::ClientBuilder) those of clients.
//!
//! # A whole program
//!
//! [`Server::start`] belongs into a plain `main`. It reads the command line, the environment
//! (`ANTIPHON_*`) and a TOML file, makes the runtime, writes a log to stderr, stops gracefully on
//! SIGINT and SIGTERM and reads the file again on SIGHUP. [`ServeArgs`] are its arguments, for
//! programs that have some of their own. With the feature `supervisor` it also runs worker processes
//! (`--workers N`): `docs/deploy.md` tells how. [`Server::serve`] does none of this: it serves in the runtime
//! that you have.
//!
//! # Features
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `macros` | yes | `#[rpc]`, `#[rpc_method]`, `#[derive(ErrorCodes)]` |
//! | `server` | yes | [`Server`] over HTTP, TCP, Unix sockets and stdio, [`HttpService`] for other servers, [`ServerCommands`]; turns on `macros` |
//! | `client` | yes | connections for [`Client`] over HTTP, TCP, Unix sockets and stdio |
//! | `ws` | yes | WebSocket, for `server` on every path, and for `client` |
//! | `describe` | yes | [`OpenRpc`] documents, JSON Schemas, `rpc.discover`, the page for browsers |
//! | `cli` | yes | [`Server::start`], [`ServeArgs`], the log; turns on `server` |
//! | `tls` | no | TLS: `Server::tls`, and `https:`, `wss:` and `tls:` addresses |
//! | `metrics` | no | what was counted of each method, at `GET /metrics` |
//! | `supervisor` | no | worker processes: `Server::workers`, `--workers`, socket activation, the control socket (Unix only); turns on `cli` |
//! | `full` | no | all of these |
//!
//! Without any of them there are routers, [`Dispatcher`], and a [`Client`] for calls in process and
//! through a service of yours. That builds for WebAssembly, too.

#![cfg_attr(docsrs, feature(doc_cfg))]
// A part of the features leaves code over that the others need. Whether any of it is of no use at
// all, the build with all of them tells.
#![cfg_attr(not(all(unix, feature = "full")), allow(dead_code))]

// Macro output names `::antiphon::…`, also inside this crate.
extern crate self as antiphon;

#[doc(hidden)]
pub mod __private;
mod address;
#[cfg(feature = "server")]
mod admin_token;
mod call;
mod call_origin;
pub mod client;
mod context;
mod current_call;
mod describe;
mod dispatch;
mod error;
mod metrics;
#[cfg(feature = "cli")]
mod program;
mod router;
#[cfg(feature = "server")]
mod server;
mod session;
mod session_state;
mod shutdown;
mod subscription;
#[cfg(all(unix, feature = "supervisor"))]
mod supervisor;
mod transport;

pub use address::{Address, AddressError};
#[cfg(feature = "macros")]
pub use antiphon_macros::{ErrorCodes, rpc, rpc_method};
pub use antiphon_proto::{ErrorCode, ErrorObject, Framing, Id, IntoParams, Params};
pub use call::{Call, CallFuture, Reply};
pub use call_origin::Transport;
pub use client::{Client, blocking};
pub use context::Context;
pub use describe::{Access, MethodInfo, Node, ParamInfo, Tree};
#[cfg(feature = "describe")]
pub use describe::{OpenRpc, OpenRpcDocument, Specification};
pub use dispatch::{Dispatcher, Limits};
pub use error::{ErrorCodes, ErrorInfo, Failure};
#[cfg(feature = "cli")]
pub use program::{ServeArgs, Size, Wait};
pub use router::{
    BoxError, Endpoint, Function, IntoMethod, IntoRouter, Method, NamedParams, Problem, Router,
    RouterError,
};
/// The library that JSON Schemas come from, in the version that documents are made with. A program
/// that derives schemas has it as a dependency of its own, or says
/// `#[schemars(crate = "antiphon::schemars")]`.
#[cfg(feature = "describe")]
pub use schemars;
#[cfg(feature = "server")]
pub use server::{
    BoundServer, HttpStack, IntoRoute, Profile, ServeError, Server, ServerCommands, ServerHandle,
    ServerInfo, Settings, Supervision,
};
pub use session::SessionLimits;
pub use subscription::Overflow;
#[cfg(feature = "server")]
pub use transport::http::{Body, HttpService, Route};

// The code blocks of the documents are compiled, and run where they can be.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
#[cfg(doctest)]
#[doc = include_str!("../../../docs/tutorial.md")]
struct Tutorial;
#[cfg(doctest)]
#[doc = include_str!("../../../docs/from-pulsar.md")]
struct FromPulsar;
#[cfg(doctest)]
#[doc = include_str!("../../../docs/limits.md")]
struct LimitsOfAll;
#[cfg(all(doctest, unix))]
#[doc = include_str!("../../../docs/deploy.md")]
struct InProduction;
#[cfg(doctest)]
#[doc = include_str!("../../../docs/describe.md")]
struct Described;
#[cfg(doctest)]
#[doc = include_str!("../../../docs/codegen.md")]
struct Generated;
