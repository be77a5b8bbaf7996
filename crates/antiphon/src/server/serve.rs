//! Serving in the caller's runtime: binding, serving, graceful shutdown.

use std::future::Future;
use std::pin::pin;

use crate::server::bound::{BoundServer, Provided};
use crate::server::builder::Server;
use crate::server::error::ServeError;

impl Server {
    /// Binds the addresses without serving yet, so that the picked ports can be read first.
    ///
    /// # Errors
    ///
    /// [`ServeError`] if the server cannot be started.
    pub async fn listen(self) -> Result<BoundServer, ServeError> {
        BoundServer::bind(self, Provided::default()).await
    }

    /// Serves in the caller's runtime until it is stopped.
    ///
    /// # Errors
    ///
    /// [`ServeError`] if the server cannot be started.
    pub async fn serve(self) -> Result<(), ServeError> {
        self.listen().await?.serve().await
    }

    /// Serves in the caller's runtime until `shutdown` completes, then shuts down gracefully.
    ///
    /// # Errors
    ///
    /// [`ServeError`] if the server cannot be started.
    pub async fn serve_with_shutdown(
        self,
        shutdown: impl Future<Output = ()>,
    ) -> Result<(), ServeError> {
        let bound = self.listen().await?;
        let handle = bound.handle();
        let mut serving = pin!(bound.serve());
        tokio::select! {
            ended = serving.as_mut() => return ended,
            () = shutdown => handle.stop(),
        }
        serving.await
    }
}
