//! Status of upstreams, for the program that balances among them.

/// What a balanced client knows of one of its upstreams; see
/// [`Client::upstreams`](crate::Client::upstreams).
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct UpstreamStatus {
    /// Its address, without path and query. It is for the operator, not for callers.
    pub place: String,
    /// Whether calls are sent to it. One that is left out after failures is tried again after a pause.
    pub is_up: bool,
    /// Calls, notifications, batches and requests to subscribe that are under way.
    pub in_flight: usize,
    /// Failures in a row.
    pub failures: u32,
    /// How often it was chosen since the start.
    pub calls: u64,
    /// How often it could not be reached, or has failed.
    pub failed: u64,
}
