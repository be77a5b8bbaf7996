//! Incidents: failures and panics that become −32603, and their lines in the log.
//!
//! The caller gets an incident id and nothing else. The log gets the id, the reason, and the method and
//! caller of the call. Where an error is converted, the call is not known, so the line waits until
//! dispatch, which knows it, ends the [`IncidentScope`].
//!
//! A panic has one line. The panic hook of a program (`panic_line.rs`) knows its text and its place,
//! and leaves the line here; [`guard`], which catches the panic, adds the incident id to that line.
//! Without that hook, [`guard`] makes a line without text.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use antiphon_proto::{ErrorCode, ErrorObject};
use serde::Serialize;

use antiphon_proto::Printable;

/// Whether this thread runs the code of a call, and whether that call has lines for the log.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Outside,
    Inside,
    HasLines,
}

/// The target of lines of panics in the log.
pub(crate) const PANICS: &str = "antiphon::panic";

/// The most lines of a call that wait on a thread. If there are more, the first ones are logged
/// without the call.
pub(super) const MAX_LINES: usize = 32;

thread_local! {
    pub(super) static STATE: Cell<State> = const { Cell::new(State::Outside) };
    pub(super) static LINES: RefCell<Vec<Line>> = const { RefCell::new(Vec::new()) };
}

/// A line for the log.
pub(super) struct Line {
    /// What the caller got. A panic that the method itself has caught has none.
    pub(super) incident: Option<String>,
    pub(super) reason: String,
    /// What is known of a panic.
    pub(super) panic: Option<Panic>,
}

/// A panic, as the hook has seen it.
pub(super) struct Panic {
    /// File, line and column.
    pub(super) place: String,
    pub(super) backtrace: Option<String>,
    /// False if there were too many panics, and this one is only counted.
    pub(super) shown: bool,
}

impl Line {
    fn of(incident: String, reason: String) -> Self {
        Self {
            incident: Some(incident),
            reason,
            panic: None,
        }
    }

    /// Whether it is a panic that nobody has caught yet.
    fn is_unclaimed(&self) -> bool {
        self.panic.is_some() && self.incident.is_none()
    }

    /// Writes the line to the log. This may run a subscriber of the user's, so nothing is borrowed.
    pub(super) fn log(&self, method: Option<&str>, caller: Option<&dyn fmt::Display>) {
        use tracing::field::display;
        let Self {
            incident, reason, ..
        } = self;
        let incident = incident.as_deref();
        let method = method.map(|method| display(Printable(method)));
        let caller = caller.map(display);
        let Some(panic) = &self.panic else {
            tracing::error!(incident, method, caller, "{reason}");
            return;
        };
        if panic.shown {
            let place = display(&panic.place);
            tracing::error!(target: PANICS, incident, method, caller, place, "{reason}");
            if let Some(backtrace) = &panic.backtrace {
                tracing::debug!(target: PANICS, incident, "backtrace: {backtrace}");
            }
        }
    }
}

/// Keeps a line until the part of the call that runs on this thread ends.
pub(super) fn keep(line: Line) {
    let kept = LINES.try_with(|lines| {
        let mut lines = lines.try_borrow_mut().ok()?;
        let first = (lines.len() >= MAX_LINES).then(|| lines.remove(0));
        lines.push(line);
        STATE.set(State::HasLines);
        first
    });
    if let Ok(Some(first)) = kept {
        first.log(None, None);
    }
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
        for line in self.take() {
            line.log(Some(&method), Some(&caller));
        }
    }

    /// The same for code that runs before the method is known.
    #[inline]
    pub(crate) fn log_caller<C: fmt::Display>(self, caller: impl FnOnce() -> C) {
        if STATE.get() != State::HasLines {
            return self.leave();
        }
        let caller = caller();
        for line in self.take() {
            line.log(None, Some(&caller));
        }
    }

    /// Ends a part without lines.
    fn leave(self) {
        STATE.set(self.outer);
        std::mem::forget(self);
    }

    fn take(&self) -> Vec<Line> {
        STATE.set(State::Inside);
        // Lines of the calls around may have been logged since, if there were too many.
        LINES.with_borrow_mut(|lines| lines.split_off(self.outer_lines.min(lines.len())))
    }
}

impl Drop for IncidentScope {
    /// A panic leads here, too: then the lines go to the log without the call.
    fn drop(&mut self) {
        if STATE.get() == State::HasLines {
            for line in self.take() {
                line.log(None, None);
            }
        }
        STATE.set(self.outer);
    }
}

/// −32603 with an incident id in `data`, and one line in the log that carries the same id and the
/// reason.
pub(crate) fn internal_error(reason: &dyn fmt::Display) -> ErrorObject {
    let incident = incident_id();
    let error = error_object(&incident);
    let line = Line::of(incident, Printable(reason).to_string());
    match STATE.get() {
        State::Outside => line.log(None, None),
        State::Inside | State::HasLines => keep(line),
    }
    error
}

fn error_object(incident: &str) -> ErrorObject {
    #[derive(Serialize)]
    struct Data<'a> {
        incident: &'a str,
    }
    ErrorObject::of(ErrorCode::INTERNAL_ERROR).with_data(&Data { incident })
}

/// Runs code of the user's; a panic becomes −32603, and nothing of its text leaves. Belongs into an
/// [`IncidentScope`]: outside of one, the panic hook writes a line of its own.
pub(crate) fn guard<R>(panicked: &'static str, f: impl FnOnce() -> R) -> Result<R, ErrorObject> {
    catch_unwind(AssertUnwindSafe(f)).map_err(|payload| {
        let error = claim(panicked).unwrap_or_else(|| internal_error(&panicked));
        // The payload is the user's as well, and may panic when it is dropped.
        if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            std::mem::forget(again);
        }
        error
    })
}

/// Makes the panic that was caught an incident, if the hook has left a line of it.
fn claim(panicked: &'static str) -> Option<ErrorObject> {
    if STATE.get() != State::HasLines {
        return None;
    }
    LINES.with_borrow_mut(|lines| {
        let line = lines.iter_mut().rev().find(|line| line.is_unclaimed())?;
        let incident = incident_id();
        let error = error_object(&incident);
        line.incident = Some(incident);
        line.reason = format!("{panicked}: {}", line.reason);
        Some(error)
    })
}

/// Sixteen hexadecimal digits: unique enough to find a line in a log, and no secret.
pub(crate) fn incident_id() -> String {
    static KEYS: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let number = COUNTER.fetch_add(1, Ordering::Relaxed);
    format!("{:016x}", KEYS.hash_one(number))
}
