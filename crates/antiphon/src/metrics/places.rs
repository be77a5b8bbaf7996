//! Places of calls in flight, and the shares of their callers.
//!
//! Only a call that has to wait takes a place: one of all, of its kind of transport, and of its
//! address if it is not local. Its connection may have one more only while it holds fewer than are
//! free in each of these shares. So a connection gets half of what those before it have left.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::address::group::AddressGroup;

/// The part of the places that one kind of transport leaves to the other.
const RESERVED: usize = 8;

/// How many places there are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlaceLimits {
    pub(crate) max: usize,
    /// The most for one address that is not local.
    pub(crate) per_caller: usize,
}

impl PlaceLimits {
    /// For a call that holds a place already, and goes on in a second one.
    pub(crate) const NONE: Self = Self {
        max: usize::MAX,
        per_caller: usize::MAX,
    };
}

/// The places that a connection holds.
#[derive(Clone, Debug, Default)]
pub(crate) struct ConnectionPlaces(Arc<AtomicUsize>);

/// How calls arrive, as far as places are concerned.
#[derive(Clone, Copy, Debug)]
pub(crate) enum TransportKind {
    Requests,
    Sessions,
}

/// Whose shares a call counts to. A call from this process counts to none.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shares {
    pub(crate) connection: Option<ConnectionPlaces>,
    pub(crate) kind: Option<TransportKind>,
    pub(crate) address: Option<AddressGroup>,
}

/// All places.
#[derive(Debug, Default)]
pub(crate) struct Places {
    taken: AtomicUsize,
    by_requests: AtomicUsize,
    by_sessions: AtomicUsize,
    /// Only addresses that hold places, so there are never more than places.
    by_address: Mutex<HashMap<AddressGroup, usize>>,
}

impl Places {
    pub(crate) fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    /// Takes a place and returns the shares that it was counted to, for
    /// [`give_back`](Self::give_back); `None` if there is none for this caller.
    pub(crate) fn take(&self, limits: PlaceLimits, shares: Shares) -> Option<Shares> {
        let free = limits.max - add_below(&self.taken, limits.max)?;
        let mut taken = Shares::default();
        match self.take_shares(limits, free, shares, &mut taken) {
            Some(()) => Some(taken),
            None => {
                self.give_back(&taken);
                None
            }
        }
    }

    /// Takes one share after the other, and notes in `taken` which it has. `free` are all places
    /// that are free, with the one that was just taken.
    fn take_shares(
        &self,
        limits: PlaceLimits,
        mut free: usize,
        shares: Shares,
        taken: &mut Shares,
    ) -> Option<()> {
        if let Some(kind) = shares.kind {
            let share = limits.max - limits.max / RESERVED;
            free = free.min(share - add_below(self.of_kind(kind), share)?);
            taken.kind = Some(kind);
        }
        if let Some(address) = shares.address {
            let mut table = self.table();
            let held = table.get(&address).copied().unwrap_or_default();
            if held >= limits.per_caller {
                return None;
            }
            table.insert(address, held + 1);
            free = free.min(limits.per_caller - held);
            taken.address = Some(address);
        }
        if let Some(connection) = shares.connection {
            add_below(&connection.0, free)?;
            taken.connection = Some(connection);
        }
        Some(())
    }

    /// Gives a place back.
    pub(crate) fn give_back(&self, taken: &Shares) {
        if let Some(address) = taken.address {
            let mut table = self.table();
            if let Some(held) = table.get_mut(&address) {
                *held -= 1;
                if *held == 0 {
                    table.remove(&address);
                }
            }
        }
        if let Some(kind) = taken.kind {
            self.of_kind(kind).fetch_sub(1, Ordering::Relaxed);
        }
        if let Some(connection) = &taken.connection {
            connection.0.fetch_sub(1, Ordering::Relaxed);
        }
        self.taken.fetch_sub(1, Ordering::Relaxed);
    }

    fn of_kind(&self, kind: TransportKind) -> &AtomicUsize {
        match kind {
            TransportKind::Requests => &self.by_requests,
            TransportKind::Sessions => &self.by_sessions,
        }
    }

    fn table(&self) -> MutexGuard<'_, HashMap<AddressGroup, usize>> {
        self.by_address
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Adds one and returns the number before; `None` if it is not below `bound`.
fn add_below(number: &AtomicUsize, bound: usize) -> Option<usize> {
    let one_more = |number: usize| (number < bound).then_some(number + 1);
    number
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more)
        .ok()
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    const LIMITS: PlaceLimits = PlaceLimits {
        max: 64,
        per_caller: 16,
    };

    fn shares(kind: TransportKind, address: Option<&str>) -> Shares {
        let address = address.map(|text| AddressGroup::from(text.parse::<IpAddr>().unwrap()));
        Shares {
            connection: Some(ConnectionPlaces::default()),
            kind: Some(kind),
            address,
        }
    }

    /// Takes as many places as there are for these callers in turn.
    fn take_all(places: &Places, callers: &[Shares]) -> Vec<Shares> {
        let mut taken = Vec::new();
        loop {
            let before = taken.len();
            for caller in callers {
                taken.extend(places.take(LIMITS, caller.clone()));
            }
            if taken.len() == before {
                return taken;
            }
        }
    }

    /// What these callers get, and that nothing is left of it when they give it back.
    fn check(callers: &[Shares], expected: usize) {
        let places = Places::default();
        let taken = take_all(&places, callers);
        assert_eq!((taken.len(), places.taken()), (expected, expected));
        taken.iter().for_each(|taken| places.give_back(taken));
        assert_eq!(places.taken(), 0);
        assert!(places.table().is_empty());
        assert_eq!(take_all(&places, callers).len(), expected, "once more");
    }

    #[test]
    fn nobody_gets_all_places() {
        use TransportKind::{Requests, Sessions};
        let local = |kind, count| (0..count).map(|_| shares(kind, None)).collect::<Vec<_>>();
        let of = |address, count| {
            let one = |_| shares(Sessions, Some(address));
            (0..count).map(one).collect::<Vec<_>>()
        };
        // This process gets all.
        check(&[Shares::default()], 64);
        // A kind of transport leaves an eighth to the other one. Of the rest, 56, a connection gets
        // half: it stops where it holds as many as are free.
        check(&local(Sessions, 1), 28);
        check(&local(Requests, 1), 28);
        check(&local(Sessions, 20), 54);
        check(&local(Requests, 20), 54);
        check(&[local(Sessions, 20), local(Requests, 20)].concat(), 63);
        // An address gets a quarter, and one connection of it half of that.
        check(&of("192.0.2.1", 1), 8);
        check(&of("192.0.2.1", 20), 16);
        check(
            &[of("192.0.2.1", 9), of("::ffff:192.0.2.1", 9)].concat(),
            16,
        );
        check(&[of("2001:db8::1", 9), of("2001:db8::2", 9)].concat(), 16);
        check(&[of("192.0.2.1", 9), of("192.0.2.2", 9)].concat(), 30);
    }

    #[test]
    fn a_new_connection_finds_room_beside_greedy_ones() {
        use TransportKind::{Requests, Sessions};
        for address in [None, Some("192.0.2.1")] {
            let places = Places::default();
            let greedy: Vec<_> = (0..7).map(|_| shares(Sessions, address)).collect();
            let _taken = take_all(&places, &greedy);
            for kind in [Sessions, Requests] {
                assert!(places.take(LIMITS, shares(kind, address)).is_some());
            }
        }
    }

    #[test]
    fn a_small_number_of_places_can_be_used_up() {
        for max in 1..8 {
            let limits = PlaceLimits { max, per_caller: 1 };
            let places = Places::default();
            for _ in 0..max {
                let caller = shares(TransportKind::Requests, None);
                assert!(places.take(limits, caller).is_some(), "{max}");
            }
            assert!(places.take(limits, Shares::default()).is_none());
            // What was refused has left nothing behind.
            assert_eq!(places.taken(), max);
        }
    }
}
