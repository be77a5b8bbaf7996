//! Incidents: failures and panics that become −32603, and their lines in the log.
//!
//! The caller gets an incident id and nothing else. The log gets the id, the reason, and the method and
//! caller of the call. Where an error is converted, the call is not known, so the line waits until
//! dispatch, which knows it, ends the [`IncidentScope`].

use std::cell::{Cell, RefCell};
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use antiphon_proto::{ErrorCode, ErrorObject};
use serde::Serialize;

use crate::error::printable::Printable;

/// Whether this thread runs the code of a call, and whether that call has lines for the log.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Outside,
    Inside,
    HasLines,
}

thread_local! {
    static STATE: Cell<State> = const { Cell::new(State::Outside) };
    static LINES: RefCell<Vec<Line>> = const { RefCell::new(Vec::new()) };
}

/// A line for the log.
struct Line {
    incident: String,
    reason: String,
}

/// A part of a call that runs on this thread. The lines of its incidents are kept until it ends with
/// [`log`](Self::log), which says whose they are.
///
/// Nearly every call has no incident. So this is a value of two words and no closure around the
/// call's code, whose future and reply would be moved through it.
#[must_use]
pub(crate) struct IncidentScope {
    outer: State,
    /// Lines of a call around this one: a client may call a router of this process inside of a call.
    outer_lines: usize,
}

impl IncidentScope {
    #[inline]
    pub(crate) fn enter() -> Self {
        let outer = STATE.replace(State::Inside);
        let outer_lines = match outer {
            State::HasLines => LINES.with_borrow(Vec::len),
            _ => 0,
        };
        Self { outer, outer_lines }
    }

    /// Ends the part of the call. The method and the caller are asked for only if there are lines.
    #[inline]
    pub(crate) fn log<C: fmt::Display>(self, call: impl FnOnce() -> (String, C)) {
        if STATE.get() != State::HasLines {
            return self.leave();
        }
        let (method, caller) = call();
        for Line { incident, reason } in self.take() {
            tracing::error!(incident, method = %Printable(&method), %caller, "{reason}");
        }
    }

    /// The same for code that runs before the method is known.
    #[inline]
    pub(crate) fn log_caller<C: fmt::Display>(self, caller: impl FnOnce() -> C) {
        if STATE.get() != State::HasLines {
            return self.leave();
        }
        let caller = caller();
        for Line { incident, reason } in self.take() {
            tracing::error!(incident, %caller, "{reason}");
        }
    }

    /// Ends a part without lines.
    fn leave(self) {
        STATE.set(self.outer);
        std::mem::forget(self);
    }

    fn take(&self) -> Vec<Line> {
        STATE.set(State::Inside);
        LINES.with_borrow_mut(|lines| lines.split_off(self.outer_lines))
    }
}

impl Drop for IncidentScope {
    /// A panic leads here, too: then the lines go to the log without the call.
    fn drop(&mut self) {
        if STATE.get() == State::HasLines {
            for Line { incident, reason } in self.take() {
                tracing::error!(incident, "{reason}");
            }
        }
        STATE.set(self.outer);
    }
}

/// −32603 with an incident id in `data`, and one line in the log that carries the same id and the
/// reason.
pub(crate) fn internal_error(reason: &dyn fmt::Display) -> ErrorObject {
    #[derive(Serialize)]
    struct Data<'a> {
        incident: &'a str,
    }
    let incident = incident_id();
    let error = ErrorObject::of(ErrorCode::INTERNAL_ERROR).with_data(&Data {
        incident: &incident,
    });
    let reason = Printable(reason).to_string();
    if STATE.get() == State::Outside {
        tracing::error!(incident, "{reason}");
    } else {
        STATE.set(State::HasLines);
        LINES.with_borrow_mut(|lines| lines.push(Line { incident, reason }));
    }
    error
}

/// Runs code of the user's; a panic becomes −32603, and nothing of its text leaves.
pub(crate) fn guard<R>(panicked: &'static str, f: impl FnOnce() -> R) -> Result<R, ErrorObject> {
    catch_unwind(AssertUnwindSafe(f)).map_err(|payload| {
        // It is the user's as well, and may panic when it is dropped.
        if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            std::mem::forget(again);
        }
        internal_error(&panicked)
    })
}

/// Sixteen hexadecimal digits: unique enough to find a line in a log, and no secret.
pub(crate) fn incident_id() -> String {
    static KEYS: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let number = COUNTER.fetch_add(1, Ordering::Relaxed);
    format!("{:016x}", KEYS.hash_one(number))
}
