//! Reservation of the bytes that one holder keeps.

use std::sync::Arc;

use super::Exhausted;
use super::account::{Account, Direction};

/// The bytes of one holder: a buffer, a queue, a message. Returned when dropped.
#[derive(Debug)]
pub(crate) struct Reservation {
    account: Arc<Account>,
    direction: Direction,
    bytes: usize,
    /// Whether these are bytes of a whole response that waits for its peer.
    unwritten: bool,
}

impl Reservation {
    /// A reservation of nothing.
    pub(crate) fn new(account: &Arc<Account>, direction: Direction) -> Self {
        Self {
            account: Arc::clone(account),
            direction,
            bytes: 0,
            unwritten: false,
        }
    }

    /// A reservation of all that a buffer of this size needs; `None` if it needs none.
    ///
    /// # Errors
    ///
    /// If the budget does not allow it.
    pub(crate) fn of(
        account: &Arc<Account>,
        direction: Direction,
        bytes: usize,
    ) -> Result<Option<Box<Self>>, Exhausted> {
        if bytes <= account.free() {
            return Ok(None);
        }
        let mut reservation = Self::new(account, direction);
        reservation.set(bytes)?;
        Ok(Some(Box::new(reservation)))
    }

    /// Reserved bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Makes this the reservation of a holder of so many bytes. Up to [`FREE`] bytes need none, if
    /// the holders of the account are few.
    ///
    /// # Errors
    ///
    /// If the budget does not allow it; nothing changes then.
    pub(crate) fn cover(&mut self, bytes: usize) -> Result<(), Exhausted> {
        let free = bytes <= self.account.free();
        self.set(if free { 0 } else { bytes })
    }

    /// Reserves exactly so many bytes.
    ///
    /// # Errors
    ///
    /// If the budget does not allow it; nothing changes then.
    pub(crate) fn set(&mut self, bytes: usize) -> Result<(), Exhausted> {
        if bytes > self.bytes {
            self.account.take(self.direction, bytes - self.bytes)?;
            if self.unwritten {
                self.account.add_unwritten(bytes - self.bytes);
            }
            self.bytes = bytes;
        } else {
            self.shrink_to(bytes);
        }
        Ok(())
    }

    /// Returns what is reserved beyond so many bytes.
    pub(crate) fn shrink_to(&mut self, bytes: usize) {
        let Some(less) = self.bytes.checked_sub(bytes).filter(|less| *less > 0) else {
            return;
        };
        self.bytes = bytes;
        if self.unwritten {
            self.account.sub_unwritten(less);
        }
        self.account.give(self.direction, less);
    }

    /// Takes over what another one of the same account and direction has reserved.
    pub(crate) fn absorb(&mut self, mut other: Self) {
        let bytes = std::mem::take(&mut other.bytes);
        match (self.unwritten, other.unwritten) {
            (true, false) => self.account.add_unwritten(bytes),
            (false, true) => self.account.sub_unwritten(bytes),
            _ => {}
        }
        self.bytes += bytes;
    }

    /// Says that the response is whole and waits for its peer to take it.
    pub(crate) fn is_unwritten(&mut self) {
        if !self.unwritten {
            self.unwritten = true;
            self.account.add_unwritten(self.bytes);
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.shrink_to(0);
    }
}
