//! Settings of worker processes.

use std::path::PathBuf;
use std::time::Duration;

/// Settings of worker processes. They have no effect unless `workers` is at least 1.
///
/// ```
/// use antiphon::{Router, Server};
///
/// let server = Server::new(Router::new()).configure(|settings| {
///     settings.supervision.workers = 2;
///     settings.supervision.max_requests = Some(100_000);
/// });
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Supervision {
    /// Number of worker processes, at most 1024; with 0 this process serves by itself. Default: 0.
    pub workers: usize,
    /// Heartbeat timeout: a worker without a heartbeat for this long is killed and replaced.
    /// Methods that wait asynchronously do not delay heartbeats, methods that block the runtime do.
    /// At least 200 ms. Default: 30 s.
    pub worker_timeout: Option<Duration>,
    /// Time for a new worker to become ready. Default: 30 s.
    pub boot_timeout: Duration,
    /// Number of calls after which a worker is replaced, with a jitter of ±20 %; at least 1. Default:
    /// `None`, no limit.
    pub max_requests: Option<u64>,
    /// Path of the control socket. By default it is in `$XDG_RUNTIME_DIR/antiphon`, provided that
    /// `$XDG_RUNTIME_DIR` exists. It may end with `?mode=…&group=…`, as the address of a socket; see
    /// [`SocketAccess`](crate::SocketAccess).
    pub control: Option<PathBuf>,
    /// File to write the PID to when the server is ready: that of the supervisor, or without workers
    /// that of the process. This one setting holds without workers, too.
    pub pid_file: Option<PathBuf>,
}

impl Default for Supervision {
    fn default() -> Self {
        Self {
            workers: 0,
            worker_timeout: Some(Duration::from_secs(30)),
            boot_timeout: Duration::from_secs(30),
            max_requests: None,
            control: None,
            pid_file: None,
        }
    }
}

impl Supervision {
    /// Interval between two heartbeats of a worker: a quarter of the timeout, within 50 ms to 1 s.
    pub(crate) fn heartbeat_interval(&self) -> Duration {
        let interval = self
            .worker_timeout
            .map_or(Duration::MAX, |timeout| timeout / 4);
        interval.clamp(Duration::from_millis(50), Duration::from_secs(1))
    }
}
