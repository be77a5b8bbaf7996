//! Check of each upstream: whether it answers at all, so that no call has to find out.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use serde_json::value::RawValue;
use tokio::time::Instant;

use super::balancer::Balancer;
use super::health::Verdict;
use crate::client::error::{Error, ErrorKind, Reason};
use crate::client::handle::Client;
use crate::client::shared::{Scope, Shared};
use crate::client::transport::ClientTransport;
use crate::current_call::CurrentCall;
use crate::error::not_run;
use crate::identity::Principal;

/// A name that the protocol reserves, so it is no method of a user. Whatever the answer is, the server
/// is there.
const METHOD: &str = "rpc.ping";

impl Shared {
    /// Asks each of several upstreams for a sign of life. One that does not give it within `timeout`
    /// is as good as one that cannot be reached.
    pub(in crate::client) async fn check_upstreams(&self, timeout: Duration) {
        let ClientTransport::Balanced(balancer) = &self.transport else {
            return;
        };
        let upstreams = self.upstreams.iter().enumerate();
        let checks =
            upstreams.map(|(at, upstream)| Box::pin(check(balancer, at, upstream, timeout)));
        let mut checks: Vec<_> = checks.collect();
        poll_fn(|cx| {
            checks.retain_mut(|check| check.as_mut().poll(cx).is_pending());
            match checks.is_empty() {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
    }

    /// Sets whether such checks go on, so that no call has to try out an upstream that was left out.
    pub(in crate::client) fn set_checked(&self, yes: bool) {
        if let ClientTransport::Balanced(balancer) = &self.transport {
            balancer.set_checked(yes);
        }
    }
}

async fn check(balancer: &Balancer, index: usize, upstream: &Arc<Shared>, timeout: Duration) {
    let client = Client {
        scope: Scope {
            shared: Arc::clone(upstream),
            prefix: None,
        },
    };
    // It is nobody's call: a client that forwards identities shows none.
    let nobody = CurrentCall {
        caller: Some(Principal::nobody()),
        ..CurrentCall::default()
    };
    let ask = || {
        let call = client.call::<Box<RawValue>>(METHOD, ()).timeout(timeout);
        nobody.clone().scope(call.into_future())
    };
    let Some(pick) = balancer.pick_for_check(index) else {
        return;
    };
    let began = Instant::now();
    let mut answer = ask().await;
    let has_ended = |error: &Error| {
        let reason = error.reason();
        matches!(error.kind(), ErrorKind::NotSent) && matches!(reason, Some(Reason::Closed(_)))
    };
    // A connection that was idle may end at any time; the next one tells.
    if answer.as_ref().is_err_and(has_ended) {
        answer = ask().await;
    }
    let is_late = began.elapsed() >= timeout;
    pick.end(match answer {
        Ok(_) => Verdict::Well,
        Err(error) => match (error.kind(), error.reason()) {
            (ErrorKind::Refused(error), _) => match not_run(error) {
                Some(true) => Verdict::Down,
                _ => Verdict::Well,
            },
            (ErrorKind::Rejected { status, .. }, _) if !status.is_server_error() => Verdict::Well,
            (ErrorKind::Local, _) | (_, Some(Reason::Token)) => Verdict::Nothing,
            // The time of a call may be over for a reason of its own, that of a check may not.
            _ if is_late => Verdict::Silent,
            _ => Verdict::Down,
        },
    });
}
