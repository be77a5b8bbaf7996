//! Main loop of a supervisor, from its start to the exit of its last worker.

use crate::address::Address;
use crate::client::Client;
use crate::server::authentication::NamedAuthenticators;
use crate::server::bound::check;
use crate::server::exposure::Exposure;
use crate::server::{ServeError, Server};

use super::control_socket::ControlSocket;
use super::inherit::{Inherited, bind_all, inherit, share};
use super::process::CommandLine;
use super::role::Assignment;
use super::run_files::RunFiles;
use super::signals::{Command, SupervisorSignals};
use super::state::{GenerationConfig, ReadSettings, Supervisor};
use super::systemd::{self, Notice, notify};
use super::topic_thread::TopicThread;
use super::worker_process;

/// Runs workers until the server is stopped. Announces the addresses when the first worker is
/// ready.
///
/// The start is given up if `interrupted` completes before the first worker is started. From then on
/// the supervisor handles signals itself, and `started` is called.
///
/// # Errors
///
/// Any error that keeps the server or its workers from starting.
pub(crate) async fn supervise(
    server: Server,
    config: GenerationConfig,
    read_settings: ReadSettings,
    assignment: Option<Assignment>,
    announce: impl Fn(&str),
    interrupted: impl Future<Output = ()>,
    started: impl FnOnce(),
) -> Result<(), ServeError> {
    let mut signals = SupervisorSignals::new()?;
    let set_up = SupervisorSetup::new(server, config, read_settings, assignment);
    let SupervisorSetup {
        mut supervisor,
        mut files,
        mut control_socket,
        mut predecessor,
        urls,
    } = tokio::select! {
        biased;
        () = interrupted => return Ok(()),
        set_up = set_up => set_up?,
    };
    started();
    supervisor.boot()?;
    let mut watchdog = systemd::watchdog().map(tokio::time::interval);
    loop {
        let deadline = supervisor.reconcile();
        while let Some(notice) = supervisor.notices.pop_front() {
            if notice == Notice::Ready {
                files.publish()?;
                control_socket.set_removed(true);
                for url in &urls {
                    announce(url);
                }
                if let Some(predecessor) = predecessor.take() {
                    worker_process::tell_supervisor(&predecessor, "ready", "").await;
                }
            }
            if notice == Notice::Stopping {
                // New connections go to a successor, so its socket files must stay in place.
                // Connections in the accept queue belong to the workers.
                let is_last = !supervisor.succeeded && predecessor.is_none();
                files.end_sockets(is_last);
                control_socket.set_removed(is_last);
                if supervisor.succeeded {
                    // No notification: the service goes on under the successor.
                    continue;
                }
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
    control_socket.stop().await;
    match supervisor.failure.take() {
        Some(failure) => Err(failure),
        None => Ok(()),
    }
}

/// A supervisor that has opened everything, before its first worker.
struct SupervisorSetup {
    supervisor: Supervisor,
    files: RunFiles,
    control_socket: ControlSocket,
    /// The channel to the supervisor that this one replaces.
    predecessor: Option<Client>,
    urls: Vec<String>,
}

impl SupervisorSetup {
    async fn new(
        mut server: Server,
        config: GenerationConfig,
        read_settings: ReadSettings,
        assignment: Option<Assignment>,
    ) -> Result<Self, ServeError> {
        let command_line = CommandLine::of_this_process()?;
        server.settings.check()?;
        // Each worker reads the files itself; here it is found out early whether they can be used.
        NamedAuthenticators::add_to(&mut server)?;
        let (mut inherited, predecessor) = match assignment {
            Some(assignment) => inherit(assignment)?,
            None => (Inherited::default(), None),
        };
        let listeners = bind_all(&mut server, &mut inherited).await?;
        let authenticates = !server.authenticators.is_empty();
        Exposure::of(&listeners, &server.settings.brokers())
            .check(&server.settings, authenticates)?;
        check(&mut server).await?;
        let brokers = server.settings.brokers().into_iter();
        let brokers = brokers.map(|address| Address::Nats(address.without_files()).to_string());
        let urls = listeners.iter().map(ToString::to_string).chain(brokers);
        let urls = urls.collect();
        let (shared, sockets) = share(listeners)?;
        let known_token = inherited.token.take();
        let files = RunFiles::prepare(&server.settings, known_token.as_deref(), sockets)?;
        if let Some(hook) = server.on_supervisor_start.take() {
            hook().await.map_err(ServeError::Lazy)?;
        }
        let mut supervisor = Supervisor::new(
            command_line,
            config,
            files.token(),
            shared,
            read_settings,
            TopicThread::start(server.settings.topic_broker())?,
        );
        let control_socket = ControlSocket::open(&mut supervisor, inherited.control.take()).await?;
        Ok(Self {
            supervisor,
            files,
            control_socket,
            predecessor,
            urls,
        })
    }
}

async fn tick(watchdog: &mut Option<tokio::time::Interval>) {
    match watchdog {
        Some(interval) => drop(interval.tick().await),
        None => std::future::pending().await,
    }
}
