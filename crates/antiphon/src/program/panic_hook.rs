//! Panic hook of a program: one line in the log for each panic.
//!
//! The standard hook writes the text of a panic to standard error as it is: of any length, with line
//! breaks and escape sequences, and on the thread that panics. That text is often a caller's.

use std::time::Duration;

use crate::error::panic_line;
use crate::program::{line_rate, stderr};

/// How long a process that is about to be aborted waits for its log.
const LAST_LINES: Duration = Duration::from_millis(100);

/// Replaces the hook of the process.
pub(super) fn install() {
    std::panic::set_hook(Box::new(|panic| {
        if panic_line::record(panic, line_rate::admit_panic(stderr::tell_later)) {
            stderr::flush(LAST_LINES);
        }
    }));
}
