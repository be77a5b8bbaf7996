//! Handle of a running server.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::shutdown::Shutdown;

/// Stops a server and says how it is. Cheap to clone.
///
/// ```
/// use antiphon::{Router, Server};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let server = Server::new(Router::default()).bind("127.0.0.1:0").listen().await?;
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
    /// Stops gracefully: connections that wait in the queue are still accepted, calls in flight are
    /// finished, idle connections end. After the graceful timeout what is left is cut.
    pub fn stop(&self) {
        self.shutdown.stop();
    }

    /// Stops gracefully, but leaves connections that wait in the queue to other processes that
    /// accept on the same sockets.
    #[cfg(all(unix, feature = "supervisor"))]
    pub(crate) fn retire(&self) {
        self.shutdown.leave_queue();
        self.shutdown.stop();
    }

    /// Stops now: calls in flight are dropped and answered with −32000, and a moment (50 ms) later
    /// what is left is cut.
    pub fn cut(&self) {
        self.shutdown.end_calls();
    }

    /// Stops at once: connections are cut, and nobody is told anything.
    pub fn kill(&self) {
        self.shutdown.kill();
    }

    /// Whether the server has been told to stop.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.shutdown.is_stopping()
    }

    /// How many connections are open.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// How many connections have been accepted since the start.
    #[must_use]
    pub fn accepted(&self) -> usize {
        self.accepted.load(Ordering::Relaxed)
    }
}
