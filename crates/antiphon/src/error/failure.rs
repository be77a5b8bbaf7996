//! Failures nobody foresaw: they become −32603 with an incident id, and nothing of them leaves.

use std::error::Error;
use std::fmt::{self, Write as _};
use std::hash::{BuildHasher as _, RandomState};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use antiphon_proto::{ErrorCode, ErrorObject};
use serde::Serialize;

/// An error of any kind, for `?` in a method whose failures the caller has no business with.
///
/// The caller gets −32603 "Internal error" and an incident id; the log gets the id and the whole
/// chain of causes. An [`ErrorObject`] that passes through `?` stays what it is.
///
/// ```
/// use antiphon::{ErrorCode, ErrorObject, Failure};
///
/// fn read(path: &str) -> Result<String, Failure> {
///     Ok(std::fs::read_to_string(path)?)
/// }
///
/// let error = ErrorObject::from(read("/no/such/file").unwrap_err());
/// assert_eq!(error.code(), ErrorCode::INTERNAL_ERROR);
/// assert!(!error.to_json().contains("such"), "no path leaves the process");
/// ```
pub struct Failure(Box<dyn Error + Send + Sync>);

impl<E: Error + Send + Sync + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(Box::new(error))
    }
}

impl From<Failure> for ErrorObject {
    fn from(Failure(error): Failure) -> Self {
        match error.downcast::<Self>() {
            Ok(object) => *object,
            Err(error) => internal_error(&Chain(&*error)),
        }
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Chain(&*self.0))
    }
}

/// An error and its causes on one line.
pub(crate) struct Chain<'a>(pub(crate) &'a (dyn Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
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
    tracing::error!(incident, "{}", Printable(reason));
    ErrorObject::of(ErrorCode::INTERNAL_ERROR).with_data(&Data {
        incident: &incident,
    })
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

/// Text that may hold a peer's bytes, made safe for a log: no control character, no line break,
/// at most 1 KiB.
pub(crate) struct Printable<'a>(pub(crate) &'a dyn fmt::Display);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        struct Escape<'a, 'b>(&'a mut fmt::Formatter<'b>, usize);
        impl fmt::Write for Escape<'_, '_> {
            fn write_str(&mut self, text: &str) -> fmt::Result {
                for c in text.chars() {
                    if self.1 == 0 {
                        return Ok(());
                    }
                    self.1 -= 1;
                    match c {
                        '\u{2028}' | '\u{2029}' => write!(self.0, "{}", c.escape_unicode())?,
                        c if c.is_control() => write!(self.0, "{}", c.escape_default())?,
                        c => self.0.write_char(c)?,
                    }
                }
                Ok(())
            }
        }
        write!(Escape(f, 1024), "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_object_passes_through_a_failure() {
        let fails = || -> Result<(), Failure> { Err(ErrorObject::new(7, "mine"))? };
        assert_eq!(
            ErrorObject::from(fails().unwrap_err()),
            ErrorObject::new(7, "mine")
        );
    }

    #[test]
    fn a_log_line_stays_one_line() {
        let hostile = "a\r\nb\u{1b}[31m\u{2028}c\u{85}";
        let shown = Printable(&hostile).to_string();
        assert_eq!(shown, "a\\r\\nb\\u{1b}[31m\\u{2028}c\\u{85}");
        assert_eq!(Printable(&"x".repeat(5000)).to_string().len(), 1024);
    }
}
