//! HTTP request of a call: text, headers, deadline.

use std::pin::pin;
use std::time::Duration;

use antiphon_proto::Id;
use antiphon_proto::id::MAX_ID_LEN;
use antiphon_proto::message::{self, Extras};
use bytes::Bytes;
use tokio::time::{Instant, timeout_at};

use super::call_options::Encoding;
use super::connect::is_connect;
use super::error::{Error, Reason};
use super::late::Late;
use super::prepared_request::{Addressee, PreparedRequest};
use super::response::Answer;
use super::sent_mark::SentMark;
use super::shared::Shared;
use super::token::{Grant, TokenFault, Tokens};
use super::transport::Http;
use crate::current_call::CurrentCall;
use crate::identity::Identity;
use crate::router::BoxError;

/// Room for what a request has beside its parts: the names of members, the version, a timeout.
const ENVELOPE: usize = 128;

/// One HTTP request.
pub(super) struct Outgoing<'a> {
    /// Its name in errors.
    pub(super) subject: &'a str,
    /// Where a broker takes it; `None` for a batch.
    pub(super) addressee: Option<Addressee<'a>>,
    pub(super) text: Bytes,
    /// The timeout; the deadline of the running call may be earlier.
    pub(super) timeout: Option<Duration>,
    /// The running call in which this one was created, if any.
    pub(super) current: CurrentCall,
    /// The most bytes in the response.
    pub(super) max: usize,
}

/// The deadline of a call that starts now, and the running call that it belongs to.
pub(super) fn deadline_of(
    started: Instant,
    timeout: Option<Duration>,
    current: CurrentCall,
) -> (Option<Instant>, CurrentCall) {
    // A call created outside of any running call belongs to the one that awaits it.
    let current = match current.is_none() {
        true => CurrentCall::get(),
        false => current,
    };
    let own = timeout.and_then(|own| started.checked_add(own));
    (own.into_iter().chain(current.deadline).min(), current)
}

/// What all attempts to send one request have in common.
struct Attempts<'a> {
    subject: &'a str,
    addressee: Option<Addressee<'a>>,
    started: Instant,
    deadline: Option<Instant>,
    current: CurrentCall,
    identity: Option<Identity>,
    max: usize,
}

impl Shared {
    /// Sends a request and reads the response, within the deadline.
    pub(super) async fn post(&self, http: &Http, outgoing: Outgoing<'_>) -> Result<Answer, Error> {
        let started = Instant::now();
        let (deadline, current) = deadline_of(started, outgoing.timeout, outgoing.current);
        let identity = http.identity.of(outgoing.subject, &current)?;
        let attempts = Attempts {
            subject: outgoing.subject,
            addressee: outgoing.addressee,
            started,
            deadline,
            current,
            identity,
            max: outgoing.max,
        };
        let text = outgoing.text;
        match &http.tokens {
            None => self.attempt(http, &attempts, text, None, started).await,
            // In a box, so that calls without a token are not larger.
            Some(tokens) => Box::pin(self.post_with(tokens, http, &attempts, text)).await,
        }
    }

    /// Sends a request with a token. If the server does not accept it, nothing has run, and the
    /// request is sent once more with another token, if there is one.
    async fn post_with(
        &self,
        tokens: &Tokens,
        http: &Http,
        attempts: &Attempts<'_>,
        text: Bytes,
    ) -> Result<Answer, Error> {
        let grant = attempts.token(tokens.current()).await?;
        let now = Instant::now();
        let attempt = self.attempt(http, attempts, text.clone(), Some(&grant), now);
        let answer = attempt.await?;
        if !answer.is_unauthenticated() {
            return Ok(answer);
        }
        match attempts.token(tokens.after(grant.number)).await? {
            Some(newer) => {
                let now = Instant::now();
                self.attempt(http, attempts, text, Some(&newer), now).await
            }
            None => Ok(answer),
        }
    }

    async fn attempt(
        &self,
        http: &Http,
        attempts: &Attempts<'_>,
        text: Bytes,
        grant: Option<&Grant>,
        now: Instant,
    ) -> Result<Answer, Error> {
        let mark = SentMark::default();
        let sending = pin!(async {
            // The semaphore is never closed; waiting for a permit is bounded by the deadline.
            let (_permit, now) = match http.places.try_acquire() {
                Ok(permit) => (Ok(permit), now),
                Err(_) => (http.places.acquire().await, Instant::now()),
            };
            // A future is polled once more when its time is over, and may have got a permit just then.
            Late::check(attempts.deadline, now)?;
            let left = attempts.deadline.map(|deadline| {
                let left = deadline.saturating_duration_since(now).as_millis();
                u64::try_from(left).unwrap_or(u64::MAX).max(1)
            });
            let request = PreparedRequest {
                common: &http.headers,
                addressee: attempts.addressee,
                identity: attempts.identity.as_ref(),
                authorization: grant.map(|grant| &grant.header),
                timeout: left,
                deadline: attempts.deadline,
                current: &attempts.current,
                text,
                mark: &mark,
            };
            http.send(&request, attempts.max, now).await
        });
        let outcome = attempts.within(sending).await;
        // Of a request that was not sent in part either, and is not sent later, nothing can run.
        let failed = |reason| match mark.retract() {
            true => Error::not_sent(attempts.subject, reason),
            false => Error::unknown(attempts.subject, reason),
        };
        match outcome {
            Ok(Ok(received)) => Ok(Answer::new(received, attempts.started)),
            Ok(Err(error)) if error.is::<Late>() => Err(failed(attempts.late())),
            Ok(Err(error)) => Err(failed(self.reason(&error)).because(error)),
            Err(()) => Err(failed(attempts.late())),
        }
    }

    fn reason(&self, error: &BoxError) -> Reason {
        if is_connect(&**error) {
            Reason::Connect(self.place.as_str().into())
        } else {
            Reason::broken(error)
        }
    }

    /// Appends the JSON text of a call, or of a notification if `id` is `None`.
    pub(super) fn write(
        &self,
        out: &mut Vec<u8>,
        id: Option<&Id>,
        method: &str,
        params: Option<&str>,
        extras: Extras<'_>,
    ) {
        let start = out.len();
        let id = id.map(Id::as_str);
        let parts = [
            id,
            Some(method),
            params,
            extras.traceparent,
            extras.tracestate,
        ];
        let length: usize = parts.into_iter().flatten().map(str::len).sum();
        out.reserve(length + ENVELOPE);
        message::write_request_with(out, &self.calls.rules.version, id, method, params, extras);
        if self.calls.encoding == Encoding::Ascii && !out.get(start..).is_none_or(<[u8]>::is_ascii)
        {
            let text = out.split_off(start);
            escape(&text, out);
        }
    }

    /// The id as it is sent, and so as it comes back in the response.
    ///
    /// # Errors
    ///
    /// If it cannot identify a response: null, or longer than servers accept.
    pub(super) fn id(&self, subject: &str, id: Option<Id>) -> Result<Id, Error> {
        let id = id.unwrap_or_else(|| (self.calls.next_id)());
        if id.is_null() {
            return Err(Error::local(subject, "the id null identifies no call"));
        }
        let id = match self.calls.encoding {
            Encoding::Utf8 => Some(id),
            Encoding::Ascii => {
                let mut text = Vec::new();
                escape(id.as_str().as_bytes(), &mut text);
                Id::from_json(&String::from_utf8(text).unwrap_or_default())
            }
        };
        id.filter(|id| id.as_str().len() <= MAX_ID_LEN)
            .ok_or_else(|| Error::local(subject, "the id is too long"))
    }
}

impl Attempts<'_> {
    /// Awaits a future, but not beyond the deadline.
    async fn within<F: Future>(&self, future: F) -> Result<F::Output, ()> {
        match self.deadline {
            None => Ok(future.await),
            // Do not start a call past its deadline: `timeout_at` would poll it once.
            Some(deadline) if deadline <= self.started => Err(()),
            Some(deadline) => timeout_at(deadline, future).await.map_err(|_| ()),
        }
    }

    /// Waits for a token. Without one nothing is sent.
    async fn token<T>(
        &self,
        token: impl Future<Output = Result<T, TokenFault>>,
    ) -> Result<T, Error> {
        match self.within(token).await {
            Ok(token) => {
                token.map_err(|fault| Error::not_sent(self.subject, Reason::Token).because(fault))
            }
            Err(()) => Err(Error::not_sent(self.subject, self.late())),
        }
    }

    fn late(&self) -> Reason {
        let waited = self
            .deadline
            .map(|deadline| deadline.saturating_duration_since(self.started));
        let milliseconds = waited.unwrap_or_default().as_millis();
        Reason::Deadline(Duration::from_millis(
            u64::try_from(milliseconds).unwrap_or(u64::MAX),
        ))
    }
}

/// Writes JSON text with everything beyond ASCII escaped as `\uXXXX`. In valid JSON, such
/// characters occur only inside strings.
fn escape(text: &[u8], out: &mut Vec<u8>) {
    for c in String::from_utf8_lossy(text).chars() {
        if let Ok(plain) = u8::try_from(c)
            && plain.is_ascii()
        {
            out.push(plain);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            out.extend_from_slice(format!("\\u{unit:04x}").as_bytes());
        }
    }
}
