//! Call as layers and handlers see it, and its reply.
//!
//! A [`Call`] brings the buffer its result is written into, behind the envelope that dispatch has
//! put there already; the [`Reply`] takes it back. So a result is written once, where it is sent
//! from.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use antiphon_proto::{ErrorCode, ErrorObject, Id, RawJson, Request, json_vec, message};
use serde::Serialize;
use tokio::time::Instant;

use crate::call_origin::{Origin, Transport};
use crate::context::{Context, Data};
use crate::current_call::CurrentCall;
use crate::describe::MethodInfo;
use crate::error::internal_error;
use crate::identity::{Identity, Principal};
use crate::memory_budget::{FREE, Payload, Wait};
use crate::metrics::places::PlaceLimits;
use crate::session_state::SessionHandle;
use crate::subscription::{Items, Opening, Room};

/// A call on its way to its method, as layers and [`Method::new`](crate::Method::new) see it.
///
/// A call layer is a `tower` layer over `Service<Call, Response = Reply>`. It sees every call
/// exactly once. A batch is split before, so its calls arrive one by one.
///
/// ```
/// use antiphon::{Call, CallFuture, Reply, ErrorObject};
///
/// /// What a layer may do: look at the call, answer in its place, or pass it on.
/// fn guard(call: &Call) -> Option<Reply> {
///     (call.method() == "calc.divide").then(|| Reply::error(ErrorObject::new(403, "not today")))
/// }
/// ```
pub struct Call {
    pub(crate) request: Request,
    pub(crate) origin: Arc<Origin>,
    /// Who the caller was when the call began; a session may take on another identity meanwhile.
    pub(crate) identity: Option<Identity>,
    /// Index of the method in the scope's tree, once it has been looked up.
    pub(crate) route: usize,
    pub(crate) data: Option<Arc<Data>>,
    pub(crate) output: Output,
    pub(crate) limits: CallLimits,
}

/// What the server allows one call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CallLimits {
    pub(crate) max_result: usize,
    pub(crate) timeout: Option<Duration>,
    pub(crate) places: PlaceLimits,
    /// Whether it is one of a batch.
    pub(crate) in_batch: bool,
}

impl Call {
    pub(crate) fn new(
        request: Request,
        origin: Arc<Origin>,
        limits: CallLimits,
        mut buffer: Vec<u8>,
    ) -> Self {
        if let Some(id) = request.id_bytes() {
            message::begin_result(&mut buffer, id);
        }
        Self {
            identity: origin.identification.identity(),
            output: Output {
                start: buffer.len(),
                payload: buffer.into(),
                stream: None,
            },
            request,
            origin,
            route: usize::MAX,
            data: None,
            limits,
        }
    }

    /// The full name of the method, as the caller wrote it. There may be no such method.
    #[must_use]
    pub fn method(&self) -> &str {
        self.request.method()
    }

    /// The JSON text of the parameters, an array or an object; `None` if there are none.
    #[must_use]
    pub fn params(&self) -> Option<&str> {
        self.request.params()
    }

    /// The JSON text of the id; `None` for a notification.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.request.id()
    }

    /// Whether this is a notification, which gets no response.
    #[must_use]
    pub fn is_notification(&self) -> bool {
        self.request.is_notification()
    }

    /// The address of the other end of the connection, which is the proxy if there is one in front;
    /// `None` if the transport has no addresses.
    #[must_use]
    pub fn peer_addr(&self) -> Option<std::net::SocketAddr> {
        self.origin.connection.peer
    }

    /// The IP address of the client, also behind trusted proxies; see
    /// [`Context::client_ip`](crate::Context::client_ip).
    #[must_use]
    pub fn client_ip(&self) -> Option<std::net::IpAddr> {
        self.origin.client.ip()
    }

    /// The transport that carried the call.
    #[must_use]
    pub fn transport(&self) -> Transport {
        self.origin.connection.transport
    }

    /// The headers of the HTTP request; `None` if there was none.
    #[must_use]
    pub fn headers(&self) -> Option<&http::HeaderMap> {
        self.origin.http.as_ref().map(|head| &head.headers)
    }

    /// Attaches a value for the method, which reads it with [`Context::get`]. There is one value of
    /// each type; a second one replaces the first.
    pub fn insert<T: Send + Sync + 'static>(&mut self, value: T) {
        let data = self.data.get_or_insert_default();
        Arc::make_mut(data).insert(value);
    }

    /// The value of this type that an outer layer has attached.
    #[must_use]
    pub fn get<T: Send + Sync + 'static>(&self) -> Option<&T> {
        self.data.as_ref()?.get()
    }

    /// The description of the method; `None` before it is looked up. Layers of the server and of
    /// the outermost router run before that, layers of nested routers after it.
    #[must_use]
    pub fn method_info(&self) -> Option<&MethodInfo> {
        self.origin.common.tree.method(self.route)
    }

    /// How long this call may take: the server's limit, or less if the caller asks for less.
    pub(crate) fn timeout(&self) -> Option<Duration> {
        let asked = [
            self.limits.timeout,
            self.request.timeout(),
            self.origin.timeout,
        ];
        asked.into_iter().flatten().min()
    }

    /// What calls made inside this one inherit.
    pub(crate) fn current(&self) -> CurrentCall {
        let own = |text: Option<&str>, outer: &Option<Arc<str>>| {
            text.map(Arc::from).or_else(|| outer.clone())
        };
        CurrentCall {
            deadline: self
                .timeout()
                .and_then(|timeout| Instant::now().checked_add(timeout)),
            traceparent: own(self.request.traceparent(), &self.origin.traceparent),
            tracestate: own(self.request.tracestate(), &self.origin.tracestate),
            caller: Some(Principal {
                identity: self.identity.clone(),
                client: self.origin.client,
                local: self.origin.local,
            }),
        }
    }

    /// The [`Context`] for the method. Its deadline is computed from the moment of this call of
    /// `context`.
    #[must_use]
    pub fn context(&self) -> Context {
        Context {
            origin: Arc::clone(&self.origin),
            method: self.route,
            id: self.id().and_then(Id::from_json),
            current: self.current(),
            data: self.data.clone(),
            cancel: Arc::default(),
            places: self.limits.places,
        }
    }

    /// Lets go of large parameters, which are decoded by now.
    pub(crate) fn forget_params(&mut self) {
        if self.request.params_len() > FREE {
            self.request.forget_params();
        }
    }

    /// Creates the reply from the outcome of the method.
    ///
    /// If the result is larger than [`Limits::max_response`](crate::Limits::max_response), the
    /// reply is error −32003. If the server has no memory left for it, the reply is error −32000
    /// with the member `retryAfterMs` in its data. If it cannot be serialized, the reply is error
    /// −32603. The result of a notification is dropped.
    pub fn answer<T: Serialize>(mut self, outcome: Result<T, ErrorObject>) -> Reply {
        self.reply(outcome)
    }

    /// Creates the reply from the outcome of a call of another server, whose result is text.
    pub(crate) fn answer_raw(mut self, outcome: Result<RawJson, ErrorObject>) -> Reply {
        let result = match outcome {
            Ok(result) => result,
            Err(error) => return Reply::error(error),
        };
        if self.is_notification() {
            return Reply(Ok(Output::default()));
        }
        let mut output = std::mem::take(&mut self.output);
        let account = &self.origin.connection.memory;
        if result.as_str().len() > self.limits.max_result {
            return Reply::error(ErrorCode::RESPONSE_TOO_LARGE);
        }
        let text = result.as_str().as_bytes();
        let written = output.payload.extend(text, account);
        match written.and_then(|()| output.payload.settle(account)) {
            Ok(()) => Reply(Ok(output)),
            Err(exhausted) => Reply::error(exhausted),
        }
    }

    /// Creates the reply and takes the buffer that it is written into.
    #[inline]
    pub(crate) fn reply<T: Serialize>(&mut self, outcome: Result<T, ErrorObject>) -> Reply {
        let result = match outcome {
            Ok(result) => result,
            Err(error) => return Reply::error(error),
        };
        if self.is_notification() {
            return Reply(Ok(Output::default()));
        }
        let mut output = std::mem::take(&mut self.output);
        let max = output.start.saturating_add(self.limits.max_result);
        let account = &self.origin.connection.memory;
        let wait = match self.limits.in_batch {
            true => Wait::Never,
            false => Wait::ForTurn,
        };
        let name = ResultOf(&self.request);
        let written = output.payload.write(&result, max, account, wait, &name);
        Reply(written.map(|()| output))
    }
}

/// The name of a result in the log. It is looked up only when it is written.
struct ResultOf<'a>(&'a Request);

impl fmt::Display for ResultOf<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the result of {}", self.0.method())
    }
}

/// Subscriptions.
impl Call {
    /// Whether the caller can be sent a stream: on a session, or as the only call of an HTTP request
    /// that accepts an event stream.
    ///
    /// # Errors
    ///
    /// −32004 if not, −32000 if it has too many already.
    pub(crate) fn may_stream(&self) -> Result<(), ErrorObject> {
        match &self.origin.session {
            Some(handle) if handle.is_duplex() || !self.limits.in_batch => {
                match handle.may_subscribe() {
                    true => Ok(()),
                    false => Err(ErrorObject::of(ErrorCode::OVERLOADED)),
                }
            }
            _ => Err(ErrorObject::of(ErrorCode::NEEDS_SESSION)),
        }
    }

    /// The cursor behind which the caller wants to go on: the member `after`, or for an event stream the
    /// id of the last event that it has seen.
    pub(crate) fn after(&self) -> Option<&str> {
        let session = self.origin.session.as_ref();
        let header = || {
            let head = self.origin.http.as_ref();
            let head = head.filter(|_| session.is_some_and(|session| !session.is_duplex()));
            head?.headers.get("last-event-id")?.to_str().ok()
        };
        self.request.after().or_else(header)
    }

    /// Answers with the id of a subscription, which begins when the answer is on its way.
    pub(crate) fn subscribe(self, mut items: Items) -> Reply {
        if self.is_notification() {
            // Nobody would learn its id.
            return Reply(Ok(Output::default()));
        }
        // Between the question whether it may and this, others may have taken the last place.
        let Some(place) = self
            .origin
            .session
            .as_ref()
            .and_then(SessionHandle::take_place)
        else {
            return Reply::error(ErrorCode::OVERLOADED);
        };
        let mut start = None;
        if let Items::Topic(feed) = &mut items {
            let session = self.origin.session.as_ref();
            match self.after() {
                Some(cursor) => feed.resume(cursor),
                // The reader of a response may come back before there was an item.
                None if self.request.asks_start()
                    || session.is_some_and(|session| !session.is_duplex()) =>
                {
                    start = feed.start();
                }
                None => {}
            }
            if feed.is_refused() {
                return Reply::error(ErrorCode::OVERLOADED);
            }
        }
        let options = self
            .method_info()
            .and_then(|info| info.subscription.clone());
        let mut opening = Opening::new(
            self.method(),
            &options.unwrap_or_default(),
            items,
            Room {
                max: self.limits.max_result,
                account: Arc::clone(&self.origin.connection.memory),
            },
            self.current(),
            place,
            self.origin.caller_id().to_string(),
        );
        opening.start = start;
        let mut reply = self.answer(Ok(&opening.id));
        if let Ok(output) = &mut reply.0 {
            output.stream = Some(Box::new(opening));
        }
        reply
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("method", &self.method())
            .field("id", &self.id())
            .finish_non_exhaustive()
    }
}

/// The reply to one call: the JSON text of its result, or an error.
pub struct Reply(pub(crate) Result<Output, ErrorObject>);

/// A result at the end of a buffer; what stands before it is the call's envelope.
#[derive(Default)]
pub(crate) struct Output {
    pub(crate) payload: Payload,
    pub(crate) start: usize,
    /// What follows the answer.
    pub(crate) stream: Option<Box<Opening>>,
}

impl Output {
    pub(crate) fn result(&self) -> &[u8] {
        self.payload.text.get(self.start..).unwrap_or_default()
    }
}

impl Reply {
    /// Creates a reply with this result, for a layer that answers a call itself. If the result
    /// cannot be serialized, the reply is error −32603.
    pub fn ok<T: Serialize + ?Sized>(result: &T) -> Self {
        match json_vec(result) {
            Ok(text) => Self(Ok(Output {
                payload: text.into(),
                ..Output::default()
            })),
            Err(error) => Self::error(internal_error(&error)),
        }
    }

    /// Creates a reply with this error.
    pub fn error(error: impl Into<ErrorObject>) -> Self {
        Self(Err(error.into()))
    }

    /// The JSON text of the result; empty for a notification.
    ///
    /// # Errors
    ///
    /// The error that the reply contains instead.
    pub fn result(&self) -> Result<&str, &ErrorObject> {
        let output = self.0.as_ref()?;
        Ok(std::str::from_utf8(output.result()).unwrap_or_default())
    }
}

impl Clone for Reply {
    /// Copies only the result or error, so that a copy may be the reply to another call. If the
    /// reply opens a subscription, its stream stays with the original.
    fn clone(&self) -> Self {
        Self(match &self.0 {
            Ok(output) => Ok(Output {
                payload: output.result().to_vec().into(),
                ..Output::default()
            }),
            Err(error) => Err(error.clone()),
        })
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Reply").field(&self.result()).finish()
    }
}
