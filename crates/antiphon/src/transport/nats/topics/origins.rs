//! Numbers of what other servers have sent, by which this one knows what was lost.
//!
//! Each server numbers all its items, and tells now and then how many it has sent. Between two servers that
//! are there nothing gets lost unnoticed.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

/// The most servers that are known. Of others, what is lost is not noticed.
const MAX_SERVERS: usize = 4096;

/// After this time without a word a server was not there before.
const LONGEST_SILENCE: Duration = Duration::from_secs(11);

/// A server that has been silent so long is not there any more.
const GONE: Duration = Duration::from_secs(60);

/// Servers that have been heard.
#[derive(Debug)]
pub(super) struct Origins {
    /// Since when this one listens.
    since: Instant,
    known: HashMap<Box<str>, Heard>,
}

#[derive(Debug)]
struct Heard {
    last: u64,
    at: Instant,
}

/// What a number says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// It is the next one.
    Next,
    /// It has come already.
    Again,
    /// Something before it was lost.
    Gap,
}

impl Origins {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            since: now,
            known: HashMap::new(),
        }
    }

    /// A server sends its item with this number.
    pub(super) fn item(&mut self, server: &str, number: u64, now: Instant) -> Verdict {
        self.hear(server, number, number.saturating_sub(1), now)
    }

    /// A server tells that it has sent so many items.
    pub(super) fn beat(&mut self, server: &str, number: u64, now: Instant) -> Verdict {
        self.hear(server, number, number, now)
    }

    /// Takes note of the last number of a server. All up to `expected` should have come.
    fn hear(&mut self, server: &str, last: u64, expected: u64, now: Instant) -> Verdict {
        if let Some(heard) = self.known.get_mut(server) {
            let before = heard.last;
            (heard.last, heard.at) = (before.max(last), now);
            return match expected {
                _ if expected > before => Verdict::Gap,
                _ if last > before => Verdict::Next,
                _ => Verdict::Again,
            };
        }
        // Whoever was there before would have been heard before.
        let is_late = now.saturating_duration_since(self.since) > LONGEST_SILENCE;
        if self.known.len() >= MAX_SERVERS {
            self.known
                .retain(|_, heard| now.saturating_duration_since(heard.at) < GONE);
        }
        if self.known.len() < MAX_SERVERS {
            self.known.insert(server.into(), Heard { last, at: now });
        }
        match is_late && expected > 0 {
            true => Verdict::Gap,
            false => Verdict::Next,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lost_is_noticed_and_nothing_comes_twice() {
        use Verdict::{Again, Gap, Next};
        let start = Instant::now();
        let mut origins = Origins::new(start);
        let mut at = |seconds: u64, server: &str, is_beat: bool, number: u64| {
            let now = start + Duration::from_secs(seconds);
            match is_beat {
                true => origins.beat(server, number, now),
                false => origins.item(server, number, now),
            }
        };
        for (seconds, server, is_beat, number, expected) in [
            // It was there before this one.
            (1, "a", false, 7, Next),
            (1, "a", false, 8, Next),
            (1, "a", false, 8, Again),
            (2, "a", true, 8, Again),
            (3, "a", false, 10, Gap),
            (3, "a", false, 11, Next),
            // The last ones were lost.
            (4, "a", true, 13, Gap),
            (4, "a", true, 13, Again),
            // One that has just begun.
            (100, "b", true, 0, Next),
            (100, "b", false, 1, Next),
            (100, "c", false, 1, Next),
            // Its first items were lost.
            (100, "d", false, 3, Gap),
            (100, "e", true, 1, Gap),
        ] {
            let found = at(seconds, server, is_beat, number);
            assert_eq!(found, expected, "{seconds} {server} {number}");
        }
        for number in 0..2 * MAX_SERVERS {
            at(200, &number.to_string(), true, 0);
        }
        assert_eq!(origins.known.len(), MAX_SERVERS);
    }
}
