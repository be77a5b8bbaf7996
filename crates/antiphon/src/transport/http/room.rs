//! Room of a connection for responses.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::ready;

use http::request::Parts;
use http::{StatusCode, Version};

use crate::memory_budget::{Account, Exhausted};
use crate::transport::http::refusal::Refusal;

/// Whether there may be many requests at a time: on one connection, or behind one host.
pub(super) fn has_many(head: &Parts, memory: &Account) -> bool {
    head.version >= Version::HTTP_2 || memory.is_of_host()
}

/// Polls a call only while its connection has room for more responses, where there may be many.
pub(super) fn with_room<F>(
    mut answering: F,
    many: Option<&Account>,
) -> impl Future<Output = F::Output>
where
    F: Future + Unpin,
{
    poll_fn(move |cx| {
        if let Some(memory) = many {
            ready!(memory.poll_room(cx));
        }
        Pin::new(&mut answering).poll(cx)
    })
}

/// The answer to a request whose response there is no memory for.
pub(super) fn exhausted(_: Exhausted) -> Refusal {
    let reason = "no memory for the response";
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, reason)
}
