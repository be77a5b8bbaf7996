//! All workers of a server: one loop that hears what happens and does what follows.
//!
//! Nothing is shared and nothing is locked: the loop owns the workers, everybody else sends it events.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::process::ExitStatus;
use std::time::{Duration, SystemTime};

use antiphon_proto::ErrorObject;
use rustix::process::Signal;
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::control;
use super::event::{self, Event, Events, Question, Word};
use super::handover::{Charge, DoorPlan};
use super::process::{self, Recipe, Which};
use super::reload::{Reload, Reread};
use super::report::Report;
use super::restart::Restarts;
use super::role;
use super::upgrade::Upgrade;
use super::worker_state::{Id, Member, Mourner, State};
use crate::error::incident::incident_id;
use crate::server::ServeError;
use crate::server::Supervision;

/// How long somebody who has asked for the end of a worker waits for it.
const MOURNING: Duration = Duration::from_secs(5);

/// How long a worker that cuts its calls has to end.
const LAST_MOMENT: Duration = Duration::from_millis(500);

/// How long a worker has between being told to abort and being killed.
const ABORT: Duration = Duration::from_secs(1);

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
pub(crate) struct Brief {
    pub(crate) supervision: Supervision,
    pub(crate) graceful_timeout: Duration,
    /// The file with settings, as it was.
    pub(crate) config: Option<String>,
}

/// Answers to whoever has asked for something that takes time.
pub(crate) type Reply = oneshot::Sender<Result<Value, ErrorObject>>;

/// The supervisor.
pub(crate) struct Fleet {
    pub(crate) recipe: Recipe,
    pub(crate) brief: Brief,
    pub(crate) admin_token: Option<String>,
    pub(crate) doors: Vec<(DoorPlan, OwnedFd)>,
    /// The control socket, for a successor.
    pub(crate) control: Option<(DoorPlan, OwnedFd)>,
    pub(crate) reread: Reread,
    pub(crate) began: Instant,
    pub(crate) phase: Phase,
    pub(crate) members: Vec<Member>,
    pub(crate) generation: u64,
    /// Processes that were started, this one included.
    pub(crate) age: u64,
    /// Workers that have died and were not replaced yet.
    pub(crate) debts: usize,
    pub(crate) restarts: Restarts,
    /// What workers that have ended had counted.
    #[cfg(feature = "metrics")]
    buried: crate::metrics::Snapshot,
    pub(crate) reload: Option<Reload>,
    pub(crate) upgrade: Option<Upgrade>,
    /// Whether another supervisor has taken over.
    pub(crate) succeeded: bool,
    pub(crate) failure: Option<ServeError>,
    pub(crate) events: Events,
    pub(crate) inbox: mpsc::Receiver<Event>,
    pub(crate) tasks: JoinSet<()>,
    /// What the operator is to be told, in order.
    pub(crate) news: VecDeque<News>,
}

/// What others than the log have to hear of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum News {
    /// The first worker is ready.
    Ready,
    Reloading,
    Reloaded,
    Stopping,
    /// Another process has taken over.
    Succeeded(u32),
}

impl Fleet {
    pub(crate) fn new(
        recipe: Recipe,
        brief: Brief,
        admin_token: Option<String>,
        doors: Vec<(DoorPlan, OwnedFd)>,
        reread: Reread,
    ) -> Self {
        let (events, inbox) = event::channel();
        Self {
            recipe,
            brief,
            admin_token,
            doors,
            control: None,
            reread,
            began: Instant::now(),
            phase: Phase::Booting,
            members: Vec::new(),
            generation: 0,
            age: 1,
            debts: 0,
            restarts: Restarts::default(),
            #[cfg(feature = "metrics")]
            buried: crate::metrics::Snapshot::default(),
            reload: None,
            upgrade: None,
            succeeded: false,
            failure: None,
            events,
            inbox,
            tasks: JoinSet::new(),
            news: VecDeque::new(),
        }
    }

    /// Whether nothing is left to do.
    pub(crate) fn is_over(&self) -> bool {
        self.phase == Phase::Stopping && self.members.is_empty()
    }

    /// Waits for the next event, and takes it in; until `moment` at the latest.
    pub(crate) async fn hear(&mut self, moment: Option<Instant>) {
        let far = Instant::now() + Duration::from_secs(3600);
        let happened = tokio::select! {
            happened = self.inbox.recv() => happened,
            () = tokio::time::sleep_until(moment.unwrap_or(far)) => None,
        };
        while self.tasks.try_join_next().is_some() {}
        match happened {
            Some(Event::Said(id, word)) => self.heard(&id, word),
            Some(Event::Ended(id, status)) => self.ended(&id, status),
            Some(Event::Asked(question, reply)) => self.asked(question, reply),
            None => {}
        }
    }

    fn heard(&mut self, id: &Id, word: Word) {
        if self
            .upgrade
            .as_ref()
            .is_some_and(|upgrade| upgrade.id == *id)
        {
            return self.heard_of_successor(&word);
        }
        let Some(member) = self.members.iter_mut().find(|member| member.id == *id) else {
            return;
        };
        member.seen = Instant::now();
        member.seen_at = SystemTime::now();
        match word {
            Word::Reached => member.reached = true,
            Word::Alive(report) => member.report = report,
            Word::Ready if member.state == State::Starting => {
                member.state = State::Running;
                tracing::info!(id, pid = member.pid, "a worker is ready");
                if self.phase == Phase::Booting {
                    self.phase = Phase::Serving;
                    self.news.push_back(News::Ready);
                }
            }
            Word::Ready => {}
            Word::Leaves(reason) => {
                if member.leaving.is_none() {
                    tracing::info!(id, reason, "a worker is to be replaced");
                    member.leaving = Some(Instant::now());
                }
            }
        }
    }

    fn ended(&mut self, id: &Id, status: Option<ExitStatus>) {
        if self
            .upgrade
            .as_ref()
            .is_some_and(|upgrade| upgrade.id == *id)
        {
            return self.successor_ended(status);
        }
        let Some(at) = self.members.iter().position(|member| member.id == *id) else {
            return;
        };
        let mut member = self.members.remove(at);
        #[cfg(feature = "metrics")]
        self.buried
            .add(&std::mem::take(&mut member.report.metrics).bury());
        for mourner in member.mourners.drain(..) {
            let _ = mourner.told.send(true);
        }
        let (pid, obituary) = (member.pid, member.obituary(status));
        let was_told = member.leaving.is_some() || member.state == State::Stopping;
        if self.phase == Phase::Stopping || (was_told && member.fault.is_none()) {
            return tracing::info!(id, pid, "a worker has ended: {obituary}");
        }
        tracing::error!(id, pid, "a worker has died: {obituary}");
        if self
            .reload
            .as_ref()
            .is_some_and(|r| r.generation == member.generation)
        {
            return self.reload_failed(&obituary);
        }
        if member.leaving.is_none() {
            self.debts += 1;
            self.restarts.died(Instant::now());
        }
        if self.phase == Phase::Booting && self.members.is_empty() {
            self.failure = Some(ServeError::Workers(obituary));
            self.phase = Phase::Stopping;
        }
    }

    fn asked(&mut self, question: Question, reply: Reply) {
        match question {
            Question::Status => drop(reply.send(Ok(self.status()))),
            #[cfg(feature = "metrics")]
            Question::Metrics => {
                let sum = serde_json::to_value(self.metrics()).unwrap_or_default();
                let _ = reply.send(Ok(sum));
            }
            Question::Kill { id, by } => self.kill(&id, by.as_ref(), reply),
            Question::Reload => self.begin_reload(Some(reply)),
            Question::Upgrade => self.begin_upgrade(Some(reply)),
            Question::Stop => {
                self.stop();
                let _ = reply.send(Ok(Value::Bool(true)));
            }
        }
    }

    /// What all workers have counted since the start, those that have ended included.
    #[cfg(feature = "metrics")]
    fn metrics(&self) -> crate::metrics::Snapshot {
        let mut sum = self.buried.clone();
        self.members
            .iter()
            .for_each(|member| sum.add(&member.report.metrics));
        sum
    }

    /// Ends one worker, or everything; another worker takes its place.
    fn kill(&mut self, id: &str, by: Option<&Id>, reply: Reply) {
        let killed = format!("killed {id}");
        if ["arbiter", "supervisor"].contains(&id) {
            tracing::warn!(by, "the server is stopped: `kill_actor` was called");
            self.stop();
            return drop(reply.send(Ok(Value::String(killed))));
        }
        let Some(member) = self.members.iter_mut().find(|member| member.id == id) else {
            let unknown = ErrorObject::invalid_params(format!("there is no worker {id:?}"));
            return drop(reply.send(Err(unknown)));
        };
        tracing::warn!(
            id,
            by,
            "a worker is ended and replaced: `kill_actor` was called"
        );
        member.leaving.get_or_insert_with(Instant::now);
        if by.is_some_and(|by| by == id) {
            // It has to answer this call before it can end.
            return drop(reply.send(Ok(Value::String(killed))));
        }
        let (told, ended) = oneshot::channel();
        let until = Instant::now() + MOURNING;
        member.mourners.push(Mourner { told, until });
        self.tasks.spawn(async move {
            let in_time = ended.await.unwrap_or(false);
            let answer = if in_time {
                Value::String(killed)
            } else {
                Value::Null
            };
            let _ = reply.send(Ok(answer));
        });
    }

    /// Everything is to end; asked twice, at once.
    pub(crate) fn stop(&mut self) {
        let now = Instant::now();
        if self.phase == Phase::Stopping {
            tracing::warn!("told to stop twice: cutting what is left");
            for member in &mut self.members {
                tell(&mut self.tasks, member, "cut", ());
                member.kill_at = Some(now + LAST_MOMENT);
            }
            return;
        }
        tracing::info!("stopping {} workers", self.members.len());
        self.phase = Phase::Stopping;
        self.news.push_back(News::Stopping);
        self.reload = None;
        for at in 0..self.members.len() {
            self.dismiss(at, !self.succeeded);
        }
        // The workers have them, and empty their queues.
        self.doors.clear();
    }

    /// Tells a worker to finish what it has. `queue` says whether also what waits to be accepted,
    /// because nobody else will.
    pub(crate) fn dismiss(&mut self, at: usize, queue: bool) {
        let deadline = Instant::now() + self.brief.graceful_timeout + ABORT;
        let Some(member) = self.members.get_mut(at) else {
            return;
        };
        match member.state {
            State::Starting => {
                member.state = State::Terminated;
                member.signals.send(Signal::KILL);
            }
            State::Running => {
                member.state = State::Stopping;
                member.kill_at = Some(deadline);
                tell(&mut self.tasks, member, "stop", (queue,));
            }
            State::Stopping | State::Terminated => {}
        }
    }

    /// Ends a worker that cannot be spoken to.
    pub(crate) fn abort(member: &mut Member, fault: String, now: Instant) {
        tracing::error!(
            id = member.id,
            pid = member.pid,
            "a worker is ended: {fault}"
        );
        member.fault = Some(fault);
        member.state = State::Terminated;
        member.kill_at = Some(now + ABORT);
        member.signals.send(Signal::ABORT);
    }

    /// Starts a worker.
    ///
    /// # Errors
    ///
    /// What the system says if there can be no other process.
    pub(crate) fn spawn(&mut self, brief: &Brief, generation: u64) -> std::io::Result<()> {
        self.age += 1;
        let id = self.new_id();
        let charge = Charge {
            id: id.clone(),
            config: brief.config.clone(),
            admin_token: self.admin_token.clone(),
            beat: u64::try_from(brief.supervision.beat().as_millis()).unwrap_or(1000),
            doors: self.doors.iter().map(|(plan, _)| plan.clone()).collect(),
        };
        let sockets = self.doors.iter().map(|(_, socket)| socket.try_clone());
        let sockets = sockets.collect::<Result<Vec<_>, _>>()?;
        let started = self
            .recipe
            .start(Which::Running, role::WORKER, &charge, &sockets)?;
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
        let now = Instant::now();
        tracing::debug!(id, pid, "a worker was started");
        self.members.push(Member {
            id,
            pid,
            age: self.age,
            generation,
            state: State::Starting,
            began: now,
            reached: false,
            seen: now,
            seen_at: SystemTime::now(),
            report: Report::default(),
            leaving: None,
            kill_at: None,
            fault: None,
            mourners: Vec::new(),
            line,
            signals,
        });
        Ok(())
    }

    /// An id that no process of this server has had.
    pub(crate) fn new_id(&self) -> Id {
        let random = incident_id();
        format!("i{}", random.get(..7).unwrap_or(&random))
    }
}

/// Sends a worker a message that it has to take in, and does not wait for it.
pub(crate) fn tell(
    tasks: &mut JoinSet<()>,
    member: &Member,
    word: &'static str,
    params: impl antiphon_proto::IntoParams,
) {
    let said = member.line.notify(word, params);
    let id = member.id.clone();
    tasks.spawn(async move {
        if let Err(error) = said.await {
            tracing::debug!(id, "a worker was not told: {error}");
        }
    });
}

/// Looks after a process until it has ended.
pub(crate) async fn attend(
    id: Id,
    mut child: tokio::process::Child,
    session: impl Future<Output = ()> + Send,
    mut signals: process::Signals,
    events: Events,
) {
    let ended = async {
        let status = signals.pass_on(&mut child).await;
        let _ = events.send(Event::Ended(id, status.ok())).await;
    };
    let (mut session, mut ended) = (std::pin::pin!(session), std::pin::pin!(ended));
    tokio::select! {
        () = &mut ended => {}
        () = &mut session => ended.await,
    }
}
