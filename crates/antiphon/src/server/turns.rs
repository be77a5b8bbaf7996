//! Turns of workers that share listeners: which of them accepts the next connection.
//!
//! A connection wakes all workers, and those with the fewest open ones accept it. The others leave it
//! in the queue and look again a little later. If it is still there after some milliseconds, they
//! accept it after all. A worker that has taken nothing three times is no longer waited for, until its
//! number changes: one that is blocked delays a few connections, not each.
//!
//! Who is full is not waited for. And who is full leaves each connection to those who have room, as
//! long as they accept some: it could only refuse it.

use std::time::Duration;

use tokio::time::sleep;

use crate::server::connection_kind::ConnectionKind;
use crate::server::worker_slot::{Load, Slot};

/// Pauses between the looks at a connection that others should accept. After the last one, this
/// worker accepts it.
const PAUSES: [Duration; 3] = [
    Duration::from_millis(1),
    Duration::from_millis(2),
    Duration::from_millis(4),
];

/// The part of the fewest connections by which a worker may have more: an eighth.
const TOLERANCE: u32 = 8;

/// Connections that a worker may have more once it has waited: then several are in the queue, and
/// they are accepted with fewer pauses.
const BURST: u32 = 1;

/// How often a worker is waited for in vain before the others stop to wait. More than once, because
/// on a busy machine it takes a while until a process runs.
const MAX_LATE: u32 = 3;

/// Maximum number of connections that are accepted out of turn before the next pause. It is 1 at
/// first, and doubles while the queue is not empty: the others are at work, but too slow.
const MAX_CREDIT: u32 = 64;

/// What a worker knows of the others, at one listener.
#[derive(Default, Debug)]
pub(super) struct Turns {
    /// The slots of the other workers, as they were read last.
    pub(super) others: Vec<Slot>,
    /// The slots of workers that have let connections wait, and how often without a change.
    late: Vec<(Slot, u32)>,
    /// Number of pauses since it was last this worker's turn.
    pauses: usize,
    /// Whether there was a pause since the queue was last empty.
    waited: bool,
    /// Connections that may be accepted out of turn, now and after the last pauses.
    credit: u32,
    last_credit: u32,
}

impl Turns {
    /// Whether this worker accepts the next connection, which is of this kind, while it has this load.
    pub(super) fn is_mine(&mut self, own: Load, kind: ConnectionKind) -> bool {
        self.late.resize_with(self.others.len(), Default::default);
        let burst = if self.waited { BURST } else { 0 };
        // Whether nobody has so few that this worker has too many. One that is full has too many.
        let is_turn = |fewest: Option<u32>| {
            let most = |fewest: u32| fewest.saturating_add(fewest / TOLERANCE + burst);
            fewest.is_none_or(|fewest| !own.is_full(kind) && own.number() <= most(fewest))
        };
        let number = |slot: &Slot| {
            let load = slot.load().filter(|load| !load.is_full(kind))?;
            Some(load.number())
        };
        if is_turn(self.others.iter().filter_map(number).min()) {
            self.pauses = 0;
            self.last_credit = 0;
            return true;
        }
        let with_late = self.others.iter().zip(&self.late);
        let in_time = with_late.filter(|(slot, late)| **slot != late.0 || late.1 < MAX_LATE);
        if is_turn(in_time.filter_map(|(slot, _)| number(slot)).min()) {
            self.pauses = 0;
            return true;
        }
        if own.is_full(kind) {
            self.credit = 0;
        }
        if self.credit == 0 {
            if self.pauses < PAUSES.len() {
                return false;
            }
            self.pauses = 0;
            for (slot, late) in self.others.iter().zip(&mut self.late) {
                let is_before = |other| own.is_full(kind) || other < own.number();
                if number(slot).is_some_and(is_before) {
                    let before = if late.0 == *slot { late.1 } else { 0 };
                    *late = (*slot, before.saturating_add(1));
                }
            }
            if own.is_full(kind) {
                return false;
            }
            self.last_credit = (self.last_credit * 2).clamp(1, MAX_CREDIT);
            self.credit = self.last_credit;
        }
        self.credit -= 1;
        true
    }

    /// Waits a moment for those whose turn it is.
    pub(super) async fn pause(&mut self) {
        let pause = PAUSES.get(self.pauses).copied().unwrap_or_default();
        self.pauses += 1;
        self.waited = true;
        sleep(pause).await;
    }

    /// No connection waits any more.
    pub(super) fn queue_is_empty(&mut self) {
        self.pauses = 0;
        self.waited = false;
        self.credit = 0;
        self.last_credit = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUESTS: ConnectionKind = ConnectionKind::Requests;

    fn load(open: u32) -> Load {
        Load {
            open,
            ..Load::default()
        }
    }

    /// The slot of a worker with so many connections.
    fn slot(open: u32) -> Slot {
        Slot::default().next(load(open))
    }

    /// A worker among others with so many connections.
    fn among(others: &[u32]) -> Turns {
        Turns {
            others: others.iter().map(|open| slot(*open)).collect(),
            ..Turns::default()
        }
    }

    /// How often it leaves a connection that nobody takes before it accepts it.
    fn looks(turns: &mut Turns, own: u32) -> usize {
        looks_with(turns, load(own))
    }

    fn looks_with(turns: &mut Turns, own: Load) -> usize {
        let mut looks = 0;
        while !turns.is_mine(own, REQUESTS) {
            looks += 1;
            turns.pauses += 1;
            turns.waited = true;
        }
        looks
    }

    #[test]
    fn who_has_fewest_accepts_at_once_and_the_others_the_later_the_more_they_have() {
        let all = PAUSES.len();
        for (own, others, expected) in [
            // Alone, or among equals.
            (0, &[][..], 0),
            (5, &[], 0),
            (0, &[0, 0, 0], 0),
            (7, &[9, 7, 30], 0),
            // One more is too much while there are few, and an eighth when there are many.
            (1, &[0, 0, 0], 1),
            (8, &[7, 9, 9], 1),
            (9, &[8, 9, 9], 0),
            (90, &[80, 100, 100], 0),
            (91, &[80, 100, 100], 1),
            // One more than that when several wait in the queue.
            (2, &[0, 9], all),
            (12, &[10, 10], 1),
            (13, &[10, 10], all),
            (1000, &[0], all),
        ] {
            assert_eq!(looks(&mut among(others), own), expected, "{own} {others:?}");
        }
    }

    #[test]
    fn a_slot_of_nobody_is_not_waited_for() {
        let mut turns = among(&[6, 6]);
        turns.others.insert(0, Slot::default());
        assert_eq!(looks(&mut turns, 6), 0);
        assert_eq!(looks(&mut turns, 7), 1);
    }

    #[test]
    fn a_worker_that_takes_nothing_is_waited_for_some_times_until_its_number_changes() {
        let mut turns = among(&[0, 50]);
        for _ in 0..2 {
            for _ in 0..MAX_LATE {
                assert_eq!(looks(&mut turns, 40), PAUSES.len());
                turns.queue_is_empty();
            }
            // Now the turns are those of the others.
            for own in 40..=56 {
                assert_eq!(looks(&mut turns, own), 0, "{own}");
                turns.queue_is_empty();
            }
            assert_eq!(looks(&mut turns, 57), 1);
            turns.queue_is_empty();
            // It runs, even if its number is the same as before.
            turns.others[0] = turns.others[0].next(load(1)).next(load(0));
        }
    }

    #[test]
    fn more_and_more_are_accepted_out_of_turn_while_the_others_do_not_keep_up() {
        let mut turns = among(&[0]);
        // What is accepted before the next pause.
        let accept_all = |turns: &mut Turns| {
            assert_eq!(looks(turns, 100), PAUSES.len());
            turns.others[0] = turns.others[0].next(load(0));
            let mut accepted = 1;
            while turns.is_mine(load(100), REQUESTS) {
                accepted += 1;
            }
            accepted
        };
        for _ in 0..2 {
            for expected in [1, 2, 4, 8, 16, 32, 64, 64] {
                assert_eq!(accept_all(&mut turns), expected);
            }
            turns.queue_is_empty();
        }
        // It starts anew when the others had their time.
        for expected in [1, 2] {
            assert_eq!(accept_all(&mut turns), expected);
        }
        assert!(turns.is_mine(load(0), REQUESTS));
        assert_eq!(accept_all(&mut turns), 1);
    }

    #[test]
    fn a_worker_that_is_full_is_not_waited_for_and_leaves_connections_to_those_with_room() {
        let full = |open| Load {
            full_of_requests: true,
            ..load(open)
        };
        let full_slot = |open| Slot::default().next(full(open));
        let all = PAUSES.len();
        for (own, others, expected) in [
            // Others have fewer, but no room.
            (load(7), [full_slot(3), full_slot(0)], 0),
            (load(7), [full_slot(3), slot(7)], 0),
            (load(8), [full_slot(3), slot(7)], 1),
            (load(12), [full_slot(3), slot(7)], all),
            // This worker has fewest, and no room: the one with room is waited for until it is late.
            (full(0), [slot(900), full_slot(1)], all * 3 + 1),
            // Nobody has room, so nobody is waited for.
            (full(9), [full_slot(2), Slot::default()], 0),
            (full(9), [Slot::default(); 2], 0),
        ] {
            let mut turns = Turns {
                others: others.to_vec(),
                ..Turns::default()
            };
            assert_eq!(looks_with(&mut turns, own), expected, "{own:?} {others:?}");
        }
    }

    #[test]
    fn a_worker_that_is_full_refuses_nothing_while_another_accepts() {
        let full = Load {
            full_of_requests: true,
            ..Load::default()
        };
        let mut turns = among(&[50]);
        // Credit from before it was full.
        assert_eq!(looks(&mut turns, 100), PAUSES.len());
        turns.credit = 5;
        for accepted in 51..150 {
            for _ in 0..2 {
                for _ in 0..=PAUSES.len() {
                    assert!(!turns.is_mine(full, REQUESTS));
                    turns.pauses += 1;
                    turns.waited = true;
                }
                turns.pauses = 0;
            }
            turns.others[0] = turns.others[0].next(load(accepted));
        }
    }

    #[test]
    fn a_penalty_counts_as_connections() {
        let penalized = |open, penalty| Load {
            penalty,
            ..load(open)
        };
        let mut turns = among(&[20]);
        assert_eq!(looks_with(&mut turns, penalized(3, 20)), 1);
        assert_eq!(looks_with(&mut among(&[20]), penalized(3, 17)), 0);
        turns.queue_is_empty();
        turns.others[0] = turns.others[0].next(penalized(3, 20));
        assert_eq!(looks(&mut turns, 23), 0);
    }

    /// Bursts at four workers that accept in a random order, each as often as it is scheduled.
    #[test]
    fn a_burst_is_spread_whoever_is_scheduled_first() {
        for (count, seed) in (0..200).flat_map(|seed| [(16, seed), (400, seed)]) {
            let mut random: u64 = seed * 2 + 1;
            let mut workers: Vec<Turns> = (0..4).map(|_| Turns::default()).collect();
            let mut slots = [slot(0); 4];
            let mut left = count;
            while left > 0 {
                random = random
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                let at = usize::try_from(random >> 60).unwrap() % 4;
                let own = slots[at].load().unwrap().open;
                let turns = &mut workers[at];
                turns.others = slots.to_vec();
                turns.others[at] = Slot::default();
                if turns.is_mine(load(own), REQUESTS) {
                    slots[at] = slots[at].next(load(own + 1));
                    left -= 1;
                } else {
                    turns.pauses += 1;
                    turns.waited = true;
                }
            }
            let shares = slots.map(|slot| slot.load().unwrap().open);
            let within = |share: &u32| *share >= 1 && (count < 100 || share * 16 <= count * 5);
            assert!(shares.iter().all(within), "{seed}: {shares:?}");
        }
    }
}
