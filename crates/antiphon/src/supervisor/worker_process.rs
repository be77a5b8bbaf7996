//! Worker process: serves on inherited listeners, sends heartbeats, executes supervisor commands.

use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use antiphon_proto::ErrorObject;
use rustix::event::{PollFd, poll};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use super::channel;
use super::report::Report;
use super::role::Assignment;
use super::signals::WorkerSignals;
use super::system;
use super::worker_topics::WorkerTopics;
use crate::admin_token::AdminToken;
use crate::client::Client;
use crate::metrics::status::{Answer, SupervisorClient};
use crate::router::Router;
use crate::server::bound::Provided;
use crate::server::listener::Listener;
use crate::server::reload::Reload;
use crate::server::worker_counts::WorkerCounts;
use crate::server::{BoundServer, ServeError, Server, ServerHandle};

/// How long a worker waits after SIGTERM for its supervisor to stop it, before it stops by itself.
const SIGNAL_GRACE: Duration = Duration::from_millis(500);

/// How often a worker compares its number of calls with `max_requests`.
const CALL_CHECK: Duration = Duration::from_millis(20);

/// How long a worker without a supervisor may take to finish its calls.
const ORPHAN_GRACE: Duration = Duration::from_millis(900);

/// The last part of [`ORPHAN_GRACE`], in which unfinished calls are answered with an error.
const LAST_ANSWERS: Duration = Duration::from_millis(200);

/// Exit code of a worker that has not finished within [`ORPHAN_GRACE`].
const ORPHAN_EXIT_CODE: i32 = 4;

/// Serves as a worker, until the supervisor stops it or is gone. `last_lines` writes what is left of
/// the log before the process exits without returning from here.
///
/// The start is given up if `interrupted` completes before the worker is ready. From then on it
/// handles signals itself, and `started` is called.
///
/// # Errors
///
/// The errors of [`Server::listen`], or an error of the control channel.
pub(crate) async fn work(
    server: Server,
    assignment: Assignment,
    interrupted: impl Future<Output = ()>,
    started: impl FnOnce(),
    last_lines: fn(),
) -> Result<(), ServeError> {
    let Assignment {
        handover,
        mut sockets,
        line,
    } = assignment;
    let counts = handover
        .slot
        .zip(sockets.pop_if(|_| handover.slot.is_some()));
    let counts = counts.map(|(slot, file)| WorkerCounts::new(file, slot));
    let topics = sockets.pop_if(|_| handover.topics);
    let mut topics = WorkerTopics::begin(topics, handover.topics_version);
    let mut signals = WorkerSignals::new()?;
    exit_with_supervisor(line.try_clone()?, last_lines)?;
    // One that waits stands for all that come before it begins.
    let (reload, reloads) = mpsc::channel(1);
    let (mut commands, methods) = commands(reload);
    let (supervisor, session) = channel::open(line, &methods.build()?)?;
    let session = tokio::spawn(session);
    tell_supervisor(&supervisor, "reached", "").await;

    let listeners = handover.listeners.iter().zip(sockets);
    let listeners = listeners.map(|(record, socket)| {
        let listener = Listener::inherited(socket, &record.url, &record.requested, false)?;
        Ok(listener.external(record.external))
    });
    let max_requests = server.settings.supervision.max_requests;
    let provided = Provided {
        listeners: Some(listeners.collect::<io::Result<_>>()?),
        admin: handover.admin_token.as_deref().map(AdminToken::new),
        supervisor: Some(Box::new(SupervisorLink(supervisor.clone()))),
        counts,
    };
    let set_up = async {
        let bound = BoundServer::bind(server, provided).await?;
        topics.live().await;
        Ok::<_, ServeError>(bound)
    };
    let bound = tokio::select! {
        biased;
        () = interrupted => return Ok(()),
        bound = set_up => bound?,
    };
    started();
    let handle = bound.handle();
    topics.serve(&handle);
    let mut heartbeat = Heartbeat::new(&bound, supervisor.clone(), max_requests);
    let mut heartbeat_interval = interval(Duration::from_millis(handover.heartbeat_interval));
    heartbeat_interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut call_check = interval(CALL_CHECK);
    call_check.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut serving = std::pin::pin!(bound.serve_reloading(reloads));
    let mut session = std::pin::pin!(session);
    let (mut orphaned, mut without_topics) = (false, false);
    tell_supervisor(&supervisor, "ready", "").await;
    loop {
        tokio::select! {
            served = &mut serving => {
                topics.finish().await;
                heartbeat.send().await;
                return served;
            }
            Some(command) = commands.next() => command.execute(&handle),
            _ = heartbeat_interval.tick(), if !orphaned => heartbeat.send().await,
            _ = call_check.tick(), if heartbeat.max_calls.is_some() => heartbeat.leave_after_max_calls().await,
            () = topics.ended(), if !without_topics => {
                without_topics = true;
                if !orphaned {
                    tell_supervisor(&supervisor, "fails", "its topics are cut off").await;
                }
            }
            _ = &mut session, if !orphaned => {
                tracing::warn!("the supervisor is gone: finishing what has begun");
                orphaned = true;
                handle.stop();
                let handle = handle.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(ORPHAN_GRACE - LAST_ANSWERS).await;
                    handle.abort();
                });
            }
            () = signals.terminated() => {
                tell_supervisor(&supervisor, "leaves", "it was told to by a signal").await;
                let handle = handle.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(SIGNAL_GRACE).await;
                    if !handle.is_stopping() {
                        handle.retire();
                    }
                });
            }
        }
    }
}

/// Notifies the supervisor. Errors are only logged: the supervisor may be gone.
pub(crate) async fn tell_supervisor(supervisor: &Client, method: &str, about: &str) {
    if let Err(error) = supervisor.notify(method, (about,)).await {
        tracing::debug!("the supervisor was not told that {method}: {error}");
    }
}

/// Exits the process soon after the supervisor has ended. A separate thread watches the control
/// channel, so that this works even if the runtime is blocked.
fn exit_with_supervisor(line: UnixStream, last_lines: fn()) -> io::Result<()> {
    let watch = move || {
        let mut watched = [PollFd::from_borrowed_fd(line.as_fd(), system::HANGUP)];
        loop {
            match poll(&mut watched, None) {
                Ok(_) => break,
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => return,
            }
        }
        thread::sleep(ORPHAN_GRACE);
        last_lines();
        std::process::exit(ORPHAN_EXIT_CODE);
    };
    thread::Builder::new()
        .name("antiphon-orphan".to_owned())
        .spawn(watch)?;
    Ok(())
}

/// Command from the supervisor.
enum WorkerCommand {
    /// Graceful shutdown. `queue` says whether to drain the accept queue as well.
    Stop { queue: bool },
    /// Immediate stop.
    Cut,
}

struct WorkerCommands(mpsc::Receiver<WorkerCommand>);

impl WorkerCommands {
    async fn next(&mut self) -> Option<WorkerCommand> {
        self.0.recv().await
    }
}

impl WorkerCommand {
    fn execute(self, handle: &ServerHandle) {
        match self {
            Self::Stop { queue: true } => handle.stop(),
            Self::Stop { queue: false } => handle.retire(),
            Self::Cut => handle.abort(),
        }
    }
}

/// The methods that a supervisor calls on a worker, and the queue of the resulting commands.
fn commands(reload: mpsc::Sender<Reload>) -> (WorkerCommands, Router) {
    let (sender, receiver) = mpsc::channel(16);
    let cut = sender.clone();
    let router = Router::new()
        .method_fn("stop", move |queue: bool| {
            let _ = sender.try_send(WorkerCommand::Stop { queue });
        })
        .method_fn("cut", move || {
            let _ = cut.try_send(WorkerCommand::Cut);
        })
        .method_fn("reload_files", move || {
            let _ = reload.try_send(Reload::default());
        });
    (WorkerCommands(receiver), router)
}

/// Sends heartbeats, and asks for replacement after `max_requests` calls.
struct Heartbeat {
    server: std::sync::Arc<crate::metrics::status::ServerStatus>,
    supervisor: Client,
    /// Number of calls after which to ask for replacement; `None` once that was done.
    max_calls: Option<u64>,
}

impl Heartbeat {
    fn new(bound: &BoundServer, supervisor: Client, max_requests: Option<u64>) -> Self {
        Self {
            server: bound.status(),
            supervisor,
            max_calls: max_requests.map(with_jitter),
        }
    }

    async fn send(&mut self) {
        let report = Report::of(&self.server);
        if let Err(error) = self.supervisor.notify("alive", (report,)).await {
            tracing::debug!("no sign of life was given: {error}");
        }
    }

    async fn leave_after_max_calls(&mut self) {
        let calls = self.server.counts().calls;
        if self.max_calls.is_some_and(|max_calls| calls >= max_calls) {
            self.max_calls = None;
            tell_supervisor(&self.supervisor, "leaves", "it has answered enough calls").await;
        }
    }
}

/// Adds a jitter of ±20 %, so that the workers are not all replaced at the same time.
fn with_jitter(calls: u64) -> u64 {
    use std::hash::{BuildHasher as _, RandomState};
    let random = RandomState::new().hash_one(std::process::id());
    let spread = calls / 5;
    calls - spread + random % (2 * spread + 1)
}

/// Client for requests of this worker's methods to the supervisor.
#[derive(Debug)]
struct SupervisorLink(Client);

impl SupervisorClient for SupervisorLink {
    fn ask(&self, method: &'static str, params: Vec<Value>) -> Answer {
        let call = self.0.call::<Value>(method, params);
        Box::pin(async move {
            call.await.map_err(|error| match error.kind() {
                crate::client::ErrorKind::Refused(refused) => refused.clone(),
                _ => ErrorObject::new(-32000, "The supervisor does not answer"),
            })
        })
    }
}
