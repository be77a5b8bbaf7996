//! Gaps in the queue of a subscriber: items that its worker has not got, told where they are missing.

use std::collections::VecDeque;

use super::item::Item;

/// How many gaps are told where they are. More of them are told together, behind what waits.
const MAX_GAPS: usize = 64;

/// Items before this one that a subscriber does not get: because they are not kept any more, or because
/// its worker has not followed the others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Missed {
    Some(u64),
    /// Nobody knows how many.
    Unknown,
}

impl Missed {
    /// What is missing in two places together.
    pub(super) fn sum(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        match (one, other) {
            (None, only) | (only, None) => only,
            (Some(Self::Some(one)), Some(Self::Some(other))) => {
                Some(Self::Some(one.saturating_add(other)))
            }
            _ => Some(Self::Unknown),
        }
    }
}

/// Where a subscriber goes on.
pub(super) struct Behind {
    /// The number of an item, of those that the subscriber gets.
    pub(super) number: fn(&Item) -> u64,
    /// That of the last one that it has seen.
    pub(super) seen: u64,
    /// That of the last one of all.
    pub(super) last: u64,
    /// Whether each of these numbers is one item that the subscriber gets.
    pub(super) counts: bool,
}

/// What is missing before the items that have these numbers in the queue, or did have them before they
/// were dropped. In order.
#[derive(Default)]
pub(super) struct Gaps(VecDeque<(u64, Missed)>);

impl Gaps {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes note of items that are missing before the one that gets the number `next`. `first` is that
    /// of the first one that waits, or `next`.
    pub(super) fn add(&mut self, missed: Missed, first: u64, next: u64) {
        self.put(next, Some(missed));
        // Those before items that were dropped are told together.
        let before = self.0.partition_point(|(seq, _)| *seq <= first);
        if before > 1
            && let Some(&(seq, _)) = self.0.get(before - 1)
        {
            let all = self.take(seq);
            self.0.extend(all.map(|all| (seq, all)));
            self.0.rotate_right(1);
        }
        if self.0.len() > MAX_GAPS {
            let all = self.take(next);
            self.put(next, all);
        }
    }

    /// Adds what is missing before an item behind all others.
    pub(super) fn put(&mut self, seq: u64, missed: Option<Missed>) {
        match (self.0.back_mut(), missed) {
            (Some((last, before)), Some(missed)) if *last == seq => {
                *before = Missed::sum(Some(*before), Some(missed)).unwrap_or(missed);
            }
            (_, missed) => self.0.extend(missed.map(|missed| (seq, missed))),
        }
    }

    /// Takes out what is missing before this item and before all earlier ones.
    pub(super) fn take(&mut self, until: u64) -> Option<Missed> {
        let mut all = None;
        while let Some(&(seq, missed)) = self.0.front()
            && seq <= until
        {
            self.0.pop_front();
            all = Missed::sum(all, Some(missed));
        }
        all
    }

    /// Adds what has come to an emptied queue since these were taken out of it.
    pub(super) fn append(&mut self, mut newer: Self) {
        self.0.append(&mut newer.0);
    }

    /// Leaves of what is missing before the first item that waits only what is not seen: what is missing
    /// between that and this item, of which its two numbers are given, `None` if none waits.
    pub(super) fn go_on(&mut self, behind: &Behind, first: Option<(u64, u64)>) {
        let until = first.map_or(u64::MAX, |(seq, _)| seq);
        let missed = match self.take(until) {
            Some(Missed::Some(_)) => {
                let last = first.map_or(behind.last, |(_, number)| number.saturating_sub(1));
                let count = last.saturating_sub(behind.seen);
                let count = Some(count).filter(|count| *count > 0);
                count.map(|count| match behind.counts {
                    true => Missed::Some(count),
                    false => Missed::Unknown,
                })
            }
            others => others,
        };
        self.0.extend(missed.map(|missed| (0, missed)));
        self.0.rotate_right(usize::from(missed.is_some()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_gap_is_lost_and_their_number_is_bounded() {
        for (count, front, taken) in [
            // Each is told with its item.
            (3, 1, 3),
            // Those before the first item that waits are told together.
            (3, 3, 1),
            (64, 1, 64),
            (65, 1, 1),
            (1000, 1, 40),
            (1000, 999, 2),
        ] {
            let mut gaps = Gaps::default();
            for seq in 1..=count {
                gaps.add(Missed::Some(seq), front.min(seq), seq);
                assert!(gaps.0.len() <= MAX_GAPS);
                assert!(gaps.0.iter().is_sorted_by(|one, other| one.0 < other.0));
            }
            let told: Vec<_> = (1..=count).filter_map(|seq| gaps.take(seq)).collect();
            assert_eq!(told.len(), taken, "{count} {front}");
            let all = told
                .into_iter()
                .fold(None, |all, one| Missed::sum(all, Some(one)));
            assert_eq!(all, Some(Missed::Some(count * (count + 1) / 2)));
        }
    }
}
