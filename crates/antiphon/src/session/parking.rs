//! Queue of messages that wait for running calls to finish.

use std::collections::VecDeque;
use std::sync::Arc;

use antiphon_proto::{Entry, Incoming};

use super::SessionLimits;
use crate::connection::Cancels;

/// A bounded queue of messages, in the order they came.
#[derive(Debug, Default)]
pub(super) struct Parking {
    messages: VecDeque<Parked>,
    bytes: usize,
}

#[derive(Debug)]
struct Parked {
    message: Incoming,
    bytes: usize,
    /// What the peer has cancelled of a batch.
    cancels: Option<Arc<Cancels>>,
}

impl Parking {
    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    pub(super) fn is_full(&self, limits: &SessionLimits) -> bool {
        self.messages.len() >= limits.max_parked || self.bytes >= limits.max_parked_bytes
    }

    pub(super) fn push(&mut self, message: Incoming, bytes: usize) {
        self.bytes += bytes;
        self.messages.push_back(Parked {
            message,
            bytes,
            cancels: None,
        });
    }

    pub(super) fn front(&self) -> Option<&Incoming> {
        self.messages.front().map(|parked| &parked.message)
    }

    /// The oldest message, and what of it the peer has cancelled.
    pub(super) fn pop(&mut self) -> Option<(Incoming, Option<Arc<Cancels>>)> {
        let parked = self.messages.pop_front()?;
        self.bytes -= parked.bytes;
        if self.messages.is_empty() {
            // What a burst took is given back.
            self.messages = VecDeque::new();
        }
        Some((parked.message, parked.cancels))
    }

    /// Takes a call out that the peer has cancelled; false if it is not here. One in a batch stays,
    /// and is answered with the others.
    pub(super) fn cancel(&mut self, id: &[u8]) -> bool {
        let is_it = |entry: &Entry| match entry {
            Entry::Request(request) => request.id_bytes() == Some(id),
            _ => false,
        };
        let found =
            self.messages
                .iter_mut()
                .enumerate()
                .find(|(_, parked)| match &parked.message {
                    Incoming::Single(entry) => is_it(entry),
                    Incoming::Batch(entries) => entries.iter().any(is_it),
                });
        let Some((at, parked)) = found else {
            return false;
        };
        if let Incoming::Batch(_) = parked.message {
            parked.cancels.get_or_insert_default().cancel(id);
            return false;
        }
        if let Some(parked) = self.messages.remove(at) {
            self.bytes -= parked.bytes;
        }
        true
    }
}
