//! Limits of a dispatcher.

use std::time::Duration;

use crate::metrics::places::PlaceLimits;

/// Limits of calls and batches. All of them are on by default.
///
/// A [`Server`](crate::Server) takes them from [`Settings::calls`](crate::Settings::calls), and does
/// not start with values that let no call through. Without a server they hold as they are. For a
/// router that you build yourself, pass them to [`Router::build_with`](crate::Router::build_with).
/// A call beyond a limit gets an error whose code is listed at [`ErrorCode`](crate::ErrorCode).
///
/// ```
/// use std::time::Duration;
/// use antiphon::Limits;
///
/// let limits = Limits::default().max_batch(1000).call_timeout(Duration::from_secs(5));
/// assert_eq!(limits.max_response, 10 * 1024 * 1024);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// Entries in a batch; a longer batch is rejected as a whole, so 0 forbids batches. Default: 100.
    pub max_batch: usize,
    /// JSON values in a message: objects, arrays, strings, numbers, `true`, `false` and `null`. A
    /// message with more is rejected as a whole, with −32700. Default: 1,000,000.
    pub max_values: usize,
    /// Calls of one batch that may be pending at the same time. Default: 8.
    pub batch_concurrency: usize,
    /// Bytes in one result; a larger one becomes −32003. Default: 10 MiB.
    pub max_response: usize,
    /// Bytes in the response to a batch; calls that do not fit get −32003. A server wants at least
    /// `max_response`. Default: 25 MiB.
    pub max_batch_response: usize,
    /// Timeout of a call, after which it gets −32001; `None` means no timeout. Default: 30 s. A
    /// caller may ask for less.
    pub call_timeout: Option<Duration>,
    /// Timeout of a batch, after which its unfinished calls get −32001; `None` means no timeout.
    /// Default: 60 s.
    pub batch_timeout: Option<Duration>,
    /// Calls that may be pending at the same time, over all connections. Default: 1024.
    ///
    /// Every call runs until it is ready or has to wait for the first time. If it has to wait and
    /// there is no place, it is dropped then and gets −32000. A blocking method, and a call with
    /// parameters above 256 KiB, need a place before they run.
    ///
    /// No caller can take all places. A connection gets another one only while it holds fewer than
    /// are free. Sessions together, and HTTP requests together, get at most seven eighths. An
    /// address gets at most [`max_in_flight_per_caller`](Self::max_in_flight_per_caller). Calls from
    /// this process are exempt from these shares.
    pub max_in_flight: usize,
    /// Calls that may be pending for one address whose callers are not local, which is the client's
    /// address also behind trusted proxies; IPv6 addresses count by their first 64 bits. Default: `None`, a quarter of [`max_in_flight`](Self::max_in_flight).
    pub max_in_flight_per_caller: Option<usize>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_batch: 100,
            max_values: 1_000_000,
            batch_concurrency: 8,
            max_response: 10 * 1024 * 1024,
            max_batch_response: 25 * 1024 * 1024,
            call_timeout: Some(Duration::from_secs(30)),
            batch_timeout: Some(Duration::from_secs(60)),
            max_in_flight: 1024,
            max_in_flight_per_caller: None,
        }
    }
}

impl Limits {
    /// Sets [`max_batch`](Self::max_batch).
    #[must_use]
    pub fn max_batch(mut self, entries: usize) -> Self {
        self.max_batch = entries;
        self
    }

    /// Sets [`max_values`](Self::max_values).
    #[must_use]
    pub fn max_values(mut self, values: usize) -> Self {
        self.max_values = values;
        self
    }

    /// Sets [`batch_concurrency`](Self::batch_concurrency), at least 1.
    #[must_use]
    pub fn batch_concurrency(mut self, calls: usize) -> Self {
        self.batch_concurrency = calls.max(1);
        self
    }

    /// Sets [`max_response`](Self::max_response).
    #[must_use]
    pub fn max_response(mut self, bytes: usize) -> Self {
        self.max_response = bytes;
        self
    }

    /// Sets [`max_batch_response`](Self::max_batch_response).
    #[must_use]
    pub fn max_batch_response(mut self, bytes: usize) -> Self {
        self.max_batch_response = bytes;
        self
    }

    /// Sets [`call_timeout`](Self::call_timeout); `None` means no timeout, unless the caller asks
    /// for one.
    #[must_use]
    pub fn call_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.call_timeout = timeout.into();
        self
    }

    /// Sets [`batch_timeout`](Self::batch_timeout); `None` means no timeout.
    #[must_use]
    pub fn batch_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.batch_timeout = timeout.into();
        self
    }

    /// Sets [`max_in_flight`](Self::max_in_flight).
    #[must_use]
    pub fn max_in_flight(mut self, calls: usize) -> Self {
        self.max_in_flight = calls;
        self
    }

    /// Sets [`max_in_flight_per_caller`](Self::max_in_flight_per_caller); `None` means a quarter.
    #[must_use]
    pub fn max_in_flight_per_caller(mut self, calls: impl Into<Option<usize>>) -> Self {
        self.max_in_flight_per_caller = calls.into();
        self
    }

    /// How many places there are, and how many of them an address may hold.
    pub(super) fn places(&self) -> PlaceLimits {
        let quarter = self.max_in_flight.div_ceil(4);
        PlaceLimits {
            max: self.max_in_flight,
            per_caller: self.max_in_flight_per_caller.unwrap_or(quarter),
        }
    }
}
