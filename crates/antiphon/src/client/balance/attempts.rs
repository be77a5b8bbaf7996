//! Attempts of one call: at one upstream after the other, as long as that is safe.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use http::StatusCode;
use tokio::time::Instant;

use super::balancer::Balancer;
use super::health::Verdict;
use crate::client::error::{Error, ErrorKind, Reason};
use crate::client::request::deadline_of;
use crate::client::shared::Shared;
use crate::current_call::CurrentCall;

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

impl Shared {
    /// Sends a call to an upstream, and to another one if it was not sent, or may run twice. All of
    /// that is within its deadline. `status` is the HTTP status of a response.
    pub(in crate::client) async fn with_upstream<T, F>(
        &self,
        balancer: &Balancer,
        attempt: Attempt<'_>,
        send: impl Fn(Arc<Self>, Option<Duration>) -> F,
        status: impl Fn(&T) -> Option<StatusCode>,
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
            let sending = send(Arc::clone(upstream), left);
            let outcome = match attempt.idempotent && !attempt.streams {
                true => until_silent(sending, balancer, pick.index)
                    .await
                    .unwrap_or_else(|| {
                        let reason = Reason::Closed("the server does not answer any more".into());
                        Err(Error::unknown(attempt.subject, reason))
                    }),
                false => sending.await,
            };
            let (verdict, next) = match &outcome {
                Ok(response) => of_response(status(response), attempt.idempotent),
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
            let outcome = joined(last, outcome);
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
    sending: F,
    balancer: &Balancer,
    index: usize,
) -> Option<F::Output> {
    let (mut sending, mut silent) = (pin!(sending), pin!(balancer.silent(index)));
    poll_fn(|cx| match sending.as_mut().poll(cx) {
        Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
        Poll::Pending => silent.as_mut().poll(cx).map(|()| None),
    })
    .await
}

/// The outcome of two attempts. A call that may have run has that outcome, even if the later attempt
/// was not sent.
fn joined<T>(earlier: Option<Result<T, Error>>, later: Result<T, Error>) -> Result<T, Error> {
    let has_not_run = |error: &Error| {
        matches!(
            error.kind(),
            ErrorKind::NotSent | ErrorKind::Rejected { .. }
        )
    };
    match (earlier, later) {
        (Some(Err(earlier)), Err(later))
            if matches!(earlier.kind(), ErrorKind::Unknown) && has_not_run(&later) =>
        {
            Err(earlier)
        }
        (_, later) => later,
    }
}

/// What a response means, whose content nobody has read yet.
fn of_response(status: Option<StatusCode>, idempotent: bool) -> (Verdict, Next) {
    match status {
        // The server has refused the request before it was a call.
        Some(StatusCode::SERVICE_UNAVAILABLE) => (Verdict::Failed, Next::Elsewhere),
        Some(StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT) => {
            let next = if idempotent { Next::Repeat } else { Next::Over };
            (Verdict::Failed, next)
        }
        _ => (Verdict::Well, Next::Over),
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
        ErrorKind::Rejected { status, .. } => of_response(Some(status), idempotent),
        ErrorKind::Refused(_) => (Verdict::Well, Next::Over),
        ErrorKind::Local => (Verdict::Nothing, Next::Over),
    }
}

#[cfg(test)]
mod tests {
    use antiphon_proto::ErrorObject;

    use super::*;

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
        let is_unknown = |outcome: Result<(), Error>| {
            outcome.is_err_and(|error| matches!(error.kind(), ErrorKind::Unknown))
        };
        for (earlier, later, expected) in [
            (Some(unknown()), Err(not_sent()), true),
            (Some(unknown()), Err(unknown()), true),
            (Some(unknown()), Ok(()), false),
            (Some(not_sent()), Err(unknown()), true),
            (Some(not_sent()), Err(not_sent()), false),
            (None, Err(not_sent()), false),
        ] {
            assert_eq!(is_unknown(joined(earlier.map(Err), later)), expected);
        }
    }
}
