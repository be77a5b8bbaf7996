//! Routes: a path of a server, its methods, and its response formats.

use std::sync::Arc;

use http::StatusCode;
use http::header::HeaderValue;

use crate::audit::AuditLog;
use crate::dispatch::Dispatcher;
use crate::dispatch::Limits;
use crate::mcp::Service;
use crate::metrics::status::ServerStatus;
use crate::rate_limit::RateLimiter;
use crate::transport::http::headers::Fields;
use crate::transport::http::media_types;
use crate::transport::http::open_calls::OpenCalls;
use crate::transport::http::refusal::Refusal;

/// One path of a server: a built router, and how its responses look over HTTP.
///
/// Its calls have the limits of its dispatcher, not those of the server. Call layers of the server
/// do not apply to it. The server's limit of calls by caller does.
///
/// ```
/// use antiphon::{Route, Router};
/// use http::StatusCode;
///
/// let dispatcher = Router::new().method_fn("add", |a: f64, b: f64| a + b).build()?;
/// let route = Route::new(dispatcher)
///     .response_content_types(["application/json-rpc", "application/json"])
///     .notification_status(StatusCode::ACCEPTED);
/// # Ok::<(), antiphon::RouterError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Route {
    pub(super) dispatcher: Dispatcher,
    types: Vec<String>,
    values: Vec<HeaderValue>,
    pub(super) notification_status: StatusCode,
    /// Whether the limits of calls come from the server.
    limited_by_server: bool,
    /// Whether methods may call their callers.
    is_two_way: bool,
    pub(super) open_calls: OpenCalls,
}

impl Route {
    /// Creates a route that answers with `application/json`, or with `application/json-rpc` or
    /// `application/jsonrequest` if `Accept` prefers it, and with status 204 if there is no response
    /// message.
    #[must_use]
    pub fn new(dispatcher: Dispatcher) -> Self {
        Self {
            dispatcher,
            types: media_types::KNOWN.map(str::to_owned).into(),
            values: media_types::KNOWN.map(HeaderValue::from_static).into(),
            notification_status: StatusCode::NO_CONTENT,
            limited_by_server: false,
            is_two_way: false,
            open_calls: OpenCalls::default(),
        }
    }

    /// Creates a route whose calls have the limits of its server.
    pub(crate) fn of_server(dispatcher: Dispatcher) -> Self {
        Self {
            limited_by_server: true,
            ..Self::new(dispatcher)
        }
    }

    /// Lets methods call the callers of this route back, with [`Context::peer`](crate::Context::peer), if these
    /// accept event streams (`Accept: text/event-stream`).
    ///
    /// The response is then an event stream as soon as a method calls its caller, or reports
    /// [progress](crate::Context::progress): each is an event, and the last one is the response. The caller
    /// answers with another request to the same path, whose body is its response, and which gets the status
    /// of a notification. Nobody can guess the id of such a call, and nobody but the caller may answer. It has to
    /// reach the same process, so there may be one worker only. Clients of this crate do not answer.
    ///
    /// ```
    /// use antiphon::{Context, ErrorObject, Route, Router};
    ///
    /// async fn greet(ctx: Context) -> Result<String, ErrorObject> {
    ///     Ok(ctx.peer()?.call("name", ()).await?)
    /// }
    ///
    /// let dispatcher = Router::new().method_fn("greet", greet).build()?;
    /// let route = Route::new(dispatcher).two_way();
    /// # Ok::<(), antiphon::RouterError>(())
    /// ```
    #[must_use]
    pub fn two_way(self) -> Self {
        Self {
            is_two_way: true,
            ..self
        }
    }

    /// Whether methods may call their callers, and these answer with requests of their own.
    pub(super) fn is_two_way(&self) -> bool {
        self.is_two_way || self.dispatcher.speaks_mcp()
    }

    /// The same route for clients of the Model Context Protocol.
    pub(crate) fn speaking_mcp(self, service: Arc<Service>) -> Self {
        Self {
            dispatcher: self.dispatcher.speaking(service),
            notification_status: StatusCode::ACCEPTED,
            open_calls: OpenCalls::default(),
            ..self
        }
    }

    /// The methods and namespaces of the route.
    pub(crate) fn tree(&self) -> &crate::describe::Tree {
        self.dispatcher.tree()
    }

    pub(crate) fn dispatcher(&self) -> &Dispatcher {
        &self.dispatcher
    }

    /// Connects the route to the server that serves it.
    pub(crate) fn served(
        mut self,
        server: &Arc<ServerStatus>,
        limits: &Limits,
        rate: Option<RateLimiter>,
        audit: Option<AuditLog>,
    ) -> Self {
        let limits = self.limited_by_server.then(|| limits.clone());
        self.dispatcher = self.dispatcher.served(server, limits, rate, audit);
        self
    }

    /// Limits the calls of each caller.
    pub(super) fn limit_rate(&mut self, rate: &RateLimiter) {
        self.dispatcher = self.dispatcher.rate_limited(Some(rate.clone()));
    }

    /// Records the calls.
    pub(super) fn record(&mut self, log: &AuditLog) {
        self.dispatcher = self.dispatcher.audited(log.clone());
    }

    /// Sets the media types of responses, in order of preference, which decides where the weights in
    /// `Accept` do not. A request whose `Accept` excludes
    /// all of them, and does not name `text/event-stream` either, is refused with 406 before any
    /// method runs.
    ///
    /// Types that are not valid header values are ignored. If no type is valid, nothing changes.
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

    /// Sets the status of the response to a request with notifications only: 204 by default, 202
    /// for the Model Context Protocol, or 200.
    #[must_use]
    pub fn notification_status(mut self, status: StatusCode) -> Self {
        self.notification_status = status;
        self
    }

    /// Negotiates the response format from the request's header fields.
    pub(super) fn form(&self, fields: &Fields<'_>) -> Result<ResponseForm, Refusal> {
        let chosen = media_types::negotiate(fields, &self.types);
        let form = ResponseForm {
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

/// The response formats that the client accepts.
#[derive(Debug)]
pub(super) struct ResponseForm {
    /// The media type of a complete response; `None` if only an event stream is acceptable.
    pub(super) whole: Option<HeaderValue>,
    /// Whether an event stream is acceptable.
    pub(super) events: bool,
}
