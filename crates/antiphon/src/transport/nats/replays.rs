//! Numbers of signed messages that a server has seen, so that none counts twice.
//!
//! A sender numbers its messages. Of each sender the highest number is kept, and which of those shortly below it have
//! come. What is further behind counts as seen: messages of a sender hardly overtake each other.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

/// How far behind the highest number of its sender a message may be.
const BEHIND: u64 = 4096;

/// The most senders, and how long one that is silent is remembered: longer than its messages hold.
const MOST: usize = 16_384;
const MEMORY: Duration = Duration::from_secs(180);

/// The numbers that were seen.
#[derive(Default)]
pub(super) struct Seen(HashMap<u64, Sender>);

struct Sender {
    highest: u64,
    /// One bit for each number up to the highest one.
    bits: Box<[u64]>,
    heard: Instant,
}

impl Seen {
    /// Notes a message of a sender. Returns whether it is a new one.
    pub(super) fn note(&mut self, sender: u64, number: u64, now: Instant) -> bool {
        if !self.0.contains_key(&sender) && self.0.len() >= MOST {
            self.0
                .retain(|_, sender| now.saturating_duration_since(sender.heard) < MEMORY);
            if self.0.len() >= MOST {
                return false;
            }
        }
        let sender = self.0.entry(sender).or_insert_with(|| Sender {
            highest: 0,
            bits: vec![0; usize::try_from(BEHIND / 64).unwrap_or_default()].into(),
            heard: now,
        });
        sender.heard = now;
        sender.note(number)
    }
}

impl Sender {
    fn note(&mut self, number: u64) -> bool {
        if number > self.highest {
            // The numbers between are not seen yet; their bits may be those of numbers long past.
            let skipped = (number - self.highest).min(BEHIND);
            for past in 0..skipped {
                self.set(number - past, false);
            }
            self.highest = number;
        } else if self.highest - number >= BEHIND || self.is_set(number) {
            return false;
        }
        self.set(number, true);
        true
    }

    fn place(number: u64) -> (usize, u64) {
        let bit = number % BEHIND;
        (
            usize::try_from(bit / 64).unwrap_or_default(),
            1 << (bit % 64),
        )
    }

    fn is_set(&self, number: u64) -> bool {
        let (index, mask) = Self::place(number);
        self.bits.get(index).is_some_and(|bits| bits & mask != 0)
    }

    fn set(&mut self, number: u64, is_seen: bool) {
        let (index, mask) = Self::place(number);
        if let Some(bits) = self.bits.get_mut(index) {
            match is_seen {
                true => *bits |= mask,
                false => *bits &= !mask,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn no_number_counts_twice_and_what_is_far_behind_does_not_count() {
        let check = |numbers: &[u64], expected: &[bool]| {
            let mut seen = Seen::default();
            let now = Instant::now();
            let new: Vec<_> = numbers
                .iter()
                .map(|number| seen.note(7, *number, now))
                .collect();
            assert_eq!(new, expected, "{numbers:?}");
        };
        check(&[1, 2, 3], &[true, true, true]);
        check(&[1, 1], &[true, false]);
        check(&[3, 1, 2, 1, 3], &[true, true, true, false, false]);
        check(&[5000, 904, 905, 905], &[true, false, true, false]);
        check(&[1, 4097, 2, 1], &[true, true, true, false]);
        check(&[10, 4106, 11, 10, 9], &[true, true, true, false, false]);
        check(&[1, u64::MAX, u64::MAX, 2], &[true, true, false, false]);
        check(&[0, 0], &[true, false]);
    }

    #[tokio::test(start_paused = true)]
    async fn senders_are_few_or_long_silent() {
        let mut seen = Seen::default();
        let most = u64::try_from(MOST).unwrap();
        let began = Instant::now();
        assert!((0..most).all(|sender| seen.note(sender, 1, began)));
        assert!(!seen.note(most, 1, began));
        assert!(seen.note(0, 2, began));
        let later = began + MEMORY;
        assert!(seen.note(0, 3, began + MEMORY / 2));
        assert!(seen.note(most, 1, later));
        assert!(!seen.note(0, 3, later));
    }
}
