//! Program with workers: dispatches on the role of this process.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::program::runtime::block_on;
use crate::program::start_config::StartConfig;
use crate::program::start_watch::StartWatch;
use crate::program::stderr::{self, print_line};
use crate::server::bound::listen_also;
use crate::server::{BoundServer, ServeError, Server, Settings};
use crate::supervisor::{
    Assignment, GenerationConfig, Role, RunFiles, activated, name_process as set_name, supervise,
    work,
};
pub(super) use crate::supervisor::{Notice, notify};

/// How long a worker that must exit at once waits for its log.
const LAST_LINES_OF_ORPHAN: Duration = Duration::from_millis(100);

/// Role of this process: standalone, worker, or successor of a supervisor.
pub(super) fn role() -> Result<Role, ServeError> {
    Ok(Role::find()?)
}

/// Text of the settings file as the supervisor has read it. `Some` only in a worker, so that all
/// workers of a generation use the same settings.
pub(super) fn settings_file(role: &Role) -> Option<Option<String>> {
    match role {
        Role::Worker(assignment) => Some(assignment.handover.settings_file.clone()),
        _ => None,
    }
}

/// Runs as a worker or as a supervisor. `Continue` means that there are no workers and this process
/// serves by itself.
pub(super) fn run(
    role: Role,
    server: Server,
    start: StartConfig,
    watch: StartWatch,
) -> ControlFlow<Result<(), ServeError>, (Server, StartConfig, StartWatch)> {
    let has_workers = server.settings.supervision.workers > 0;
    ControlFlow::Break(match role {
        Role::Worker(assignment) => {
            name_process();
            let last_lines = || stderr::flush(LAST_LINES_OF_ORPHAN);
            let working = work(
                server,
                assignment,
                watch.stopped(),
                || drop(watch),
                last_lines,
            );
            block_on(start.threads.unwrap_or(1), working)
        }
        Role::Successor(assignment) if has_workers => {
            supervised(server, start, Some(assignment), watch)
        }
        Role::Successor(_) => Err(unsupervised()),
        Role::Own if has_workers => supervised(server, start, None, watch),
        Role::Own => return ControlFlow::Continue((server, start, watch)),
    })
}

/// Binds the addresses, and adds the sockets from systemd. With such sockets the default address is
/// not bound.
pub(super) async fn listen(server: Server) -> Result<BoundServer, ServeError> {
    let activated = activated(server.settings.has_tls())?;
    listen_also(server, activated).await
}

/// The files of this process while it serves, apart from the admin token.
pub(super) fn prepare_files(settings: &Settings) -> Result<RunFiles, ServeError> {
    RunFiles::prepare_pid(settings)
}

fn unsupervised() -> ServeError {
    ServeError::BadSetting(
        "a server with workers can only be replaced by one that has workers, too".to_owned(),
    )
}

/// Runs as a supervisor. Its workers execute the program again and enter through [`run`].
fn supervised(
    server: Server,
    start: StartConfig,
    assignment: Option<Assignment>,
    watch: StartWatch,
) -> Result<(), ServeError> {
    let StartConfig {
        base,
        flags,
        settings_file,
        ..
    } = start;
    static SUPERVISED: AtomicBool = AtomicBool::new(false);
    if SUPERVISED.swap(true, Ordering::SeqCst) {
        return Err(ServeError::BadSetting(
            "a program supervises workers once: they would come to its first `start` again"
                .to_owned(),
        ));
    }
    if server.stdio.is_some() {
        return Err(ServeError::BadSetting(
            "standard input and output cannot be served by workers".to_owned(),
        ));
    }
    let generation = |settings: &Settings, settings_file: Option<String>| GenerationConfig {
        supervision: settings.supervision.clone(),
        graceful_timeout: settings.graceful_timeout,
        settings_file,
    };
    let first = generation(&server.settings, settings_file);
    let started = server.settings.clone();
    let read_settings = Box::new(move || {
        let settings_file = flags.read_file()?;
        let mut settings = base.clone();
        flags
            .clone()
            .with_file(settings_file.as_deref())?
            .apply(&mut settings)?;
        settings.check()?;
        if settings.bind != started.bind {
            tracing::warn!("`bind` has changed: that needs a restart, or SIGUSR2");
        }
        let (old, new) = (&started.supervision, &settings.supervision);
        for (name, changed) in [
            ("control", old.control != new.control),
            ("pid-file", old.pid_file != new.pid_file),
            (
                "admin-token-file",
                started.admin_token_file != settings.admin_token_file,
            ),
        ] {
            if changed {
                tracing::warn!("`{name}` has changed: that needs a restart");
            }
        }
        if settings.supervision.workers == 0 {
            let text = "`workers` cannot become 0 without a restart".to_owned();
            return Err(ServeError::BadSetting(text));
        }
        Ok(generation(&settings, settings_file))
    });
    let announce = |url: &str| print_line(&format_args!("antiphon listening on {url}"));
    let interrupted = watch.stopped();
    let supervising = supervise(
        server,
        first,
        read_settings,
        assignment,
        announce,
        interrupted,
        || drop(watch),
    );
    block_on(1, supervising)
}

/// Sets the process name. Workers are executed through `/proc/self/exe`, so the kernel has named
/// them `exe`.
fn name_process() {
    let program = std::env::args_os().next().unwrap_or_default();
    let name = std::path::Path::new(&program)
        .file_name()
        .unwrap_or_default();
    if let Ok(name) = std::ffi::CString::new(name.as_encoded_bytes()) {
        set_name(&name);
    }
}
