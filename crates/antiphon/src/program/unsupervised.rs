//! Program in builds without feature `supervisor`: it serves in a single process.

use std::ops::ControlFlow;

use crate::program::start_config::StartConfig;
use crate::program::start_watch::StartWatch;
use crate::server::{BoundServer, ServeError, Server, Settings};

/// Role of this process. Without a supervisor there is only one.
pub(super) struct Role;

/// Notifications for a service manager, ignored in this build.
pub(super) enum Notice {
    Ready,
    Reloading,
    Reloaded,
    Stopping,
}

pub(super) fn role() -> Result<Role, ServeError> {
    Ok(Role)
}

/// Always `None`: there is no supervisor that could have read the file.
pub(super) fn settings_file(_: &Role) -> Option<Option<String>> {
    None
}

/// Continues in this process. Returns an error if workers are configured.
pub(super) fn run(
    _: Role,
    server: Server,
    start: StartConfig,
    watch: StartWatch,
) -> ControlFlow<Result<(), ServeError>, (Server, StartConfig, StartWatch)> {
    if server.settings.supervision.workers > 0 {
        let text =
            "this program was built without workers (feature `supervisor` of antiphon, on Unix)";
        return ControlFlow::Break(Err(ServeError::BadSetting(text.to_owned())));
    }
    ControlFlow::Continue((server, start, watch))
}

pub(super) async fn listen(server: Server) -> Result<BoundServer, ServeError> {
    server.listen().await
}

/// The files of this process while it serves: none in this build.
pub(super) struct RunFiles;

impl RunFiles {
    pub(super) fn publish(&mut self) -> Result<(), ServeError> {
        Ok(())
    }
}

/// Returns an error if a PID file is configured.
pub(super) fn prepare_files(settings: &Settings) -> Result<RunFiles, ServeError> {
    match settings.supervision.pid_file {
        None => Ok(RunFiles),
        Some(_) => Err(ServeError::BadSetting(
            "`pid-file` was asked for, and this program was built without it (feature `supervisor` \
             of antiphon, on Unix)"
                .to_owned(),
        )),
    }
}

/// Does nothing: service manager support is part of feature `supervisor`.
pub(super) fn notify(_: Notice) {}
