//! One call: its parameters, its options, its result.

use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use antiphon_proto::{Id, RawJson};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;

use super::Shared;
use super::answer::Answer;
use super::error::Error;
use super::request::Outgoing;
use crate::current::Current;

/// A call that is sent when it is awaited.
#[must_use = "a call is sent when it is awaited"]
pub struct PendingCall<R> {
    prepared: Prepared,
    id: Option<Id>,
    result: PhantomData<fn() -> R>,
}

/// A request to one method, all but its id.
struct Prepared {
    shared: Arc<Shared>,
    method: String,
    params: Result<Option<String>, String>,
    timeout: Option<Duration>,
    /// Taken when the call is made, so that a call made in a method and awaited elsewhere still
    /// belongs to that method.
    current: Current,
}

impl<R: DeserializeOwned> PendingCall<R> {
    pub(super) fn new(
        shared: Arc<Shared>,
        method: String,
        params: Result<Option<String>, String>,
    ) -> Self {
        Self {
            prepared: Prepared::new(shared, method, params),
            id: None,
            result: PhantomData,
        }
    }

    /// Sends this id in place of one of the client's own. It may be a number or a text.
    ///
    /// null identifies no call, and more than 256 bytes are too long: either is an error, and
    /// nothing is sent.
    pub fn id(mut self, id: impl Into<Id>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Allows this call another time than the client's; `None` is for ever.
    ///
    /// It cannot outlast the call of a server's method in which it is made.
    pub fn timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.prepared.timeout = timeout.into();
        self
    }

    /// The same call, which brings the HTTP answer along, also if that holds an error.
    ///
    /// # Errors
    ///
    /// Awaiting it fails only when there was no HTTP answer.
    pub fn full(self) -> CallFuture<Full<R>> {
        self.prepared.send(Some(self.id), Asked::full)
    }
}

impl<R: DeserializeOwned> IntoFuture for PendingCall<R> {
    type Output = Result<R, Error>;
    type IntoFuture = CallFuture<R>;

    fn into_future(self) -> CallFuture<R> {
        self.prepared.send(Some(self.id), Asked::result)
    }
}

/// A notification, from its parameters to its acceptance.
pub(super) fn notify(
    shared: Arc<Shared>,
    method: String,
    params: Result<Option<String>, String>,
) -> CallFuture<()> {
    Prepared::new(shared, method, params).send(None, Asked::nothing)
}

impl Prepared {
    fn new(shared: Arc<Shared>, method: String, params: Result<Option<String>, String>) -> Self {
        Self {
            timeout: shared.timeout,
            shared,
            method,
            params,
            current: Current::get(),
        }
    }

    /// `id`: none for a notification, some none for an id of the client's.
    fn send<T>(self, id: Option<Option<Id>>, read: fn(Asked) -> Result<T, Error>) -> CallFuture<T> {
        let asking = Box::pin(async move {
            let subject = format!("`{}`", self.method);
            let id = id.map(|id| self.shared.id(&subject, id)).transpose()?;
            let params = self.params.map_err(|fault| Error::local(&subject, fault))?;
            let mut text = Vec::new();
            let (shared, params) = (&self.shared, params.as_deref());
            shared.write(&mut text, id.as_ref(), &self.method, params);
            let outgoing = Outgoing {
                subject: &subject,
                text,
                timeout: self.timeout,
                current: self.current,
                max: shared.max_response,
            };
            let answer = shared.post(outgoing).await?;
            Ok(Asked {
                shared: self.shared,
                subject,
                id,
                answer,
            })
        });
        CallFuture { asking, read }
    }
}

/// An answer with all that is needed to read it.
struct Asked {
    shared: Arc<Shared>,
    subject: String,
    id: Option<Id>,
    answer: Answer,
}

impl Asked {
    fn result<R: DeserializeOwned>(self) -> Result<R, Error> {
        let subject = &self.subject;
        let id = self.id.as_ref();
        let raw = self.answer.single(subject, id, &self.shared.version)?;
        decode(subject, &raw)
    }

    fn nothing(self) -> Result<(), Error> {
        self.answer.nothing(&self.subject, &self.shared.version)
    }

    fn full<R: DeserializeOwned>(self) -> Result<Full<R>, Error> {
        let (body, elapsed) = (self.answer.bytes(), self.answer.elapsed);
        let (status, headers) = (self.answer.status(), self.answer.head.headers.clone());
        Ok(Full {
            result: self.result(),
            status,
            headers,
            elapsed,
            body,
        })
    }
}

/// The result as the type that was asked for.
pub(super) fn decode<R: DeserializeOwned>(subject: &str, raw: &RawJson) -> Result<R, Error> {
    raw.decode()
        .map_err(|error| Error::decode::<R>(subject, error))
}

/// The future of a call or a notification. Dropping it closes the request.
#[must_use = "futures do nothing unless awaited"]
pub struct CallFuture<T> {
    asking: Pin<Box<dyn Future<Output = Result<Asked, Error>> + Send>>,
    /// Apart from the asking, so that the future needs nothing of `T`.
    read: fn(Asked) -> Result<T, Error>,
}

impl<T> Future for CallFuture<T> {
    type Output = Result<T, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let asked = self.asking.as_mut().poll(cx);
        asked.map(|asked| (self.read)(asked?))
    }
}

impl<R> fmt::Debug for PendingCall<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingCall")
            .field("method", &self.prepared.method)
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for CallFuture<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallFuture").finish_non_exhaustive()
    }
}

/// An HTTP answer with what it says of the call.
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
pub struct Full<R> {
    /// The result, or why the answer is none.
    pub result: Result<R, Error>,
    /// The HTTP status.
    pub status: StatusCode,
    /// The headers of the HTTP answer.
    pub headers: HeaderMap,
    /// From the moment the call was awaited to the last byte of the answer.
    pub elapsed: Duration,
    /// The body as it came; empty if it broke off or was too long, which `result` tells.
    pub body: Bytes,
}
