//! Signals of a supervisor and of its workers.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Action requested by a signal to the supervisor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Command {
    Stop,
    Reload,
    Upgrade,
}

/// Signal handlers of a supervisor: SIGINT, SIGTERM, SIGHUP, SIGUSR2.
#[derive(Debug)]
pub(crate) struct SupervisorSignals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
    user2: Signal,
}

impl SupervisorSignals {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
            user2: signal(SignalKind::user_defined2())?,
        })
    }

    pub(crate) async fn next(&mut self) -> Command {
        tokio::select! {
            _ = self.interrupt.recv() => Command::Stop,
            _ = self.terminate.recv() => Command::Stop,
            _ = self.hangup.recv() => Command::Reload,
            _ = self.user2.recv() => Command::Upgrade,
        }
    }
}

/// Signal handlers of a worker: SIGTERM. Signals that a terminal sends to the whole process group
/// are meant for the supervisor, so workers ignore them.
#[derive(Debug)]
pub(crate) struct WorkerSignals {
    terminate: Signal,
    _ignored: [Signal; 3],
}

impl WorkerSignals {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            _ignored: [
                signal(SignalKind::interrupt())?,
                signal(SignalKind::hangup())?,
                signal(SignalKind::user_defined2())?,
            ],
        })
    }

    /// Waits for SIGTERM.
    pub(crate) async fn terminated(&mut self) {
        self.terminate.recv().await;
    }
}
