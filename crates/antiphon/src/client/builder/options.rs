//! Options of a client, with defaults and limits.

use std::fmt;
use std::time::Duration;

use antiphon_proto::Id;
use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Request, Response};
use serde::Serialize;
use tokio::sync::Semaphore;
use tower_service::Service;

use crate::client::call_options::{CallOptions, Encoding};
use crate::client::http::{Body, Exchange, ServiceExchange};
use crate::client::reconnect::Reconnect;
use crate::client::tls::TlsOptions;
use crate::client::token::Tokens;
use crate::dispatch::Dispatcher;
use crate::identity::Identity;
use crate::router::{BoxError, IntoRouter, Router};
use crate::session::SessionLimits;

/// A builder of a [`Client`](crate::Client). Every option has a safe default.
///
/// [`Client::builder`](crate::Client::builder) creates the builder, and [`build`](Self::build)
/// creates the client. The setters never fail: an invalid option is an error of `build`. The client
/// does not connect before its first call.
///
/// ```
/// use std::time::Duration;
/// use antiphon::client::Client;
///
/// let client = Client::builder("http://localhost:8060/rpc")
///     .bearer("123")
///     .timeout(Duration::from_secs(5))
///     .build()?;
/// # Ok::<(), antiphon::client::Error>(())
/// ```
///
/// | group | options |
/// |---|---|
/// | calls | [`timeout`](Self::timeout), [`version`](Self::version), [`data`](Self::data), [`id_generator`](Self::id_generator), [`separator`](Self::separator), [`tell_deadlines`](Self::tell_deadlines) |
/// | requests | [`header`](Self::header), [`encoding`](Self::encoding) |
/// | who calls | [`bearer`](Self::bearer), [`bearer_from`](Self::bearer_from), [`allow_plaintext_token`](Self::allow_plaintext_token), [`client_certificate`](Self::client_certificate), [`forward_identity`](Self::forward_identity) |
/// | limits | [`max_response`](Self::max_response), [`max_batch_response`](Self::max_batch_response), [`max_values`](Self::max_values), [`max_in_flight`](Self::max_in_flight) |
/// | connections | [`http2_prior_knowledge`](Self::http2_prior_knowledge), [`ca_certificate`](Self::ca_certificate), [`server_name`](Self::server_name), [`service`](Self::service), [`in_process`](Self::in_process) |
/// | sessions | [`router`](Self::router), [`reconnect`](Self::reconnect), [`session_limits`](Self::session_limits) |
#[must_use = "a client is made by `build`"]
pub struct ClientBuilder {
    pub(super) url: String,
    pub(super) calls: CallOptions,
    pub(super) headers: HeaderMap,
    pub(super) max_in_flight: usize,
    pub(super) http2: bool,
    pub(super) exchange: Option<Box<dyn Exchange>>,
    pub(super) in_process: Option<Dispatcher>,
    pub(super) router: Option<Router>,
    pub(super) reconnect: Option<Reconnect>,
    pub(super) sessions: SessionLimits,
    pub(super) tells_deadlines: bool,
    pub(super) tls: TlsOptions,
    pub(super) tokens: Option<Tokens>,
    pub(super) plaintext_token: bool,
    pub(super) forwards_identity: bool,
    pub(super) identity: Option<Identity>,
    pub(super) fault: Option<String>,
}

impl ClientBuilder {
    pub(in crate::client) fn new(url: &str) -> Self {
        let agent = concat!("antiphon/", env!("CARGO_PKG_VERSION"));
        let json = HeaderValue::from_static("application/json");
        Self {
            url: url.to_owned(),
            calls: CallOptions::default(),
            headers: HeaderMap::from_iter([
                (header::ACCEPT, json.clone()),
                (header::CONTENT_TYPE, json),
                (header::USER_AGENT, HeaderValue::from_static(agent)),
            ]),
            max_in_flight: 1024,
            http2: false,
            exchange: None,
            in_process: None,
            router: None,
            reconnect: None,
            sessions: SessionLimits::default(),
            tells_deadlines: true,
            tls: TlsOptions::default(),
            tokens: None,
            plaintext_token: false,
            forwards_identity: false,
            identity: None,
            fault: None,
        }
    }

    /// Sets the value of the member `jsonrpc` in requests. Responses must have the same value.
    /// Default: `2.0`.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.calls.rules.version = version.into();
        self
    }

    /// Adds a named parameter to every call, for example a token. It replaces a parameter of the
    /// same name.
    ///
    /// A call with positional parameters is then an error of
    /// [`ErrorKind::Local`](crate::client::ErrorKind::Local), and nothing is sent.
    pub fn data(mut self, name: impl Into<String>, value: impl Serialize) -> Self {
        self.calls.data = self.calls.data.insert(name.into(), value);
        self
    }

    /// Sets the function that generates ids. Default: the numbers from 1.
    ///
    /// Each id should be new. Two calls in a batch must not have the same id, nor may two calls
    /// that are pending on one session.
    pub fn id_generator(mut self, next: impl Fn() -> Id + Send + Sync + 'static) -> Self {
        self.calls.next_id = Box::new(next);
        self
    }

    /// Sets how characters beyond ASCII are written in requests. Default: [`Encoding::Utf8`].
    pub fn encoding(mut self, encoding: Encoding) -> Self {
        self.calls.encoding = encoding;
        self
    }

    /// Sets the timeout of a call or a batch, from its first poll to the last byte of its response;
    /// `None` means no timeout. Default: 30 s.
    pub fn timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.calls.timeout = timeout.into();
        self
    }

    /// Sets a header of every HTTP request, and of the handshake of a WebSocket. It replaces a
    /// header of the same name.
    ///
    /// A name or value that is not valid in a header is an error of [`build`](Self::build), and so
    /// is a header that frames the request: `Content-Length`, `Transfer-Encoding` or `Connection`.
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

    /// Sets the maximum size of a response, in bytes. A call with a larger response fails with
    /// [`ErrorKind::Unknown`]. Default: 10 MiB.
    ///
    /// The size is checked while the response is received, or earlier if its length is announced.
    ///
    /// [`ErrorKind::Unknown`]: crate::client::ErrorKind::Unknown
    pub fn max_response(mut self, bytes: usize) -> Self {
        self.calls.max_response = bytes;
        self
    }

    /// Sets the maximum size of the response to a batch, in bytes. Default: 25 MiB.
    pub fn max_batch_response(mut self, bytes: usize) -> Self {
        self.calls.max_batch_response = bytes;
        self
    }

    /// Sets the maximum number of JSON values in a message of the server: objects, arrays, strings,
    /// numbers, `true`, `false` and `null`. Default: 1,000,000.
    ///
    /// A longer response of an HTTP server fails its call with [`ErrorKind::Unknown`]. On a session,
    /// such a message is answered with error −32700 and belongs to no call, whose timeout then ends
    /// it.
    ///
    /// [`ErrorKind::Unknown`]: crate::client::ErrorKind::Unknown
    pub fn max_values(mut self, values: usize) -> Self {
        self.calls.rules.max_values = values;
        self
    }

    /// Sets the maximum number of concurrent HTTP requests, at least 1, and so of connections over
    /// HTTP/1. Further requests wait in order, but not beyond their timeout. Default: 1024.
    ///
    /// For sessions, [`SessionLimits::max_calls`](crate::SessionLimits::max_calls) applies instead.
    pub fn max_in_flight(mut self, requests: usize) -> Self {
        self.max_in_flight = requests.clamp(1, Semaphore::MAX_PERMITS);
        self
    }

    /// Sets the separator between a [`namespace`](crate::client::Client::namespace) and the name of
    /// a method. Default: `.`.
    pub fn separator(mut self, separator: impl Into<String>) -> Self {
        self.calls.separator = separator.into();
        self
    }

    /// Uses HTTP/2 without negotiation, for a server that is known to support it. Default: `false`,
    /// which means HTTP/1 without TLS, and what the server prefers with TLS.
    ///
    /// This has no effect with a [`service`](Self::service).
    pub fn http2_prior_knowledge(mut self, yes: bool) -> Self {
        self.http2 = yes;
        self
    }

    /// Adds trusted certificate authorities, as PEM text with one or more certificates. May be
    /// called several times. The authorities of the operating system are trusted only if this is
    /// never called.
    ///
    /// This has an effect on `https:`, `wss:` and `tls:` addresses, unless a
    /// [`service`](Self::service) is set. The check of certificates cannot be turned off. To
    /// connect to a server with a self-signed certificate, pass that certificate.
    ///
    /// # Errors
    ///
    /// Text without a certificate, or with an invalid one, is an error of [`build`](Self::build).
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

    /// Sets the name or IP address that the certificate of the server must contain, instead of the
    /// host of the address. Use it for a server that is reached through a tunnel or by its IP
    /// address.
    ///
    /// # Errors
    ///
    /// Text that is neither a name nor an IP address is an error of [`build`](Self::build).
    ///
    /// ```
    /// # use antiphon::Client;
    /// let client = Client::builder("https://127.0.0.1:9443").server_name("calculator.internal");
    /// ```
    pub fn server_name(mut self, name: impl Into<String>) -> Self {
        self.tls.server_name = Some(name.into());
        self
    }

    /// Sends HTTP requests through a `tower` service instead of the client's own connections. The
    /// service may retry, use a proxy, or run in the same process.
    ///
    /// With a service, `https://` addresses are accepted even without the feature `tls`. If the
    /// service fails before it has read the body of the request, the error is [`ErrorKind::NotSent`].
    ///
    /// [`ErrorKind::NotSent`]: crate::client::ErrorKind::NotSent
    ///
    /// ```
    /// use antiphon::{Router, client::{Body, Client}};
    /// use http::{Request, Response};
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// let dispatcher = Router::new().method_fn("add", |a: f64, b: f64| a + b).build()?;
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

    /// Calls a router in the same process, over a session. The address of the builder is ignored.
    ///
    /// The caller is this program, which may call everything but methods for admins, also inside of a
    /// method. [`forward_identity`](Self::forward_identity) makes it the caller of that method.
    pub fn in_process(mut self, dispatcher: &Dispatcher) -> Self {
        self.in_process = Some(dispatcher.clone());
        self
    }

    /// Sets the methods that the server may call at this client. This needs a session: over HTTP,
    /// the router has no effect.
    ///
    /// ```
    /// use antiphon::{Context, ErrorObject, Router, call, client::Client};
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// async fn greet(ctx: Context) -> Result<String, ErrorObject> {
    ///     let name: String = call!((ctx.peer()?).name()).await?;
    ///     Ok(format!("good evening, {name}"))
    /// }
    /// let server = Router::new().method_fn("greet", greet).build()?;
    ///
    /// let here = Router::new().method_fn("name", || "Ann");
    /// let client = Client::builder("").in_process(&server).router(here).build()?;
    /// assert_eq!(client.call::<String>("greet", ()).await?, "good evening, Ann");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub fn router(mut self, router: impl IntoRouter) -> Self {
        self.router = Some(router.into_router());
        self
    }

    /// Reconnects after the connection of a session was lost. Default: the client does not
    /// reconnect, and further calls fail with [`ErrorKind::NotSent`]. A server also ends connections
    /// without a WebSocket that are idle, after 75 s by default.
    ///
    /// Calls that were not sent yet wait for the new connection, but not beyond their timeout.
    /// Calls that were sent fail with [`ErrorKind::Unknown`], unless they are
    /// [`idempotent`](crate::client::PendingCall::idempotent): these are sent again. Subscriptions
    /// are opened again, also if the server has said that it stops; see
    /// [`Subscription`](crate::client::Subscription#after-an-outage).
    ///
    /// [`ErrorKind::NotSent`]: crate::client::ErrorKind::NotSent
    ///
    /// [`ErrorKind::Unknown`]: crate::client::ErrorKind::Unknown
    pub fn reconnect(mut self, reconnect: Reconnect) -> Self {
        self.reconnect = Some(reconnect);
        self
    }

    /// Sets the limits of the session: how much the server may send and call, and how long the
    /// connection may be silent.
    pub fn session_limits(mut self, limits: SessionLimits) -> Self {
        self.sessions = limits;
        self
    }

    /// Sets whether calls over a session tell the server their timeout, in the member `timeout`, and whether
    /// a client that [reconnects](Self::reconnect) asks where a subscription begins, with `"after":null`.
    /// Default: `true`.
    ///
    /// These members are not part of JSON-RPC 2.0. Turn them off for a server that rejects unknown
    /// members.
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
