//! Fault tests: the outcome of calls while processes crash, stop, reload or are upgraded.
//!
//! The tests assert counts, not durations. Durations are printed (`--nocapture`) for the reader.
//! `ANTIPHON_FAULTS=long` repeats every test as often as the documented figures require.

mod admin;
mod boot;
mod death;
mod descriptors;
mod reload;
mod spread;
mod stop;
mod upgrade;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// The server under test.
pub(crate) const SUBJECT: &str = env!("CARGO_BIN_EXE_subject");

/// Lock for tests that count outcomes under load: they run one at a time, because they need the
/// machine.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The count of rounds: a few, or as many as the documented figures require.
pub(crate) fn rounds(few: usize, many: usize) -> usize {
    match std::env::var("ANTIPHON_FAULTS").as_deref() {
        Ok("long") => many,
        _ => few,
    }
}
