//! State of a supervisor: workers, listeners, and pending operations.
//!
//! The event loop owns the state, so it needs no locks. All other tasks send events.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::time::Duration;

use antiphon_proto::ErrorObject;
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::event::{self, Event, Events};
use super::handover::ListenerRecord;
use super::process::{CommandLine, SignalSender};
use super::restart::Restarts;
use super::systemd::Notice;
use super::topic_thread::TopicThread;
use super::worker_state::{Worker, WorkerId};
use crate::error::incident::incident_id;
use crate::server::worker_counts::CountTable;
use crate::server::{ServeError, Supervision};

/// Phase of the whole server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Phase {
    /// No worker has been ready yet.
    Booting,
    Serving,
    /// All workers are being stopped.
    Stopping,
}

/// Configuration of one generation of workers.
#[derive(Clone, Debug)]
pub(crate) struct GenerationConfig {
    pub(crate) supervision: Supervision,
    pub(crate) graceful_timeout: Duration,
    /// Text of the settings file.
    pub(crate) settings_file: Option<String>,
}

/// A reload in progress.
pub(crate) struct Reload {
    pub(crate) generation: u64,
    pub(crate) config: GenerationConfig,
    pub(crate) replies: Vec<Reply>,
    /// Whether another reload follows, and who waits for that one.
    pub(crate) next: Option<Vec<Reply>>,
}

/// Function that reloads the settings.
pub(crate) type ReadSettings = Box<dyn Fn() -> Result<GenerationConfig, ServeError>>;

/// An upgrade in progress: a successor that has been started.
pub(crate) struct Upgrade {
    pub(crate) id: WorkerId,
    pub(crate) pid: u32,
    pub(crate) until: Instant,
    pub(crate) signals: SignalSender,
    pub(crate) replies: Vec<Reply>,
    /// Kept only because dropping it would close the control channel.
    pub(crate) _channel: crate::client::Client,
}

/// Sender for the response to an asynchronous request.
pub(crate) type Reply = oneshot::Sender<Result<Value, ErrorObject>>;

/// The supervisor.
pub(crate) struct Supervisor {
    pub(crate) command_line: CommandLine,
    pub(crate) config: GenerationConfig,
    pub(crate) admin_token: Option<String>,
    pub(crate) listeners: Vec<(ListenerRecord, OwnedFd)>,
    /// The control socket, kept for handover to a successor.
    pub(crate) control: Option<(ListenerRecord, OwnedFd)>,
    pub(crate) read_settings: ReadSettings,
    pub(crate) began: Instant,
    pub(crate) phase: Phase,
    pub(crate) workers: Vec<Worker>,
    pub(crate) generation: u64,
    /// Number of processes started so far, including this one.
    pub(crate) age: u64,
    /// Number of crashed workers that have not been replaced yet.
    pub(crate) unreplaced: usize,
    pub(crate) restarts: Restarts,
    /// Open connections of the workers, by which they spread them.
    pub(crate) counts: Option<CountTable>,
    /// Passes on what workers publish.
    pub(crate) topics: TopicThread,
    /// Metrics of workers that have exited.
    #[cfg(feature = "metrics")]
    pub(crate) ended_metrics: crate::metrics::Snapshot,
    pub(crate) reload: Option<Reload>,
    pub(crate) upgrade: Option<Upgrade>,
    /// Whether another supervisor has taken over.
    pub(crate) succeeded: bool,
    pub(crate) failure: Option<ServeError>,
    pub(crate) events: Events,
    pub(crate) event_queue: mpsc::Receiver<Event>,
    pub(crate) tasks: JoinSet<()>,
    /// Notices to send to the service manager, in order.
    pub(crate) notices: VecDeque<Notice>,
}

impl Supervisor {
    pub(crate) fn new(
        command_line: CommandLine,
        config: GenerationConfig,
        admin_token: Option<String>,
        listeners: Vec<(ListenerRecord, OwnedFd)>,
        read_settings: ReadSettings,
        topics: TopicThread,
    ) -> Self {
        let (events, event_queue) = event::channel();
        Self {
            command_line,
            config,
            admin_token,
            listeners,
            control: None,
            read_settings,
            began: Instant::now(),
            phase: Phase::Booting,
            workers: Vec::new(),
            generation: 0,
            age: 1,
            unreplaced: 0,
            restarts: Restarts::default(),
            counts: CountTable::new(),
            topics,
            #[cfg(feature = "metrics")]
            ended_metrics: crate::metrics::Snapshot::default(),
            reload: None,
            upgrade: None,
            succeeded: false,
            failure: None,
            events,
            event_queue,
            tasks: JoinSet::new(),
            notices: VecDeque::new(),
        }
    }

    /// Whether the server has stopped and no worker is left.
    pub(crate) fn is_over(&self) -> bool {
        self.phase == Phase::Stopping && self.workers.is_empty()
    }

    /// A new random id for a process.
    pub(crate) fn new_id(&self) -> WorkerId {
        let random = incident_id();
        format!("i{}", random.get(..7).unwrap_or(&random))
    }
}

/// Logs why a request is rejected, and sends the reason to the caller.
pub(crate) fn reject(reply: Option<Reply>, reason: &str) {
    tracing::error!("nothing was changed: {reason}");
    if let Some(reply) = reply {
        let _ = reply.send(Err(ErrorObject::new(-32000, reason.to_owned())));
    }
}
