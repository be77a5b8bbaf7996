//! Messages that wait until one of the calls before them is done.

use std::collections::VecDeque;

use antiphon_proto::{Entry, Incoming};

use super::SessionLimits;

/// A bounded queue of messages, in the order they came.
#[derive(Debug, Default)]
pub(super) struct Parking {
    messages: VecDeque<(Incoming, usize)>,
    bytes: usize,
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
        self.messages.push_back((message, bytes));
    }

    pub(super) fn front(&self) -> Option<&Incoming> {
        self.messages.front().map(|(message, _)| message)
    }

    pub(super) fn pop(&mut self) -> Option<Incoming> {
        let (message, bytes) = self.messages.pop_front()?;
        self.bytes -= bytes;
        if self.messages.is_empty() {
            // What a burst took is given back.
            self.messages = VecDeque::new();
        }
        Some(message)
    }

    /// Takes a call out that the peer has cancelled; false if it is not here, or in a batch.
    pub(super) fn cancel(&mut self, id: &[u8]) -> bool {
        let is_it = |(message, _): &(Incoming, usize)| match message {
            Incoming::Single(Entry::Request(request)) => request.id_bytes() == Some(id),
            _ => false,
        };
        let Some(at) = self.messages.iter().position(is_it) else {
            return false;
        };
        if let Some((_, bytes)) = self.messages.remove(at) {
            self.bytes -= bytes;
        }
        true
    }
}
