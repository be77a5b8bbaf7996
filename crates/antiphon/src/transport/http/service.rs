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

use bytes::Bytes;
use http::header::{ACCESS_CONTROL_REQUEST_METHOD, HeaderValue};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use http_body::Body as HttpBody;
use tokio_util::sync::CancellationToken;
use tower_service::Service;

#[cfg(all(unix, feature = "server"))]
use crate::admin::AdminToken;
#[cfg(feature = "server")]
use crate::dispatch::Limits;
use crate::dispatch::{Answered, Dispatcher};
use crate::link::{Link, LinkLimits};
use crate::router::BoxError;
use crate::scope::{Connection, Transport};
#[cfg(feature = "server")]
use crate::session::Terms;
use crate::transport::http::body::{self, Body, BodyLimits, Budget};
use crate::transport::http::events::{self, Events};
use crate::transport::http::fields::{Fields, Occurs};
use crate::transport::http::guard::{Admitted, Guard};
use crate::transport::http::media;
#[cfg(feature = "server")]
use crate::transport::http::pages::Pages;
use crate::transport::http::reply::{self, Refusal};
#[cfg(all(feature = "ws", feature = "server"))]
use crate::transport::http::switch::{Offer, Slot, switch};
#[cfg(all(feature = "ws", feature = "server"))]
use crate::transport::ws::upgrade::{self, Handshake};
#[cfg(feature = "server")]
use crate::vitals::Vitals;

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

    /// What can be called on it.
    #[cfg(feature = "server")]
    pub(crate) fn tree(&self) -> &crate::tree::Tree {
        self.dispatcher.tree()
    }

    /// What answers on it.
    #[cfg(feature = "server")]
    pub(crate) fn dispatcher(&self) -> &Dispatcher {
        &self.dispatcher
    }

    /// The route as a part of a server.
    #[cfg(feature = "server")]
    pub(crate) fn served(mut self, server: &Arc<Vitals>, limits: &Limits) -> Self {
        let limits = self.limited_by_server.then(|| limits.clone());
        self.dispatcher = self.dispatcher.served(server, limits);
        self
    }

    /// The media types it can answer with, the preferred one first. A request whose `Accept`
    /// excludes them all, and does not name `text/event-stream` either, is refused with 406 before
    /// anything runs.
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
    /// Whether it was reached by a name that a web page could know: not through a Unix socket.
    pub(crate) named: bool,
    /// Where the connection finds what it has become.
    #[cfg(all(feature = "ws", feature = "server"))]
    pub(crate) slot: Option<Slot>,
    /// Cancelled when the server is told to stop; event streams end then.
    pub(crate) stopping: CancellationToken,
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
///
/// # Subscriptions
///
/// A method that returns a stream is for requests whose `Accept` names `text/event-stream`; `*/*` is
/// not enough, and all others are answered −32004, also in a batch. The response is an event stream:
/// its first event is the answer, whose result is the subscription's id, then comes one for each
/// message, with its number as `id`. After 15 seconds of silence there is a comment. The response ends
/// with the subscription, and closing it ends the subscription; it has no deadline and no bound on its
/// size. A subscriber that does not read meets the method's [`Overflow`](crate::Overflow) once
/// what its connection holds is full.
///
/// All other answers to such a request are of a type of the route's if `Accept` has one as well, and
/// an event stream of one event if it has none. Notifications alone are answered as ever.
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
pub struct HttpService(Arc<Inner>);

#[derive(Clone)]
pub(crate) struct Inner {
    /// Paths and what answers there; a single route without a path answers everywhere.
    pub(crate) routes: Vec<(Option<String>, Route)>,
    pub(crate) guard: Guard,
    pub(crate) body: BodyLimits,
    /// For requests that become sessions.
    #[cfg(all(feature = "ws", feature = "server"))]
    pub(crate) terms: Terms,
    /// What shows that a caller is the server's owner.
    #[cfg(all(unix, feature = "server"))]
    admin: Option<AdminToken>,
    /// What is answered to GET.
    #[cfg(feature = "server")]
    pages: Option<Arc<dyn Pages>>,
    /// What one event stream may hold.
    links: Arc<LinkLimits>,
    /// Who calls where nobody says who: a service that is mounted sees no connections.
    stranger: Arc<Caller>,
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
    fn stranger() -> Arc<Self> {
        Arc::new(Self {
            connection: Connection::new(Transport::Http, None),
            local: false,
            named: true,
            #[cfg(all(feature = "ws", feature = "server"))]
            slot: None,
            stopping: CancellationToken::new(),
        })
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
            #[cfg(all(feature = "ws", feature = "server"))]
            terms: Terms::default(),
            #[cfg(all(unix, feature = "server"))]
            admin: None,
            #[cfg(feature = "server")]
            pages: None,
            links: Arc::default(),
            stranger: Caller::stranger(),
        }))
    }

    #[cfg(feature = "server")]
    pub(crate) fn with(
        routes: Vec<(Option<String>, Route)>,
        guard: Guard,
        body: BodyLimits,
        terms: &Terms,
        pages: Arc<dyn Pages>,
        #[cfg(unix)] admin: Option<AdminToken>,
    ) -> Self {
        Self(Arc::new(Inner {
            routes,
            #[cfg(unix)]
            admin,
            pages: Some(pages),
            guard,
            body,
            links: Arc::clone(&terms.link),
            #[cfg(feature = "ws")]
            terms: terms.clone(),
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

    #[cfg(feature = "server")]
    pub(super) fn pages(&self) -> Option<&dyn Pages> {
        self.0.pages.as_deref()
    }

    /// All routes that have a path.
    #[cfg(feature = "server")]
    pub(super) fn routes(&self) -> impl Iterator<Item = (&str, &Route)> {
        let routes = self.0.routes.iter();
        routes.filter_map(|(path, route)| Some((path.as_deref()?, route)))
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
        #[cfg(feature = "server")]
        if let Some(health) = self.health(&head) {
            return health;
        }
        let fields = Fields::of(&head.headers);
        let admitted = match caller.named {
            true => self.0.guard.check(&fields, &head.uri),
            false => Ok(Admitted { cors: None }),
        };
        let admitted = match admitted {
            Ok(admitted) => admitted,
            Err(refusal) => return refusal.into_response(),
        };
        #[cfg(all(feature = "ws", feature = "server"))]
        match upgrade::examine(&head) {
            Handshake::NotAnUpgrade => {}
            handshake => {
                let local = caller.local && !fields.forwarded;
                let admin = self.is_admin(&fields);
                return self.open(head, handshake, caller, local, admin);
            }
        }
        #[cfg(feature = "server")]
        if let Some(page) = self
            .page(&head, &fields, caller, self.is_admin(&fields))
            .await
        {
            return page;
        }
        let called = match self.accept(&head, &fields, &admitted) {
            Ok(Accepted::Call(route, form)) => {
                let admin = self.is_admin(&fields);
                let context = Arrival::of(&fields, caller, admin);
                self.call(head, body, route, form, context).await
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

    /// Whether the caller shows the admin token.
    fn is_admin(&self, fields: &Fields<'_>) -> bool {
        #[cfg(all(unix, feature = "server"))]
        if let (Some(token), Occurs::Once(shown)) = (&self.0.admin, fields.authorization) {
            return token.is_shown_by(shown.as_bytes());
        }
        let _ = fields;
        false
    }

    /// Answers a request for a WebSocket.
    #[cfg(all(feature = "ws", feature = "server"))]
    fn open(
        &self,
        head: Parts,
        handshake: Handshake,
        caller: &Caller,
        local: bool,
        admin: bool,
    ) -> Response<Body> {
        let route = match self.route(head.uri.path()) {
            Ok(route) => route,
            Err(refusal) => return refusal.into_response(),
        };
        let offer = Offer {
            dispatcher: &route.dispatcher,
            caller,
            local,
            admin,
            terms: &self.0.terms,
            max_message: self.0.body.max,
        };
        switch(head, handshake, &offer)
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
        Ok(Accepted::Call(route, route.form(fields)?))
    }

    async fn call<B>(
        &self,
        head: Parts,
        body: B,
        route: &Route,
        form: Form,
        arrival: Arrival<'_>,
    ) -> Result<Response<Body>, Refusal>
    where
        B: HttpBody,
        B::Error: Into<BoxError>,
    {
        let (message, _held) = body::read(body, &self.0.body).await?;
        let mut scope = route.dispatcher.scope(arrival.connection, arrival.local);
        scope.admin = arrival.admin;
        scope.timeout = arrival.timeout;
        scope.traceparent = arrival.traceparent;
        scope.tracestate = arrival.tracestate;
        scope.http = Some(head);
        let link = form
            .events
            .then(|| Link::new(Arc::clone(&self.0.links), false));
        scope.link.clone_from(&link);
        let answered = route.dispatcher.dispatch(message, Arc::new(scope)).await;
        let Answered { text, streams } = answered;
        let Some(text) = text else {
            return Ok(reply::empty(route.notification_status));
        };
        if let Some(link) = link
            && !streams.is_empty()
        {
            let events = Events::new(&text, streams, link, arrival.stopping);
            return Ok(reply::events(Body::from(events)));
        }
        Ok(match form.whole {
            Some(media_type) => reply::answer(text, media_type),
            None => reply::events(Body::from(Bytes::from(events::event(&text)))),
        })
    }

    fn route(&self, path: &str) -> Result<&Route, Refusal> {
        // The page of a route stands behind a slash, and calls what it stands on.
        let page = path.strip_suffix('/');
        let fits = |known: &Option<String>| {
            let is = |known: &str| known == path || (known != "/" && Some(known) == page);
            known.as_deref().is_none_or(is)
        };
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
    fn form(&self, fields: &Fields<'_>) -> Result<Form, Refusal> {
        let chosen = media::negotiate(fields, &self.types);
        let form = Form {
            whole: chosen.whole.and_then(|at| self.values.get(at)).cloned(),
            events: chosen.events,
        };
        if form.whole.is_none() && !form.events {
            return Err(Refusal::new(
                StatusCode::NOT_ACCEPTABLE,
                "Accept excludes every media type this path answers with",
            ));
        }
        Ok(form)
    }
}

/// What an answer may look like.
#[derive(Debug)]
struct Form {
    /// The media type of an answer that is there as a whole, unless only an event stream will do.
    whole: Option<HeaderValue>,
    /// Whether it may be an event stream.
    events: bool,
}

/// A request that may go on.
enum Accepted<'a> {
    /// Its body is a message for this route, to be answered in this form.
    Call(&'a Route, Form),
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
struct Arrival<'a> {
    connection: Arc<Connection>,
    stopping: &'a CancellationToken,
    local: bool,
    admin: bool,
    timeout: Option<Duration>,
    traceparent: Option<Arc<str>>,
    tracestate: Option<Arc<str>>,
}

impl<'a> Arrival<'a> {
    fn of(fields: &Fields<'_>, caller: &'a Caller, admin: bool) -> Self {
        let text = |value: Option<&HeaderValue>| value?.to_str().ok().map(Arc::from);
        let milliseconds = fields
            .timeout
            .and_then(|value| value.to_str().ok()?.parse().ok());
        Self {
            connection: Arc::clone(&caller.connection),
            stopping: &caller.stopping,
            local: caller.local && !fields.forwarded,
            admin,
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
        let caller = request.extensions_mut().remove::<Arc<Caller>>();
        let caller = caller.unwrap_or_else(|| Arc::clone(&self.0.stranger));
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
