//! State of a supervisor: its workers, its listeners, and what is under way.
//!
//! Nothing is shared and nothing is locked: the event loop owns it, and everybody else sends events.

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
use super::worker_state::{Worker, WorkerId};
use crate::error::incident::incident_id;
use crate::server::{ServeError, Supervision};

/// What the supervisor does as a whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Phase {
    /// No worker has been ready yet.
    Booting,
    Serving,
    /// All workers are to end.
    Stopping,
}

/// What workers of one generation are told.
#[derive(Clone, Debug)]
pub(crate) struct GenerationConfig {
    pub(crate) supervision: Supervision,
    pub(crate) graceful_timeout: Duration,
    /// The text of the settings file.
    pub(crate) settings_file: Option<String>,
}

/// A reload that has begun.
pub(crate) struct Reload {
    pub(crate) generation: u64,
    pub(crate) config: GenerationConfig,
    pub(crate) replies: Vec<Reply>,
}

/// Reads the settings again.
pub(crate) type ReadSettings = Box<dyn Fn() -> Result<GenerationConfig, ServeError>>;

/// A successor that has been started.
pub(crate) struct Upgrade {
    pub(crate) id: WorkerId,
    pub(crate) pid: u32,
    pub(crate) until: Instant,
    pub(crate) signals: SignalSender,
    pub(crate) replies: Vec<Reply>,
    /// Kept: when it ends, so does the line.
    pub(crate) _channel: crate::client::Client,
}

/// Sender of the answer to a request that takes time.
pub(crate) type Reply = oneshot::Sender<Result<Value, ErrorObject>>;

/// The supervisor.
pub(crate) struct Supervisor {
    pub(crate) command_line: CommandLine,
    pub(crate) config: GenerationConfig,
    pub(crate) admin_token: Option<String>,
    pub(crate) listeners: Vec<(ListenerRecord, OwnedFd)>,
    /// The control socket, for a successor.
    pub(crate) control: Option<(ListenerRecord, OwnedFd)>,
    pub(crate) read_settings: ReadSettings,
    pub(crate) began: Instant,
    pub(crate) phase: Phase,
    pub(crate) workers: Vec<Worker>,
    pub(crate) generation: u64,
    /// Processes that were started, this one included.
    pub(crate) age: u64,
    /// Workers that have died and were not replaced yet.
    pub(crate) unreplaced: usize,
    pub(crate) restarts: Restarts,
    /// What workers that have ended had counted.
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
    /// What the operator is to be told, in order.
    pub(crate) notices: VecDeque<Notice>,
}

impl Supervisor {
    pub(crate) fn new(
        command_line: CommandLine,
        config: GenerationConfig,
        admin_token: Option<String>,
        listeners: Vec<(ListenerRecord, OwnedFd)>,
        read_settings: ReadSettings,
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

    /// Whether nothing is left to do.
    pub(crate) fn is_over(&self) -> bool {
        self.phase == Phase::Stopping && self.workers.is_empty()
    }

    /// An id that no process of this server has had.
    pub(crate) fn new_id(&self) -> WorkerId {
        let random = incident_id();
        format!("i{}", random.get(..7).unwrap_or(&random))
    }

    /// The listeners and the control socket.
    pub(crate) fn all_listeners(&self) -> impl Iterator<Item = &(ListenerRecord, OwnedFd)> {
        self.listeners.iter().chain(&self.control)
    }
}

/// Tells the log, and whoever has asked.
pub(crate) fn reject(reply: Option<Reply>, reason: &str) {
    tracing::error!("nothing was changed: {reason}");
    if let Some(reply) = reply {
        let _ = reply.send(Err(ErrorObject::new(-32000, reason.to_owned())));
    }
}
