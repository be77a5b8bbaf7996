//! Failure: an error of any type, for `?` in a method. The caller gets −32603, the log gets the
//! causes.

use std::error::Error;
use std::fmt;

use antiphon_proto::{ErrorObject, Printable};

use crate::error::incident::internal_error;

/// An error of any type, for `?` in a method whose callers should not see the details.
///
/// It is for remote methods what `anyhow::Error` is for programs: every type that implements
/// [`std::error::Error`] converts into it. The caller gets error −32603 "Internal error" with an
/// incident id in `data`, and nothing of the error's text. The log gets one line with the same id,
/// the method, the caller, and the error with its chain of causes.
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
///
/// An [`ErrorObject`] passes through `?` unchanged, so one method can use both:
///
/// ```
/// use antiphon::{ErrorObject, Failure};
///
/// fn count(path: &str) -> Result<u64, Failure> {
///     let text = std::fs::read_to_string(path)?; // −32603, details in the log
///     let count = text.trim().parse().map_err(|_| ErrorObject::new(2, "no number"))?; // code 2
///     Ok(count)
/// }
/// ```
///
/// # See also
///
/// [`ErrorObject`] is an error whose text the caller gets.
/// [`derive(ErrorCodes)`](macro@crate::ErrorCodes) makes such errors of an enum.
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
        write!(f, "{}", Printable(Chain(&*self.0)))
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
}
