//! Main loop of a supervisor, from its start to the exit of its last worker.

use crate::server::bound::check;
use crate::server::exposure::Exposure;
use crate::server::{ServeError, Server};
use crate::transport::unix::Cleanup;

use super::control_socket::ControlSocket;
use super::inherit::{Inherited, bind_all, inherit, share, token_file};
use super::pid_file::PidFile;
use super::process::CommandLine;
use super::role::Assignment;
use super::signals::{Command, SupervisorSignals};
use super::state::{GenerationConfig, ReadSettings, Supervisor};
use super::systemd::{self, Notice, notify};
use super::worker_process;

/// Runs workers until the server is stopped. Announces the addresses when the first worker is
/// ready.
///
/// # Errors
///
/// Any error that keeps the server or its workers from starting.
pub(crate) async fn supervise(
    mut server: Server,
    config: GenerationConfig,
    read_settings: ReadSettings,
    assignment: Option<Assignment>,
    announce: impl Fn(&str),
) -> Result<(), ServeError> {
    let command_line = CommandLine::of_this_process()?;
    let mut signals = SupervisorSignals::new()?;
    let (mut inherited, predecessor) = match assignment {
        Some(assignment) => inherit(assignment)?,
        None => (Inherited::default(), None),
    };
    let listeners = bind_all(&mut server, &mut inherited).await?;
    Exposure::of(&listeners).check(&server.settings)?;
    check(&mut server).await?;
    let token_file = match &server.settings.admin_token_file {
        Some(path) => Some(token_file(path, inherited.token.take())?),
        None => None,
    };
    if let Some(hook) = server.on_supervisor_start.take() {
        hook().await.map_err(ServeError::Lazy)?;
    }
    let urls: Vec<_> = listeners.iter().map(ToString::to_string).collect();
    let (shared, mut cleanups) = share(listeners)?;
    let token = token_file.as_ref().map(|file| file.token.text().to_owned());
    let pid_file = config.supervision.pid_file.clone();
    let mut supervisor = Supervisor::new(command_line, config, token, shared, read_settings);
    let control_socket = ControlSocket::open(&mut supervisor, inherited.control.take()).await?;
    supervisor.boot()?;
    let mut predecessor = predecessor;
    let mut _pid_file = None;
    let mut watchdog = systemd::watchdog().map(tokio::time::interval);
    loop {
        let deadline = supervisor.reconcile();
        while let Some(notice) = supervisor.notices.pop_front() {
            if notice == Notice::Ready {
                for url in &urls {
                    announce(url);
                }
                _pid_file = pid_file.as_deref().map(PidFile::write).transpose()?;
                if let Some(predecessor) = predecessor.take() {
                    worker_process::tell_supervisor(&predecessor, "ready", "").await;
                }
            }
            match notice {
                // New connections go to the successor, so its socket files must stay in place.
                // Connections in the accept queue belong to the workers.
                Notice::Stopping if supervisor.succeeded => {
                    std::mem::take(&mut cleanups)
                        .into_iter()
                        .for_each(Cleanup::leave);
                    // No notification: the service goes on under the successor.
                    continue;
                }
                Notice::Stopping => cleanups.clear(),
                _ => {}
            }
            notify(notice);
        }
        if supervisor.is_over() {
            break;
        }
        tokio::select! {
            command = signals.next() => match command {
                Command::Stop => supervisor.stop(),
                Command::Reload => supervisor.begin_reload(None),
                Command::Upgrade => supervisor.begin_upgrade(None),
            },
            () = tick(&mut watchdog) => systemd::alive(),
            () = supervisor.next_event(deadline) => {}
        }
    }
    control_socket.stop(supervisor.succeeded).await;
    match supervisor.failure.take() {
        Some(failure) => Err(failure),
        None => Ok(()),
    }
}

async fn tick(watchdog: &mut Option<tokio::time::Interval>) {
    match watchdog {
        Some(interval) => drop(interval.tick().await),
        None => std::future::pending().await,
    }
}
