//! A request in, a response out.
//!
//! The order of checks is the order of [`HttpService::answer`]: who asks, for which path, how, with
//! what, and what they accept; only then is the body read, and only then is there a message.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::header::{ACCESS_CONTROL_REQUEST_METHOD, HeaderValue};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use http_body::Body as HttpBody;
use tower_service::Service;

use crate::dispatch::Dispatcher;
use crate::router::BoxError;
use crate::scope::{Connection, Transport};
use crate::transport::http::body::{self, Body, BodyLimits, Budget};
use crate::transport::http::fields::{Fields, Occurs};
use crate::transport::http::guard::{Admitted, Guard};
use crate::transport::http::media;
use crate::transport::http::reply::{self, Refusal};

/// One path of a server: a frozen router, and how its answers look over HTTP.
///
/// ```
/// use antiphon::{Route, Router};
/// use http::StatusCode;
///
/// let dispatcher = Router::default().method_fn("add", |a: f64, b: f64| a + b).build()?;
/// let route = Route::new(dispatcher)
///     .response_content_types(["application/json-rpc", "application/json"])
///     .notification_status(StatusCode::ACCEPTED);
/// # Ok::<(), antiphon::RouterError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Route {
    dispatcher: Dispatcher,
    types: Vec<String>,
    values: Vec<HeaderValue>,
    notification_status: StatusCode,
    /// Whether the calls' limits are the server's.
    #[cfg(feature = "server")]
    limited_by_server: bool,
}

impl Route {
    /// A route that answers `application/json`, and 204 where there is nothing to answer.
    #[must_use]
    pub fn new(dispatcher: Dispatcher) -> Self {
        Self {
            dispatcher,
            types: vec!["application/json".to_owned()],
            values: vec![HeaderValue::from_static("application/json")],
            notification_status: StatusCode::NO_CONTENT,
            #[cfg(feature = "server")]
            limited_by_server: false,
        }
    }

    /// A route whose calls have the limits of the server it is on.
    #[cfg(feature = "server")]
    pub(crate) fn of_server(dispatcher: Dispatcher) -> Self {
        Self {
            limited_by_server: true,
            ..Self::new(dispatcher)
        }
    }

    #[cfg(feature = "server")]
    pub(crate) fn with_limits(mut self, limits: &crate::dispatch::Limits) -> Self {
        if self.limited_by_server {
            self.dispatcher = self.dispatcher.with_limits(limits.clone());
        }
        self
    }

    /// The media types it can answer with, the preferred one first. A request whose `Accept`
    /// excludes them all is refused with 406 before anything runs.
    ///
    /// Types that are no header values are left out; if none is left, all stays as it was.
    #[must_use]
    pub fn response_content_types<T: Into<String>>(
        mut self,
        types: impl IntoIterator<Item = T>,
    ) -> Self {
        let usable = types
            .into_iter()
            .map(Into::into)
            .filter_map(|name: String| {
                let value = HeaderValue::from_str(&name).ok()?;
                Some((name, value))
            });
        let (types, values): (Vec<_>, _) = usable.unzip();
        if !types.is_empty() {
            (self.types, self.values) = (types, values);
        }
        self
    }

    /// The status of a response to notifications alone: 204 by default, 202 for the Model Context
    /// Protocol, or 200.
    #[must_use]
    pub fn notification_status(mut self, status: StatusCode) -> Self {
        self.notification_status = status;
        self
    }
}

/// Who is at the other end of a connection, as the server that accepted it knows.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) connection: Arc<Connection>,
    /// Whether the listener can be reached from this machine alone.
    pub(crate) local: bool,
}

/// A `tower` service that answers JSON-RPC over HTTP: mount it in axum, hyper or tonic.
///
/// It answers on any path; its host decides which requests reach it. Mounted like this it is
/// *public*: what only local callers may see stays hidden. `Host` and `Origin` are checked all the
/// same: say with [`allow_host`](Self::allow_host) which names the program is known by.
///
/// ```
/// use antiphon::Router;
/// use http::Request;
/// use tower::ServiceExt;
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let service = Router::default().method_fn("add", |a: f64, b: f64| a + b).into_service().unwrap();
///
/// let request = Request::post("http://localhost/")
///     .header("content-type", "application/json")
///     .body(r#"{"jsonrpc":"2.0","id":1,"method":"add","params":[3,7]}"#.to_owned())
///     .unwrap();
/// let response = service.oneshot(request).await.unwrap();
/// assert_eq!(response.status(), 200);
/// # });
/// ```
#[derive(Clone)]
pub struct HttpService(Arc<Inner>);

#[derive(Clone)]
pub(crate) struct Inner {
    /// Paths and what answers there; a single route without a path answers everywhere.
    pub(crate) routes: Vec<(Option<String>, Route)>,
    pub(crate) guard: Guard,
    pub(crate) body: BodyLimits,
    /// Who calls where nobody says who: a service that is mounted sees no connections.
    stranger: Caller,
}

impl crate::router::Router {
    /// The router as a `tower` service over `http` requests, with the default limits.
    ///
    /// # Errors
    ///
    /// All that is wrong with the router's names.
    pub fn into_service(self) -> Result<HttpService, crate::router::RouterError> {
        Ok(HttpService::new(Route::new(self.build()?)))
    }
}

impl Caller {
    fn stranger() -> Self {
        Self {
            connection: Connection::new(Transport::Http, None),
            local: false,
        }
    }
}

impl HttpService {
    /// A service that answers one route on whatever path it is asked.
    #[must_use]
    pub fn new(route: Route) -> Self {
        Self(Arc::new(Inner {
            routes: vec![(None, route)],
            guard: Guard::default(),
            body: BodyLimits {
                max: 10 * 1024 * 1024,
                timeout: Some(Duration::from_secs(30)),
                budget: Budget::new(256 * 1024 * 1024),
            },
            stranger: Caller::stranger(),
        }))
    }

    #[cfg(feature = "server")]
    pub(crate) fn with(
        routes: Vec<(Option<String>, Route)>,
        guard: Guard,
        body: BodyLimits,
    ) -> Self {
        Self(Arc::new(Inner {
            routes,
            guard,
            body,
            stranger: Caller::stranger(),
        }))
    }

    /// Also answers requests for this host name; by default only loopback names are answered.
    #[must_use]
    pub fn allow_host(self, host: &str) -> Self {
        self.edit(|inner| inner.guard.allow_host(host))
    }

    /// Leaves the check of `Host` to whatever stands in front of this service.
    #[must_use]
    pub fn allow_any_host(self) -> Self {
        self.edit(|inner| inner.guard.allow_any_host())
    }

    /// Lets pages of this origin call, and answers their preflights.
    #[must_use]
    pub fn allow_origin(self, origin: &str) -> Self {
        self.edit(|inner| inner.guard.allow_origin(origin))
    }

    /// The largest request body, in bytes; 10 MiB by default.
    #[must_use]
    pub fn max_request(self, bytes: usize) -> Self {
        self.edit(|inner| inner.body.max = bytes)
    }

    fn edit(mut self, f: impl FnOnce(&mut Inner)) -> Self {
        f(Arc::make_mut(&mut self.0));
        self
    }

    /// Answers one request.
    pub(crate) async fn answer<B>(&self, request: Request<B>, caller: &Caller) -> Response<Body>
    where
        B: HttpBody,
        B::Error: Into<BoxError>,
    {
        let (head, body) = request.into_parts();
        let fields = Fields::of(&head.headers);
        let admitted = match self.0.guard.check(&fields, &head.uri) {
            Ok(admitted) => admitted,
            Err(refusal) => return refusal.into_response(),
        };
        let called = match self.accept(&head, &fields, &admitted) {
            Ok(Accepted::Call(route, media_type)) => {
                let context = Arrival::of(&fields, caller);
                self.call(head, body, route, media_type, context).await
            }
            Ok(Accepted::Preflight) => Ok(reply::preflight()),
            Err(refusal) => Err(refusal),
        };
        let mut response = called.unwrap_or_else(Refusal::into_response);
        if let Some(origin) = admitted.cors {
            reply::share(&mut response, origin);
        }
        response
    }

    /// Everything that can be said before the body is read.
    fn accept(
        &self,
        head: &Parts,
        fields: &Fields<'_>,
        admitted: &Admitted,
    ) -> Result<Accepted<'_>, Refusal> {
        let route = self.route(head.uri.path())?;
        if head.method != Method::POST {
            return not_post(head, fields, admitted);
        }
        if !media::is_json(fields.content_type) {
            return Err(Refusal::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "the body must be application/json, and Content-Type must say so",
            ));
        }
        let encoded = match fields.content_encoding {
            Occurs::Never => false,
            Occurs::Once(encoding) => encoding != "identity",
            Occurs::Often => true,
        };
        if encoded {
            return Err(Refusal::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "the body must not be compressed",
            ));
        }
        Ok(Accepted::Call(route, route.media_type(fields)?))
    }

    async fn call<B>(
        &self,
        head: Parts,
        body: B,
        route: &Route,
        media_type: HeaderValue,
        arrival: Arrival,
    ) -> Result<Response<Body>, Refusal>
    where
        B: HttpBody,
        B::Error: Into<BoxError>,
    {
        let (message, _held) = body::read(body, &self.0.body).await?;
        let mut scope = route.dispatcher.scope(arrival.connection, arrival.local);
        scope.timeout = arrival.timeout;
        scope.traceparent = arrival.traceparent;
        scope.tracestate = arrival.tracestate;
        scope.http = Some(head);
        let answer = route.dispatcher.dispatch(message, Arc::new(scope)).await;
        Ok(match answer {
            Some(answer) => reply::answer(answer, media_type),
            None => reply::empty(route.notification_status),
        })
    }

    fn route(&self, path: &str) -> Result<&Route, Refusal> {
        let fits = |known: &Option<String>| known.as_deref().is_none_or(|known| known == path);
        match self.0.routes.iter().find(|(known, _)| fits(known)) {
            Some((_, route)) => Ok(route),
            None => Err(Refusal::new(
                StatusCode::NOT_FOUND,
                "nothing is served at this path",
            )),
        }
    }
}

impl Route {
    fn media_type(&self, fields: &Fields<'_>) -> Result<HeaderValue, Refusal> {
        let chosen = media::negotiate(fields, &self.types);
        match chosen.and_then(|at| self.values.get(at)) {
            Some(value) => Ok(value.clone()),
            None => Err(Refusal::new(
                StatusCode::NOT_ACCEPTABLE,
                "Accept excludes every media type this path answers with",
            )),
        }
    }
}

/// A request that may go on.
enum Accepted<'a> {
    /// Its body is a message for this route, to be answered with this media type.
    Call(&'a Route, HeaderValue),
    /// A page asks whether it may call.
    Preflight,
}

/// A page asks before it calls; anything else that is no POST is told what to do.
fn not_post(
    head: &Parts,
    fields: &Fields<'_>,
    admitted: &Admitted,
) -> Result<Accepted<'static>, Refusal> {
    let asks = head.method == Method::OPTIONS
        && fields.origin != Occurs::Never
        && head.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    match (asks, &admitted.cors) {
        (true, Some(_)) => Ok(Accepted::Preflight),
        (true, None) => Err(Refusal::forbidden(
            "only pages of a named origin are asked before",
        )),
        (false, _) => Err(Refusal::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "JSON-RPC is called with POST",
        )),
    }
}

/// What the head says about the calls in the body.
struct Arrival {
    connection: Arc<Connection>,
    local: bool,
    timeout: Option<Duration>,
    traceparent: Option<Arc<str>>,
    tracestate: Option<Arc<str>>,
}

impl Arrival {
    fn of(fields: &Fields<'_>, caller: &Caller) -> Self {
        let text = |value: Option<&HeaderValue>| value?.to_str().ok().map(Arc::from);
        let milliseconds = fields
            .timeout
            .and_then(|value| value.to_str().ok()?.parse().ok());
        Self {
            connection: Arc::clone(&caller.connection),
            local: caller.local && !fields.forwarded,
            timeout: milliseconds.map(Duration::from_millis),
            traceparent: text(fields.traceparent),
            tracestate: text(fields.tracestate),
        }
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
        // The server puts the caller here when it has HTTP layers around this service.
        let caller = request.extensions_mut().remove::<Caller>();
        let caller = caller.unwrap_or_else(|| self.0.stranger.clone());
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
