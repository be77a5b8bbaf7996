//! Start of a worker or a successor, and a task that waits for its exit.

use std::os::unix::net::UnixStream;
use std::time::SystemTime;

use tokio::time::Instant;

use super::channel;
use super::event::{self, Event, Events};
use super::handover::Handover;
use super::process::{self, Executable, SignalSender};
use super::report::Report;
use super::state::{GenerationConfig, Supervisor};
use super::worker_state::{Worker, WorkerId, WorkerState};
use crate::client::Client;
use crate::server::worker_counts::CountTable;
use crate::topic::link::frame::VERSION;

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
        let slot = self.counts.as_mut().and_then(CountTable::take);
        let heartbeat_interval = config.supervision.heartbeat_interval().as_millis();
        let started = self.start_process(
            Executable::Running,
            config.settings_file.clone(),
            u64::try_from(heartbeat_interval).unwrap_or(1000),
            slot,
        );
        let StartedProcess {
            id,
            pid,
            client,
            signals,
        } = started.inspect_err(|_| self.free_slot(slot))?;
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
            line: client,
            signals,
            slot,
        });
        Ok(())
    }

    /// Clears the slot of a worker that has exited, or was never started.
    pub(super) fn free_slot(&mut self, slot: Option<usize>) {
        if let (Some(counts), Some(slot)) = (&mut self.counts, slot) {
            counts.free(slot);
        }
    }

    /// Starts a worker or a successor: hands over the listeners, opens the control channel, and
    /// spawns the task that waits for the exit. A successor gets the control socket, too; a worker
    /// gets a channel for topics, and if it has a slot the file of the slots.
    ///
    /// # Errors
    ///
    /// The error of the system if the process cannot be started.
    pub(super) fn start_process(
        &mut self,
        executable: Executable,
        settings_file: Option<String>,
        heartbeat_interval: u64,
        slot: Option<usize>,
    ) -> std::io::Result<StartedProcess> {
        let id = self.new_id();
        let control = self.control.iter();
        let control = control.filter(|_| executable == Executable::Replaced);
        let (mut listeners, mut sockets) = (Vec::new(), Vec::new());
        for (record, socket) in self.listeners.iter().chain(control) {
            listeners.push(record.clone());
            sockets.push(socket.try_clone()?);
        }
        let (mut channel, is_worker) = (None, executable == Executable::Running);
        if is_worker {
            let (ours, theirs) = UnixStream::pair()?;
            channel = Some(ours);
            sockets.push(theirs.into());
        }
        let handover = Handover {
            id: id.clone(),
            settings_file,
            admin_token: self.admin_token.clone(),
            heartbeat_interval,
            listeners,
            slot,
            topics: is_worker,
            topics_version: VERSION,
        };
        if let (Some(counts), Some(_)) = (&self.counts, slot) {
            sockets.push(counts.share()?);
        }
        let (child, stream) = self.command_line.start(executable, &handover, &sockets)?;
        drop(sockets);
        if let Some(channel) = channel {
            self.topics.add(channel)?;
        }
        let pid = child.id().unwrap_or_default();
        let methods = event::methods_for(&id, &self.events).map_err(std::io::Error::other)?;
        let (client, session) = channel::open(stream, &methods)?;
        let (signals, signal_receiver) = process::signals();
        self.tasks.spawn(watch_process(
            id.clone(),
            child,
            session,
            signal_receiver,
            self.events.clone(),
        ));
        Ok(StartedProcess {
            id,
            pid,
            client,
            signals,
        })
    }
}

/// A process that was started, and the ways to reach it.
pub(super) struct StartedProcess {
    pub(super) id: WorkerId,
    pub(super) pid: u32,
    /// Its end of the control channel.
    pub(super) client: Client,
    pub(super) signals: SignalSender,
}

/// Drives the control channel of a process and forwards signals to it, until it has exited.
async fn watch_process(
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
