//! Methods of the control socket.

use antiphon_proto::ErrorObject;
use serde_json::Value;

use super::event::{Events, Request, ask};
use super::worker_state::WorkerId;
use crate::rpc;

/// Methods of the control socket. File permissions are the only access control: whoever can connect
/// has full control of the server.
#[derive(Debug)]
pub(crate) struct ControlCommands(pub(crate) Events);

#[rpc(title = "Control socket")]
impl ControlCommands {
    /// Ping the supervisor.
    fn rpc_ping(&self) -> &'static str {
        "pong"
    }

    /// The supervisor, its listeners and its workers.
    async fn rpc_status(&self) -> Result<Value, ErrorObject> {
        ask(&self.0, Request::Status).await
    }

    /// The same, under the name that it has for callers of the server.
    async fn rpc_server_info(&self) -> Result<Value, ErrorObject> {
        ask(&self.0, Request::Status).await
    }

    /// Ends a worker when its replacement is ready, and says so when it has ended; null if it has
    /// not after 5 seconds. `arbiter` stops the server.
    async fn rpc_kill_actor(&self, aid: WorkerId) -> Result<Value, ErrorObject> {
        // Not called through a worker.
        let by = None;
        ask(&self.0, Request::Kill { id: aid, by }).await
    }

    /// Replaces all workers, with the settings as they are now. True when the new ones serve.
    async fn rpc_reload(&self) -> Result<Value, ErrorObject> {
        tracing::info!("a reload was asked for on the control socket");
        ask(&self.0, Request::Reload).await
    }

    /// Replaces the whole server by the program that is in its place now. True when that serves.
    async fn rpc_upgrade(&self) -> Result<Value, ErrorObject> {
        tracing::info!("an upgrade was asked for on the control socket");
        ask(&self.0, Request::Upgrade).await
    }

    /// Stops the server gracefully.
    async fn rpc_stop(&self) -> Result<Value, ErrorObject> {
        tracing::info!("a stop was asked for on the control socket");
        ask(&self.0, Request::Stop).await
    }
}
