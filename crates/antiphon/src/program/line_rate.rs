//! Rate limit of log lines, for each kind of line.
//!
//! Callers decide how often a method fails or panics. They must not decide how fast the log grows.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::mem;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::callsite::Identifier;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use crate::error::incident::PANICS;

/// The most lines of a kind in one period.
const MAX_LINES: u32 = 20;

/// The period in which lines are counted.
pub(super) const PERIOD: Duration = Duration::from_secs(1);

/// The target of the lines that tell how many were left out.
const TARGET: &str = "antiphon::log";

static KINDS: LazyLock<Mutex<HashMap<Kind, LineRate>>> = LazyLock::new(Mutex::default);

/// Lines of one kind come from one place in the code. So there are only so many.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Kind {
    Panic,
    Event(Identifier),
}

/// The lines of one kind.
#[derive(Debug)]
struct LineRate {
    /// The module that they come from.
    name: &'static str,
    began: Instant,
    admitted: u32,
    left_out: u64,
}

impl LineRate {
    fn new(name: &'static str, now: Instant) -> Self {
        Self {
            name,
            began: now,
            admitted: 0,
            left_out: 0,
        }
    }

    /// Whether a further line may be written.
    fn admit(&mut self, now: Instant) -> bool {
        if now.saturating_duration_since(self.began) >= PERIOD {
            self.began = now;
            self.admitted = 0;
        }
        if self.admitted < MAX_LINES {
            self.admitted += 1;
            return true;
        }
        self.left_out += 1;
        false
    }
}

/// Whether the line of a panic may be written. Otherwise it is counted, and the first time
/// `tell_later` is called, which has [`tell_all`] called a period later.
pub(super) fn admit_panic(tell_later: fn()) -> bool {
    admit(Kind::Panic, PANICS, tell_later)
}

fn admit(kind: Kind, name: &'static str, tell_later: fn()) -> bool {
    let now = Instant::now();
    let mut kinds = KINDS.lock().unwrap_or_else(PoisonError::into_inner);
    let rate = match kinds.entry(kind) {
        Entry::Occupied(known) => known.into_mut(),
        Entry::Vacant(new) => new.insert(LineRate::new(name, now)),
    };
    let admitted = rate.admit(now);
    let is_first = rate.left_out == 1 && !admitted;
    drop(kinds);
    if is_first {
        tell_later();
    }
    admitted
}

/// Tells how many lines were left out, a line for each kind.
pub(super) fn tell_all() {
    let mut kinds = KINDS.lock().unwrap_or_else(PoisonError::into_inner);
    let left_out: Vec<_> = kinds
        .values_mut()
        .map(|rate| (rate.name, mem::take(&mut rate.left_out)))
        .filter(|&(_, count)| count > 0)
        .collect();
    drop(kinds);
    for (name, count) in left_out {
        tracing::warn!(
            target: TARGET,
            "{count} further lines of {name} were left out: more than {MAX_LINES} in a second"
        );
    }
}

/// Layer that leaves out lines of this crate beyond the limit. Lines of the supervisor have causes of
/// its own, and those at debug level and below are wanted by whoever has turned them on.
pub(super) struct RateLimit {
    /// Has [`tell_all`] called a period later.
    pub(super) tell_later: fn(),
}

impl<S: Subscriber> Layer<S> for RateLimit {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        let metadata = event.metadata();
        !is_limited(metadata)
            || admit(
                Kind::Event(metadata.callsite()),
                metadata.target(),
                self.tell_later,
            )
    }
}

fn is_limited(metadata: &Metadata<'_>) -> bool {
    let target = metadata.target();
    // The panic hook has counted its lines, also for other subscribers.
    let elsewhere = [PANICS, TARGET, "antiphon::supervisor"];
    *metadata.level() <= Level::INFO
        && (target == "antiphon" || target.starts_with("antiphon::"))
        && !elsewhere.iter().any(|other| target.starts_with(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_has_twenty_lines_a_second_and_the_others_are_counted() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut rate = LineRate::new("m", start);
        for (millis, tried, admitted, left_out) in [
            (0, 15, 15, 0),
            (999, 10, 5, 5),
            (1000, 100, 20, 85),
            (1999, 1, 0, 86),
            (2500, 1, 1, 86),
            (3499, 20, 19, 87),
            (3500, 20, 20, 87),
        ] {
            let count = (0..tried).filter(|_| rate.admit(at(millis))).count();
            assert_eq!((count, rate.left_out), (admitted, left_out), "{millis}");
        }
    }
}
