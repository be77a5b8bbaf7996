//! What becomes of calls when processes die, stop, are reloaded or replaced.
//!
//! Counts decide, not clocks: times are printed (`--nocapture`), and judged by whoever reads them.
//! `ANTIPHON_FAULTS=long` makes every test do as much as the figures in the documents stand for.

mod admin;
mod boot;
mod death;
mod descriptors;
mod reload;
mod stop;
mod upgrade;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// The server that is treated badly.
pub(crate) const SUBJECT: &str = env!("CARGO_BIN_EXE_subject");

/// Tests that count what happens under load run one after the other: they need the machine.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How often a test does its thing: a few times, or as often as its figures ask for.
pub(crate) fn rounds(few: usize, many: usize) -> usize {
    match std::env::var("ANTIPHON_FAULTS").as_deref() {
        Ok("long") => many,
        _ => few,
    }
}
