//! What follows from how things are: whom to start, whom to dismiss, whom to end, and when to look
//! again.

use rustix::process::Signal;
use tokio::time::{Duration, Instant};

use super::fleet::{Fleet, Phase};
use super::worker_state::State;

/// How long a worker that is to be replaced waits for its replacement, if somebody has asked for
/// its end.
const HANDOVER: Duration = Duration::from_secs(1);

impl Fleet {
    /// Starts the workers that a server begins with.
    ///
    /// # Errors
    ///
    /// What the system says if there can be no other process.
    pub(crate) fn boot(&mut self) -> std::io::Result<()> {
        let brief = self.brief.clone();
        for _ in 0..brief.supervision.workers {
            self.spawn(&brief, self.generation)?;
        }
        Ok(())
    }

    /// Does what follows, and says when to look again if nothing happens before.
    pub(crate) fn settle(&mut self) -> Option<Instant> {
        let now = Instant::now();
        let mut next = Next(None);
        self.end_overdue(now, &mut next);
        self.end_silent(now, &mut next);
        self.tell_mourners(now, &mut next);
        match self.phase {
            Phase::Booting | Phase::Stopping => {}
            Phase::Serving => {
                self.settle_reload();
                self.fill_up(now, &mut next);
                self.dismiss_leaving(now, &mut next);
            }
        }
        self.settle_upgrade(now, &mut next);
        next.0
    }

    /// Ends those whose time to boot or to stop is over.
    fn end_overdue(&mut self, now: Instant, next: &mut Next) {
        let boot_timeout = self.brief.supervision.boot_timeout;
        for member in &mut self.members {
            if member.state == State::Starting {
                let until = member.began + boot_timeout;
                if until <= now {
                    member.fault = Some(match member.reached {
                        true => format!("it was not ready after {} s", boot_timeout.as_secs()),
                        false => format!(
                            "it did not come to `start` within {} s",
                            boot_timeout.as_secs()
                        ),
                    });
                    member.state = State::Terminated;
                    member.signals.send(Signal::KILL);
                } else {
                    next.at(until);
                }
            }
            match member.kill_at {
                Some(until) if until <= now => {
                    tracing::warn!(id = member.id, pid = member.pid, "a worker is killed");
                    member.kill_at = None;
                    member.signals.send(Signal::KILL);
                }
                Some(until) => next.at(until),
                None => {}
            }
        }
    }

    /// Ends those that give no sign of life: their runtime does not run.
    fn end_silent(&mut self, now: Instant, next: &mut Next) {
        let Some(timeout) = self.brief.supervision.worker_timeout else {
            return;
        };
        let mut died = 0;
        for member in &mut self.members {
            if !matches!(member.state, State::Running | State::Stopping) {
                continue;
            }
            let until = member.seen + timeout;
            if until > now {
                next.at(until);
                continue;
            }
            died += usize::from(member.counts());
            Self::abort(
                member,
                format!(
                    "it has given no sign of life for {} s",
                    timeout.as_secs_f64()
                ),
                now,
            );
            // It is replaced at once, not only when it has ended.
            member.leaving = Some(now);
        }
        for _ in 0..died {
            self.debts += 1;
            self.restarts.died(now);
        }
    }

    fn tell_mourners(&mut self, now: Instant, next: &mut Next) {
        for member in &mut self.members {
            let (late, waiting) = std::mem::take(&mut member.mourners)
                .into_iter()
                .partition(|mourner| mourner.until <= now);
            member.mourners = waiting;
            for mourner in late {
                let _ = mourner.told.send(false);
            }
            member
                .mourners
                .iter()
                .for_each(|mourner| next.at(mourner.until));
        }
    }

    /// Starts as many workers as are missing: at once those that replace others which leave, and
    /// those that replace dead ones as often as that makes sense. During a reload the new generation
    /// is what has to be complete.
    fn fill_up(&mut self, now: Instant, next: &mut Next) {
        let (brief, generation) = match &self.reload {
            Some(reload) => (reload.brief.clone(), reload.generation),
            None => (self.brief.clone(), self.generation),
        };
        let reloading = self.reload.is_some();
        let present = (self.members.iter())
            .filter(|member| member.counts() && (!reloading || member.generation == generation))
            .count();
        let missing = brief.supervision.workers.saturating_sub(present);
        if !reloading {
            self.debts = self.debts.min(missing);
        }
        for _ in 0..missing {
            if self.debts > 0 && !reloading {
                let moment = self.restarts.next(now);
                if moment > now {
                    next.at(moment);
                    return;
                }
                self.debts -= 1;
                self.restarts.restarted(now);
            }
            if let Err(error) = self.spawn(&brief, generation) {
                tracing::error!("a worker cannot be started: {error}");
                self.debts += 1;
                self.restarts.died(now);
                next.at(now + Duration::from_secs(1));
                return;
            }
        }
    }

    /// Lets those go that have been replaced.
    fn dismiss_leaving(&mut self, now: Instant, next: &mut Next) {
        let ready = self
            .members
            .iter()
            .filter(|member| member.is_ready())
            .count();
        let complete = ready >= self.brief.supervision.workers;
        for at in 0..self.members.len() {
            let Some(member) = self.members.get(at) else {
                return;
            };
            let (Some(since), State::Starting | State::Running) = (member.leaving, member.state)
            else {
                continue;
            };
            let hurried = !member.mourners.is_empty() && since + HANDOVER <= now;
            if complete || hurried || member.state == State::Starting {
                self.dismiss(at, false);
            } else if !member.mourners.is_empty() {
                next.at(since + HANDOVER);
            }
        }
    }
}

/// The earliest of several moments.
pub(crate) struct Next(Option<Instant>);

impl Next {
    pub(crate) fn at(&mut self, moment: Instant) {
        self.0 = Some(self.0.map_or(moment, |known| known.min(moment)));
    }
}
