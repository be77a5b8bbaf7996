//! Settings of worker processes.

use std::path::PathBuf;
use std::time::Duration;

/// How a server is run by several worker processes. Without workers nothing of it matters.
///
/// ```
/// use antiphon::{Router, Server};
///
/// let server = Server::new(Router::default()).configure(|settings| {
///     settings.supervision.workers = 2;
///     settings.supervision.max_requests = Some(100_000);
/// });
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Supervision {
    /// Worker processes; 0 serves in this process. 0.
    pub workers: usize,
    /// A worker whose runtime gives no sign of life for so long is ended and replaced. A method that
    /// waits does not stop it, one that blocks does. 30 s.
    pub worker_timeout: Option<Duration>,
    /// For a worker to be ready. 30 s.
    pub boot_timeout: Duration,
    /// Calls after which a worker is replaced, give or take a fifth; never if `None`. `None`.
    pub max_requests: Option<u64>,
    /// The path of the control socket. By default one in `$XDG_RUNTIME_DIR/antiphon`, if there is
    /// that folder's parent.
    pub control: Option<PathBuf>,
    /// A file with the number of the supervisor's process.
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
    /// Between two heartbeats of a worker.
    pub(crate) fn heartbeat_interval(&self) -> Duration {
        let often = self
            .worker_timeout
            .map_or(Duration::MAX, |timeout| timeout / 4);
        often.clamp(Duration::from_millis(50), Duration::from_secs(1))
    }
}
