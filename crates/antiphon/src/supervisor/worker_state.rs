//! State of one worker, as its supervisor knows it.

use std::fmt;
use std::process::ExitStatus;
use std::time::SystemTime;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::process::SignalSender;
use super::report::Report;
use crate::client::Client;

/// What a worker is called: eight characters, never the same twice.
pub(crate) type WorkerId = String;

/// Where a worker is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum WorkerState {
    /// It has not said that it is ready.
    Starting,
    /// It serves.
    Running,
    /// It was told to stop, and finishes what it has.
    Stopping,
    /// It was told to end at once.
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

/// Somebody who waits for the end of a worker: whether it came in time.
pub(crate) struct Waiter {
    pub(crate) told: oneshot::Sender<bool>,
    pub(crate) until: Instant,
}

/// A worker.
pub(crate) struct Worker {
    pub(crate) id: WorkerId,
    pub(crate) pid: u32,
    /// The number of processes that were started before it, and itself.
    pub(crate) age: u64,
    pub(crate) generation: u64,
    pub(crate) state: WorkerState,
    pub(crate) began: Instant,
    /// Whether it has come as far as to `start`.
    pub(crate) reached_start: bool,
    /// When it gave the last sign of life, by both clocks.
    pub(crate) last_seen: Instant,
    pub(crate) last_seen_at: SystemTime,
    pub(crate) report: Report,
    /// Whether another one takes its place, since when.
    pub(crate) leaving: Option<Instant>,
    /// When it is ended by force, if it has not ended before.
    pub(crate) kill_at: Option<Instant>,
    /// Why it is ended by force, for the log.
    pub(crate) fault: Option<String>,
    pub(crate) waiters: Vec<Waiter>,
    pub(crate) line: Client,
    pub(crate) signals: SignalSender,
}

impl Worker {
    /// Whether it counts as one of those that were asked for.
    pub(crate) fn counts(&self) -> bool {
        self.leaving.is_none() && self.is_alive()
    }

    /// Whether it has not been told to end.
    pub(crate) fn is_alive(&self) -> bool {
        matches!(self.state, WorkerState::Starting | WorkerState::Running)
    }

    /// Whether it serves and stays.
    pub(crate) fn is_ready(&self) -> bool {
        self.leaving.is_none() && self.state == WorkerState::Running
    }

    /// What to say about its end.
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
