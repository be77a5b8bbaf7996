//! Request to subscribe: sent once, and again after an outage.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use antiphon_proto::ErrorCode;
use tokio::time::{sleep, timeout};

use super::super::balance::{Attempt, Balancer, Told};
use super::super::broker_sessions::MethodSession;
use super::super::error::{Error, ErrorKind, Reason};
use super::super::session::{Sending, SessionExchange};
use super::super::session_source::SessionSource;
use super::super::shared::Shared;
use super::super::transport::ClientTransport;
use crate::current_call::CurrentCall;
use crate::session_state::{Inbox, InboxSender, NewCall, SessionHandle, is_id};
use crate::topic::Cursor;

/// How long a client waits for the end of a connection whose server has said that it stops, if it has too
/// many of those to open another one. A server closes it when the calls on it have ended.
const STOPPING: Duration = Duration::from_secs(60);

/// How often in a row a server may refuse to open a subscription again because it has too much to do.
const MAX_REFUSALS: u32 = 10;

/// The longest pause that such a server may ask for.
const MAX_PAUSE: Duration = Duration::from_secs(60);

/// A request to subscribe, kept for subscribing again.
#[derive(Clone)]
pub(super) struct Request {
    pub(super) shared: Arc<Shared>,
    pub(super) method: String,
    pub(super) params: Result<Option<String>, String>,
    pub(super) unsubscribe: String,
    pub(super) buffer: usize,
    /// The place behind which it begins.
    pub(super) after: Option<Cursor>,
    pub(super) timeout: Option<Duration>,
    pub(super) current: CurrentCall,
}

/// A subscription that the server has accepted.
pub(super) struct Open {
    pub(super) handle: SessionHandle,
    /// The JSON text of its id.
    pub(super) id: Box<str>,
    pub(super) inbox: Inbox,
    /// The expected sequence number of the next item.
    pub(super) next: u64,
    /// Whether it begins behind a cursor, and nothing has come yet that says whether it does.
    pub(super) resumes: bool,
    /// Whether an item has come.
    pub(super) progressed: bool,
    pub(super) over: bool,
    /// The session, if it is there for this method only.
    pub(super) _session: Option<Arc<SessionSource>>,
}

impl Drop for Open {
    fn drop(&mut self) {
        if !self.over {
            self.handle.forget(&self.id, &self.inbox.key());
        }
    }
}

impl Request {
    fn subject(&self) -> String {
        format!("`{}`", self.method)
    }

    fn source(&self) -> Result<MethodSession<'_>, Error> {
        let transport = &self.shared.transport;
        let session = transport.session_of(&self.method, &self.current)?;
        session.ok_or_else(|| match transport {
            ClientTransport::Balanced(_) => Error::nested(&self.subject()),
            _ => Error::needs_session(&self.subject()),
        })
    }

    pub(super) async fn open(self) -> Result<Open, Error> {
        match &self.shared.transport {
            ClientTransport::Balanced(balancer) => Box::pin(self.open_on_some(balancer)).await,
            _ => self.clone().open_here().await,
        }
    }

    /// Subscribes on one of several upstreams.
    async fn open_on_some(&self, balancer: &Balancer) -> Result<Open, Error> {
        let subject = self.subject();
        let attempt = Attempt {
            subject: &subject,
            timeout: self.timeout,
            current: self.current.clone(),
            idempotent: true,
            streams: true,
        };
        let open = |shared, timeout| {
            let request = Self {
                shared,
                timeout,
                ..self.clone()
            };
            request.open_here()
        };
        let opened = self
            .shared
            .with_upstream(balancer, attempt, open, |_| Told::Nothing);
        opened.await
    }

    /// Subscribes again on one of several upstreams, for as long as none can be reached.
    async fn reopen_on_some(&self, balancer: &Balancer) -> Result<Open, Error> {
        let (mut attempt, mut refusals) = (0, 0);
        loop {
            let error = match self.open_on_some(balancer).await {
                Ok(open) => return Ok(open),
                Err(error) => error,
            };
            match error.kind() {
                ErrorKind::NotSent | ErrorKind::Unknown => refusals = 0,
                _ if is_passing(&error) && refusals < MAX_REFUSALS => refusals += 1,
                _ => return Err(error),
            }
            let asked = error.retry_after().unwrap_or_default().min(MAX_PAUSE);
            sleep(balancer.pause(attempt).max(asked)).await;
            attempt = attempt.saturating_add(1);
        }
    }

    async fn open_here(self) -> Result<Open, Error> {
        let source = self.source()?;
        let subject = self.subject();
        let params = self.params.as_ref();
        let params = params.map_err(|fault| Error::local(&subject, fault.clone()))?;
        let inbox = Mutex::new(None);
        let sending = Sending {
            subject: &subject,
            method: &self.method,
            params: params.as_deref(),
            after: self.after.as_ref().map(Cursor::as_str),
            // To go on from there, if the connection breaks before an item has come.
            asks_start: source.reconnects() && source.tells_deadlines(),
            timeout: self.timeout,
            current: self.current.clone(),
            // Safe to retry: a lost connection ends its subscriptions.
            idempotent: true,
        };
        let call = || {
            let (sender, receiver) = InboxSender::new(self.buffer, &self.unsubscribe);
            *inbox.lock().unwrap_or_else(PoisonError::into_inner) = Some(receiver);
            NewCall {
                opens: Some(sender),
                ..self.shared.new_call()
            }
        };
        let (outcome, handle) = self.shared.call_over(&source, sending, call).await?;
        let id = outcome.map_err(|error| Error::refused(&subject, error))?;
        match inbox.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(inbox) if is_id(id.as_str()) => Ok(Open {
                handle,
                id: id.as_str().into(),
                inbox,
                next: 1,
                resumes: self.after.is_some(),
                progressed: false,
                over: false,
                _session: source.keep(),
            }),
            _ => {
                let fault = "the result is no id of a subscription";
                Err(Error::unknown(&subject, Reason::Answer(fault.into())))
            }
        }
    }

    /// Subscribes again, after an outage of any length. `stopping` is the connection whose server has
    /// said that it stops: on that one there is nothing to be had any more.
    pub(super) async fn reopen(self, stopping: Option<SessionHandle>) -> Result<Open, Error> {
        if let ClientTransport::Balanced(balancer) = &self.shared.transport {
            if let Some(handle) = &stopping {
                self.shared.retire(handle);
            }
            // Another one may be there at once.
            return self.reopen_on_some(balancer).await;
        }
        let source = self.source()?;
        if let Some(handle) = stopping.filter(|handle| !source.retire(handle)) {
            let _ = timeout(STOPPING, source.until_over(&handle)).await;
        }
        let subject = self.subject();
        let mut refusals = 0;
        loop {
            // The timeout is that of the call, which begins when there is a connection.
            let mut exchange = SessionExchange::new(&subject, &source, None, self.current.clone());
            let handle = exchange.handle(0).await?;
            let error = match self.clone().open().await {
                Ok(open) => return Ok(open),
                Err(error) => error,
            };
            let is_late = matches!(error.reason(), Some(Reason::Deadline(_)));
            if is_late && handle.end().is_some() {
                // That connection was lost as well.
                continue;
            }
            let is_passing = is_late || is_passing(&error);
            let pause = source.pause(refusals);
            let Some(pause) = pause.filter(|_| is_passing && refusals < MAX_REFUSALS) else {
                return Err(error);
            };
            refusals += 1;
            let asked = error.retry_after().unwrap_or_default().min(MAX_PAUSE);
            sleep(pause.max(asked)).await;
        }
    }
}

/// Whether a server refuses because of what goes on there, as one does that has just started.
fn is_passing(error: &Error) -> bool {
    matches!(
        error.code(),
        Some(ErrorCode::OVERLOADED | ErrorCode::LIMIT_EXCEEDED | ErrorCode::TIMEOUT)
    )
}
