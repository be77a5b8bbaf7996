//! Incidents: failures and panics that become −32603, and their lines in the log.
//!
//! The caller gets an incident id and nothing else. The log gets the id, the reason, and the method and
//! caller of the call. Where an error is converted, the call is not known: so the line waits until
//! dispatch, which knows, has the thread again ([`in_call`]).

use std::cell::{Cell, RefCell};
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use antiphon_proto::{ErrorCode, ErrorObject};
use serde::Serialize;

use crate::error::printable::Printable;

/// Whether this thread is inside of a call, and whether lines of it wait.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Outside,
    Inside,
    Waiting,
}

thread_local! {
    static STATE: Cell<State> = const { Cell::new(State::Outside) };
    static LINES: RefCell<Vec<Line>> = const { RefCell::new(Vec::new()) };
}

/// What the log is to be told.
struct Line {
    incident: String,
    reason: String,
}

/// Lines of one call that are not in the log yet. Dropped, they go there without the call.
#[must_use]
pub(crate) struct Incidents(Vec<Line>);

impl Incidents {
    /// Writes them to the log. Most often there are none, and then nobody is asked who called.
    pub(crate) fn log<C: fmt::Display>(mut self, call: impl FnOnce() -> (String, C)) {
        if self.0.is_empty() {
            return;
        }
        let (method, caller) = call();
        for Line { incident, reason } in self.0.drain(..) {
            tracing::error!(incident, method = %Printable(&method), %caller, "{reason}");
        }
    }

    /// The same for code that runs before the method is known.
    pub(crate) fn log_caller(mut self, caller: &dyn fmt::Display) {
        for Line { incident, reason } in self.0.drain(..) {
            tracing::error!(incident, %caller, "{reason}");
        }
    }
}

impl Drop for Incidents {
    fn drop(&mut self) {
        for Line { incident, reason } in self.0.drain(..) {
            tracing::error!(incident, "{reason}");
        }
    }
}

/// Runs a part of a call, and keeps the lines of its incidents until it is said whose they are.
pub(crate) fn in_call<R>(f: impl FnOnce() -> R) -> (R, Incidents) {
    let mut outer = Outer::leave();
    let result = f();
    (result, outer.take())
}

/// What this thread was doing before a call; a panic leads back there, too.
struct Outer {
    state: State,
    /// Lines that are of a call around this one.
    lines: usize,
    is_back: bool,
}

impl Outer {
    fn leave() -> Self {
        let state = STATE.replace(State::Inside);
        // A client may call a router of this process inside of a call: its lines are its own.
        let lines = match state {
            State::Waiting => LINES.with_borrow(Vec::len),
            _ => 0,
        };
        Self {
            state,
            lines,
            is_back: false,
        }
    }

    fn take(&mut self) -> Incidents {
        self.is_back = true;
        Incidents(match STATE.replace(self.state) {
            State::Waiting => LINES.with_borrow_mut(|lines| lines.split_off(self.lines)),
            _ => Vec::new(),
        })
    }
}

impl Drop for Outer {
    fn drop(&mut self) {
        if !self.is_back {
            drop(self.take());
        }
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
        STATE.set(State::Waiting);
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
