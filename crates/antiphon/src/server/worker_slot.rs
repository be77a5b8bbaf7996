//! Slot of a worker in the file that workers share: what the others know of it.

use crate::server::connection_kind::ConnectionKind;

/// What a worker tells the others, so that they know who accepts the next connection.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Load {
    /// Open connections.
    pub(super) open: u32,
    /// What counts as open connections in addition, for a while after a refusal.
    pub(super) penalty: u32,
    /// Whether it would refuse one more of this kind.
    pub(super) full_of_requests: bool,
    pub(super) full_of_sessions: bool,
}

impl Load {
    /// The number by which workers are compared: who has the lowest accepts.
    pub(super) fn number(self) -> u32 {
        self.open.saturating_add(self.penalty)
    }

    /// Whether the worker would refuse one more connection of this kind.
    pub(super) fn is_full(self, kind: ConnectionKind) -> bool {
        match kind {
            ConnectionKind::Requests => self.full_of_requests,
            ConnectionKind::Session => self.full_of_sessions,
        }
    }
}

/// The load of one worker, and the number of changes so far; all zeros if there is no such worker.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Slot {
    load: Load,
    /// Never 0 in the slot of a worker.
    changes: u32,
}

/// Bits of the last field of a slot.
const FULL_OF_REQUESTS: u32 = 1;
const FULL_OF_SESSIONS: u32 = 2;

impl Slot {
    /// Bytes of a slot: four numbers of 32 bits. Whoever reads them while they are written gets some
    /// of them too early, and looks again soon.
    pub(super) const SIZE: usize = 16;

    /// What follows on this value when the worker has this load.
    pub(super) fn next(self, load: Load) -> Self {
        Self {
            load,
            changes: self.changes.wrapping_add(1).max(1),
        }
    }

    /// The load; `None` if there is no such worker.
    pub(super) fn load(self) -> Option<Load> {
        (self.changes > 0).then_some(self.load)
    }

    pub(super) fn to_bytes(self) -> [u8; Self::SIZE] {
        let Load {
            open,
            penalty,
            full_of_requests,
            full_of_sessions,
        } = self.load;
        let full = u32::from(full_of_requests) * FULL_OF_REQUESTS
            + u32::from(full_of_sessions) * FULL_OF_SESSIONS;
        let value = [open, penalty, full, self.changes]
            .into_iter()
            .fold(0, |value, field| value << 32 | u128::from(field));
        value.to_ne_bytes()
    }

    pub(super) fn of_bytes(bytes: [u8; Self::SIZE]) -> Self {
        let value = u128::from_ne_bytes(bytes);
        let field = |at: u32| {
            let shifted = value >> (32 * (3 - at)) & u128::from(u32::MAX);
            u32::try_from(shifted).unwrap_or_default()
        };
        let full = field(2);
        Self {
            load: Load {
                open: field(0),
                penalty: field(1),
                full_of_requests: full & FULL_OF_REQUESTS != 0,
                full_of_sessions: full & FULL_OF_SESSIONS != 0,
            },
            changes: field(3),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_load_passes_through_a_slot() {
        let mut last = Slot::default();
        assert_eq!((last.load(), last.to_bytes()), (None, [0; Slot::SIZE]));
        for (open, penalty, full_of_requests, full_of_sessions) in [
            (0, 0, false, false),
            (0, 0, false, false),
            (1, 0, true, false),
            (400, 7, false, true),
            (u32::MAX, 1, true, true),
            (1, u32::MAX, false, false),
        ] {
            let load = Load {
                open,
                penalty,
                full_of_requests,
                full_of_sessions,
            };
            let next = last.next(load);
            assert_ne!(next, last);
            assert_eq!(next.load(), Some(load));
            assert_eq!(Slot::of_bytes(next.to_bytes()), next);
            last = next;
        }
        let last = Slot {
            load: Load::default(),
            changes: u32::MAX,
        };
        assert_eq!(last.next(Load::default()).load(), Some(Load::default()));
    }

    #[test]
    fn a_worker_is_full_of_one_kind_or_of_both() {
        use ConnectionKind::{Requests, Session};
        for (full_of_requests, full_of_sessions) in
            [(false, false), (true, false), (false, true), (true, true)]
        {
            let load = Load {
                full_of_requests,
                full_of_sessions,
                ..Load::default()
            };
            assert_eq!(load.is_full(Requests), full_of_requests);
            assert_eq!(load.is_full(Session), full_of_sessions);
        }
    }
}
