//! New workers in place of all, with the settings as they are now: the old ones go when all new ones
//! are ready, and stay if one of them is not.

use antiphon_proto::ErrorObject;
use rustix::process::Signal;
use serde_json::Value;
use tokio::time::Instant;

use super::fleet::{Brief, Fleet, News, Phase, Reply};
use super::worker_state::State;
use crate::server::ServeError;

/// A reload that has begun.
pub(crate) struct Reload {
    pub(crate) generation: u64,
    pub(crate) brief: Brief,
    replies: Vec<Reply>,
}

/// Reads the settings again.
pub(crate) type Reread = Box<dyn Fn() -> Result<Brief, ServeError>>;

impl Fleet {
    /// Begins a reload; one that is under way is enough for all who ask.
    pub(crate) fn begin_reload(&mut self, reply: Option<Reply>) {
        if let Some(reload) = &mut self.reload {
            reload.replies.extend(reply);
            return;
        }
        if self.phase != Phase::Serving || self.upgrade.is_some() {
            return refuse(reply, "the server is starting, stopping, or being replaced");
        }
        let brief = match (self.reread)() {
            Ok(brief) => brief,
            Err(error) => return refuse(reply, &error.to_string()),
        };
        tracing::info!(
            "reloading: {} new workers are started",
            brief.supervision.workers
        );
        let generation = self.generation + 1;
        for _ in 0..brief.supervision.workers {
            if let Err(error) = self.spawn(&brief, generation) {
                self.end_generation(generation);
                return refuse(reply, &format!("a worker cannot be started: {error}"));
            }
        }
        self.news.push_back(News::Reloading);
        self.reload = Some(Reload {
            generation,
            brief,
            replies: reply.into_iter().collect(),
        });
    }

    /// Lets the old workers go when the new ones are ready.
    pub(crate) fn settle_reload(&mut self) {
        let Some(reload) = &self.reload else {
            return;
        };
        let new = self
            .members
            .iter()
            .filter(|m| m.generation == reload.generation);
        let ready = new.filter(|member| member.is_ready()).count();
        if ready < reload.brief.supervision.workers {
            return;
        }
        let Some(reload) = self.reload.take() else {
            return;
        };
        tracing::info!("reloaded: the old workers finish what they have");
        self.generation = reload.generation;
        self.brief = reload.brief;
        self.debts = 0;
        let now = Instant::now();
        for member in &mut self.members {
            if member.generation < reload.generation {
                member.leaving.get_or_insert(now);
            }
        }
        self.news.push_back(News::Reloaded);
        for reply in reload.replies {
            let _ = reply.send(Ok(Value::Bool(true)));
        }
    }

    /// A new worker has failed: the others of its generation end, and all stays as it was.
    pub(crate) fn reload_failed(&mut self, reason: &str) {
        let Some(reload) = self.reload.take() else {
            return;
        };
        self.end_generation(reload.generation);
        self.news.push_back(News::Reloaded);
        let reason = format!("a new worker has failed: {reason}");
        tracing::error!("not reloaded, the old workers go on: {reason}");
        for reply in reload.replies {
            let _ = reply.send(Err(ErrorObject::new(-32000, reason.clone())));
        }
    }

    fn end_generation(&mut self, generation: u64) {
        for member in &mut self.members {
            if member.generation == generation {
                member.leaving = Some(Instant::now());
                member.state = State::Terminated;
                member.signals.send(Signal::KILL);
            }
        }
    }
}

/// Tells the log, and whoever has asked.
pub(crate) fn refuse(reply: Option<Reply>, reason: &str) {
    tracing::error!("nothing was changed: {reason}");
    if let Some(reply) = reply {
        let _ = reply.send(Err(ErrorObject::new(-32000, reason.to_owned())));
    }
}
