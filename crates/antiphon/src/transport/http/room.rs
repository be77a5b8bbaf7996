//! Room of a connection for responses.

use std::future::poll_fn;
use std::pin::pin;
use std::task::ready;

use http::StatusCode;

use crate::memory_budget::{Account, Exhausted};
use crate::transport::http::refusal::Refusal;

/// Polls a call only while its connection has room for more responses.
pub(super) async fn with_room<F>(answering: F, memory: &Account) -> F::Output
where
    F: Future,
{
    let mut answering = pin!(answering);
    poll_fn(|cx| {
        ready!(memory.poll_room(cx));
        answering.as_mut().poll(cx)
    })
    .await
}

/// The answer to a request whose response there is no memory for.
pub(super) fn exhausted(_: Exhausted) -> Refusal {
    let reason = "no memory for the response";
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, reason)
}
