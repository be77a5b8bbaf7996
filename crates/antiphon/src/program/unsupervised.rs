//! Program in builds without feature `supervisor`: it serves in its own process.

use std::ops::ControlFlow;

use crate::program::start_config::StartConfig;
use crate::server::{BoundServer, ServeError, Server};

/// The only process of the server.
pub(super) struct Role;

/// What a service manager would be told.
pub(super) enum Notice {
    Ready,
    Reloading,
    Reloaded,
    Stopping,
}

pub(super) fn role() -> Result<Role, ServeError> {
    Ok(Role)
}

/// No supervisor has read a file.
pub(super) fn settings_file(_: &Role) -> Option<Option<String>> {
    None
}

/// Goes on in this process; a server that wants workers is refused.
pub(super) fn run(
    _: Role,
    server: Server,
    start: StartConfig,
) -> ControlFlow<Result<(), ServeError>, (Server, StartConfig)> {
    if server.settings.supervision.workers > 0 {
        let text =
            "this program was built without workers (feature `supervisor` of antiphon, on Unix)";
        return ControlFlow::Break(Err(ServeError::BadSetting(text.to_owned())));
    }
    ControlFlow::Continue((server, start))
}

pub(super) async fn listen(server: Server) -> Result<BoundServer, ServeError> {
    server.listen().await
}

/// Nobody is told.
pub(super) fn notify(_: Notice) {}
