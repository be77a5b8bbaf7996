//! Attempts of one call: at one upstream after the other, as long as that is safe.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use antiphon_proto::ErrorObject;
use http::StatusCode;
use tokio::time::Instant;

use super::balancer::Balancer;
use super::health::Verdict;
use crate::client::error::{Error, ErrorKind, Reason};
use crate::client::request::deadline_of;
use crate::client::shared::Shared;
use crate::current_call::CurrentCall;
use crate::error::not_run;

/// How often a call may be sent that may safely run twice.
const MAX_SENT: usize = 3;

/// A timeout tells something of the upstream only after so long: callers choose their timeouts.
const SLOW: Duration = Duration::from_secs(1);

/// What decides how often a call is attempted.
pub(in crate::client) struct Attempt<'a> {
    /// Its name in errors.
    pub(in crate::client) subject: &'a str,
    pub(in crate::client) timeout: Option<Duration>,
    pub(in crate::client) current: CurrentCall,
    /// Whether it may safely run twice.
    pub(in crate::client) idempotent: bool,
    /// Whether it opens a subscription.
    pub(in crate::client) streams: bool,
}

/// What an attempt means for the call: it is over, or may go to another upstream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Next {
    Over,
    /// It has not run.
    Elsewhere,
    /// It has not run, and the connection had ended before: the same upstream may have another one.
    Again,
    /// It may have run, and may do so twice.
    Repeat,
}

/// What a response says of the attempt, beside its result.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::client) enum Told {
    Nothing,
    /// Its HTTP status.
    Status(StatusCode),
    /// The server has refused the request before it was a call.
    Refused,
    /// The call has not run there.
    NotRun {
        /// Whether the server stops.
        stopping: bool,
    },
}

impl Told {
    /// What an error says that a server has answered with.
    pub(in crate::client) fn by(error: &ErrorObject) -> Self {
        not_run(error).map_or(Self::Nothing, |stopping| Self::NotRun { stopping })
    }

    /// What a failure says.
    fn of(error: &Error) -> Self {
        match error.kind() {
            ErrorKind::NotSent | ErrorKind::Rejected { .. } => Self::NotRun { stopping: false },
            ErrorKind::Refused(error) => Self::by(error),
            _ => Self::Nothing,
        }
    }

    fn has_not_run(self) -> bool {
        match self {
            Self::Nothing | Self::Status(_) => false,
            Self::Refused | Self::NotRun { .. } => true,
        }
    }
}

impl Shared {
    /// Sends a call to an upstream, and to another one if it was not sent, or may run twice. All of
    /// that is within its deadline. `told` is what a response says of it.
    pub(in crate::client) async fn with_upstream<T, F>(
        &self,
        balancer: &Balancer,
        attempt: Attempt<'_>,
        send: impl Fn(Arc<Self>, Option<Duration>) -> F,
        told: impl Fn(&T) -> Told,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let started = Instant::now();
        let (deadline, _) = deadline_of(started, attempt.timeout, attempt.current.clone());
        let own = attempt.timeout.and_then(|own| started.checked_add(own));
        let (mut tried, mut sent, mut reconnected) = (Vec::new(), 0, false);
        let mut last = None;
        loop {
            let now = Instant::now();
            let is_late = last.is_some() && deadline.is_some_and(|deadline| deadline <= now);
            let pick = balancer.pick(&tried, attempt.streams).filter(|_| !is_late);
            let found = pick.and_then(|pick| {
                let upstream = self.upstreams.get(pick.index)?;
                Some((pick, upstream))
            });
            let Some((pick, upstream)) = found else {
                let none = || match attempt.streams {
                    true => Error::needs_session(attempt.subject),
                    false => Error::local(attempt.subject, "there is no upstream"),
                };
                return last.unwrap_or_else(|| Err(none()));
            };
            let left = own.map(|own| own.saturating_duration_since(now));
            let mut sending = pin!(send(Arc::clone(upstream), left));
            let outcome = match attempt.idempotent && !attempt.streams {
                true => until_silent(sending.as_mut(), balancer, pick.index)
                    .await
                    .unwrap_or_else(|| {
                        let reason = Reason::Closed("the server does not answer any more".into());
                        Err(Error::unknown(attempt.subject, reason))
                    }),
                false => sending.await,
            };
            let (verdict, next) = match &outcome {
                Ok(response) => of_response(told(response), attempt.idempotent),
                Err(error) => of_error(error, attempt.idempotent, now.elapsed()),
            };
            let next = match next {
                Next::Again if reconnected => Next::Elsewhere,
                next => next,
            };
            let index = pick.index;
            pick.end(match next {
                // A connection that was idle may end at any time.
                Next::Again => Verdict::Nothing,
                _ => verdict,
            });
            let has_not_run = match &outcome {
                Ok(response) => told(response).has_not_run(),
                Err(error) => Told::of(error).has_not_run(),
            };
            let outcome = joined(last, outcome, has_not_run);
            match next {
                Next::Over => return outcome,
                Next::Again => reconnected = true,
                Next::Elsewhere => tried.push(index),
                Next::Repeat => {
                    tried.push(index);
                    sent += 1;
                    if sent >= MAX_SENT {
                        return outcome;
                    }
                }
            }
            last = Some(outcome);
        }
    }
}

/// The outcome of an attempt; `None` if a check finds the upstream silent before, and another one is up.
/// The silent one may have run the call, and will perhaps never say so.
async fn until_silent<F: Future>(
    mut sending: Pin<&mut F>,
    balancer: &Balancer,
    index: usize,
) -> Option<F::Output> {
    let mut silent = pin!(balancer.silent(index));
    poll_fn(|cx| match sending.as_mut().poll(cx) {
        Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
        Poll::Pending => silent.as_mut().poll(cx).map(|()| None),
    })
    .await
}

/// The outcome of two attempts. A call that may have run has that outcome, even if the later attempt has
/// not run.
fn joined<T>(
    earlier: Option<Result<T, Error>>,
    later: Result<T, Error>,
    later_has_not_run: bool,
) -> Result<T, Error> {
    match earlier {
        Some(Err(earlier)) if later_has_not_run && matches!(earlier.kind(), ErrorKind::Unknown) => {
            Err(earlier)
        }
        _ => later,
    }
}

/// What a response means.
fn of_response(told: Told, idempotent: bool) -> (Verdict, Next) {
    match told {
        Told::Refused => (Verdict::Failed, Next::Elsewhere),
        // A proxy may have forwarded it.
        Told::Status(
            StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT,
        ) => {
            let next = if idempotent { Next::Repeat } else { Next::Over };
            (Verdict::Failed, next)
        }
        Told::NotRun { stopping: true } => (Verdict::Down, Next::Elsewhere),
        Told::NotRun { stopping: false } => (Verdict::Well, Next::Elsewhere),
        Told::Nothing | Told::Status(_) => (Verdict::Well, Next::Over),
    }
}

/// What a failure means that has come after so long.
fn of_error(error: &Error, idempotent: bool, waited: Duration) -> (Verdict, Next) {
    let unwell = match error.reason() {
        Some(Reason::Deadline(_)) if waited < SLOW => Verdict::Nothing,
        Some(Reason::Connect(_)) => Verdict::Down,
        Some(
            Reason::Transport
            | Reason::Closed(_)
            | Reason::Misbehaved(_)
            | Reason::Answer(_)
            | Reason::Status
            | Reason::Deadline(_),
        ) => Verdict::Failed,
        _ => Verdict::Nothing,
    };
    let is_late = matches!(error.reason(), Some(Reason::Deadline(_)));
    match error.kind() {
        ErrorKind::NotSent if is_late => (unwell, Next::Over),
        ErrorKind::NotSent => match error.reason() {
            Some(Reason::Closed(_)) => (unwell, Next::Again),
            _ => (unwell, Next::Elsewhere),
        },
        ErrorKind::Unknown => match idempotent && !is_late && unwell != Verdict::Nothing {
            true => (unwell, Next::Repeat),
            false => (unwell, Next::Over),
        },
        // The server has said that nothing has run.
        ErrorKind::Rejected { status, .. } if status == StatusCode::SERVICE_UNAVAILABLE => {
            of_response(Told::Refused, idempotent)
        }
        ErrorKind::Rejected { status, .. } => of_response(Told::Status(status), idempotent),
        ErrorKind::Refused(error) => of_response(Told::by(error), idempotent),
        ErrorKind::Local => (Verdict::Nothing, Next::Over),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{stopping, unavailable};

    #[test]
    fn only_what_has_not_run_or_may_run_twice_goes_elsewhere() {
        let subject = "`m`";
        let connect = || Reason::Connect("a".into());
        let closed = || Reason::Closed("x".into());
        let late = || Reason::Deadline(Duration::ZERO);
        let rejected = |status| Error::rejected(subject, status, String::new());
        for (error, once, twice) in [
            (
                Error::not_sent(subject, connect()),
                Next::Elsewhere,
                Next::Elsewhere,
            ),
            (
                Error::not_sent(subject, Reason::Transport),
                Next::Elsewhere,
                Next::Elsewhere,
            ),
            (Error::not_sent(subject, closed()), Next::Again, Next::Again),
            (Error::not_sent(subject, late()), Next::Over, Next::Over),
            (Error::unknown(subject, closed()), Next::Over, Next::Repeat),
            (
                Error::unknown(subject, Reason::Transport),
                Next::Over,
                Next::Repeat,
            ),
            (
                Error::unknown(subject, Reason::Status),
                Next::Over,
                Next::Repeat,
            ),
            (Error::unknown(subject, late()), Next::Over, Next::Over),
            (
                Error::unknown(subject, Reason::TooLong(1)),
                Next::Over,
                Next::Over,
            ),
            (
                Error::refused(subject, ErrorObject::new(7, "no")),
                Next::Over,
                Next::Over,
            ),
            (
                Error::refused(subject, unavailable(false)),
                Next::Elsewhere,
                Next::Elsewhere,
            ),
            (
                Error::refused(subject, stopping()),
                Next::Elsewhere,
                Next::Elsewhere,
            ),
            (
                Error::refused(subject, unavailable(true)),
                Next::Over,
                Next::Over,
            ),
            (Error::local(subject, "x"), Next::Over, Next::Over),
            (
                rejected(StatusCode::SERVICE_UNAVAILABLE),
                Next::Elsewhere,
                Next::Elsewhere,
            ),
            (rejected(StatusCode::UNAUTHORIZED), Next::Over, Next::Over),
        ] {
            assert_eq!(of_error(&error, false, SLOW).1, once, "{error}");
            assert_eq!(of_error(&error, true, SLOW).1, twice, "{error}");
        }
    }

    #[test]
    fn a_short_timeout_says_nothing_of_the_upstream() {
        for (waited, expected) in [
            (Duration::ZERO, Verdict::Nothing),
            (Duration::from_millis(999), Verdict::Nothing),
            (SLOW, Verdict::Failed),
        ] {
            let error = Error::unknown("`m`", Reason::Deadline(waited));
            assert_eq!(of_error(&error, false, waited).0, expected, "{waited:?}");
        }
    }

    #[test]
    fn a_call_that_may_have_run_stays_one() {
        let unknown = || Error::unknown("`m`", Reason::Transport);
        let not_sent = || Error::not_sent("`m`", Reason::Transport);
        let refused = || Error::refused("`m`", stopping());
        let is_unknown = |outcome: Result<(), Error>| {
            outcome.is_err_and(|error| matches!(error.kind(), ErrorKind::Unknown))
        };
        for (earlier, later, expected) in [
            (Some(unknown()), Err(not_sent()), true),
            (Some(unknown()), Err(refused()), true),
            (Some(unknown()), Err(unknown()), true),
            (Some(unknown()), Ok(()), false),
            (Some(not_sent()), Err(unknown()), true),
            (Some(not_sent()), Err(not_sent()), false),
            (None, Err(not_sent()), false),
        ] {
            let has_not_run = later
                .as_ref()
                .is_err_and(|error| Told::of(error).has_not_run());
            let outcome = joined(earlier.map(Err), later, has_not_run);
            assert_eq!(is_unknown(outcome), expected);
        }
        for (told, expected) in [
            (Told::Nothing, false),
            (Told::Status(StatusCode::OK), false),
            (Told::Status(StatusCode::BAD_GATEWAY), false),
            (Told::Status(StatusCode::SERVICE_UNAVAILABLE), false),
            (Told::Refused, true),
            (Told::NotRun { stopping: true }, true),
        ] {
            assert_eq!(told.has_not_run(), expected, "{told:?}");
        }
    }
}
