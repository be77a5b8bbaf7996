//! Queue of incoming messages that wait for running calls to finish.

use std::collections::VecDeque;
use std::sync::Arc;

use antiphon_proto::{Entry, Incoming};

use super::limits::SessionLimits;
use crate::call_origin::Origin;
use crate::memory_budget::{Account, Direction, Reservation};
use crate::session_state::Cancels;

/// A bounded FIFO queue of messages.
pub(super) struct Parking {
    messages: VecDeque<Parked>,
    /// Bytes of their texts.
    length: usize,
    /// Bytes that they hold.
    bytes: usize,
    /// What is reserved for them.
    held: Reservation,
}

/// A message with all that is needed to start it.
pub(super) struct Parked {
    pub(super) message: Incoming,
    /// Bytes of its text.
    pub(super) length: usize,
    /// The ids of calls in a parked batch that the peer has cancelled.
    pub(super) cancels: Option<Arc<Cancels>>,
    /// The origin of its calls, if it is not that of the session.
    pub(super) origin: Option<Arc<Origin>>,
}

impl Parking {
    pub(super) fn new(memory: &Arc<Account>) -> Self {
        Self {
            messages: VecDeque::new(),
            length: 0,
            bytes: 0,
            held: Reservation::new(memory, Direction::Request),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    pub(super) fn is_full(&self, limits: &SessionLimits) -> bool {
        self.messages.len() >= limits.max_parked || self.length >= limits.max_parked_bytes
    }

    /// Appends a message.
    ///
    /// # Errors
    ///
    /// The message, if there is no memory for it.
    pub(super) fn push(&mut self, parked: Parked) -> Result<(), Box<Parked>> {
        let bytes = footprint(&parked.message, parked.length);
        if self.held.cover(self.bytes + bytes).is_err() {
            return Err(Box::new(parked));
        }
        self.bytes += bytes;
        self.length += parked.length;
        self.messages.push_back(parked);
        Ok(())
    }

    pub(super) fn front(&self) -> Option<&Incoming> {
        self.messages.front().map(|parked| &parked.message)
    }

    /// Removes the oldest message. If it is a batch, its cancelled calls come with it.
    pub(super) fn pop(&mut self) -> Option<Parked> {
        let parked = self.messages.pop_front()?;
        self.less(&parked);
        if self.messages.is_empty() {
            // Release the memory that a burst has used.
            self.messages = VecDeque::new();
        }
        Some(parked)
    }

    fn less(&mut self, parked: &Parked) {
        self.length -= parked.length;
        self.bytes -= footprint(&parked.message, parked.length);
        // Less than before is always allowed.
        let _ = self.held.cover(self.bytes);
    }

    /// Removes a single call that the peer has cancelled, and returns it.
    ///
    /// A call in a batch is only marked: it stays in the queue and is answered with its batch.
    pub(super) fn cancel(&mut self, id: &[u8]) -> Option<Parked> {
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
        let (index, parked) = found?;
        if let Incoming::Batch(_) = parked.message {
            parked.cancels.get_or_insert_default().cancel(id);
            return None;
        }
        let parked = self.messages.remove(index)?;
        self.less(&parked);
        Some(parked)
    }
}

/// The bytes that a message of this length holds: those of its text, and its entries.
pub(super) fn footprint(message: &Incoming, length: usize) -> usize {
    match message {
        Incoming::Single(_) => length,
        Incoming::Batch(entries) => length + entries.capacity() * size_of::<Entry>(),
    }
}

#[cfg(test)]
mod tests {
    use antiphon_proto::{Rules, parse};
    use bytes::Bytes;

    use super::*;
    use crate::memory_budget::account::Accounts;

    /// A short text can have many entries.
    #[test]
    fn entries_of_a_batch_are_reserved_with_its_text() {
        let accounts = Accounts::new(100_000, 0);
        let used = || accounts.budgets.requests.used();
        let mut parking = Parking::new(&accounts.open());
        let batch = || {
            let text = format!("[{}0]", "1,".repeat(99));
            let length = text.len();
            (parse(Bytes::from(text), &Rules::default()).unwrap(), length)
        };
        let each = 100 * size_of::<Entry>();
        let mut parked = 0;
        loop {
            let (message, length) = batch();
            let one = Parked {
                message,
                length,
                cancels: None,
                origin: None,
            };
            if parking.push(one).is_err() {
                break;
            }
            parked += 1;
            assert!(used() >= parked * each, "{parked}: {}", used());
        }
        assert!((1..=50_000 / each).contains(&parked), "{parked}");
        assert_eq!(parking.length, parked * batch().1);
        while parking.pop().is_some() {}
        assert_eq!((used(), parking.length, parking.bytes), (0, 0, 0));
    }
}
