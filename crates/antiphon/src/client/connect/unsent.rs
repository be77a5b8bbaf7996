//! Bodies of requests over HTTP/2 that outlive their calls.
//!
//! A server may answer before it has taken the whole body, and never grant the room for the rest. The
//! HTTP library keeps that rest as long as the connection. So a connection that holds too much of it
//! takes no more requests, and ends with its last call.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};

use crate::client::sent_mark::BodyState;
use crate::router::BoxError;

/// The most bytes of such bodies on one connection, and the most bodies.
const MAX_BYTES: usize = 4 * 1024 * 1024;
const MAX_BODIES: usize = 256;

/// The body of a request on a stream, which the HTTP library takes when there is room for it.
pub(super) struct StreamBody {
    text: Bytes,
    state: Arc<BodyState>,
    done: bool,
}

impl StreamBody {
    /// A body that is held as long as its state is.
    pub(super) fn new(text: Bytes, state: Arc<BodyState>) -> Self {
        Self {
            text,
            state,
            done: false,
        }
    }

    /// The state as long as somebody holds it, and the number of bytes.
    pub(super) fn holders(&self) -> (Weak<BodyState>, usize) {
        (Arc::downgrade(&self.state), self.text.len())
    }
}

impl Body for StreamBody {
    type Data = Piece;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Piece>, BoxError>>> {
        if !self.state.take() {
            return Poll::Ready(Some(Err("the call has ended before".into())));
        }
        let rest = !self.is_end_stream();
        self.done = true;
        Poll::Ready(rest.then(|| {
            Ok(Frame::data(Piece {
                text: self.text.clone(),
                _state: Arc::clone(&self.state),
            }))
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.done || self.text.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        let rest = if self.done { 0 } else { self.text.len() };
        SizeHint::with_exact(u64::try_from(rest).unwrap_or(u64::MAX))
    }
}

/// The bytes of a body until they are written.
pub(super) struct Piece {
    text: Bytes,
    _state: Arc<BodyState>,
}

impl Buf for Piece {
    fn remaining(&self) -> usize {
        self.text.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.text.chunk()
    }

    fn advance(&mut self, count: usize) {
        self.text.advance(count);
    }
}

/// What a connection still holds of the requests whose calls have ended.
#[derive(Default)]
pub(super) struct Unsent {
    bodies: Mutex<Vec<(Weak<BodyState>, usize)>>,
    is_too_much: AtomicBool,
}

impl Unsent {
    /// Whether the connection holds too much, and takes no more requests.
    pub(super) fn is_too_much(&self) -> bool {
        self.is_too_much.load(Ordering::Relaxed)
    }

    /// Notes the body of a call that ends when what this returns is dropped.
    pub(super) fn of_call(&self, (state, length): (Weak<BodyState>, usize)) -> impl Drop + '_ {
        OfCall {
            unsent: self,
            state,
            length,
        }
    }

    fn add(&self, state: Weak<BodyState>, length: usize) {
        let mut bodies = self.bodies.lock().unwrap_or_else(PoisonError::into_inner);
        // Most are let go a moment after their response, by another task.
        bodies.retain(|(state, _)| state.strong_count() > 0);
        bodies.push((state, length));
        let bytes: usize = bodies.iter().map(|(_, length)| length).sum();
        if bodies.len() > MAX_BODIES || bytes > MAX_BYTES && bodies.len() > 1 {
            self.is_too_much.store(true, Ordering::Relaxed);
        }
    }
}

struct OfCall<'a> {
    unsent: &'a Unsent,
    state: Weak<BodyState>,
    length: usize,
}

impl Drop for OfCall<'_> {
    fn drop(&mut self) {
        // One holder is the mark of the call.
        if self.state.strong_count() > 1 {
            self.unsent.add(Weak::clone(&self.state), self.length);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::sent_mark::SentMark;

    static TEXT: [u8; MAX_BYTES + 1] = [0; MAX_BYTES + 1];

    #[test]
    fn a_connection_that_holds_too_much_takes_no_more_requests() {
        // The length of each body, whether it is let go, and after how many there is too much.
        for (length, is_let_go, expected) in [
            (MAX_BYTES + 1, false, Some(2)),
            (MAX_BYTES / 4, false, Some(5)),
            (10, false, Some(MAX_BODIES + 1)),
            (MAX_BYTES, true, None),
        ] {
            let unsent = Unsent::default();
            let mut held = Vec::new();
            let count = (1..=2 * MAX_BODIES).find(|_| {
                let mark = SentMark::default();
                let text = Bytes::from_static(&TEXT).slice(..length);
                let body = StreamBody::new(text, mark.watch());
                let call = unsent.of_call(body.holders());
                if !is_let_go {
                    held.push(body);
                }
                drop(call);
                unsent.is_too_much()
            });
            assert_eq!(count, expected, "{length} bytes, let go: {is_let_go}");
        }
    }
}
