//! Options of a client, with defaults and limits.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use antiphon_proto::{Id, Params};
use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Request, Response};
use serde::Serialize;
use tokio::sync::Semaphore;
use tower_service::Service;

use crate::client::http::{Body, Exchange, ServiceExchange};
use crate::client::reconnect::Reconnect;
use crate::client::tls::TlsOptions;
use crate::dispatch::Dispatcher;
use crate::router::{BoxError, IntoRouter, Router};
use crate::session::SessionLimits;

pub(in crate::client) const TIMEOUT: Duration = Duration::from_secs(30);
pub(in crate::client) const MAX_RESPONSE: usize = 10 * 1024 * 1024;
pub(in crate::client) const MAX_BATCH_RESPONSE: usize = 25 * 1024 * 1024;

/// How text beyond ASCII is written in requests.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum Encoding {
    /// As it is, in UTF-8.
    #[default]
    Utf8,
    /// As `\uXXXX`, for servers that cannot read UTF-8.
    Ascii,
}

/// Options of a [`Client`](crate::Client). Every one has a safe default.
///
/// [`Client::builder`](crate::Client::builder) begins, [`build`](Self::build) ends; what is wrong with
/// an option is an error of `build`, so that calls can be chained. Nothing is connected before the
/// first call.
///
/// ```
/// use std::time::Duration;
/// use antiphon::client::Client;
///
/// let client = Client::builder("http://localhost:8060/rpc")
///     .header("Authorization", "Bearer 123")
///     .timeout(Duration::from_secs(5))
///     .build()?;
/// # Ok::<(), antiphon::client::Error>(())
/// ```
///
/// | group | options |
/// |---|---|
/// | the call | [`timeout`](Self::timeout), [`version`](Self::version), [`data`](Self::data), [`id_generator`](Self::id_generator), [`separator`](Self::separator), [`tell_deadlines`](Self::tell_deadlines) |
/// | the request | [`header`](Self::header), [`encoding`](Self::encoding) |
/// | bounds | [`max_response`](Self::max_response), [`max_batch_response`](Self::max_batch_response), [`max_in_flight`](Self::max_in_flight) |
/// | the connection | [`http2_prior_knowledge`](Self::http2_prior_knowledge), [`ca_certificate`](Self::ca_certificate), [`server_name`](Self::server_name), [`service`](Self::service), [`in_process`](Self::in_process) |
/// | sessions | [`router`](Self::router), [`reconnect`](Self::reconnect), [`session_limits`](Self::session_limits) |
#[must_use = "a client is made by `build`"]
pub struct ClientBuilder {
    pub(super) url: String,
    pub(super) version: String,
    pub(super) separator: String,
    pub(super) data: Params,
    pub(super) next_id: Box<dyn Fn() -> Id + Send + Sync>,
    pub(super) encoding: Encoding,
    pub(super) timeout: Option<Duration>,
    pub(super) headers: HeaderMap,
    pub(super) max_response: usize,
    pub(super) max_batch_response: usize,
    pub(super) max_in_flight: usize,
    pub(super) http2: bool,
    pub(super) exchange: Option<Box<dyn Exchange>>,
    pub(super) in_process: Option<Dispatcher>,
    pub(super) router: Option<Router>,
    pub(super) reconnect: Option<Reconnect>,
    pub(super) sessions: SessionLimits,
    pub(super) tells_deadlines: bool,
    pub(super) tls: TlsOptions,
    pub(super) fault: Option<String>,
}

impl ClientBuilder {
    pub(in crate::client) fn new(url: &str) -> Self {
        let agent = concat!("antiphon/", env!("CARGO_PKG_VERSION"));
        let json = HeaderValue::from_static("application/json");
        let counter = AtomicU64::new(1);
        Self {
            url: url.to_owned(),
            version: "2.0".to_owned(),
            separator: ".".to_owned(),
            data: Params::none(),
            next_id: Box::new(move || Id::from(counter.fetch_add(1, Ordering::Relaxed))),
            encoding: Encoding::Utf8,
            timeout: Some(TIMEOUT),
            headers: HeaderMap::from_iter([
                (header::ACCEPT, json.clone()),
                (header::CONTENT_TYPE, json),
                (header::USER_AGENT, HeaderValue::from_static(agent)),
            ]),
            max_response: MAX_RESPONSE,
            max_batch_response: MAX_BATCH_RESPONSE,
            max_in_flight: 1024,
            http2: false,
            exchange: None,
            in_process: None,
            router: None,
            reconnect: None,
            sessions: SessionLimits::default(),
            tells_deadlines: true,
            tls: TlsOptions::default(),
            fault: None,
        }
    }

    /// The value of the member `jsonrpc`, verbatim; responses must have the same. `2.0`.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = version.into();
        self
    }

    /// A named parameter of every call, such as a token. It takes the place of a parameter of that
    /// name; a call whose parameters go by position is an error, and nothing is sent.
    pub fn data(mut self, name: impl Into<String>, value: impl Serialize) -> Self {
        self.data = self.data.insert(name.into(), value);
        self
    }

    /// The generator of ids. By default they count from 1.
    ///
    /// Every id should be new: two calls of one id in a batch are an error.
    pub fn id_generator(mut self, next: impl Fn() -> Id + Send + Sync + 'static) -> Self {
        self.next_id = Box::new(next);
        self
    }

    /// The encoding of text beyond ASCII in requests.
    pub fn encoding(mut self, encoding: Encoding) -> Self {
        self.encoding = encoding;
        self
    }

    /// The time for a call or a batch, from its first poll to the last byte of its response; `None`
    /// for no limit. 30 s.
    pub fn timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.timeout = timeout.into();
        self
    }

    /// A header of every request. It takes the place of a header of that name.
    ///
    /// Text that cannot stand in a header, and headers that frame the request (`Content-Length`,
    /// `Transfer-Encoding`, `Connection`), are errors of [`build`](Self::build).
    pub fn header(mut self, name: impl AsRef<str>, value: impl AsRef<str>) -> Self {
        let name = name.as_ref();
        match header_of(name, value.as_ref()) {
            Some((name, value)) => {
                self.headers.insert(name, value);
            }
            // The value is not told: it may be a secret with a line break behind it.
            None => self.fail(format!("the header {name:?} cannot be sent")),
        }
        self
    }

    /// Bytes in an answer; one more, and the call is an error of [`Kind::Unknown`]. 10 MiB.
    ///
    /// It is noticed while the answer comes in, or before if its length is announced.
    ///
    /// [`Kind::Unknown`]: crate::client::Kind::Unknown
    pub fn max_response(mut self, bytes: usize) -> Self {
        self.max_response = bytes;
        self
    }

    /// Bytes in the answer to a batch. 25 MiB.
    pub fn max_batch_response(mut self, bytes: usize) -> Self {
        self.max_batch_response = bytes;
        self
    }

    /// Requests in flight at the same time, at least 1; more wait for one to end, at most until
    /// their deadline. 1024.
    pub fn max_in_flight(mut self, requests: usize) -> Self {
        self.max_in_flight = requests.clamp(1, Semaphore::MAX_PERMITS);
        self
    }

    /// The separator between a [`namespace`](crate::client::Client::namespace) and a name. `.`
    pub fn separator(mut self, separator: impl Into<String>) -> Self {
        self.separator = separator.into();
        self
    }

    /// Whether to use HTTP/2 without negotiation, for a server that is known to speak it. `false`:
    /// HTTP/1, and over TLS what the server prefers.
    ///
    /// A [`service`](Self::service) of your own decides that for itself.
    pub fn http2_prior_knowledge(mut self, yes: bool) -> Self {
        self.http2 = yes;
        self
    }

    /// A certificate authority that the server's certificate may come from, in PEM; may be said more
    /// than once, and several may be in one text. The machine's own authorities are trusted only if
    /// this is never said.
    ///
    /// It is for `https:`, `wss:` and `tls:` addresses and has no meaning for others, nor with a
    /// [`service`](Self::service). That certificates are checked cannot be switched off; to reach a
    /// server whose certificate is signed by itself, give that certificate here.
    ///
    /// # Errors
    ///
    /// [`build`](Self::build) tells of text without a certificate, or with one that cannot be read.
    ///
    /// ```no_run
    /// use antiphon::Client;
    ///
    /// # fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let client = Client::builder("https://calculator.internal:8443")
    ///     .ca_certificate(std::fs::read("/etc/ssl/internal.pem")?)
    ///     .build()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn ca_certificate(mut self, pem: impl AsRef<[u8]>) -> Self {
        let all = self.tls.ca.get_or_insert_default();
        all.extend_from_slice(pem.as_ref());
        // The next one begins on a line of its own.
        all.push(b'\n');
        self
    }

    /// The name (or IP address) that has to be in the server's certificate, in place of the host in
    /// the address: for a server that is reached through a tunnel or by its number.
    ///
    /// # Errors
    ///
    /// [`build`](Self::build) tells of text that is no name.
    ///
    /// ```
    /// # use antiphon::Client;
    /// let client = Client::builder("https://127.0.0.1:9443").server_name("calculator.internal");
    /// ```
    pub fn server_name(mut self, name: impl Into<String>) -> Self {
        self.tls.server_name = Some(name.into());
        self
    }

    /// Sends requests through a service in place of the client's own connections: one that tries
    /// again, that goes through a proxy, that is in the same process.
    ///
    /// With it `https://` addresses are accepted also without the feature `tls`. A failure before
    /// the service has asked for the request's body counts as [`Kind::NotSent`].
    ///
    /// [`Kind::NotSent`]: crate::client::Kind::NotSent
    ///
    /// ```
    /// use antiphon::{Router, client::{Body, Client}};
    /// use http::{Request, Response};
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// let dispatcher = Router::default().method_fn("add", |a: f64, b: f64| a + b).build()?;
    /// let service = tower::service_fn(move |request: Request<Body>| {
    ///     let dispatcher = dispatcher.clone();
    ///     async move {
    ///         let answer = dispatcher.handle(request.into_body().into_bytes()).await;
    ///         Ok::<_, std::io::Error>(Response::new(Body::from(answer.unwrap_or_default())))
    ///     }
    /// });
    ///
    /// let client = Client::builder("http://localhost").service(service).build()?;
    /// let sum: f64 = client.call("add", (3, 4)).await?;
    /// assert_eq!(sum, 7.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub fn service<S, B>(mut self, service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<B>> + Clone + Send + Sync + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send,
        B: http_body::Body<Data = Bytes> + Send,
        B::Error: Into<BoxError>,
    {
        self.exchange = Some(Box::new(ServiceExchange(service)));
        self
    }

    /// Calls a router of this process, over a session; the address is not looked at.
    pub fn in_process(mut self, dispatcher: &Dispatcher) -> Self {
        self.in_process = Some(dispatcher.clone());
        self
    }

    /// The methods that the server may call at this client, over a session. Over HTTP no server can.
    ///
    /// ```
    /// use antiphon::{Context, ErrorObject, Router, call, client::Client};
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// async fn greet(ctx: Context) -> Result<String, ErrorObject> {
    ///     let name: String = call!((ctx.peer()?).name()).await?;
    ///     Ok(format!("good evening, {name}"))
    /// }
    /// let server = Router::default().method_fn("greet", greet).build()?;
    ///
    /// let here = Router::default().method_fn("name", || "Ann");
    /// let client = Client::builder("").in_process(&server).router(here).build()?;
    /// assert_eq!(client.call::<String>("greet", ()).await?, "good evening, Ann");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub fn router(mut self, router: impl IntoRouter) -> Self {
        self.router = Some(router.into_router());
        self
    }

    /// Makes the connection again when it is lost. Without this a session that has ended stays so,
    /// and calls are errors of [`Kind::NotSent`].
    ///
    /// Calls that have not left wait for the new connection, as long as their time lasts; calls that
    /// have are errors of [`Kind::Unknown`] unless they are marked with
    /// [`idempotent`](crate::client::PendingCall::idempotent). Subscriptions are made again, and tell that
    /// they were interrupted.
    ///
    /// [`Kind::NotSent`]: crate::client::Kind::NotSent
    /// [`Kind::Unknown`]: crate::client::Kind::Unknown
    pub fn reconnect(mut self, reconnect: Reconnect) -> Self {
        self.reconnect = Some(reconnect);
        self
    }

    /// Bounds of the session: what the server may ask of this side, and how long silence may last.
    pub fn session_limits(mut self, limits: SessionLimits) -> Self {
        self.sessions = limits;
        self
    }

    /// Whether calls over a session say how long they wait, in the member `timeout`. `true`.
    ///
    /// It is beyond the specification, which lets a server ignore it. Some refuse what they do not
    /// know.
    pub fn tell_deadlines(mut self, yes: bool) -> Self {
        self.tells_deadlines = yes;
        self
    }

    pub(in crate::client) fn fail(&mut self, fault: String) {
        self.fault.get_or_insert(fault);
    }
}

fn header_of(name: &str, value: &str) -> Option<(HeaderName, HeaderValue)> {
    let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
    let mut value = HeaderValue::from_str(value).ok()?;
    if [
        header::CONTENT_LENGTH,
        header::TRANSFER_ENCODING,
        header::CONNECTION,
    ]
    .contains(&name)
    {
        return None;
    }
    let secret = [
        header::AUTHORIZATION,
        header::PROXY_AUTHORIZATION,
        header::COOKIE,
    ];
    // Not to be shown by anybody's `Debug`, nor kept in HTTP/2's tables.
    value.set_sensitive(secret.contains(&name));
    Some((name, value))
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The address may hold a password as long as nobody has refused it.
        f.debug_struct("ClientBuilder").finish_non_exhaustive()
    }
}
