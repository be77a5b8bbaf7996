//! Queue of incoming messages that wait for running calls to finish.

use std::collections::VecDeque;
use std::sync::Arc;

use antiphon_proto::{Entry, Incoming};

use super::limits::SessionLimits;
use crate::memory_budget::{Account, Direction, Reservation};
use crate::session_state::Cancels;

/// A bounded FIFO queue of messages.
#[derive(Debug)]
pub(super) struct Parking {
    messages: VecDeque<Parked>,
    bytes: usize,
    /// What is reserved for them.
    held: Reservation,
}

#[derive(Debug)]
pub(super) struct Parked {
    pub(super) message: Incoming,
    pub(super) bytes: usize,
    /// The ids of calls in a parked batch that the peer has cancelled.
    pub(super) cancels: Option<Arc<Cancels>>,
}

impl Parking {
    pub(super) fn new(memory: &Arc<Account>) -> Self {
        Self {
            messages: VecDeque::new(),
            bytes: 0,
            held: Reservation::new(memory, Direction::Request),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    pub(super) fn is_full(&self, limits: &SessionLimits) -> bool {
        self.messages.len() >= limits.max_parked || self.bytes >= limits.max_parked_bytes
    }

    /// Appends a message of so many bytes.
    ///
    /// # Errors
    ///
    /// The message, if there is no memory for it.
    pub(super) fn push(&mut self, message: Incoming, bytes: usize) -> Result<(), Incoming> {
        if self.held.cover(self.bytes + bytes).is_err() {
            return Err(message);
        }
        self.bytes += bytes;
        self.messages.push_back(Parked {
            message,
            bytes,
            cancels: None,
        });
        Ok(())
    }

    pub(super) fn front(&self) -> Option<&Incoming> {
        self.messages.front().map(|parked| &parked.message)
    }

    /// Removes the oldest message. If it is a batch, its cancelled calls come with it.
    pub(super) fn pop(&mut self) -> Option<Parked> {
        let parked = self.messages.pop_front()?;
        self.less(parked.bytes);
        if self.messages.is_empty() {
            // Release the memory that a burst has used.
            self.messages = VecDeque::new();
        }
        Some(parked)
    }

    fn less(&mut self, bytes: usize) {
        self.bytes -= bytes;
        // Less than before is always allowed.
        let _ = self.held.cover(self.bytes);
    }

    /// Removes a single call that the peer has cancelled, and returns whether it was here.
    ///
    /// A call in a batch is only marked: it stays in the queue and is answered with its batch, so
    /// the return value is `false`.
    pub(super) fn cancel(&mut self, id: &[u8]) -> bool {
        let matches_id = |entry: &Entry| match entry {
            Entry::Request(request) => request.id_bytes() == Some(id),
            _ => false,
        };
        let found =
            self.messages
                .iter_mut()
                .enumerate()
                .find(|(_, parked)| match &parked.message {
                    Incoming::Single(entry) => matches_id(entry),
                    Incoming::Batch(entries) => entries.iter().any(matches_id),
                });
        let Some((index, parked)) = found else {
            return false;
        };
        if let Incoming::Batch(_) = parked.message {
            parked.cancels.get_or_insert_default().cancel(id);
            return false;
        }
        if let Some(parked) = self.messages.remove(index) {
            self.less(parked.bytes);
        }
        true
    }
}
