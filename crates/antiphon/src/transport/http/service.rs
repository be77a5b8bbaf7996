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
use http::request::Parts;
use http::{Request, Response, StatusCode};
use http_body::Body as HttpBody;
use tokio_util::sync::CancellationToken;
use tower_service::Service;

use crate::admin_token::AdminToken;
use crate::connection::{SessionHandle, SessionHandleLimits};
use crate::dispatch::Answered;
use crate::origin::{Connection, Transport};
use crate::router::BoxError;
use crate::session::SessionConfig;
use crate::transport::http::accept::{Accepted, Arrival};
use crate::transport::http::body::{self, Body, BodyLimits, Budget};
use crate::transport::http::events::{self, Events};
use crate::transport::http::fields::{Fields, Occurs};
use crate::transport::http::guard::{Admitted, Guard};
use crate::transport::http::pages::Pages;
use crate::transport::http::reply::{self, Refusal};
use crate::transport::http::route::{Form, Route};
use crate::transport::http::upgrade::{self, Handshake, Offer, Slot, switch};

/// Who is at the other end of a connection, as the server that accepted it knows.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) connection: Arc<Connection>,
    /// Whether the listener can be reached from this machine alone.
    pub(crate) local: bool,
    /// Whether it was reached by a name that a web page could know: not through a Unix socket.
    pub(crate) named: bool,
    /// Where the connection finds what it has become.
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
    pub(crate) config: SessionConfig,
    /// What shows that a caller is the server's owner.
    admin: Option<AdminToken>,
    /// What is answered to GET.
    pages: Option<Arc<dyn Pages>>,
    /// What one event stream may hold.
    links: Arc<SessionHandleLimits>,
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
            config: SessionConfig::default(),
            admin: None,
            pages: None,
            links: Arc::default(),
            stranger: Caller::stranger(),
        }))
    }

    pub(crate) fn with(
        routes: Vec<(Option<String>, Route)>,
        guard: Guard,
        body: BodyLimits,
        config: &SessionConfig,
        pages: Arc<dyn Pages>,
        admin: Option<AdminToken>,
    ) -> Self {
        Self(Arc::new(Inner {
            routes,
            admin,
            pages: Some(pages),
            guard,
            body,
            links: Arc::clone(&config.session_handle),
            config: config.clone(),
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

    pub(super) fn pages(&self) -> Option<&dyn Pages> {
        self.0.pages.as_deref()
    }

    /// All routes that have a path.
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
        if let Some(handshake) = upgrade::requested(&head) {
            let local = caller.local && !fields.forwarded;
            let admin = self.is_admin(&fields);
            return self.open(head, handshake, caller, local, admin);
        }
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
        if let (Some(token), Occurs::Once(shown)) = (&self.0.admin, fields.authorization) {
            return token.is_shown_by(shown.as_bytes());
        }
        let _ = fields;
        false
    }

    /// Answers a request for a WebSocket.
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
            config: &self.0.config,
            max_message: self.0.body.max,
        };
        switch(head, handshake, &offer)
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
        let mut origin = route.dispatcher.origin(arrival.connection, arrival.local);
        origin.admin = arrival.admin;
        origin.timeout = arrival.timeout;
        origin.traceparent = arrival.traceparent;
        origin.tracestate = arrival.tracestate;
        origin.http = Some(head);
        let session_handle = form
            .events
            .then(|| SessionHandle::new(Arc::clone(&self.0.links), false));
        origin.session_handle.clone_from(&session_handle);
        let answered = route.dispatcher.dispatch(message, Arc::new(origin)).await;
        let Answered { text, streams } = answered;
        let Some(text) = text else {
            return Ok(reply::empty(route.notification_status));
        };
        if let Some(session_handle) = session_handle
            && !streams.is_empty()
        {
            let events = Events::new(&text, streams, session_handle, arrival.stopping);
            return Ok(reply::events(Body::from(events)));
        }
        Ok(match form.whole {
            Some(media_type) => reply::answer(text, media_type),
            None => reply::events(Body::from(Bytes::from(events::event(&text)))),
        })
    }

    /// What answers at this path.
    pub(super) fn route(&self, path: &str) -> Result<&Route, Refusal> {
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
