//! Builder of a server.

use std::fmt;
use std::future::Future;

use crate::identity::Authenticators;
use crate::router::endpoint::BoxLayer;
use crate::router::{BoxError, IntoRouter, Router};
use crate::server::http_layer::HttpLayer;
use crate::server::route_source::{LazyRouter, RouteSource};
use crate::server::settings::Settings;
use crate::transport::http::Route;

/// A server: routers on paths, addresses to listen on, and limits.
///
/// ```no_run
/// use antiphon::{Router, Server};
///
/// fn main() -> std::process::ExitCode {
///     let router = Router::new().method_fn("add", |a: f64, b: f64| a + b);
///     Server::new(router).start()
/// }
/// ```
///
/// # Ways to run
///
/// | method | for |
/// |---|---|
/// | [`start`](Self::start) | a whole program: command line, settings file, log, runtime, signals, workers |
/// | [`serve`](Self::serve), [`serve_with_shutdown`](Self::serve_with_shutdown) | a program that has a runtime of its own |
/// | [`listen`](Self::listen) | the same in two steps; in between, the bound addresses and a [`ServerHandle`] are available |
///
/// To mount a router in an axum, hyper or tonic server use
/// [`Router::into_service`](crate::Router::into_service) instead.
///
/// # Addresses
///
/// [`bind`](Self::bind) accepts any [`Address`](crate::Address) that a server can listen on.
/// HTTP/1, HTTP/2 and WebSocket share an address (`127.0.0.1:8060`, `http+unix:/run/calc.sock`).
/// Raw streams have addresses of their own (`tcp://…`, `unix:…`). [`stdio`](Self::stdio) serves
/// standard input and output, and [`tls`](Self::tls) adds TLS.
///
/// # Local and public servers
///
/// A server is *local* if it listens only on loopback addresses and Unix sockets, answers only to
/// loopback host names, no proxy is [trusted](Self::trusted_proxy) or expected (`?proxy=true`), and
/// its [`Profile`](crate::Profile) is not `Public`. Only then do its callers count as local. All other servers are
/// *public*. They do not start unless they [authenticate](Self::authenticate) callers, or
/// [`allow_unauthenticated_public`](Self::allow_unauthenticated_public) is set. By default a server
/// is local, and refuses calls from web pages other than its own.
///
/// # Limits
///
/// Everything that a peer can make grow has a limit, and every wait has a deadline. [`Settings`]
/// lists them with their defaults, and [`configure`](Self::configure) changes them.
///
/// # Errors
///
/// A server that cannot start returns a [`ServeError`](crate::ServeError). While it runs, an error
/// ends a call or a connection, but never the server.
///
/// [`ServerHandle`]: crate::ServerHandle
pub struct Server {
    pub(crate) routes: Vec<(String, RouteSource)>,
    pub(crate) settings: Settings,
    pub(crate) call_layers: Vec<BoxLayer>,
    pub(crate) http_layers: Vec<HttpLayer>,
    pub(crate) authenticators: Authenticators,
    pub(crate) threads: Option<usize>,
    /// Whether the panic hook of the process stays as it is.
    #[cfg(feature = "cli")]
    pub(crate) keep_panic_hook: bool,
    pub(crate) listeners: Vec<std::net::TcpListener>,
    /// Runs once before anything is served.
    #[cfg(feature = "cli")]
    pub(crate) on_supervisor_start: Option<Hook>,
    /// Framing of messages on standard input and output, if these are served.
    pub(crate) stdio: Option<antiphon_proto::Framing>,
}

/// Function that runs once at the start.
#[cfg(feature = "cli")]
pub(crate) type Hook = Box<
    dyn FnOnce() -> std::pin::Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send>> + Send,
>;

/// Types that can be served at a path: a router, an object with `#[rpc]` methods, or a [`Route`].
pub trait IntoRoute {
    /// Adds the value to a server, at this path.
    fn on(self, path: String, server: Server) -> Server;
}

impl<T: IntoRouter> IntoRoute for T {
    fn on(self, path: String, mut server: Server) -> Server {
        server
            .routes
            .push((path, RouteSource::Router(self.into_router())));
        server
    }
}

impl IntoRoute for Route {
    fn on(self, path: String, mut server: Server) -> Server {
        server.routes.push((path, RouteSource::Route(self)));
        server
    }
}

#[cfg(feature = "mcp")]
impl IntoRoute for crate::mcp::Mcp {
    fn on(self, path: String, mut server: Server) -> Server {
        server.routes.push((path, RouteSource::Mcp(self)));
        server
    }
}

#[cfg(feature = "mcp")]
impl Server {
    /// Serves the router at `/` also to clients of the Model Context Protocol, at this path: its methods
    /// are their tools. [`Mcp`](crate::mcp::Mcp) has options for that, and is a route, too.
    ///
    /// ```no_run
    /// use antiphon::{Router, Server};
    ///
    /// fn main() -> std::process::ExitCode {
    ///     let router = Router::new().method_fn("zero", || 0);
    ///     Server::new(router).mcp("/mcp").start()
    /// }
    /// ```
    ///
    /// A method can call its client back on the event stream of its response
    /// ([`Context::peer`](crate::Context::peer)), which answers with another request. So both have to reach
    /// the same process: a client of several workers is asked in vain.
    #[must_use]
    pub fn mcp(self, path: impl Into<String>) -> Self {
        self.route(path, crate::mcp::Mcp::of_root())
    }
}

impl Server {
    /// Creates a server with one router or [`Route`], at the path `/`.
    pub fn new(router: impl IntoRoute) -> Self {
        Self::builder().route("/", router)
    }

    /// Creates a server without routes. [`route`](Self::route) adds them.
    #[must_use]
    pub fn builder() -> Self {
        Self {
            routes: Vec::new(),
            settings: Settings::default(),
            call_layers: Vec::new(),
            http_layers: Vec::new(),
            authenticators: Authenticators::default(),
            threads: None,
            #[cfg(feature = "cli")]
            keep_panic_hook: false,
            listeners: Vec::new(),
            #[cfg(feature = "cli")]
            on_supervisor_start: None,
            stdio: None,
        }
    }

    /// Creates a server whose router, at the path `/`, is built when the server starts. The
    /// function runs inside the server's runtime, so it can, for example, open database
    /// connections.
    ///
    /// ```no_run
    /// use antiphon::{Router, Server};
    ///
    /// fn main() -> std::process::ExitCode {
    ///     Server::lazy(async || {
    ///         let greeting = std::fs::read_to_string("greeting.txt")?;
    ///         let router = Router::new().method_fn("greet", move || greeting.clone());
    ///         Ok::<_, std::io::Error>(router)
    ///     })
    ///     .start()
    /// }
    /// ```
    pub fn lazy<F, Fut, E>(make: F) -> Self
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<Router, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        let make: LazyRouter = Box::new(|| {
            let made = make();
            Box::pin(async { made.await.map_err(Into::into) })
        });
        let mut server = Self::builder();
        server
            .routes
            .push(("/".to_owned(), RouteSource::Lazy(make)));
        server
    }

    /// Serves a router at a path, or a [`Route`] with HTTP responses of its own.
    #[must_use]
    pub fn route(self, path: impl Into<String>, router: impl IntoRoute) -> Self {
        router.on(path.into(), self)
    }

    /// Adds an address to listen on. Port 0 picks a free port. Default, if no address is added:
    /// `127.0.0.1:8060`.
    ///
    /// The text is an [`Address`](crate::Address), or several separated by commas. If one is not valid,
    /// the server does not start.
    #[must_use]
    pub fn bind(mut self, address: impl Into<String>) -> Self {
        self.settings.bind.push(address.into());
        self
    }

    /// Serves on a socket that is already listening, in addition to the addresses given with
    /// [`bind`](Self::bind). The default address is then not bound.
    #[must_use]
    pub fn listener(mut self, listener: std::net::TcpListener) -> Self {
        self.listeners.push(listener);
        self
    }

    /// Serves TLS with this certificate chain and key, both PEM files, on every address without a
    /// scheme or with `https://`, `wss://` or `tls://`.
    ///
    /// The files are read when the server starts, and again on every reload.
    #[must_use]
    pub fn tls(
        mut self,
        certificate: impl Into<std::path::PathBuf>,
        key: impl Into<std::path::PathBuf>,
    ) -> Self {
        self.settings.tls_cert = Some(certificate.into());
        self.settings.tls_key = Some(key.into());
        self
    }

    /// Serves standard input and output with one message per line, for a program that its client
    /// starts as a subprocess. Without [`bind`](Self::bind) nothing else is served.
    ///
    /// The server stops at the end of its input; calls in flight have one more second. All other
    /// output of the program to standard output is redirected to standard error.
    #[must_use]
    pub fn stdio(self) -> Self {
        self.stdio_framed(antiphon_proto::Framing::Newline)
    }

    /// Like [`stdio`](Self::stdio) with another framing. Language servers use
    /// [`Framing::ContentLength`](crate::Framing::ContentLength).
    #[must_use]
    pub fn stdio_framed(mut self, framing: antiphon_proto::Framing) -> Self {
        self.stdio = Some(framing);
        self
    }

    /// Replaces all settings, including those that earlier methods of this builder have changed.
    #[must_use]
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// Changes individual settings.
    ///
    /// ```
    /// # use antiphon::{Router, Server};
    /// let server = Server::new(Router::new()).configure(|settings| {
    ///     settings.max_connections = 100;
    ///     settings.calls.max_batch = 20;
    /// });
    /// ```
    #[must_use]
    pub fn configure(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.settings);
        self
    }

    /// Number of threads of the runtime that [`start`](Self::start) creates. Default: one per core.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads.max(1));
        self
    }

    /// Keeps the panic hook that the program has set, also in worker processes. By default
    /// [`start`](Self::start) replaces it by one that logs each panic as one bounded line.
    ///
    /// The text of a panic is often a caller's: of any length, with line breaks and escape sequences.
    /// The hook that is kept has to bound it, and must not wait for whoever reads its output.
    ///
    /// ```no_run
    /// use antiphon::{Router, Server};
    ///
    /// fn main() -> std::process::ExitCode {
    ///     std::panic::set_hook(Box::new(|_| {
    ///         eprintln!("a panic");
    ///     }));
    ///     Server::new(Router::new()).keep_panic_hook().start()
    /// }
    /// ```
    #[cfg(feature = "cli")]
    #[must_use]
    pub fn keep_panic_hook(mut self) -> Self {
        self.keep_panic_hook = true;
        self
    }

    /// Number of worker processes when [`start`](Self::start) runs the program. With 0, the
    /// default, the process itself serves.
    ///
    /// A worker executes the same program again: each worker runs `main` up to `start`. Put
    /// initialization per worker into [`lazy`](Self::lazy), and initialization that must happen
    /// only once into [`on_supervisor_start`](Self::on_supervisor_start).
    #[must_use]
    pub fn workers(mut self, workers: usize) -> Self {
        self.settings.supervision.workers = workers;
        self
    }

    /// Runs a function once, before [`start`](Self::start) serves anything. With workers it runs in
    /// the supervisor after the listeners are bound, never in a worker. An error ends the program.
    ///
    /// ```no_run
    /// use antiphon::{Router, Server};
    ///
    /// fn main() -> std::process::ExitCode {
    ///     Server::new(Router::new())
    ///         .workers(2)
    ///         .on_supervisor_start(async || std::fs::create_dir_all("cache"))
    ///         .start()
    /// }
    /// ```
    #[cfg(feature = "cli")]
    #[must_use]
    pub fn on_supervisor_start<F, Fut, E>(mut self, hook: F) -> Self
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<BoxError>,
    {
        let hook: Hook = Box::new(|| {
            let made = hook();
            Box::pin(async { made.await.map_err(Into::into) })
        });
        self.on_supervisor_start = Some(hook);
        self
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let paths: Vec<_> = self.routes.iter().map(|(path, _)| path).collect();
        f.debug_struct("Server")
            .field("routes", &paths)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
