//! State of one worker, as its supervisor sees it.

use std::fmt;
use std::process::ExitStatus;
use std::time::SystemTime;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::process::SignalSender;
use super::report::Report;
use crate::client::Client;

/// Id of a worker: eight characters, random.
pub(crate) type WorkerId = String;

/// Lifecycle state of a worker.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum WorkerState {
    /// Started, but not ready yet.
    Starting,
    /// Serving.
    Running,
    /// Shutting down gracefully: finishes its calls.
    Stopping,
    /// Being killed.
    Terminated,
}

impl fmt::Display for WorkerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Terminated => "terminated",
        })
    }
}

/// A caller that waits for the exit of a worker. It receives whether that happened in time.
pub(crate) struct Waiter {
    pub(crate) told: oneshot::Sender<bool>,
    pub(crate) until: Instant,
}

/// A worker process.
pub(crate) struct Worker {
    pub(crate) id: WorkerId,
    pub(crate) pid: u32,
    /// Sequence number of the process, counted from the supervisor, which is 1.
    pub(crate) age: u64,
    pub(crate) generation: u64,
    pub(crate) state: WorkerState,
    pub(crate) began: Instant,
    /// Whether its `main` has reached `start`.
    pub(crate) reached_start: bool,
    /// Time of its last message, on the monotonic clock and on the wall clock.
    pub(crate) last_seen: Instant,
    pub(crate) last_seen_at: SystemTime,
    pub(crate) report: Report,
    /// Since when it is to be replaced, if it is.
    pub(crate) leaving: Option<Instant>,
    /// Deadline after which it is killed.
    pub(crate) kill_at: Option<Instant>,
    /// Why it is killed, for the log.
    pub(crate) fault: Option<String>,
    pub(crate) waiters: Vec<Waiter>,
    pub(crate) line: Client,
    pub(crate) signals: SignalSender,
    /// Its slot in the [`CountTable`](crate::server::worker_counts::CountTable).
    pub(crate) slot: Option<usize>,
}

impl Worker {
    /// Whether it counts towards the configured number of workers.
    pub(crate) fn counts(&self) -> bool {
        self.leaving.is_none() && self.is_alive()
    }

    /// Whether it has not been told to stop.
    pub(crate) fn is_alive(&self) -> bool {
        matches!(self.state, WorkerState::Starting | WorkerState::Running)
    }

    /// Whether it is serving and not about to be replaced.
    pub(crate) fn is_ready(&self) -> bool {
        self.leaving.is_none() && self.state == WorkerState::Running
    }

    /// Describes its exit, for the log.
    pub(crate) fn exit_reason(&self, status: Option<ExitStatus>) -> String {
        let how = status.map_or_else(
            || "an unknown status".to_owned(),
            |status| status.to_string(),
        );
        match (&self.fault, self.state, self.reached_start) {
            (Some(fault), ..) => format!("{fault} ({how})"),
            (None, WorkerState::Starting, false) => format!(
                "it left `main` before it came to `start` ({how}): in a worker the program runs \
                 again and has to come there too"
            ),
            (None, WorkerState::Starting, true) => format!("it ended before it was ready ({how})"),
            (None, ..) => how,
        }
    }
}
