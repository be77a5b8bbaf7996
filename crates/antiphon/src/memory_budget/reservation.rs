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
        match bytes <= account.free() {
            true => Ok(None),
            false => Self::of_all(account, direction, bytes),
        }
    }

    /// A reservation of all bytes, however few, for one of many holders; `None` without a budget.
    ///
    /// # Errors
    ///
    /// If the budget does not allow it.
    pub(crate) fn of_all(
        account: &Arc<Account>,
        direction: Direction,
        bytes: usize,
    ) -> Result<Option<Box<Self>>, Exhausted> {
        if account.is_unlimited() {
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
    #[inline]
    pub(crate) fn shrink_to(&mut self, bytes: usize) {
        if bytes < self.bytes {
            self.give_back(self.bytes - bytes);
        }
    }

    fn give_back(&mut self, less: usize) {
        self.bytes -= less;
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

    /// Gives a part of what is reserved to another holder.
    pub(crate) fn split(&mut self, bytes: usize) -> Self {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        Self {
            account: Arc::clone(&self.account),
            direction: self.direction,
            bytes,
            unwritten: self.unwritten,
        }
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::{Context, Wake, Waker};

    use super::super::FREE;
    use super::super::account::Accounts;
    use super::*;

    const MIB: usize = 1024 * 1024;

    /// Whether somebody was woken.
    #[derive(Default)]
    struct Flag(AtomicBool);

    impl Wake for Flag {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    /// Accounts under 64 MiB in each direction: 29 MiB for the responses of one connection.
    fn accounts() -> Accounts {
        Accounts::new(64 * MIB, 64 * MIB)
    }

    fn used(accounts: &Accounts) -> (usize, usize) {
        let budgets = &accounts.budgets;
        (budgets.requests.used(), budgets.responses.used())
    }

    #[test]
    fn a_holder_grows_and_shrinks_within_its_share() {
        let accounts = accounts();
        let account = accounts.open();
        let mut held = Reservation::new(&account, Direction::Request);
        for (bytes, allowed, reserved) in [
            (FREE, true, 0),
            (FREE + 1, true, FREE + 1),
            (10 * MIB, true, 10 * MIB),
            (10 * MIB + 1, false, 10 * MIB),
            (usize::MAX, false, 10 * MIB),
            (5 * MIB, true, 5 * MIB),
            (1, true, 0),
            (9 * MIB, true, 9 * MIB),
        ] {
            assert_eq!(held.cover(bytes).is_ok(), allowed, "{bytes}");
            assert_eq!((held.bytes(), used(&accounts).0), (reserved, reserved));
        }
        // Another holder of the connection has the rest of its share, another connection its own.
        let two = Reservation::of(&account, Direction::Request, 2 * MIB);
        assert!(two.is_err());
        let other = accounts.open();
        let other = Reservation::of(&other, Direction::Request, 10 * MIB).unwrap();
        assert_eq!(used(&accounts), (19 * MIB, 0));
        drop((held, other));
        assert_eq!(used(&accounts), (0, 0));
    }

    #[test]
    fn a_host_without_connections_has_no_share_and_nothing_free() {
        let accounts = accounts();
        let host = accounts.of_host();
        let one = Reservation::of(&host, Direction::Response, 1).unwrap();
        let most = Reservation::of(&host, Direction::Response, 63 * MIB).unwrap();
        assert_eq!(used(&accounts), (0, 63 * MIB + 1));
        assert!(Reservation::of(&host, Direction::Response, MIB).is_err());
        drop((one, most));
        assert_eq!(used(&accounts), (0, 0));
    }

    #[test]
    fn without_a_budget_nothing_is_refused() {
        let account = Account::unlimited();
        let mut held = Reservation::new(&account, Direction::Response);
        held.set(usize::MAX / 2).unwrap();
        assert!(
            Reservation::of(&account, Direction::Request, usize::MAX)
                .unwrap()
                .is_none()
        );
        let all = Reservation::of_all(&account, Direction::Request, usize::MAX);
        assert!(all.unwrap().is_none());
    }

    #[test]
    fn what_is_taken_over_stays_reserved_once() {
        let accounts = accounts();
        let account = accounts.open();
        let one = Reservation::of(&account, Direction::Response, MIB).unwrap();
        let mut both = Reservation::new(&account, Direction::Response);
        both.cover(2 * MIB).unwrap();
        both.absorb(*one.unwrap());
        assert_eq!((both.bytes(), used(&accounts).1), (3 * MIB, 3 * MIB));
        both.shrink_to(MIB);
        assert_eq!(used(&accounts).1, MIB);
        drop(both);
        assert_eq!(used(&accounts).1, 0);
    }

    /// Only whole responses count: what is being written must not wait for itself.
    #[test]
    fn more_is_made_when_the_peer_has_taken_enough() {
        let account = accounts().open();
        let mut cx = Context::from_waker(Waker::noop());
        let mut made = Reservation::of(&account, Direction::Response, 5 * MIB)
            .unwrap()
            .unwrap();
        assert!(account.poll_room(&mut cx).is_ready());
        made.is_unwritten();
        made.is_unwritten();
        let woken = Arc::new(Flag::default());
        let waker = Waker::from(Arc::clone(&woken));
        let mut cx = Context::from_waker(&waker);
        while account.poll_room(&mut cx).is_pending() {
            assert!(!woken.0.load(Ordering::Relaxed), "{}", made.bytes());
            // Taken one piece after the other.
            made.shrink_to(made.bytes() - MIB / 2);
        }
        assert!(woken.0.load(Ordering::Relaxed));
        assert_eq!(made.bytes(), 4 * MIB);
    }
}
