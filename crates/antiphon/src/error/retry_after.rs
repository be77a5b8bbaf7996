//! Data of errors that a caller may try again after: the time until then.

use std::time::Duration;

use antiphon_proto::{ErrorCode, ErrorObject};
use serde::Serialize;

/// The member `retryAfterMs` in the data of an error, which
/// [`ErrorObject::retry_after`](antiphon_proto::ErrorObject::retry_after) reads.
#[derive(Serialize)]
pub(crate) struct RetryAfter {
    #[serde(rename = "retryAfterMs")]
    milliseconds: u64,
}

impl From<Duration> for RetryAfter {
    /// Rounded up: a caller that waits for so long is not early.
    fn from(time: Duration) -> Self {
        let milliseconds = time.as_nanos().div_ceil(1_000_000);
        Self {
            milliseconds: u64::try_from(milliseconds).unwrap_or(u64::MAX),
        }
    }
}

/// The error of a caller that is over its limit for so long.
pub(crate) fn limit_exceeded(wait: Duration) -> ErrorObject {
    ErrorObject::of(ErrorCode::LIMIT_EXCEEDED).with_data(&RetryAfter::from(wait))
}

/// A time for the header `Retry-After`, in seconds, rounded up.
pub(crate) fn retry_after_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use antiphon_proto::ErrorObject;

    #[test]
    fn a_time_is_rounded_up_and_read_again() {
        for (nanoseconds, milliseconds) in [(1, 1), (1_000_000, 1), (1_000_001, 2)] {
            let time = Duration::from_nanos(nanoseconds);
            let error = ErrorObject::new(1, "m").with_data(&RetryAfter::from(time));
            let text = format!(r#"{{"retryAfterMs":{milliseconds}}}"#);
            assert_eq!(error.data(), Some(&*text));
            let read = error.retry_after();
            assert_eq!(read, Some(Duration::from_millis(milliseconds)));
        }
    }
}
