//! Another program in place of this one: it is started, gets the listeners, and takes over when its
//! workers are ready. If it does not come that far, everything stays as it is.

use std::os::fd::OwnedFd;
use std::process::ExitStatus;
use std::time::Duration;

use antiphon_proto::ErrorObject;
use rustix::process::Signal;
use serde_json::Value;
use tokio::time::Instant;

use super::control;
use super::event::{self, Word};
use super::fleet::{Fleet, News, Phase, Reply, attend};
use super::handover::{Charge, DoorPlan};
use super::process::{self, Signaller, Which};
use super::reconcile::Next;
use super::reload::refuse;
use super::role;
use super::worker_state::Id;

/// How much longer than a worker a supervisor may take, since it starts workers.
const LONGER: Duration = Duration::from_secs(5);

/// A successor that has been started.
pub(crate) struct Upgrade {
    pub(crate) id: Id,
    pid: u32,
    until: Instant,
    signals: Signaller,
    replies: Vec<Reply>,
    /// Kept: when it ends, so does the line.
    _line: crate::client::Client,
}

impl Fleet {
    /// Starts the program that is now in this one's place.
    pub(crate) fn begin_upgrade(&mut self, reply: Option<Reply>) {
        if let Some(upgrade) = &mut self.upgrade {
            upgrade.replies.extend(reply);
            return;
        }
        if self.phase != Phase::Serving || self.reload.is_some() {
            return refuse(reply, "the server is starting, stopping, or reloading");
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
            Err(error) => refuse(
                reply,
                &format!("the new program cannot be started: {error}"),
            ),
        }
    }

    fn start_successor(&mut self) -> std::io::Result<Upgrade> {
        let id = self.new_id();
        let charge = Charge {
            id: id.clone(),
            config: None,
            admin_token: self.admin_token.clone(),
            beat: 1000,
            doors: self.all_doors().map(|(plan, _)| plan.clone()).collect(),
        };
        let sockets = self.all_doors().map(|(_, socket)| socket.try_clone());
        let sockets = sockets.collect::<Result<Vec<_>, _>>()?;
        let started = self
            .recipe
            .start(Which::Replaced, role::SUCCESSOR, &charge, &sockets)?;
        let (child, line) = started;
        let pid = child.id().unwrap_or_default();
        let offered = event::offered(&id, &self.events).map_err(std::io::Error::other)?;
        let (line, session) = control::open(line, &offered)?;
        let (signals, passed) = process::signals();
        self.tasks.spawn(attend(
            id.clone(),
            child,
            session,
            passed,
            self.events.clone(),
        ));
        Ok(Upgrade {
            id,
            pid,
            until: Instant::now() + self.brief.supervision.boot_timeout + LONGER,
            signals,
            replies: Vec::new(),
            _line: line,
        })
    }

    fn all_doors(&self) -> impl Iterator<Item = &(DoorPlan, OwnedFd)> {
        self.doors.iter().chain(&self.control)
    }

    pub(crate) fn heard_of_successor(&mut self, word: &Word) {
        if !matches!(word, Word::Ready) || self.phase != Phase::Serving {
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
        self.news.push_back(News::Succeeded(upgrade.pid));
        self.stop();
    }

    pub(crate) fn successor_ended(&mut self, status: Option<ExitStatus>) {
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

    /// Ends a successor that takes too long.
    pub(crate) fn settle_upgrade(&mut self, now: Instant, next: &mut Next) {
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
