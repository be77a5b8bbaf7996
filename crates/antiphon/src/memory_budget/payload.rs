//! Text of an outgoing message: its buffer grows within a limit and a budget.

use std::fmt::Display;
use std::io;
use std::sync::{Arc, MutexGuard};

use antiphon_proto::{ErrorObject, write_json};
use serde::Serialize;

use super::account::{Account, Direction};
use super::reservation::Reservation;
use super::turn::{self, Turn};
use super::{Exhausted, FREE};
use crate::error::internal_error;

/// What is left free behind a text, for the bytes that complete the message.
const SLACK: usize = 16;
/// What a buffer that grows has room for beyond what it has to: the end of a long string, of which blocks
/// are written first, and brackets. So these do not make it grow again.
const REST: usize = 80;
/// Up to this size a buffer doubles when it is full; beyond it grows by half.
const DOUBLING: usize = 1024 * 1024;
/// A result beyond this size waits for its turn, if its thread may block.
const LARGE: usize = 256 * 1024;

/// The JSON text of a response or an item, and what is reserved for it.
#[derive(Debug, Default)]
pub(crate) struct Payload {
    pub(crate) text: Vec<u8>,
    /// `None` if the text needs no reservation.
    pub(crate) held: Option<Box<Reservation>>,
}

/// Whether a large value may wait for its turn, if its thread may block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wait {
    Never,
    ForTurn,
}

impl From<Vec<u8>> for Payload {
    fn from(text: Vec<u8>) -> Self {
        Self { text, held: None }
    }
}

impl Payload {
    pub(crate) fn len(&self) -> usize {
        self.text.len()
    }

    /// Appends bytes; a buffer that has to grow is reserved first.
    ///
    /// # Errors
    ///
    /// If the budget does not allow it; nothing is appended then.
    #[inline]
    pub(crate) fn extend(&mut self, bytes: &[u8], account: &Arc<Account>) -> Result<(), Exhausted> {
        let after = self.text.len() + bytes.len();
        if after > self.text.capacity().max(FREE) {
            self.grow(after, usize::MAX, account)?;
        }
        self.text.extend_from_slice(bytes);
        Ok(())
    }

    /// Appends the JSON text of a value; the text may then have `max` bytes. What the buffer does
    /// not need is returned. `name` is what the value is, for the log.
    ///
    /// # Errors
    ///
    /// −32003 if the text would be too long, −32000 if the budget does not allow it, −32603 if the
    /// value has no JSON form. Then the text is of no use any more.
    pub(crate) fn write<T: Serialize + ?Sized>(
        &mut self,
        value: &T,
        max: usize,
        account: &Arc<Account>,
        wait: Wait,
        name: &dyn Display,
    ) -> Result<(), ErrorObject> {
        let before = self.text.len();
        let (written, stop) = {
            let mut writer = PayloadWriter::new(self, max, account, wait);
            (write_json(&mut writer, value), writer.stop)
        };
        match (written, stop) {
            (Ok(()), _) => Ok(self.settle(account)?),
            (Err(_), Some(Stop::TooLarge)) => {
                let max = max.saturating_sub(before);
                Err(ErrorObject::response_too_large(max))
            }
            (Err(_), Some(Stop::Exhausted)) => Err(Exhausted.into()),
            (Err(error), None) => Err(internal_error(&format_args!(
                "{name} cannot be written: {error}"
            ))),
        }
    }

    /// Appends a few bytes without which the message would not be complete.
    #[inline]
    pub(crate) fn extend_anyway(&mut self, bytes: &[u8]) {
        if self.held.is_some() {
            self.text.reserve_exact(bytes.len());
        }
        self.text.extend_from_slice(bytes);
    }

    /// Makes room for `after` bytes, at most `max`.
    fn grow(&mut self, after: usize, max: usize, account: &Arc<Account>) -> Result<(), Exhausted> {
        let capacity = self.text.capacity();
        let larger = match capacity {
            ..DOUBLING => capacity * 2,
            _ => capacity + capacity / 2,
        };
        let wanted = larger.max(after.saturating_add(REST));
        let wanted = wanted.min(max).max(after).saturating_add(SLACK);
        self.reserve(wanted, account)?;
        self.text.reserve_exact(wanted - self.text.len());
        Ok(())
    }

    /// Reserves so many bytes for the text, before it grows.
    ///
    /// # Errors
    ///
    /// If the budget does not allow it.
    pub(crate) fn reserve(
        &mut self,
        bytes: usize,
        account: &Arc<Account>,
    ) -> Result<(), Exhausted> {
        match &mut self.held {
            Some(held) => held.cover(bytes),
            none => {
                *none = Reservation::of(account, Direction::Response, bytes)?;
                Ok(())
            }
        }
    }

    /// Returns what a whole text does not need, and reserves what it was given without.
    ///
    /// # Errors
    ///
    /// If it needs a reservation, has none, and the budget does not allow it.
    #[inline]
    pub(crate) fn settle(&mut self, account: &Arc<Account>) -> Result<(), Exhausted> {
        match self.text.capacity() > FREE || self.held.is_some() {
            true => self.settle_large(account),
            false => Ok(()),
        }
    }

    #[cold]
    fn settle_large(&mut self, account: &Arc<Account>) -> Result<(), Exhausted> {
        let spare = self.text.capacity() - self.text.len();
        if spare > SLACK + self.text.len() / 8 {
            self.text.shrink_to(self.text.len() + SLACK);
        }
        self.reserve(self.text.capacity(), account)
    }

    /// Reserves all of the text, however short it is.
    ///
    /// # Errors
    ///
    /// If the budget does not allow it.
    pub(crate) fn hold_all(&mut self, account: &Arc<Account>) -> Result<(), Exhausted> {
        let none = || Box::new(Reservation::new(account, Direction::Response));
        let held = self.held.get_or_insert_with(none);
        held.set(self.text.capacity())
    }
}

/// Why writing has failed, if not for the value itself.
#[derive(Clone, Copy)]
enum Stop {
    TooLarge,
    Exhausted,
}

/// Writer into a payload, for a serializer.
struct PayloadWriter<'a> {
    payload: &'a mut Payload,
    account: &'a Arc<Account>,
    max: usize,
    /// The text may have this many bytes without growing.
    free: usize,
    stop: Option<Stop>,
    wait: Wait,
    turn: Option<MutexGuard<'a, ()>>,
}

impl<'a> PayloadWriter<'a> {
    fn new(payload: &'a mut Payload, max: usize, account: &'a Arc<Account>, wait: Wait) -> Self {
        let free = payload.text.capacity().max(FREE - SLACK).min(max);
        Self {
            payload,
            account,
            max,
            free,
            stop: None,
            wait,
            turn: None,
        }
    }

    #[cold]
    fn grow(&mut self, after: usize) -> Result<(), Stop> {
        if after > self.max {
            return Err(Stop::TooLarge);
        }
        if after > LARGE && self.wait == Wait::ForTurn {
            self.wait = Wait::Never;
            match turn::wait(self.account) {
                Turn::Taken(turn) => self.turn = Some(turn),
                Turn::None => {}
                Turn::Abandoned => return Err(Stop::Exhausted),
            }
        }
        let grown = self.payload.grow(after, self.max, self.account);
        grown.map_err(|Exhausted| Stop::Exhausted)?;
        self.free = (self.payload.text.capacity() - SLACK).min(self.max);
        Ok(())
    }
}

impl io::Write for PayloadWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        let after = self.payload.text.len() + bytes.len();
        if after > self.free
            && let Err(stop) = self.grow(after)
        {
            self.stop = Some(stop);
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.payload.text.extend_from_slice(bytes);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use antiphon_proto::ErrorCode;
    use tokio_util::sync::CancellationToken;

    use super::super::account::Accounts;
    use super::super::may_block;
    use super::*;

    const MIB: usize = 1024 * 1024;

    #[test]
    fn a_text_is_reserved_before_it_grows_and_shrunk_when_it_is_whole() {
        for (length, max, budget, expected) in [
            (10, 100, 64, "10"),
            (99, 100, 64, "-32003"),
            (5_000, MIB, 64, "5000"),
            (3 * MIB, 10 * MIB, 64, "3145728"),
            (3 * MIB, 3 * MIB, 64, "-32003"),
            (40 * MIB, 100 * MIB, 64, "-32000"),
            (0, 10, 64, "0"),
        ] {
            let accounts = Accounts::new(0, budget * MIB);
            let account = accounts.open();
            let mut payload = Payload::from(b"id".to_vec());
            let value = "x".repeat(length);
            let written = payload.write(&value, max, &account, Wait::ForTurn, &"x");
            let written = match written {
                Ok(()) => (payload.len() - 4).to_string(),
                Err(error) => error.code().0.to_string(),
            };
            assert_eq!(written, expected, "{length} of {max}");
            let used = accounts.budgets.responses.used();
            let capacity = payload.text.capacity();
            if written == length.to_string() {
                assert!(capacity <= payload.len() + payload.len() / 8 + 4096);
            }
            assert!(used == 0 && capacity <= FREE || used >= capacity, "{used}");
            drop(payload);
            assert_eq!(accounts.budgets.responses.used(), 0);
        }
    }

    /// What closes it must not make the buffer grow again, which would copy it.
    #[test]
    fn a_text_of_one_large_part_grows_once() {
        for length in [100_000, MIB, 5 * MIB] {
            let value = [("name", "x".repeat(length)), ("b", "c".to_owned())];
            let account = Accounts::new(0, 64 * MIB).open();
            let mut payload = Payload::from(b"id".to_vec());
            let written = payload.write(&value, 10 * MIB, &account, Wait::Never, &"x");
            written.unwrap();
            let spare = payload.text.capacity() - length;
            assert!((32..=REST + 64).contains(&spare), "{spare} of {length}");
        }
    }

    #[test]
    fn what_is_appended_is_reserved_too() {
        let accounts = Accounts::new(0, 64 * MIB);
        let account = accounts.open();
        let mut payload = Payload::default();
        let mut appended = 0;
        while payload.extend(&[b'x'; 1000], &account).is_ok() {
            appended += 1000;
            let used = accounts.budgets.responses.used();
            assert!(payload.len() <= FREE || used >= payload.text.capacity());
        }
        assert_eq!(payload.len(), appended);
        assert!(appended > 16 * MIB, "{appended}");
        payload.extend_anyway(b"]");
        assert_eq!(payload.len(), appended + 1);
    }

    /// On a thread that may block, and only there, a large result waits for the one before.
    #[test]
    fn large_results_of_threads_are_made_in_turns() {
        let accounts = Accounts::new(0, 256 * MIB);
        let account = accounts.open();
        let value = "x".repeat(5 * MIB);
        let make = || {
            let mut payload = Payload::default();
            let written = payload.write(&value, 10 * MIB, &account, Wait::ForTurn, &"x");
            written.map(|()| payload).unwrap()
        };
        let first = make();
        // This thread may not block.
        let second = make();
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| may_block(None, CancellationToken::new(), make));
            std::thread::sleep(std::time::Duration::from_millis(50));
            assert!(!thread.is_finished());
            drop(second);
            std::thread::sleep(std::time::Duration::from_millis(50));
            assert!(!thread.is_finished());
            drop(first);
            assert_eq!(thread.join().unwrap().len(), 5 * MIB + 2);
        });
    }

    #[test]
    fn a_thread_does_not_wait_for_its_turn_when_nobody_waits_for_its_result() {
        let accounts = Accounts::new(0, 256 * MIB);
        let account = accounts.open();
        let value = "x".repeat(5 * MIB);
        let write = || {
            let mut payload = Payload::default();
            let written = payload.write(&value, 10 * MIB, &account, Wait::ForTurn, &"x");
            written.map(|()| payload).map_err(|error| error.code())
        };
        let _first = write().unwrap();
        let abandoned = CancellationToken::new();
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..3)
                .map(|_| scope.spawn(|| may_block(None, abandoned.clone(), write)))
                .collect();
            std::thread::sleep(std::time::Duration::from_millis(50));
            assert!(threads.iter().all(|thread| !thread.is_finished()));
            abandoned.cancel();
            for thread in threads {
                assert_eq!(thread.join().unwrap().err(), Some(ErrorCode::OVERLOADED));
            }
        });
    }
}
