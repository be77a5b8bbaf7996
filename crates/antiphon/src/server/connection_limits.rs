//! Limits on open connections: in total, by kind, and by address.
//!
//! A connection is a *request connection* (HTTP, whose requests come and go) or a *session* (a
//! WebSocket or a raw stream, which stays). Each kind leaves an eighth of all slots to the other,
//! so that neither can lock the other out. A WebSocket begins as HTTP and changes its kind at the
//! upgrade.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use crate::address::group::AddressGroup;
use crate::server::address_table::AddressTable;
use crate::server::connection_kind::ConnectionKind;
use crate::server::worker_counts::WorkerCounts;
use crate::server::worker_load::WorkerLoad;
use crate::server::worker_slot::Load;
use crate::transport::http::SessionPlace;

/// The part of all slots that one kind of connections leaves to the other.
const RESERVED_PART: usize = 8;

/// Counts open connections and enforces the limits.
#[derive(Clone, Debug)]
pub(super) struct ConnectionSlots(Arc<Table>);

#[derive(Debug)]
struct Table {
    max: usize,
    /// All open connections; the server's handle shows the number.
    open: Arc<AtomicUsize>,
    requests: AtomicUsize,
    sessions: AtomicUsize,
    /// At most this many connections of one kind.
    max_of_kind: usize,
    by_address: Option<AddressTable>,
    /// What other workers see of this one, if there are any.
    shared: Option<WorkerLoad>,
}

impl ConnectionSlots {
    /// At most `max` connections in total, and at most `per_ip` per address if set. With
    /// `both_kinds`, each kind of connections leaves slots to the other. A worker has a number that
    /// it shares with others.
    pub(super) fn new(
        max: usize,
        open: Arc<AtomicUsize>,
        per_ip: Option<usize>,
        both_kinds: bool,
        shared: Option<WorkerLoad>,
    ) -> Self {
        let reserved = if both_kinds { max / RESERVED_PART } else { 0 };
        let table = Table {
            max,
            open,
            requests: AtomicUsize::new(0),
            sessions: AtomicUsize::new(0),
            max_of_kind: max - reserved,
            by_address: per_ip.map(AddressTable::new),
            shared,
        };
        table.publish();
        Self(Arc::new(table))
    }

    /// What this worker shares with others, if it is one.
    pub(super) fn shared(&self) -> Option<&WorkerCounts> {
        self.0.shared.as_ref().map(|shared| &shared.counts)
    }

    /// What decides if it is the turn of this worker; `None` if there are no others.
    pub(super) fn load(&self) -> Option<Load> {
        let shared = self.0.shared.as_ref()?;
        if shared.has_refused_memory() {
            self.0.penalize();
        }
        Some(self.0.load(shared))
    }

    /// Ends penalties when their time is over, as long as this is polled.
    pub(super) async fn end_penalties(&self) {
        let Some(shared) = &self.0.shared else {
            return;
        };
        loop {
            shared.penalty_ended().await;
            self.0.publish();
        }
    }

    /// Tells the other workers, until it is dropped, that this one cannot accept.
    pub(super) fn unable(&self) -> Unable<'_> {
        self.0.set_unable(true);
        Unable(&self.0)
    }

    /// Takes a slot for one more connection from this address; `None` if a limit is reached.
    pub(super) fn take(&self, kind: ConnectionKind, ip: Option<IpAddr>) -> Option<ConnectionSlot> {
        let taken = self.0.take(kind, ip);
        if taken.is_none() {
            // What was counted for a moment may have been told.
            self.0.publish();
        }
        taken
    }
}

impl Table {
    fn of_kind(&self, kind: ConnectionKind) -> &AtomicUsize {
        match kind {
            ConnectionKind::Requests => &self.requests,
            ConnectionKind::Session => &self.sessions,
        }
    }

    fn take(self: &Arc<Self>, kind: ConnectionKind, ip: Option<IpAddr>) -> Option<ConnectionSlot> {
        if !one_more(&self.open, self.max) {
            return None;
        }
        if !one_more(self.of_kind(kind), self.max_of_kind) {
            self.open.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        let slot = ConnectionSlot {
            table: Arc::clone(self),
            is_session: AtomicBool::new(kind == ConnectionKind::Session),
            group: OnceLock::new(),
        };
        // A slot that is not returned is dropped, which frees what was taken so far.
        ip.is_none_or(|ip| slot.count_address(ip)).then(|| {
            self.publish();
            slot
        })
    }

    fn load(&self, shared: &WorkerLoad) -> Load {
        let open = self.open.load(Ordering::Relaxed);
        let is_full = |kind| {
            open >= self.max || self.of_kind(kind).load(Ordering::Relaxed) >= self.max_of_kind
        };
        shared.of(
            open,
            is_full(ConnectionKind::Requests),
            is_full(ConnectionKind::Session),
        )
    }

    /// Tells the other workers, if there are any, what this one has.
    fn publish(&self) {
        if let Some(shared) = &self.shared {
            shared.counts.publish(|| self.load(shared));
        }
    }

    /// A connection was refused that others may have room for, or the next one may be.
    fn penalize(&self) {
        if let Some(shared) = &self.shared {
            shared.penalize(self.open.load(Ordering::Relaxed));
            self.publish();
        }
    }

    fn set_unable(&self, unable: bool) {
        if let Some(shared) = &self.shared {
            shared.set_unable(unable);
            self.publish();
        }
    }
}

/// Adds one, up to the maximum.
fn one_more(count: &AtomicUsize, max: usize) -> bool {
    let one_more = |count: usize| (count < max).then_some(count + 1);
    count
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more)
        .is_ok()
}

/// Tells other workers, until it is dropped, that this one cannot accept.
pub(super) struct Unable<'a>(&'a Table);

impl Drop for Unable<'_> {
    fn drop(&mut self) {
        self.0.set_unable(false);
    }
}

/// Slot of one open connection. Dropping it frees the slot.
#[derive(Debug)]
pub(super) struct ConnectionSlot {
    table: Arc<Table>,
    is_session: AtomicBool,
    /// What it counts to in the table by address, if anything.
    group: OnceLock<AddressGroup>,
}

impl ConnectionSlot {
    fn kind(&self) -> ConnectionKind {
        match self.is_session.load(Ordering::Relaxed) {
            true => ConnectionKind::Session,
            false => ConnectionKind::Requests,
        }
    }
}

impl SessionPlace for ConnectionSlot {
    fn become_session(&self) -> bool {
        // One request at a time asks for an upgrade, so nothing can change in between.
        if self.kind() == ConnectionKind::Session {
            return true;
        }
        if !one_more(&self.table.sessions, self.table.max_of_kind) {
            self.table.penalize();
            return false;
        }
        self.table.requests.fetch_sub(1, Ordering::Relaxed);
        self.is_session.store(true, Ordering::Relaxed);
        self.table.publish();
        true
    }

    fn count_address(&self, address: IpAddr) -> bool {
        let (Some(by_address), None) = (&self.table.by_address, self.group.get()) else {
            return true;
        };
        let group = AddressGroup::from(address);
        let taken = by_address.take(group);
        let counted = taken.is_some() && self.group.set(group).is_ok();
        // The address has its share here, but maybe not elsewhere.
        if taken != Some(true) {
            self.table.penalize();
        }
        counted
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        let of_kind = self.table.of_kind(self.kind());
        of_kind.fetch_sub(1, Ordering::Relaxed);
        self.table.open.fetch_sub(1, Ordering::Relaxed);
        if let (Some(by_address), Some(group)) = (&self.table.by_address, self.group.get()) {
            by_address.free(*group);
        }
        // Last, when the next one would be accepted.
        self.table.publish();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUESTS: ConnectionKind = ConnectionKind::Requests;
    const SESSION: ConnectionKind = ConnectionKind::Session;

    fn slots(max: usize, per_ip: Option<usize>) -> ConnectionSlots {
        ConnectionSlots::new(max, Arc::default(), per_ip, true, None)
    }

    /// As many slots as there are for connections of this kind from this address.
    fn all(slots: &ConnectionSlots, kind: ConnectionKind, ip: &str) -> Vec<ConnectionSlot> {
        let ip = ip.parse().ok();
        std::iter::from_fn(|| slots.take(kind, ip)).collect()
    }

    #[test]
    fn each_kind_leaves_an_eighth_to_the_other() {
        for (max, first, second) in [(1, 1, 0), (7, 7, 0), (8, 7, 1), (20, 18, 2), (64, 56, 8)] {
            for (one, other) in [(REQUESTS, SESSION), (SESSION, REQUESTS)] {
                let slots = slots(max, None);
                let ones = all(&slots, one, "");
                let others = all(&slots, other, "");
                assert_eq!((ones.len(), others.len()), (first, second), "{max} {one:?}");
                drop((ones, others));
                assert_eq!(slots.0.open.load(Ordering::Relaxed), 0);
                assert_eq!(all(&slots, other, "").len(), first, "{max} {other:?}");
            }
        }
    }

    #[test]
    fn a_server_of_one_kind_uses_all_slots_for_it() {
        let slots = ConnectionSlots::new(16, Arc::default(), None, false, None);
        assert_eq!(all(&slots, SESSION, "").len(), 16);
    }

    #[test]
    fn an_upgraded_connection_gives_its_place_back_to_requests() {
        let slots = slots(16, None);
        let mut requests = all(&slots, REQUESTS, "");
        assert_eq!(requests.len(), 14);
        // Upgraded twice, it counts once.
        assert!(requests[0].become_session());
        assert!(requests[0].become_session());
        // The last place is open to sessions, and to one more request.
        let one = slots.take(REQUESTS, None).unwrap();
        let last = slots.take(SESSION, None).unwrap();
        assert!(slots.take(SESSION, None).is_none());
        drop((one, last, requests.remove(0)));
        assert_eq!(slots.0.sessions.load(Ordering::Relaxed), 0);
        assert_eq!(slots.0.requests.load(Ordering::Relaxed), 13);
    }

    #[test]
    fn no_request_becomes_a_session_when_sessions_have_taken_their_share() {
        let slots = slots(16, None);
        let mut sessions = all(&slots, SESSION, "");
        let request = slots.take(REQUESTS, None).unwrap();
        assert!(!request.become_session());
        sessions.pop();
        assert!(request.become_session());
    }

    #[test]
    fn ipv6_is_counted_by_network_and_by_site() {
        let slots = slots(1000, Some(3));
        let mut held = all(&slots, REQUESTS, "2001:db8:1:1::1");
        assert_eq!(held.len(), 3);
        assert!(all(&slots, SESSION, "2001:db8:1:1:2:3:4:5").is_empty());
        // Other networks of the site: four times as many in all.
        for network in 2..9 {
            held.extend(all(&slots, REQUESTS, &format!("2001:db8:1:{network}::1")));
        }
        assert_eq!(held.len(), 12);
        assert_eq!(all(&slots, REQUESTS, "2001:db8:2:1::1").len(), 3);
        drop(held);
        assert_eq!(all(&slots, REQUESTS, "2001:db8:1:1::1").len(), 3);
        let table = slots.0.by_address.as_ref().unwrap();
        assert!(table.is_empty());
    }

    #[test]
    fn an_ipv4_address_is_the_same_in_both_spellings() {
        let slots = slots(1000, Some(3));
        let held = all(&slots, REQUESTS, "192.0.2.1");
        assert_eq!(held.len(), 3);
        assert!(all(&slots, REQUESTS, "::ffff:192.0.2.1").is_empty());
        assert_eq!(all(&slots, REQUESTS, "::ffff:192.0.2.2").len(), 3);
        // A caller without an address, on a Unix socket, is not counted by address.
        let nobody: Vec<_> = (0..50).filter_map(|_| slots.take(SESSION, None)).collect();
        assert_eq!(nobody.len(), 50);
    }
}
