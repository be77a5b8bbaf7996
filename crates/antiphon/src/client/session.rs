//! Calls over a session: deadline, retry, and response.

use std::borrow::Cow;
use std::future::poll_fn;
use std::time::Duration;

use antiphon_proto::message::Extras;
use antiphon_proto::{ErrorCode, ErrorObject, RawJson};
use tokio::time::{Instant, timeout_at};

use super::driver::SessionError;
use super::error::{Error, Reason};
use super::request::deadline_of;
use super::session_authentication::AuthenticationFault;
use super::session_source::SessionSource;
use super::shared::Shared;
use crate::current_call::CurrentCall;
use crate::identity::Principal;
use crate::session_state::{CallEnd, End, NewCall, Refused, SessionHandle, Waiting};

/// A call or a notification that is about to be sent.
pub(super) struct Sending<'a> {
    /// Its name in errors.
    pub(super) subject: &'a str,
    pub(super) method: &'a str,
    pub(super) params: Option<&'a str>,
    /// The cursor behind which a subscription is to begin.
    pub(super) after: Option<&'a str>,
    /// Whether it is to say where it begins, if there is none.
    pub(super) asks_start: bool,
    pub(super) timeout: Option<Duration>,
    pub(super) current: CurrentCall,
    /// Whether it may safely run twice.
    pub(super) idempotent: bool,
}

/// One exchange over a session: applies the deadline, and maps failures to errors.
pub(super) struct SessionExchange<'a> {
    subject: &'a str,
    source: &'a SessionSource,
    started: Instant,
    /// When a session was there. The clock is only read again if it had to be waited for.
    ready: Instant,
    deadline: Option<Instant>,
    current: CurrentCall,
}

impl<'a> SessionExchange<'a> {
    pub(super) fn new(
        subject: &'a str,
        source: &'a SessionSource,
        timeout: Option<Duration>,
        current: CurrentCall,
    ) -> Self {
        let started = Instant::now();
        let (deadline, current) = deadline_of(started, timeout, current);
        Self {
            subject,
            source,
            started,
            ready: started,
            deadline,
            current,
        }
    }

    /// Waits for a session with room for this many calls.
    pub(super) async fn handle(&mut self, calls: usize) -> Result<SessionHandle, Error> {
        if self.deadline.is_none_or(|deadline| deadline > self.ready)
            && let Some(handle) = self.source.open_handle()
            && handle.has_place(calls)
        {
            return Ok(handle);
        }
        let waited = self.wait_for_handle(calls).await;
        self.ready = Instant::now();
        waited
    }

    async fn wait_for_handle(&self, calls: usize) -> Result<SessionHandle, Error> {
        let ready = async {
            let handle = self.source.handle().await?;
            poll_fn(|cx| handle.poll_place(calls, cx)).await;
            Ok(handle)
        };
        match self.within(ready).await {
            Ok(Ok(handle)) => Ok(handle),
            Ok(Err(SessionError::Connect(place, cause))) => {
                Err(Error::not_sent(self.subject, Reason::Connect(place)).because(cause))
            }
            Ok(Err(SessionError::Refused(status, text))) => {
                Err(Error::rejected(self.subject, status, text))
            }
            Ok(Err(SessionError::Unauthenticated(fault))) => Err(match fault {
                AuthenticationFault::Token(fault) => {
                    Error::not_sent(self.subject, Reason::Token).because(fault)
                }
                AuthenticationFault::Refused(error) => Error::refused(self.subject, error),
                AuthenticationFault::Unanswered(reason) => {
                    Error::not_sent(self.subject, Reason::Closed(reason))
                }
            }),
            Ok(Err(SessionError::Unserved(error))) => Err(Error::refused(self.subject, error)),
            Ok(Err(SessionError::Over(end))) => Err(self.over(&end)),
            Err(()) => Err(Error::not_sent(self.subject, self.late())),
        }
    }

    /// Replaces the token of a session after a call was refused, and so has not run. If the session
    /// has ended meanwhile, the next one has a token of its own.
    pub(super) async fn renew_token(
        &self,
        handle: &SessionHandle,
        number: u64,
    ) -> Result<(), Error> {
        // In a box, since hardly any call needs it.
        let renewing = Box::pin(self.source.renew_token(handle, number));
        match self.within(renewing).await {
            Ok(Ok(()) | Err(AuthenticationFault::Unanswered(_))) => Ok(()),
            Ok(Err(AuthenticationFault::Refused(error))) => {
                Err(Error::refused(self.subject, error))
            }
            Ok(Err(AuthenticationFault::Token(fault))) => {
                Err(Error::not_sent(self.subject, Reason::Token).because(fault))
            }
            Err(()) => Err(Error::not_sent(self.subject, self.late())),
        }
    }

    /// Awaits a future, but not beyond the deadline.
    pub(super) async fn within<F: Future>(&self, future: F) -> Result<F::Output, ()> {
        match self.deadline {
            None => Ok(future.await),
            Some(deadline) if deadline <= Instant::now() => Err(()),
            Some(deadline) => timeout_at(deadline, future).await.map_err(|_| ()),
        }
    }

    fn late(&self) -> Reason {
        let waited = self
            .deadline
            .map(|at| at.saturating_duration_since(self.started));
        let milliseconds = waited.unwrap_or_default().as_millis();
        Reason::Deadline(Duration::from_millis(
            u64::try_from(milliseconds).unwrap_or(u64::MAX),
        ))
    }

    fn over(&self, end: &End) -> Error {
        Error::not_sent(self.subject, Reason::over(end))
    }

    /// Members of a message beyond the specification.
    pub(super) fn extras(&self) -> Extras<'_> {
        if !self.source.takes_extras() {
            return Extras::default();
        }
        let left = self
            .deadline
            .map(|deadline| deadline.saturating_duration_since(self.ready));
        Extras {
            timeout: left.filter(|_| self.source.tells_deadlines()),
            traceparent: self.current.traceparent.as_deref(),
            tracestate: self.current.tracestate.as_deref(),
            after: None,
            asks_start: false,
        }
    }

    /// The caller of the method that this belongs to. Without one nothing is sent: to send it with the
    /// rights of this program would give them to whoever makes a method lose its caller.
    fn caller(&self) -> Result<Principal, Error> {
        let caller = self.current.caller.clone();
        caller.ok_or_else(|| Error::no_caller(self.subject))
    }

    /// Who a message is sent for, if it is forwarded.
    fn principal(&self) -> Result<Option<Box<Principal>>, Error> {
        match self.source.forwards_identity() {
            true => Ok(Some(Box::new(self.caller()?))),
            false => Ok(None),
        }
    }

    fn refused(&self, refused: Refused) -> Error {
        match refused {
            Refused::Over(end) => self.over(&end),
            Refused::Exhausted => Error::not_sent(self.subject, Reason::NoMemory),
            Refused::Duplicate(id) => {
                let fault = format!("the id {id} is that of a call that still waits");
                Error::local(self.subject, fault)
            }
        }
    }

    /// Posts a message.
    fn post(
        &self,
        handle: &SessionHandle,
        calls: Vec<NewCall>,
        text: Vec<u8>,
    ) -> Result<(Vec<Waiting>, u64), Error> {
        let posted = handle.call(calls, text, self.principal()?);
        posted.map_err(|refused| self.refused(refused))
    }

    /// Posts a single call.
    fn post_one(
        &self,
        handle: &SessionHandle,
        call: NewCall,
        text: Vec<u8>,
    ) -> Result<Waiting, Error> {
        let posted = handle.call_one(call, text, self.principal()?);
        posted.map_err(|refused| self.refused(refused))
    }

    /// Posts a message on a session with room for it. If the session ends meanwhile and the client
    /// reconnects, the next session is used.
    pub(super) async fn send(
        &mut self,
        text: &[u8],
        calls: impl Fn() -> Vec<NewCall>,
    ) -> Result<(SessionHandle, Vec<Waiting>, u64), Error> {
        loop {
            let calls = calls();
            let handle = self.handle(calls.len()).await?;
            match self.post(&handle, calls, text.to_vec()) {
                Err(error) if error.is_closed() && self.source.reconnects() => {}
                posted => return posted.map(|(waiting, serial)| (handle, waiting, serial)),
            }
        }
    }

    /// Waits for the response to a call that was posted.
    pub(super) async fn answer(&self, waiting: Waiting) -> Result<CallEnd, Error> {
        let Some(deadline) = self.deadline else {
            return Ok(waiting.await);
        };
        // `timeout_at` polls first, so a response that has arrived counts even past the deadline.
        let answered = timeout_at(deadline, waiting).await;
        answered.map_err(|_| Error::unknown(self.subject, self.late()))
    }

    /// Waits until a message without a response is written.
    pub(super) async fn written(&self, handle: &SessionHandle, serial: u64) -> Result<(), Error> {
        match self
            .within(poll_fn(|cx| handle.poll_written(serial, cx)))
            .await
        {
            Ok(true) => Ok(()),
            Ok(false) => {
                let reason = handle.end().map(|end| Reason::over(&end));
                let reason = reason.unwrap_or(Reason::Closed(Cow::Borrowed("")));
                Err(Error::unknown(self.subject, reason))
            }
            Err(()) => Err(Error::unknown(self.subject, self.late())),
        }
    }
}

/// Whether the server did not know who called, so that the call has not run.
pub(super) fn is_unauthenticated(end: &CallEnd) -> bool {
    matches!(end, CallEnd::Answered(Err(error), _) if error.code() == ErrorCode::UNAUTHENTICATED)
}

/// Maps the end of a call to its outcome, or to an error.
pub(super) fn outcome(
    subject: &str,
    end: CallEnd,
    max: usize,
) -> Result<Result<RawJson, ErrorObject>, Error> {
    match end {
        CallEnd::Answered(Ok(result), _) if result.as_str().len() > max => {
            Err(Error::unknown(subject, Reason::TooLong(max)))
        }
        CallEnd::Answered(outcome, held) => {
            // From here on it is the caller's own.
            drop(held);
            Ok(outcome)
        }
        CallEnd::Malformed(reason) => Err(Error::unknown(subject, Reason::Answer(reason.into()))),
        CallEnd::Unreadable(error, held) => {
            drop(held);
            Ok(Err(error))
        }
        CallEnd::TooLong(max) => Err(Error::unknown(subject, Reason::TooLong(max))),
        CallEnd::Exhausted => Err(Error::unknown(subject, Reason::NoMemory)),
        CallEnd::Lost { sent, end } => {
            let reason = Reason::over(&end);
            Err(match sent {
                true => Error::unknown(subject, reason),
                false => Error::not_sent(subject, reason),
            })
        }
    }
}

impl Shared {
    /// Makes a call and waits for its response. `call` creates the call for each attempt: a call
    /// that was not sent, or is idempotent, is retried after reconnecting.
    pub(super) async fn call_over(
        &self,
        source: &SessionSource,
        sending: Sending<'_>,
        call: impl Fn() -> NewCall,
    ) -> Result<(Result<RawJson, ErrorObject>, SessionHandle), Error> {
        let subject = sending.subject;
        let mut exchange = SessionExchange::new(subject, source, sending.timeout, sending.current);
        let mut is_renewed = false;
        let mut is_first = true;
        loop {
            if !std::mem::take(&mut is_first) {
                exchange.ready = Instant::now();
            }
            let handle = exchange.handle(1).await?;
            let token = source.token_number();
            let call = call();
            let mut text = Vec::new();
            let extras = Extras {
                after: sending.after,
                asks_start: sending.asks_start,
                ..exchange.extras()
            };
            let id = Some(&call.id);
            self.write(&mut text, id, sending.method, sending.params, extras);
            let waiting = match exchange.post_one(&handle, call, text) {
                Err(error) if error.is_closed() && source.reconnects() => continue,
                posted => posted?,
            };
            let end = exchange.answer(waiting).await?;
            if let Some(token) = token
                && !is_renewed
                && is_unauthenticated(&end)
            {
                exchange.renew_token(&handle, token).await?;
                is_renewed = true;
                continue;
            }
            let again = match &end {
                CallEnd::Lost { sent, .. } => source.reconnects() && (!sent || sending.idempotent),
                _ => false,
            };
            if !again {
                return Ok((outcome(subject, end, self.calls.max_response)?, handle));
            }
        }
    }

    /// Sends a notification and waits until it is written.
    pub(super) async fn notify_over(
        &self,
        source: &SessionSource,
        sending: Sending<'_>,
    ) -> Result<(), Error> {
        let mut exchange =
            SessionExchange::new(sending.subject, source, sending.timeout, sending.current);
        let mut text = Vec::new();
        let extras = Extras {
            timeout: None,
            ..exchange.extras()
        };
        self.write(&mut text, None, sending.method, sending.params, extras);
        let (handle, _, serial) = exchange.send(&text, Vec::new).await?;
        exchange.written(&handle, serial).await
    }
}
