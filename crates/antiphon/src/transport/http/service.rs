//! The HTTP service, and its options when it is mounted in another server.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use http_body::Body as HttpBody;
use tokio::time::Instant;
use tower_service::Service;

use crate::admin_token::AdminToken;
use crate::audit::AuditLog;
use crate::identity::Authenticator;
use crate::memory_budget::MemoryBudgets;
use crate::memory_budget::account::Accounts;
use crate::rate_limit::{RateLimit, RateLimiter, RateTable};
use crate::router::BoxError;
use crate::session::SessionConfig;
use crate::transport::http::body::Body;
use crate::transport::http::caller::Caller;
use crate::transport::http::host_check::Guard;
use crate::transport::http::pages::Pages;
use crate::transport::http::request_body::BodyLimits;
use crate::transport::http::route::Route;
use crate::transport::http::routes::Routes;

/// A `tower` service that answers JSON-RPC over HTTP: mount it in axum, hyper or tonic.
///
/// It answers on any path; the server that it is mounted in decides which requests reach it. A
/// mounted service is *public*: methods that are visible only to local callers are hidden. `Host`
/// and `Origin` are checked all the same: use [`allow_host`](Self::allow_host) to name the hosts
/// under which the service is reached.
///
/// ```
/// use antiphon::Router;
/// use http::Request;
/// use tower::ServiceExt;
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let service = Router::new().method_fn("add", |a: f64, b: f64| a + b).into_service().unwrap();
///
/// let request = Request::post("http://localhost/")
///     .header("content-type", "application/json")
///     .body(r#"{"jsonrpc":"2.0","id":1,"method":"add","params":[3,7]}"#.to_owned())
///     .unwrap();
/// let response = service.oneshot(request).await.unwrap();
/// assert_eq!(response.status(), 200);
/// # });
/// ```
///
/// # Subscriptions
///
/// A method that returns a stream requires a request whose `Accept` names `text/event-stream`.
/// `*/*` is not enough, and all other requests get error −32004, also in a batch. The response is
/// an event stream. The first event is the response to the call, with the subscription's id as
/// result. Then there is one event per message, with the message's number as `id`. After 15 seconds
/// without an event a comment is sent. The response ends with the subscription, and closing the
/// response ends the subscription. It has no deadline and no size limit. If the client does not
/// read, the buffers of the connection fill up, and then the method's [`Overflow`](crate::Overflow)
/// policy applies.
///
/// An `EventSource` of a browser sends a GET, with the method, its parameters as JSON text and perhaps
/// a cursor in the query: `?method=news.subscribe&params=["weather"]&after=5f0c9a1b27de-1-4d`,
/// percent-encoded. The id of its call is 1. Such a GET reaches methods that return a stream or a
/// [`Subscription`](crate::Subscription); all others do not exist for it. Checks, limits and rights
/// are those of a POST; a browser's request for a page of another origin has to have an `Origin`,
/// which must be allowed. Its event stream differs in this:
///
/// - The response to the call is an event of the type `response`, so that `onmessage` gets what follows.
///   Its `id` is the place from which a topic is followed.
/// - `retry` asks the browser to come back 1 to 5 seconds after the stream has ended or was cut, each at
///   another time. Its header `Last-Event-ID` then takes precedence over `after`.
/// - A stream that has come to its end, of itself or with an error, has `id: end` as its last line. A
///   request with this as its last id gets status 204, after which the browser does not come back.
/// - An error of the call is JSON, with a status that ends the `EventSource`: 400, 401, 403, 404 or 500.
///   But −32000, −32001 and −32005, which pass by themselves, are an event stream with a single
///   event, which says when to come back.
///
/// All other responses to a POST that accepts event streams have one of the route's media types if `Accept` allows
/// one, and otherwise are an event stream with a single event. A request with notifications only is
/// answered as usual.
///
/// ```console
/// $ curl -N http://127.0.0.1:8060 -H 'Content-Type: application/json' \
///     -H 'Accept: text/event-stream' -d '{"jsonrpc":"2.0","id":1,"method":"ticks"}'
/// data: {"jsonrpc":"2.0","id":1,"result":"0x9c0d…"}
///
/// id: 1
/// data: {"jsonrpc":"2.0","method":"ticks","params":{"subscription":"0x9c0d…","seq":1,"result":1}}
/// ```
#[derive(Clone)]
pub struct HttpService(pub(super) Arc<Inner>);

#[derive(Clone)]
pub(super) struct Inner {
    pub(super) routes: Routes,
    pub(super) guard: Guard,
    pub(super) body: BodyLimits,
    /// What the accounts of sessions are made from.
    pub(super) accounts: Accounts,
    /// Configuration of the sessions that WebSocket upgrades start.
    pub(super) config: SessionConfig,
    /// The token that admin callers have to present.
    pub(super) admin: Option<AdminToken>,
    /// The documents that are served to GET.
    pub(super) pages: Option<Arc<dyn Pages>>,
    /// The caller for requests that do not come through a server of this crate.
    pub(super) unknown: Arc<Caller>,
}

impl Inner {
    fn budget(&mut self, budgets: MemoryBudgets) {
        self.accounts.budgets = budgets;
        self.unknown = Caller::unknown(&self.accounts);
    }
}

impl crate::router::Router {
    /// Turns the router into a `tower` service over HTTP requests, with the default limits.
    ///
    /// # Errors
    ///
    /// [`RouterError`](crate::RouterError), which lists all conflicting and invalid names.
    pub fn into_service(self) -> Result<HttpService, crate::router::RouterError> {
        Ok(HttpService::new(Route::new(self.build()?)))
    }
}

impl HttpService {
    /// Creates a service with one route, which answers on every path.
    #[must_use]
    pub fn new(route: Route) -> Self {
        let body = BodyLimits {
            max: 10 * 1024 * 1024,
            timeout: Some(Duration::from_secs(30)),
        };
        let accounts = Accounts {
            max_response: route.dispatcher().max_answer(),
            ..Accounts::new(256 * 1024 * 1024, 256 * 1024 * 1024)
        };
        Self(Arc::new(Inner {
            unknown: Caller::unknown(&accounts),
            accounts,
            body,
            routes: Routes::anywhere(route),
            guard: Guard::default(),
            config: SessionConfig::default(),
            admin: None,
            pages: None,
        }))
    }

    pub(crate) fn with(
        routes: Routes,
        guard: Guard,
        body: BodyLimits,
        accounts: Accounts,
        config: SessionConfig,
        pages: Arc<dyn Pages>,
        admin: Option<AdminToken>,
    ) -> Self {
        Self(Arc::new(Inner {
            routes,
            admin,
            pages: Some(pages),
            guard,
            body,
            config,
            unknown: Caller::unknown(&accounts),
            accounts,
        }))
    }

    /// Also accepts requests for this host name; by default only loopback names are accepted. The
    /// port is not compared.
    ///
    /// A text that no request could have as its host (with a scheme, a path or a pattern) is not
    /// added, and a warning in the log says why.
    #[must_use]
    pub fn allow_host(self, host: &str) -> Self {
        self.edit(|inner| warn(inner.guard.allow_host(host)))
    }

    /// Turns off the check of `Host`, for a service behind something else that checks it.
    #[must_use]
    pub fn allow_any_host(self) -> Self {
        self.edit(|inner| inner.guard.allow_any_host())
    }

    /// Allows pages of this origin to make calls, and answers their CORS preflights.
    ///
    /// A text that no page could have as its origin (without a scheme, with a path or a pattern) is
    /// not added, and neither is `null`, which every sandboxed frame has. A warning in the log says
    /// why.
    #[must_use]
    pub fn allow_origin(self, origin: &str) -> Self {
        self.edit(|inner| warn(inner.guard.allow_origin(origin)))
    }

    /// Sets the maximum size of a request body, in bytes; 10 MiB by default. With less than about 64 no
    /// call fits.
    #[must_use]
    pub fn max_request(self, bytes: usize) -> Self {
        self.edit(|inner| {
            inner.body.max = bytes;
            inner.accounts.max_request = bytes;
        })
    }

    /// Sets the memory for request bodies, and for messages of WebSockets, in bytes; 256 MiB by
    /// default. Requests beyond it get 503.
    #[must_use]
    pub fn max_request_memory(self, bytes: usize) -> Self {
        self.edit(|inner| {
            let responses = inner.accounts.budgets.responses.max();
            inner.budget(MemoryBudgets::new(bytes, responses));
        })
    }

    /// Sets the memory for responses that are not sent yet, in bytes; 256 MiB by default. A call
    /// whose result does not fit gets −32000.
    #[must_use]
    pub fn max_response_memory(self, bytes: usize) -> Self {
        self.edit(|inner| {
            let requests = inner.accounts.budgets.requests.max();
            inner.budget(MemoryBudgets::new(requests, bytes));
        })
    }

    /// Asks callers who they are; see [`Server::authenticate`](crate::Server::authenticate).
    ///
    /// The service does not know the addresses of its callers, so here refused credentials have no
    /// limit by address.
    #[must_use]
    pub fn authenticate(self, authenticator: impl Authenticator) -> Self {
        self.edit(|inner| inner.config.authenticators.push(authenticator))
    }

    /// Limits the calls of each caller; by default there is no limit.
    ///
    /// The service does not know the addresses of its callers, which are those of the server that it
    /// is mounted in. So callers that have not shown who they are have no limit here. A rate or a
    /// burst of 0 counts as 1, and a [cost](crate::Method::cost) above the burst as the whole burst.
    ///
    /// ```
    /// use antiphon::{RateLimit, Router};
    ///
    /// let service = Router::new()
    ///     .method_fn("add", |a: f64, b: f64| a + b)
    ///     .into_service()?
    ///     .rate_limit(RateLimit::per_second(100).burst(200));
    /// # Ok::<(), antiphon::RouterError>(())
    /// ```
    #[must_use]
    pub fn rate_limit(self, limit: RateLimit) -> Self {
        let limiter = RateLimiter::new(limit, RateTable::new(Instant::now()));
        self.edit(|inner| inner.routes.limit_rate(&limiter))
    }

    /// Records each call; see [`AuditLog`].
    ///
    /// ```no_run
    /// use antiphon::{AuditLog, Router};
    ///
    /// let log = AuditLog::open("audit.log")?;
    /// let service = Router::new().method_fn("ping", || "pong").into_service()?.audit_log(log);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn audit_log(self, log: AuditLog) -> Self {
        self.edit(move |inner| inner.routes.record(&log))
    }

    fn edit(mut self, f: impl FnOnce(&mut Inner)) -> Self {
        f(Arc::make_mut(&mut self.0));
        self
    }
}

/// Logs why an entry was not added to a list of what is allowed.
fn warn(added: Result<(), String>) {
    if let Err(reason) = added {
        tracing::warn!("{reason}");
    }
}

impl<B> Service<Request<B>> for HttpService
where
    B: HttpBody + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let service = self.clone();
        // The server inserts the caller when this service is inside HTTP layers.
        let caller = request.extensions_mut().remove::<Arc<Caller>>();
        let caller = caller.unwrap_or_else(|| Arc::clone(&self.0.unknown));
        Box::pin(async move { Ok(service.answer(request, &caller).await) })
    }
}

impl fmt::Debug for HttpService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpService")
            .field("routes", &self.0.routes)
            .finish_non_exhaustive()
    }
}
