//! Handle of a running server.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::shutdown::Shutdown;

/// Handle to stop and observe a server. Cheap to clone.
///
/// ```
/// use antiphon::{Router, Server};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let server = Server::new(Router::new()).bind("127.0.0.1:0").listen().await?;
/// let handle = server.handle();
/// let serving = tokio::spawn(server.serve());
///
/// handle.stop();
/// serving.await.unwrap()?;
/// assert_eq!(handle.connections(), 0);
/// # Ok::<(), antiphon::ServeError>(()) }).unwrap();
/// ```
#[derive(Clone, Debug, Default)]
pub struct ServerHandle {
    pub(super) shutdown: Shutdown,
    pub(super) connections: Arc<AtomicUsize>,
    pub(super) accepted: Arc<AtomicUsize>,
}

impl ServerHandle {
    /// Shuts down gracefully: connections in the accept queue are still accepted, calls in flight
    /// finish, and idle connections are closed. What is left after
    /// [`Settings::graceful_timeout`](crate::Settings::graceful_timeout) is cut.
    pub fn stop(&self) {
        self.shutdown.stop();
    }

    /// Shuts down gracefully, but leaves connections in the accept queue to other processes that
    /// accept on the same sockets.
    #[cfg(all(unix, feature = "supervisor"))]
    pub(crate) fn retire(&self) {
        self.shutdown.leave_queue();
        self.shutdown.stop();
    }

    /// Stops without waiting for calls: those in flight are dropped and answered with error −32000.
    /// Connections that are still open after 50 ms are cut.
    pub fn abort(&self) {
        self.shutdown.end_calls();
    }

    /// Stops without any response: all connections are cut immediately.
    pub fn kill(&self) {
        self.shutdown.kill();
    }

    /// Whether the server has been told to stop.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.shutdown.is_stopping()
    }

    /// Number of open connections.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Number of connections accepted since the start.
    #[must_use]
    pub fn accepted(&self) -> usize {
        self.accepted.load(Ordering::Relaxed)
    }
}
