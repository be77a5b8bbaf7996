//! Upgrade: starts the executable that is now at this program's path and hands over the listeners.
//! The new supervisor takes over when its first worker is ready. If it fails before, nothing
//! changes.

use std::process::ExitStatus;
use std::time::Duration;

use antiphon_proto::ErrorObject;
use rustix::process::Signal;
use serde_json::Value;
use tokio::time::Instant;

use super::event::WorkerMessage;
use super::next_wakeup::NextWakeup;
use super::process::Executable;
use super::spawn::StartedProcess;
use super::state::{Phase, Reply, Supervisor, Upgrade, reject};
use super::systemd::Notice;

/// Added to the boot timeout of workers: a successor must start itself before its workers.
const EXTRA_BOOT_TIME: Duration = Duration::from_secs(5);

impl Supervisor {
    /// Starts the successor, or joins an upgrade that is already in progress.
    pub(crate) fn begin_upgrade(&mut self, reply: Option<Reply>) {
        if let Some(upgrade) = &mut self.upgrade {
            upgrade.replies.extend(reply);
            return;
        }
        if self.phase != Phase::Serving || self.reload.is_some() {
            return reject(reply, "the server is starting, stopping, or reloading");
        }
        match self.start_successor() {
            Ok(upgrade) => {
                tracing::info!(
                    pid = upgrade.pid,
                    "a new supervisor is started, to take over"
                );
                let replies = reply.into_iter().collect();
                self.upgrade = Some(Upgrade { replies, ..upgrade });
            }
            Err(error) => reject(
                reply,
                &format!("the new program cannot be started: {error}"),
            ),
        }
    }

    fn start_successor(&mut self) -> std::io::Result<Upgrade> {
        let StartedProcess {
            id,
            pid,
            client,
            signals,
        } = self.start_process(Executable::Replaced, None, 1000, None)?;
        Ok(Upgrade {
            id,
            pid,
            until: Instant::now() + self.config.supervision.boot_timeout + EXTRA_BOOT_TIME,
            signals,
            replies: Vec::new(),
            _channel: client,
        })
    }

    pub(crate) fn on_successor_message(&mut self, message: &WorkerMessage) {
        if !matches!(message, WorkerMessage::Ready) || self.phase != Phase::Serving {
            return;
        }
        let Some(upgrade) = &mut self.upgrade else {
            return;
        };
        tracing::info!(pid = upgrade.pid, "the new supervisor takes over");
        for reply in upgrade.replies.drain(..) {
            let _ = reply.send(Ok(Value::Bool(true)));
        }
        self.succeeded = true;
        self.notices.push_back(Notice::Succeeded(upgrade.pid));
        self.stop();
    }

    pub(crate) fn on_successor_exit(&mut self, status: Option<ExitStatus>) {
        let Some(upgrade) = self.upgrade.take() else {
            return;
        };
        if self.succeeded {
            return;
        }
        let how = status.map_or_else(String::new, |status| format!(" ({status})"));
        let reason = format!("the new program has not taken over{how}");
        tracing::error!("not upgraded, everything goes on: {reason}");
        for reply in upgrade.replies {
            let _ = reply.send(Err(ErrorObject::new(-32000, reason.clone())));
        }
    }

    /// Kills a successor that has missed its deadline, or that is not needed because the server
    /// stops.
    pub(crate) fn check_upgrade(&mut self, now: Instant, next: &mut NextWakeup) {
        let Some(upgrade) = self.upgrade.as_ref().filter(|_| !self.succeeded) else {
            return;
        };
        if upgrade.until <= now || self.phase == Phase::Stopping {
            upgrade.signals.send(Signal::KILL);
        } else {
            next.at(upgrade.until);
        }
    }
}
