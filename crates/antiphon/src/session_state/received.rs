//! Message of the peer that is being handled, and what is reserved for the parts of it that stay.

use std::sync::Arc;

use antiphon_proto::{ErrorObject, RawJson};

use crate::memory_budget::{Account, Direction, Exhausted, Reservation};

/// What is reserved for a part of a message; `None` if it needs nothing.
pub(crate) type Held = Option<Arc<Reservation>>;

/// A message of so many bytes, from which parts are taken.
#[derive(Debug)]
pub(crate) struct Received {
    length: usize,
    /// What is reserved for the whole message, for all parts that keep it in memory.
    whole: Held,
}

impl Received {
    pub(crate) fn new(length: usize) -> Self {
        Self {
            length,
            whole: None,
        }
    }

    /// The length of the message.
    pub(crate) fn len(&self) -> usize {
        self.length
    }

    /// A result, for its caller.
    ///
    /// # Errors
    ///
    /// If there is no memory for it.
    pub(super) fn result(
        &mut self,
        result: RawJson,
        memory: &Arc<Account>,
    ) -> Result<(RawJson, Held), Exhausted> {
        self.keep(result, |bytes| {
            Reservation::of(memory, Direction::Request, bytes)
        })
    }

    /// An item, for a queue. Only the first one in a queue may need no reservation.
    ///
    /// # Errors
    ///
    /// If there is no memory for it.
    pub(super) fn item(
        &mut self,
        item: RawJson,
        is_first: bool,
        memory: &Arc<Account>,
    ) -> Result<(RawJson, Held), Exhausted> {
        self.keep(item, |bytes| match is_first {
            true => Reservation::of(memory, Direction::Request, bytes),
            false => Reservation::of_all(memory, Direction::Request, bytes),
        })
    }

    fn keep(
        &mut self,
        part: RawJson,
        reserve: impl FnOnce(usize) -> Result<Option<Box<Reservation>>, Exhausted>,
    ) -> Result<(RawJson, Held), Exhausted> {
        let bytes = part.kept(self.length);
        if bytes < self.length {
            let held = reserve(bytes)?.map(Arc::from);
            return Ok((part.compact(self.length), held));
        }
        if self.whole.is_none() {
            self.whole = reserve(bytes)?.map(Arc::from);
        }
        Ok((part, self.whole.clone()))
    }
}

/// Reserves an error of the peer, which has its own memory.
///
/// # Errors
///
/// If there is no memory for it.
pub(super) fn hold_error(error: &ErrorObject, memory: &Arc<Account>) -> Result<Held, Exhausted> {
    let held = Reservation::of(memory, Direction::Request, error_size(error))?;
    Ok(held.map(Arc::from))
}

/// The bytes of the texts in an error.
pub(super) fn error_size(error: &ErrorObject) -> usize {
    error.message().len() + error.data().map_or(0, str::len)
}
