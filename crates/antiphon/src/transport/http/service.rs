//! The HTTP service: one request in, one response out.
//!
//! [`HttpService::answer`] checks a request in this order: host and origin, path, method, media
//! types. The body is read only when all checks have passed.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response};
use http_body::Body as HttpBody;
use tower_service::Service;

use crate::admin_token::AdminToken;
use crate::describe::Access;
use crate::dispatch::Answered;
use crate::router::BoxError;
use crate::session::SessionConfig;
use crate::session_state::SessionHandle;
use crate::transport::http::body::Body;
use crate::transport::http::body_framing::BodyFraming;
use crate::transport::http::caller::Caller;
use crate::transport::http::events::{self, Events};
use crate::transport::http::headers::{Fields, Occurrence};
use crate::transport::http::host_check::{Admission, Guard};
use crate::transport::http::pages::{self, Pages};
use crate::transport::http::refusal::Refusal;
use crate::transport::http::reply;
use crate::transport::http::request_body::{self, BodyLimits, Budget};
use crate::transport::http::request_check::{Accepted, CallHead, accept};
use crate::transport::http::route::{ResponseForm, Route};
use crate::transport::http::routes::Routes;
use crate::transport::http::upgrade::{self, Handshake, UpgradeContext};

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
/// All other responses to such a request have one of the route's media types if `Accept` allows
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
pub struct HttpService(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    routes: Routes,
    guard: Guard,
    body: BodyLimits,
    /// Configuration of the sessions that WebSocket upgrades start.
    config: SessionConfig,
    /// The token that admin callers have to present.
    admin: Option<AdminToken>,
    /// The documents that are served to GET.
    pages: Option<Arc<dyn Pages>>,
    /// The caller for requests that do not come through a server of this crate.
    unknown: Arc<Caller>,
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
        Self(Arc::new(Inner {
            routes: Routes::anywhere(route),
            guard: Guard::default(),
            body: BodyLimits {
                max: 10 * 1024 * 1024,
                timeout: Some(Duration::from_secs(30)),
                budget: Budget::new(256 * 1024 * 1024),
            },
            config: SessionConfig::default(),
            admin: None,
            pages: None,
            unknown: Caller::unknown(),
        }))
    }

    pub(crate) fn with(
        routes: Routes,
        guard: Guard,
        body: BodyLimits,
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
            unknown: Caller::unknown(),
        }))
    }

    /// Also accepts requests for this host name; by default only loopback names are accepted.
    #[must_use]
    pub fn allow_host(self, host: &str) -> Self {
        self.edit(|inner| inner.guard.allow_host(host))
    }

    /// Turns off the check of `Host`, for a service behind something else that checks it.
    #[must_use]
    pub fn allow_any_host(self) -> Self {
        self.edit(|inner| inner.guard.allow_any_host())
    }

    /// Allows pages of this origin to make calls, and answers their CORS preflights.
    #[must_use]
    pub fn allow_origin(self, origin: &str) -> Self {
        self.edit(|inner| inner.guard.allow_origin(origin))
    }

    /// Sets the maximum size of a request body, in bytes; 10 MiB by default.
    #[must_use]
    pub fn max_request(self, bytes: usize) -> Self {
        self.edit(|inner| inner.body.max = bytes)
    }

    fn edit(mut self, f: impl FnOnce(&mut Inner)) -> Self {
        f(Arc::make_mut(&mut self.0));
        self
    }

    pub(crate) async fn answer<B>(&self, request: Request<B>, caller: &Caller) -> Response<Body>
    where
        B: HttpBody,
        B::Error: Into<BoxError>,
    {
        let (head, body) = request.into_parts();
        let pages = self.0.pages.as_deref();
        let pages = pages.filter(|_| pages::is_get(&head));
        if let Some(health) = pages.and_then(|pages| pages::health(pages, &head)) {
            return health;
        }
        let fields = Fields::of(&head.headers);
        let admission = match caller.named {
            true => self.0.guard.check(&fields, &head.uri),
            false => Ok(Admission { cors: None }),
        };
        let admission = match admission {
            Ok(admission) => admission,
            Err(refusal) => return refusal.into_response(),
        };
        let local = caller.local && !fields.forwarded;
        let admin = self.is_admin(&fields);
        if let Some(handshake) = upgrade::requested(&head) {
            return self.upgrade(head, handshake, caller, local, admin);
        }
        if let Some(pages) = pages {
            let reader = match (admin, local) {
                (true, _) => Access::Admin,
                (false, true) => Access::Local,
                (false, false) => Access::Public,
            };
            let page = pages::page(pages, &self.0.routes, &head, &fields, reader);
            if let Some(page) = page.await {
                return page;
            }
        }
        let called = match accept(&self.0.routes, &head, &fields, &admission) {
            Ok(Accepted::Call(route, form)) => {
                let call = CallHead::new(&fields, caller, admin);
                self.call(head, body, route, form, call).await
            }
            Ok(Accepted::Preflight) => Ok(reply::preflight()),
            Err(refusal) => Err(refusal),
        };
        let mut response = called.unwrap_or_else(Refusal::into_response);
        if let Some(origin) = admission.cors {
            reply::share(&mut response, origin);
        }
        response
    }

    /// Whether the caller has presented the admin token.
    fn is_admin(&self, fields: &Fields<'_>) -> bool {
        if let (Some(token), Occurrence::Once(shown)) = (&self.0.admin, fields.authorization) {
            return token.is_shown_by(shown.as_bytes());
        }
        false
    }

    /// Answers a WebSocket handshake.
    fn upgrade(
        &self,
        head: Parts,
        handshake: Handshake,
        caller: &Caller,
        local: bool,
        admin: bool,
    ) -> Response<Body> {
        let route = match self.0.routes.find(head.uri.path()) {
            Ok(route) => route,
            Err(refusal) => return refusal.into_response(),
        };
        let context = UpgradeContext {
            dispatcher: &route.dispatcher,
            peer: caller.connection.peer,
            slot: caller.slot.as_ref(),
            local,
            admin,
            config: &self.0.config,
            max_message: self.0.body.max,
        };
        upgrade::respond(head, handshake, &context)
    }

    async fn call<B>(
        &self,
        head: Parts,
        body: B,
        route: &Route,
        form: ResponseForm,
        call: CallHead<'_>,
    ) -> Result<Response<Body>, Refusal>
    where
        B: HttpBody,
        B::Error: Into<BoxError>,
    {
        let framing = BodyFraming::new(head.version, &body.size_hint(), call.wire);
        let (message, _held) = request_body::read(body, &self.0.body, framing).await?;
        let mut origin = route.dispatcher.origin(call.connection, call.local);
        origin.admin = call.admin;
        origin.timeout = call.timeout;
        origin.traceparent = call.traceparent;
        origin.tracestate = call.tracestate;
        origin.http = Some(head);
        let handle = form
            .events
            .then(|| SessionHandle::new(Arc::clone(&self.0.config.connection), false));
        origin.session.clone_from(&handle);
        let answered = route.dispatcher.dispatch(message, Arc::new(origin)).await;
        let Answered { text, streams } = answered;
        let Some(text) = text else {
            return Ok(reply::empty(route.notification_status));
        };
        if let Some(handle) = handle
            && !streams.is_empty()
        {
            let events = Events::new(&text, streams, handle, call.stopping);
            return Ok(reply::events(Body::from(events)));
        }
        Ok(match form.whole {
            Some(media_type) => reply::answer(text, media_type),
            None => reply::events(Body::from(Bytes::from(events::event(&text)))),
        })
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
