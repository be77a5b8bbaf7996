//! Start of a worker, and a task that waits for its exit.

use std::time::SystemTime;

use tokio::time::Instant;

use super::channel;
use super::event::{self, Event, Events};
use super::handover::Handover;
use super::process::{self, Executable};
use super::report::Report;
use super::role;
use super::state::{GenerationConfig, Supervisor};
use super::worker_state::{Worker, WorkerId, WorkerState};

impl Supervisor {
    /// Starts a worker.
    ///
    /// # Errors
    ///
    /// The error of the system if the process cannot be started.
    pub(crate) fn spawn(
        &mut self,
        config: &GenerationConfig,
        generation: u64,
    ) -> std::io::Result<()> {
        self.age += 1;
        let id = self.new_id();
        let handover = Handover {
            id: id.clone(),
            settings_file: config.settings_file.clone(),
            admin_token: self.admin_token.clone(),
            heartbeat_interval: u64::try_from(config.supervision.heartbeat_interval().as_millis())
                .unwrap_or(1000),
            listeners: self
                .listeners
                .iter()
                .map(|(record, _)| record.clone())
                .collect(),
        };
        let sockets = self.listeners.iter().map(|(_, socket)| socket.try_clone());
        let sockets = sockets.collect::<Result<Vec<_>, _>>()?;
        let started =
            self.command_line
                .start(Executable::Running, role::WORKER, &handover, &sockets)?;
        let (child, line) = started;
        let pid = child.id().unwrap_or_default();
        let methods = event::methods_for(&id, &self.events).map_err(std::io::Error::other)?;
        let (line, session) = channel::open(line, &methods)?;
        let (signals, signal_receiver) = process::signals();
        self.tasks.spawn(watch_process(
            id.clone(),
            child,
            session,
            signal_receiver,
            self.events.clone(),
        ));
        let now = Instant::now();
        tracing::debug!(id, pid, "a worker was started");
        self.workers.push(Worker {
            id,
            pid,
            age: self.age,
            generation,
            state: WorkerState::Starting,
            began: now,
            reached_start: false,
            last_seen: now,
            last_seen_at: SystemTime::now(),
            report: Report::default(),
            leaving: None,
            kill_at: None,
            fault: None,
            waiters: Vec::new(),
            line,
            signals,
        });
        Ok(())
    }
}

/// Drives the control channel of a process and forwards signals to it, until it has exited.
pub(crate) async fn watch_process(
    id: WorkerId,
    mut child: tokio::process::Child,
    session: impl Future<Output = ()> + Send,
    mut signals: process::SignalReceiver,
    events: Events,
) {
    let ended = async {
        let status = signals.pass_on(&mut child).await;
        let _ = events.send(Event::Ended(id, status.ok())).await;
    };
    let (mut session, mut ended) = (std::pin::pin!(session), std::pin::pin!(ended));
    tokio::select! {
        () = &mut ended => {}
        // The channel may close before the process exits.
        () = &mut session => ended.await,
    }
}
