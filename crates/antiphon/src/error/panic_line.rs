//! The line of a panic in the log, for the panic hook of a program.
//!
//! Within a call the line waits for the incident id and for the name of the method; see
//! [`incident`](super::incident). Everywhere else it is logged at once.
//!
//! A hook must not panic, or the process is aborted. So nothing here borrows or locks without a try.

use std::backtrace::Backtrace;
use std::fmt;
use std::panic::PanicHookInfo;

use antiphon_proto::{Printable, is_printable};

use crate::error::incident::{LINES, Line, PANICS, Panic, STATE, State, keep};

/// The longest backtrace that is logged, in characters.
const MAX_BACKTRACE: usize = 8 * 1024;

/// What the standard library says before it aborts the process: there was a panic during another
/// one, or where none may pass.
const ABORTS: [&str; 2] = [
    "panic in a destructor during cleanup",
    "panic in a function that cannot unwind",
];

/// Logs a panic, or has it logged when the call of this thread ends. `shown` is false if there were
/// too many. Returns whether the process is about to be aborted.
pub(crate) fn record(panic: &PanicHookInfo<'_>, shown: bool) -> bool {
    let text = text(panic);
    let aborts = cfg!(panic = "abort") || ABORTS.contains(&text);
    let state = STATE.try_with(std::cell::Cell::get);
    let is_inside = state.is_ok_and(|state| state != State::Outside);
    let backtrace = shown && tracing::enabled!(target: PANICS, tracing::Level::DEBUG);
    let mut line = Line {
        incident: None,
        reason: Printable(text).to_string(),
        panic: Some(Panic {
            place: match panic.location() {
                Some(place) => Printable(place).to_string(),
                None => "an unknown place".to_owned(),
            },
            backtrace: backtrace.then(|| on_one_line(&Backtrace::force_capture())),
            shown,
        }),
    };
    if is_inside && !aborts {
        keep(line);
        return false;
    }
    if aborts {
        // Nobody will end the call.
        let kept =
            LINES.try_with(|lines| lines.try_borrow_mut().map(|mut l| std::mem::take(&mut *l)));
        for line in kept.into_iter().flatten().flatten() {
            line.log(None, None);
        }
    }
    let thread = std::thread::current();
    let name = thread.name().unwrap_or("without a name");
    line.reason = format!("a panic on thread {}: {}", Printable(name), line.reason);
    line.log(None, None);
    aborts
}

/// The text of a panic. Only strings can be shown.
fn text<'a>(panic: &'a PanicHookInfo<'_>) -> &'a str {
    let payload = panic.payload();
    match payload.downcast_ref::<&'static str>() {
        Some(text) => text,
        None => payload
            .downcast_ref::<String>()
            .map_or("not a text", String::as_str),
    }
}

/// The frames of a backtrace, separated by bars.
fn on_one_line(backtrace: &dyn fmt::Display) -> String {
    let text = backtrace.to_string();
    let lines: Vec<_> = text.lines().map(str::trim).collect();
    let shown = |c| if is_printable(c) { c } else { '?' };
    let line = lines.join(" | ");
    line.chars().take(MAX_BACKTRACE).map(shown).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_backtrace_is_one_line() {
        let text = "   0: a::b\n             at /x/y.rs:3:4\n   1: c\u{1b}";
        assert_eq!(
            super::on_one_line(&text),
            "0: a::b | at /x/y.rs:3:4 | 1: c?"
        );
        let long = super::on_one_line(&"x\n".repeat(20_000));
        assert_eq!(long.chars().count(), super::MAX_BACKTRACE);
    }
}
