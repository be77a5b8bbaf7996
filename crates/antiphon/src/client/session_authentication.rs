//! Authentication of a session: its token goes into the handshake of a WebSocket, or into
//! `rpc.authenticate`, and is renewed as long as the session lives.

use std::borrow::Cow;
use std::fmt;
use std::future::{pending, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use antiphon_proto::message::{Extras, write_request_with};
use antiphon_proto::{ErrorCode, ErrorObject, Id, Printable};
use http::StatusCode;
use tokio::sync::Mutex;
use tokio::time::{sleep, sleep_until, timeout};

use super::connect::refusal;
use super::session_connector::{ConnectedSession, SessionConnector};
use super::token::{Grant, TokenFault, Tokens};
use crate::router::BoxError;
use crate::session_state::{CallEnd, End, NewCall, SessionHandle};

/// The server's method.
const METHOD: &str = "rpc.authenticate";

/// How long the server may take to check a token.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The shortest pauses between two renewals, after one that was successful and one that was not.
const PAUSE: Duration = Duration::from_secs(1);
const PAUSE_AFTER_FAULT: Duration = Duration::from_secs(5);

/// What a client needs to authenticate its sessions.
pub(super) struct SessionAuthentication {
    tokens: Tokens,
    /// The member `jsonrpc` of requests.
    version: String,
    /// How many tokens were sent in calls.
    told: AtomicU64,
    /// Locked while a token is told on a session that lives, so there is one at a time.
    standing: Mutex<Standing>,
    /// The number of the token that the server was told last.
    number: AtomicU64,
}

/// The token that the server was told last, and why it was refused, if it was.
#[derive(Default)]
struct Standing {
    grant: Option<Arc<Grant>>,
    refused: Option<ErrorObject>,
}

/// Why a session is not authenticated.
#[derive(Clone, Debug)]
pub(super) enum AuthenticationFault {
    /// There is no token.
    Token(TokenFault),
    /// The server has answered with an error.
    Refused(ErrorObject),
    /// The server has not answered.
    Unanswered(Cow<'static, str>),
}

impl fmt::Display for AuthenticationFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token(fault) => write!(f, "there is no token: {fault}"),
            Self::Refused(error) => write!(f, "the server has refused the token: {error}"),
            Self::Unanswered(reason) => write!(f, "the server has not checked the token: {reason}"),
        }
    }
}

impl std::error::Error for AuthenticationFault {}

impl From<TokenFault> for AuthenticationFault {
    fn from(fault: TokenFault) -> Self {
        Self::Token(fault)
    }
}

/// Whether connecting has failed because the server does not accept the token. To try again with
/// the same one is useless, and looks like guessing.
pub(super) fn is_refused(error: &BoxError) -> bool {
    match error.downcast_ref() {
        // Neither of these has looked at the token.
        Some(AuthenticationFault::Refused(error)) => !matches!(
            error.code(),
            ErrorCode::OVERLOADED | ErrorCode::LIMIT_EXCEEDED
        ),
        Some(_) => false,
        None => is_unauthorized(error),
    }
}

fn is_unauthorized(error: &BoxError) -> bool {
    refusal(error).is_some_and(|(status, _)| status == StatusCode::UNAUTHORIZED)
}

impl SessionAuthentication {
    pub(super) fn new(tokens: Tokens, version: &str) -> Self {
        Self {
            tokens,
            version: version.to_owned(),
            told: AtomicU64::new(0),
            standing: Mutex::default(),
            number: AtomicU64::new(0),
        }
    }

    /// How many messages with tokens were sent so far.
    pub(super) fn told(&self) -> u64 {
        self.told.load(Ordering::Relaxed)
    }

    /// The number of the token that calls have now, if a refused one can be replaced.
    pub(super) fn number(&self) -> Option<u64> {
        let number = || self.number.load(Ordering::Acquire);
        self.tokens.are_renewed().then(number)
    }

    /// Connects and authenticates. A token that is refused is replaced once.
    ///
    /// # Errors
    ///
    /// As of connecting, or an [`AuthenticationFault`].
    pub(super) async fn open(
        &self,
        connector: &SessionConnector,
    ) -> Result<ConnectedSession, BoxError> {
        let grant = self.tokens.current().await;
        let grant = grant.map_err(AuthenticationFault::from)?;
        let (connected, grant) = match connector.has_handshake() {
            true => self.open_by_handshake(connector, grant).await?,
            false => {
                let mut connected = connector.connect(None).await?;
                let telling = self.tell_or_renew(&connected.handle, grant);
                let grant = beside(&mut connected.session, telling).await??;
                (connected, grant)
            }
        };
        self.stand(&mut *self.standing.lock().await, grant, None);
        Ok(connected)
    }

    async fn open_by_handshake(
        &self,
        connector: &SessionConnector,
        grant: Arc<Grant>,
    ) -> Result<(ConnectedSession, Arc<Grant>), BoxError> {
        match connector.connect(Some(&grant.header)).await {
            Err(error) if is_unauthorized(&error) => {
                let newer = self.tokens.after(grant.number).await;
                let Some(newer) = newer.map_err(AuthenticationFault::from)? else {
                    return Err(error);
                };
                let connected = connector.connect(Some(&newer.header)).await?;
                Ok((connected, newer))
            }
            connected => Ok((connected?, grant)),
        }
    }

    /// Tells the server a token, and another one if that is refused.
    async fn tell_or_renew(
        &self,
        handle: &SessionHandle,
        grant: Arc<Grant>,
    ) -> Result<Arc<Grant>, AuthenticationFault> {
        match self.tell(handle, &grant).await {
            Err(AuthenticationFault::Refused(error))
                if error.code() == ErrorCode::UNAUTHENTICATED =>
            {
                let Some(newer) = self.tokens.after(grant.number).await? else {
                    return Err(AuthenticationFault::Refused(error));
                };
                self.tell(handle, &newer).await.map(|()| newer)
            }
            told => told.map(|()| grant),
        }
    }

    /// Calls `rpc.authenticate`. A server without this method needs no token.
    async fn tell(&self, handle: &SessionHandle, grant: &Grant) -> Result<(), AuthenticationFault> {
        let unanswered = |reason: &'static str| AuthenticationFault::Unanswered(reason.into());
        let serial = self.told.fetch_add(1, Ordering::Relaxed);
        let id = Id::from(format!("antiphon-authenticate-{serial}"));
        let params = serde_json::to_string(&[grant.text()]);
        let params = params.map_err(|_| unanswered("it cannot be written"))?;
        let mut text = Vec::with_capacity(params.len() + 128);
        let extras = Extras::default();
        let (version, id_text) = (&self.version, Some(id.as_str()));
        write_request_with(&mut text, version, id_text, METHOD, Some(&params), extras);
        let posted = handle.call(vec![NewCall::from(id.clone())], text, None);
        let waiting = posted.ok().and_then(|(mut waiting, _)| waiting.pop());
        let waiting = waiting.ok_or_else(|| unanswered("the connection has ended"))?;
        match timeout(TIMEOUT, waiting).await {
            Ok(CallEnd::Answered(Ok(_), _)) => Ok(()),
            Ok(CallEnd::Answered(Err(error), _)) if error.code() == ErrorCode::METHOD_NOT_FOUND => {
                tracing::debug!("the server asks for no token");
                Ok(())
            }
            Ok(CallEnd::Answered(Err(error), _) | CallEnd::Unreadable(error, _)) => {
                Err(AuthenticationFault::Refused(error))
            }
            Ok(CallEnd::Lost { end, .. }) => Err(ended(&end)),
            Ok(_) => Err(unanswered("what came is no answer to it")),
            Err(_) => Err(unanswered("no answer within 10 s")),
        }
    }

    /// Replaces a token that the server does not accept any more, or soon will not. All who ask for
    /// this at once share one new token, and how it is received.
    pub(super) async fn renew(
        &self,
        handle: &SessionHandle,
        number: u64,
    ) -> Result<(), AuthenticationFault> {
        let Some(grant) = self.tokens.after(number).await? else {
            let error = ErrorObject::of(ErrorCode::UNAUTHENTICATED);
            return Err(AuthenticationFault::Refused(error));
        };
        let mut standing = self.standing.lock().await;
        if self.number.load(Ordering::Acquire) >= grant.number {
            let refused = standing.refused.clone();
            return refused.map_or(Ok(()), |error| Err(AuthenticationFault::Refused(error)));
        }
        let refused = match self.tell(handle, &grant).await {
            Err(AuthenticationFault::Refused(error)) => Some(error),
            told => {
                told?;
                None
            }
        };
        self.stand(&mut standing, grant, refused.clone());
        refused.map_or(Ok(()), |error| Err(AuthenticationFault::Refused(error)))
    }

    fn stand(&self, standing: &mut Standing, grant: Arc<Grant>, refused: Option<ErrorObject>) {
        self.number.store(grant.number, Ordering::Release);
        *standing = Standing {
            grant: Some(grant),
            refused,
        };
    }

    /// Drives a session to its end, and renews its token meanwhile, as long as it is the one in use.
    pub(super) async fn accompany(
        &self,
        session: &mut Pin<Box<dyn Future<Output = Arc<End>> + Send>>,
        handle: &SessionHandle,
        is_current: impl Fn() -> bool,
    ) -> Arc<End> {
        let mut keeping = pin!(self.keep(handle, is_current));
        poll_fn(|cx| {
            if let Poll::Ready(end) = session.as_mut().poll(cx) {
                return Poll::Ready(end);
            }
            // This never ends.
            let _ = keeping.as_mut().poll(cx);
            Poll::Pending
        })
        .await
    }

    async fn keep(&self, handle: &SessionHandle, is_current: impl Fn() -> bool) {
        loop {
            let grant = self.standing.lock().await.grant.clone();
            let Some((grant, old_at)) =
                grant.and_then(|grant| Some((grant.clone(), grant.old_at()?)))
            else {
                return pending().await;
            };
            if !self.tokens.are_renewed() {
                return pending().await;
            }
            sleep_until(old_at).await;
            if !is_current() {
                // The token is told on another one.
                return pending().await;
            }
            let pause = match self.renew(handle, grant.number).await {
                Ok(()) => PAUSE,
                Err(fault) => {
                    tracing::warn!(
                        "the token of a session cannot be renewed: {}",
                        Printable(&fault)
                    );
                    PAUSE_AFTER_FAULT
                }
            };
            sleep(pause).await;
        }
    }
}

fn ended(end: &End) -> AuthenticationFault {
    AuthenticationFault::Unanswered(format!("the connection has ended: {}", end.reason).into())
}

/// Does some work on a session while driving it.
async fn beside<T>(
    session: &mut Pin<Box<dyn Future<Output = Arc<End>> + Send>>,
    work: impl Future<Output = T>,
) -> Result<T, AuthenticationFault> {
    let mut work = pin!(work);
    poll_fn(|cx| {
        if let Poll::Ready(end) = session.as_mut().poll(cx) {
            return Poll::Ready(Err(ended(&end)));
        }
        work.as_mut().poll(cx).map(Ok)
    })
    .await
}
