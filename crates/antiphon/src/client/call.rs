//! A single call: parameters, options, result.

use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use antiphon_proto::message::Extras;
use antiphon_proto::{ErrorObject, Id, RawJson};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::balance::{Attempt, Balancer, Told};
use super::error::Error;
use super::prepared_request::Addressee;
use super::request::Outgoing;
use super::response::{Answer, Says};
use super::session::Sending;
use super::session_source::SessionSource;
use super::shared::{QuotedName, Shared};
use super::transport::{ClientTransport, Http};
use crate::current_call::CurrentCall;
use crate::session_state::{NewCall, Progress};

/// A call that is sent when it is awaited. Its methods set options of this call.
///
/// ```no_run
/// # async fn example(client: antiphon::client::Client) -> Result<(), antiphon::client::Error> {
/// use std::time::Duration;
///
/// let call = client.call::<f64>("calc.add", (3, 4));
/// let sum = call.timeout(Duration::from_secs(1)).idempotent().await?;
/// # Ok(())
/// # }
/// ```
#[must_use = "a call is sent when it is awaited"]
pub struct PendingCall<R> {
    prepared: Prepared,
    id: Option<Id>,
    result: PhantomData<fn() -> R>,
}

/// A request without its id.
struct Prepared {
    shared: Arc<Shared>,
    method: QuotedName,
    params: Result<Option<String>, String>,
    timeout: Option<Duration>,
    idempotent: bool,
    progress: Option<Progress>,
    /// Captured when the call is created, so that a call created in a method and awaited elsewhere
    /// still belongs to that method.
    current: CurrentCall,
}

impl<R: DeserializeOwned> PendingCall<R> {
    pub(super) fn new(
        shared: Arc<Shared>,
        method: QuotedName,
        params: Result<Option<String>, String>,
    ) -> Self {
        Self {
            prepared: Prepared::new(shared, method, params),
            id: None,
            result: PhantomData,
        }
    }

    /// Sends this id instead of a generated one. It may be a number or a string.
    ///
    /// The id null and ids of more than 256 bytes are errors; then nothing is sent.
    pub fn id(mut self, id: impl Into<Id>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Sets the timeout of this call instead of the client's; `None` means no timeout.
    ///
    /// A call made in a method of a server is also bound by the deadline of that method's call.
    pub fn timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.prepared.timeout = timeout.into();
        self
    }

    /// Declares that the call may safely run twice. A client that reconnects retries it if the
    /// connection was lost before the response arrived.
    pub fn idempotent(mut self) -> Self {
        self.prepared.idempotent = true;
        self
    }

    /// Sets a callback for the progress that the method reports while the call is pending; see
    /// [`Context::progress`](crate::Context::progress). It needs a session, and must not block.
    /// Values that cannot be decoded as `P` are skipped.
    pub fn on_progress<P: DeserializeOwned>(
        mut self,
        tell: impl Fn(P) + Send + Sync + 'static,
    ) -> Self {
        self.prepared.progress = Some(Arc::new(move |value: RawJson| {
            if let Ok(value) = value.decode() {
                tell(value);
            }
        }));
        self
    }

    /// Makes the call return the text of its result.
    pub(super) fn raw(self) -> CallFuture<RawJson> {
        self.prepared.send(Some(self.id), CallOutcome::raw)
    }

    /// Makes the call return the whole HTTP response, even if that holds an error.
    ///
    /// # Errors
    ///
    /// Awaiting it fails only if there was no HTTP response.
    pub fn full(self) -> CallFuture<FullResponse<R>> {
        self.prepared.send(Some(self.id), CallOutcome::full)
    }
}

impl<R: DeserializeOwned> IntoFuture for PendingCall<R> {
    type Output = Result<R, Error>;
    type IntoFuture = CallFuture<R>;

    fn into_future(self) -> CallFuture<R> {
        self.prepared.send(Some(self.id), CallOutcome::result)
    }
}

/// Sends a notification.
pub(super) fn notify(
    shared: Arc<Shared>,
    method: QuotedName,
    params: Result<Option<String>, String>,
) -> CallFuture<()> {
    Prepared::new(shared, method, params).send(None, CallOutcome::nothing)
}

impl Prepared {
    fn new(
        shared: Arc<Shared>,
        method: QuotedName,
        params: Result<Option<String>, String>,
    ) -> Self {
        Self {
            timeout: shared.calls.timeout,
            shared,
            method,
            params,
            idempotent: false,
            progress: None,
            current: CurrentCall::get(),
        }
    }

    /// `id` is `None` for a notification, and `Some(None)` for a generated id.
    fn send<T>(
        self,
        id: Option<Option<Id>>,
        read: fn(CallOutcome) -> Result<T, Error>,
    ) -> CallFuture<T> {
        let future = Box::pin(async move {
            let shared = Arc::clone(&self.shared);
            match &shared.transport {
                // In a box, so that other calls are not larger.
                ClientTransport::Balanced(balancer) => {
                    Box::pin(self.send_to_some(balancer, id)).await
                }
                transport => self.send_over(transport, id).await,
            }
        });
        CallFuture { future, read }
    }

    /// Sends the request over this transport, which is that of one server.
    async fn send_over(
        self,
        transport: &ClientTransport,
        id: Option<Option<Id>>,
    ) -> Result<CallOutcome, Error> {
        match transport {
            ClientTransport::Http(http) if self.progress.is_none() => {
                self.send_http(http, id).await
            }
            ClientTransport::Http(http) => {
                match transport.session_of(self.method.plain(), &self.current)? {
                    Some(session) => self.send_over_session(&session, id).await,
                    None => self.send_http(http, id).await,
                }
            }
            ClientTransport::Session(source) => self.send_over_session(source, id).await,
            ClientTransport::Balanced(_) => Err(Error::nested(self.method.quoted())),
        }
    }

    /// Sends the request to one of several upstreams, and to another one if it may.
    async fn send_to_some(
        self,
        balancer: &Balancer,
        id: Option<Option<Id>>,
    ) -> Result<CallOutcome, Error> {
        let attempt = Attempt {
            subject: self.method.quoted(),
            timeout: self.timeout,
            current: self.current.clone(),
            idempotent: self.idempotent,
            streams: false,
        };
        let send = |upstream: Arc<Shared>, left| {
            let prepared = self.for_upstream(Arc::clone(&upstream), left);
            let id = id.clone();
            async move { prepared.send_over(&upstream.transport, id).await }
        };
        let shared = Arc::clone(&self.shared);
        shared
            .with_upstream(balancer, attempt, send, CallOutcome::told)
            .await
    }

    /// The same request, for one of several upstreams, with this timeout.
    fn for_upstream(&self, shared: Arc<Shared>, timeout: Option<Duration>) -> Self {
        Self {
            shared,
            method: self.method.clone(),
            params: self.params.clone(),
            timeout,
            idempotent: self.idempotent,
            progress: self.progress.clone(),
            current: self.current.clone(),
        }
    }

    /// Sends an HTTP request.
    async fn send_http(self, http: &Http, id: Option<Option<Id>>) -> Result<CallOutcome, Error> {
        let subject = self.method.quoted();
        let id = id.map(|id| self.shared.id(subject, id)).transpose()?;
        let params = self.params.map_err(|fault| Error::local(subject, fault))?;
        let (shared, params) = (&self.shared, params.as_deref());
        let mut text = Vec::new();
        // The timeout and the trace context are in the headers.
        let extras = Extras::default();
        shared.write(&mut text, id.as_ref(), self.method.plain(), params, extras);
        let addressee = Addressee {
            method: self.method.plain(),
            is_answered: id.is_some(),
        };
        let outgoing = Outgoing {
            subject,
            addressee: Some(addressee),
            text: text.into(),
            timeout: self.timeout,
            current: self.current,
            max: shared.calls.max_response,
        };
        let answer = shared.post(http, outgoing).await?;
        Ok(CallOutcome {
            shared: self.shared,
            method: self.method,
            raw: RawOutcome::Http(answer, id),
        })
    }

    /// Sends a message over a session.
    async fn send_over_session(
        self,
        source: &SessionSource,
        id: Option<Option<Id>>,
    ) -> Result<CallOutcome, Error> {
        let started = Instant::now();
        let shared = &self.shared;
        let subject = self.method.quoted();
        let params = self.params.map_err(|fault| Error::local(subject, fault))?;
        let sending = Sending {
            subject,
            method: self.method.plain(),
            params: params.as_deref(),
            after: None,
            asks_start: false,
            timeout: self.timeout,
            current: self.current,
            idempotent: self.idempotent,
        };
        let raw = match id {
            None => {
                shared.notify_over(source, sending).await?;
                RawOutcome::Nothing
            }
            Some(id) => {
                // Checked before anything is sent. A retry sends a caller's own id again.
                let id = id.map(|id| shared.id(subject, Some(id))).transpose()?;
                let call = || NewCall {
                    id: id.clone().unwrap_or_else(|| (shared.calls.next_id)()),
                    opens: None,
                    progress: self.progress.clone(),
                    room: None,
                };
                let (outcome, _) = shared.call_over(source, sending, call).await?;
                RawOutcome::Session(outcome, started)
            }
        };
        Ok(CallOutcome {
            shared: self.shared,
            method: self.method,
            raw,
        })
    }
}

/// A response, with everything needed to read it.
struct CallOutcome {
    shared: Arc<Shared>,
    method: QuotedName,
    raw: RawOutcome,
}

/// The response before it is read.
enum RawOutcome {
    Http(Answer, Option<Id>),
    /// With the time when it was awaited.
    Session(Result<RawJson, ErrorObject>, Instant),
    /// A notification was sent over a session.
    Nothing,
}

impl RawOutcome {
    /// The text of the result.
    fn text(self, subject: &str, shared: &Shared) -> Result<RawJson, Error> {
        match self {
            Self::Http(answer, id) => answer.single(subject, id.as_ref(), &shared.calls.rules),
            Self::Session(outcome, _) => outcome.map_err(|error| Error::refused(subject, error)),
            Self::Nothing => Err(Error::local(subject, "nothing was asked")),
        }
    }
}

impl CallOutcome {
    /// What it says of the attempt at an upstream.
    fn told(&self) -> Told {
        match &self.raw {
            RawOutcome::Http(answer, _) => match answer.says() {
                Says::Nothing => Told::Nothing,
                Says::Error(error) => Told::by(&error),
                Says::Refused => Told::Refused,
                Says::Status(status) => Told::Status(status),
            },
            RawOutcome::Session(Err(error), _) => Told::by(error),
            RawOutcome::Session(Ok(_), _) | RawOutcome::Nothing => Told::Nothing,
        }
    }

    fn result<R: DeserializeOwned>(self) -> Result<R, Error> {
        let subject = self.method.quoted();
        decode(subject, &self.raw.text(subject, &self.shared)?)
    }

    fn raw(self) -> Result<RawJson, Error> {
        self.raw.text(self.method.quoted(), &self.shared)
    }

    fn nothing(self) -> Result<(), Error> {
        match self.raw {
            RawOutcome::Http(answer, _) => {
                answer.nothing(self.method.quoted(), &self.shared.calls.rules)
            }
            RawOutcome::Session(..) | RawOutcome::Nothing => Ok(()),
        }
    }

    fn full<R: DeserializeOwned>(self) -> Result<FullResponse<R>, Error> {
        let (status, headers, elapsed, body) = match &self.raw {
            RawOutcome::Http(answer, _) => (
                answer.status(),
                answer.head.headers.clone(),
                answer.elapsed,
                answer.bytes(),
            ),
            RawOutcome::Session(outcome, started) => {
                let text = match outcome {
                    Ok(result) => result.clone().into(),
                    Err(error) => error.to_json().into(),
                };
                (StatusCode::OK, HeaderMap::new(), started.elapsed(), text)
            }
            RawOutcome::Nothing => {
                return Err(Error::local(self.method.quoted(), "nothing was asked"));
            }
        };
        Ok(FullResponse {
            result: self.result(),
            status,
            headers,
            elapsed,
            body,
        })
    }
}

/// Decodes the result as the requested type.
pub(super) fn decode<R: DeserializeOwned>(subject: &str, raw: &RawJson) -> Result<R, Error> {
    raw.decode()
        .map_err(|error| Error::decode::<R>(subject, error))
}

/// The future of a call or a notification. Dropping it cancels the request.
#[must_use = "futures do nothing unless awaited"]
pub struct CallFuture<T> {
    future: Pin<Box<dyn Future<Output = Result<CallOutcome, Error>> + Send>>,
    /// Separate from `future`, so that the future does not depend on `T`.
    read: fn(CallOutcome) -> Result<T, Error>,
}

impl<T> Future for CallFuture<T> {
    type Output = Result<T, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let outcome = self.future.as_mut().poll(cx);
        outcome.map(|outcome| (self.read)(outcome?))
    }
}

impl<R> fmt::Debug for PendingCall<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingCall")
            .field("method", &self.prepared.method.plain())
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for CallFuture<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallFuture").finish_non_exhaustive()
    }
}

/// A whole HTTP response to a call. Over a session, the status is 200, there are no headers, and
/// the body is the JSON text of the result or error.
///
/// ```no_run
/// # async fn example(client: antiphon::client::Client) -> Result<(), antiphon::client::Error> {
/// let answer = client.call_full::<f64>("calc.add", (3, 4)).await?;
/// println!("{} after {:?}: {:?}", answer.status, answer.elapsed, answer.body);
/// let sum = answer.result?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct FullResponse<R> {
    /// The result, or why there is none.
    pub result: Result<R, Error>,
    /// The HTTP status.
    pub status: StatusCode,
    /// The headers of the HTTP response.
    pub headers: HeaderMap,
    /// The time from awaiting the call to the last byte of the response.
    pub elapsed: Duration,
    /// The raw body; empty if it was incomplete or too long, which is an error in `result`.
    pub body: Bytes,
}
