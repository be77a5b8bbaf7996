//! Failures of a client as errors for the callers of a router that forwards.
//!
//! What the other server has answered passes as it is. No text of a transport does: it may name
//! addresses.

use antiphon_proto::{ErrorCode, ErrorObject};

use crate::client::error::{Error, ErrorKind, Reason};
use crate::error::internal_error;
pub(super) use crate::error::unavailable;

/// What a failure says to the caller.
pub(super) fn of(error: &Error) -> ErrorObject {
    match (error.kind(), error.reason()) {
        (ErrorKind::Refused(refused), _) => return refused.clone(),
        (ErrorKind::NotSent | ErrorKind::Unknown, Some(Reason::Deadline(_))) => {
            return ErrorObject::of(ErrorCode::TIMEOUT);
        }
        (ErrorKind::Unknown, Some(Reason::TooLong(_))) => {
            return ErrorObject::of(ErrorCode::RESPONSE_TOO_LARGE);
        }
        _ => {}
    }
    let may_have_run = match error.kind() {
        ErrorKind::NotSent | ErrorKind::Rejected { .. } => false,
        ErrorKind::Unknown => true,
        _ => return internal_error(error),
    };
    tracing::debug!("a call was not forwarded: {error}");
    unavailable(may_have_run)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::StatusCode;

    use super::*;

    #[test]
    fn an_error_says_what_the_other_server_said_or_whether_the_call_may_have_run() {
        let subject = "`m`";
        let secret = || "10.1.2.3:8060";
        let told = ErrorObject::new(7, "no").with_data(&[1]);
        let away = |ran| {
            format!(r#"{{"code":-32000,"message":"Unavailable","data":{{"mayHaveRun":{ran}}}}}"#)
        };
        for (error, expected) in [
            (Error::refused(subject, told.clone()), told.to_json()),
            (
                Error::not_sent(subject, Reason::Connect(secret().into())),
                away(false),
            ),
            (
                Error::not_sent(subject, Reason::Closed(secret().into())),
                away(false),
            ),
            (
                Error::rejected(subject, StatusCode::NOT_FOUND, secret().into()),
                away(false),
            ),
            (
                Error::unknown(subject, Reason::Closed(secret().into())),
                away(true),
            ),
            (
                Error::unknown(subject, Reason::Answer(secret().into())),
                away(true),
            ),
            (
                Error::unknown(subject, Reason::Deadline(Duration::ZERO)),
                ErrorObject::of(ErrorCode::TIMEOUT).to_json(),
            ),
            (
                Error::unknown(subject, Reason::TooLong(9)),
                ErrorObject::of(ErrorCode::RESPONSE_TOO_LARGE).to_json(),
            ),
        ] {
            let shown = error.to_string();
            assert_eq!(of(&error).to_json(), expected, "{shown}");
        }
        let local = of(&Error::local(subject, secret()));
        assert_eq!(local.code(), ErrorCode::INTERNAL_ERROR);
        assert!(!local.to_json().contains(secret()));
    }
}
