//! Antiphon is a framework for [JSON-RPC 2.0](https://www.jsonrpc.org/specification) servers and
//! clients. You put `#[rpc]` on an `impl` block, and its methods become remote methods. Clients
//! call them by name, or through a generated type that has an `async fn` for each of them.
//!
//! A server:
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
//!     let router = Router::of(ServerCommands::new()).nest("calc", Calculator);
//!     Server::new(router).start() // on 127.0.0.1:8060, until SIGINT or SIGTERM
//! }
//! # }
//! # fn main() {}
//! ```
//!
//! A client for it:
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
//! In a block with [`#[rpc]`](macro@rpc), every method whose name begins with `rpc_` is remote,
//! under the name after this prefix. All other methods stay private. The form of a method decides
//! where it runs:
//!
//! - `fn` runs in the task that reads the connection, unless its parameters are larger than 256 KiB.
//!   It must return quickly, because it holds up that connection.
//! - `async fn` may wait, but must not block its thread.
//! - `fn` with `#[method(blocking)]` runs on a thread where it may block.
//!
//! Parameters are owned types that implement `Deserialize`. Callers pass them by position or by
//! name. They may leave out a parameter that is an `Option` or has `#[arg(default)]`. Results
//! implement `Serialize`.
//!
//! A free function becomes a method with [`#[rpc_method]`](macro@rpc_method), and a closure with
//! [`Router::method_fn`]. `#[rpc]` on a trait defines an interface: several types can implement it,
//! and a client program needs the trait only, not the code of the server. [`macro@rpc`] describes
//! all options.
//!
//! # Namespaces
//!
//! A [`Router`] holds methods, and nests objects and other routers under names, to any depth. If
//! names conflict or are invalid, building the router returns one error that lists all of them.
//!
//! ```
//! use antiphon::Router;
//!
//! let math = Router::new().method_fn("add", |a: f64, b: f64| a + b);
//! let router = Router::new()
//!     .method_fn("ping", || "pong")
//!     .nest("science", Router::new().nest("math", math)); // science.math.add
//! # let methods = router.build()?;
//! # let names: Vec<_> = methods.tree().methods(antiphon::Access::Admin).iter().map(|m| m.name().to_owned()).collect();
//! # assert_eq!(names, ["ping", "science.math.add"]);
//! # Ok::<(), antiphon::RouterError>(())
//! ```
//!
//! # Errors
//!
//! A method returns `T`, or `Result<T, E>` with any `E` that converts into an [`ErrorObject`].
//! There are three ways to make such an error:
//!
//! - [`ErrorObject::new`] takes a code and a message. It is the simplest way if there are only a
//!   few errors.
//! - [`#[derive(ErrorCodes)]`](macro@ErrorCodes) gives each variant of an enum its code and
//!   message.
//! - [`Failure`] converts from any error through `?`. The caller gets error −32603 with an incident
//!   id. The log gets the same id and the error with its chain of causes. A method that panics is
//!   answered and logged in the same way.
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
//! # The context of a call
//!
//! A method may have a parameter of type [`Context`], which callers do not pass. It gives access to
//! the address of the caller, the HTTP headers, the id and the deadline of the call, a token that
//! is cancelled when nobody waits for the result any more, and the description of all methods as a
//! [`Tree`]. [`Context::spawn`] starts work that continues after the response, and ends with the
//! connection.
//!
//! # Clients
//!
//! [`Client`] calls methods by name. For an object or a trait, `#[rpc]` also generates a client
//! with typed methods:
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
//! let service = Router::of(Polite.into_router()).into_service()?;
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
//! If a call fails, [`client::Error::kind`] tells whether the method may have run. A client that is
//! used inside a method passes on the deadline and the trace context of the running call. For
//! programs without `async` there is [`mod@blocking`].
//!
//! # Sessions
//!
//! A session is a connection on which both sides may make calls at any time: WebSocket, TCP, a Unix
//! socket, standard input and output, or a connection [inside the process](Client::in_process).
//! Each side can cancel its calls with the notification `$/cancelRequest`; a cancelled call is
//! answered with error −32800. A method calls its caller through [`Context::peer`]. A client offers
//! methods to its server with [`ClientBuilder::router`](client::ClientBuilder::router).
//!
//! A method that returns a stream opens a subscription, which [`Client::subscribe`] reads.
//! [`Overflow`] decides what happens if the subscriber does not keep up. Over HTTP, subscriptions
//! are sent as event streams, and the server can call the client on a route that is [two-way](Route::two_way) only.
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
//! let server = Router::of(Lift).build()?; // or a `Server`, and its address in place of `in_process`
//! let passenger = Router::new().method_fn("floor", || 3);
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
//! What is the same for many subscribers is published in a [`Topic`]: each item is written once and
//! reaches all who have subscribed to its key, in the same order. A method returns its
//! [`Subscription`]. Who subscribes again with the [`Cursor`] of the last item that it has seen gets what
//! was kept since. Worker processes share their topics. A client that
//! [reconnects](client::ClientBuilder::reconnect) goes on behind the last item by itself, and is told what
//! is missing. WebSocket over HTTP/2 is not supported.
//!
//! # Layers
//!
//! [`Router::layer`] and [`Server::call_layer`] take `tower` layers over `Service<Call>`. They see
//! every call exactly once, including each call of a batch. [`Server::http_layer`] takes layers
//! over HTTP requests, such as those of tower-http.
//!
//! # Without a server, and inside another one
//!
//! [`Router::build`] returns a [`Dispatcher`], which needs no socket: it takes a message and
//! returns the response, if there is one. It is also useful for tests.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), antiphon::RouterError> {
//! use antiphon::Router;
//!
//! let dispatcher = Router::new().method_fn("add", |a: i64, b: i64| a + b).build()?;
//! let answer = dispatcher.handle(r#"{"jsonrpc":"2.0","id":"x","method":"add","params":[3,4]}"#);
//! assert_eq!(answer.await.unwrap(), r#"{"jsonrpc":"2.0","id":"x","result":7}"#);
//! # Ok(())
//! # }
//! ```
//!
//! [`Router::into_service`] returns an [`HttpService`], a `tower` service that can be mounted in
//! axum, hyper or tonic.
//!
//! # Who may call
//!
//! By default a server listens on loopback only and accepts only requests whose `Host` is a
//! loopback name. It refuses requests from web pages, except from its own page and from origins
//! that [`Server::allow_origin`] allows. A server that can be reached from other machines does not
//! start unless it authenticates its callers ([`Server::authenticate`]), or
//! [`allow_unauthenticated_public`](Server::allow_unauthenticated_public) is set, because an HTTP
//! layer does that or there is nothing to protect. With an [`Authenticator`] each caller is anonymous
//! or has an [`Identity`]; methods need a known caller unless they are [`public`](Method::public), and
//! may need [scopes](Method::scope). Methods with `#[method(local)]` can be called only from the same machine. For all other callers they do not
//! exist.
//!
//! # Limits
//!
//! Everything that a peer can make grow has a limit, and every wait has a deadline. [`Settings`]
//! contains the limits of connections, [`Limits`] those of calls, [`SessionLimits`] those of
//! sessions, and [`ClientBuilder`](client::ClientBuilder) those of clients. All of them have
//! defaults. [`Server::rate_limit`] limits how many calls each caller may make in a time.
//!
//! # A whole program
//!
//! [`Server::start`] runs a server as a whole program. Call it from a synchronous `main`. It reads
//! the command line, environment variables (`ANTIPHON_*`) and a TOML file, creates the runtime,
//! logs to standard error, and stops gracefully on SIGINT and SIGTERM. On SIGHUP it reads the TOML
//! file again. Programs with arguments of their own combine them with [`ServeArgs`]. With the
//! feature `supervisor` it can also run worker processes (`--workers N`), which `docs/deploy.md`
//! describes. [`Server::serve`] does none of this: it serves in the current runtime.
//!
//! # Features
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `macros` | yes | `#[rpc]`, `#[rpc_method]`, `#[derive(ErrorCodes)]` |
//! | `server` | yes | [`Server`] over HTTP, TCP, Unix sockets and stdio, [`HttpService`] for other servers, [`ServerCommands`]; turns on `macros` |
//! | `client` | yes | connections of [`Client`] over HTTP, TCP, Unix sockets and stdio |
//! | `ws` | yes | WebSocket, for `server` on every path, and for `client` |
//! | `describe` | yes | [`OpenRpc`] documents, JSON Schemas, `rpc.discover`, the documentation page for browsers |
//! | `cli` | yes | [`Server::start`], [`ServeArgs`], the log; turns on `server` |
//! | `tls` | no | TLS: `Server::tls`, and `https:`, `wss:` and `tls:` addresses |
//! | `auth` | no | authenticators: bearer tokens, JSON Web Tokens, client certificates, peers of Unix sockets; turns on `server`, `client` and `tls` |
//! | `metrics` | no | counters of calls per method and of connections, at `GET /metrics` |
//! | `supervisor` | no | worker processes: `Server::workers`, `--workers`, socket activation, the control socket (Unix only); turns on `cli` |
//! | `mcp` | no | [`mcp`]: a router as a server of the Model Context Protocol, for agents; turns on `describe` |
//! | `full` | no | all of these |
//! | `nats` | no | `nats:` addresses: servers and clients that meet at a NATS server; turns on `server`, `client` and `tls` |
//!
//! Without any feature there are routers, [`Dispatcher`], and a [`Client`] that calls in process or
//! through a `tower` service that you provide. This also builds for WebAssembly.

#![cfg_attr(docsrs, feature(doc_cfg))]
// A part of the features leaves code over that the others need. Whether any of it is of no use at
// all, the build with all of them tells.
#![cfg_attr(not(all(unix, feature = "full", feature = "nats")), allow(dead_code))]

// Macro output names `::antiphon::…`, also inside this crate.
extern crate self as antiphon;

#[doc(hidden)]
pub mod __private;
mod address;
#[cfg(feature = "server")]
mod admin_token;
mod audit;
#[cfg(feature = "auth")]
mod auth;
mod call;
mod call_future;
mod call_origin;
pub mod client;
mod context;
mod current_call;
mod describe;
mod dispatch;
mod error;
#[cfg(any(feature = "client", feature = "server"))]
mod files;
mod identity;
#[cfg(feature = "mcp")]
pub mod mcp;
#[cfg(not(feature = "mcp"))]
#[path = "mcp/no_mcp.rs"]
mod mcp;
mod memory_budget;
mod metrics;
#[cfg(feature = "cli")]
mod program;
mod progress;
mod rate_limit;
mod router;
#[cfg(feature = "server")]
mod server;
mod session;
mod session_state;
mod shutdown;
mod subscription;
#[cfg(all(unix, feature = "supervisor"))]
mod supervisor;
mod topic;
mod transport;

pub use address::{Address, AddressError, NatsAddress, NatsFiles, SocketAccess};
#[cfg(feature = "macros")]
pub use antiphon_macros::{ErrorCodes, rpc, rpc_method};
pub use antiphon_proto::{
    ErrorCode, ErrorObject, Framing, Id, IntoParams, Params, Printable, is_printable,
};
#[cfg(feature = "server")]
pub use audit::AuditLog;
#[cfg(all(feature = "auth", unix))]
pub use auth::UnixPeers;
#[cfg(feature = "auth")]
pub use auth::{AuthSetupError, BearerTokens, ClientCertificates, Jwt, JwtKeys, NewToken};
pub use call::{Call, Reply};
pub use call_future::CallFuture;
pub use call_origin::Transport;
pub use client::{Client, blocking};
pub use context::Context;
pub use describe::{Access, MethodInfo, Node, ParamInfo, Reader, Tree};
#[cfg(feature = "describe")]
pub use describe::{OpenRpc, OpenRpcDocument, Specification};
pub use dispatch::{Dispatcher, Limits};
pub use error::{ErrorCodes, ErrorInfo, Failure};
pub use identity::{AuthenticationError, Authenticator, Credentials, Identity, UnixPeer};
#[cfg(feature = "cli")]
pub use program::{ByteSize, CallRate, ServeArgs, TimeLimit};
pub use rate_limit::RateLimit;
pub use router::{
    BoxError, Endpoint, Function, IntoMethod, IntoRouter, Method, NamedParams, Router, RouterError,
    RouterProblem,
};
/// The library that JSON Schemas come from, in the version that documents are made with. A program
/// that derives schemas has it as a dependency of its own, or says
/// `#[schemars(crate = "antiphon::schemars")]`.
#[cfg(feature = "describe")]
pub use schemars;
#[cfg(feature = "server")]
pub use server::{
    BoundServer, Gateway, HttpStack, IntoRoute, Profile, ServeError, Server, ServerCommands,
    ServerHandle, ServerInfo, Settings, Supervision,
};
pub use session::SessionLimits;
pub use topic::{
    Cursor, Event, Overflow, PublishError, Published, Subscription, SubscriptionError, Topic,
    TopicBuilder,
};
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
#[cfg(all(doctest, unix))]
#[doc = include_str!("../../../docs/gateway.md")]
struct InFrontOfOthers;
#[cfg(doctest)]
#[doc = include_str!("../../../docs/describe.md")]
struct Described;
#[cfg(all(doctest, feature = "mcp"))]
#[doc = include_str!("../../../docs/mcp.md")]
struct ForAgents;
#[cfg(doctest)]
#[doc = include_str!("../../../docs/security.md")]
struct Security;
#[cfg(doctest)]
#[doc = include_str!("../../../docs/codegen.md")]
struct Generated;
