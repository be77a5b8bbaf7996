//! How long a session waits for what: a message's end, a sign of life, a peer that reads.
//!
//! One timer serves all of it. A busy connection only notes when something has moved; the timer is
//! set again when it fires, or when something nearer comes up.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use super::SessionLimits;
use super::wire::Moved;

/// What the engine knows when it has done all it could.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts {
    pub(super) moved: Moved,
    /// A whole message has come since the last time.
    pub(super) message: bool,
    /// A part of a message has come.
    pub(super) partial: bool,
    /// Something waits to be written.
    pub(super) unwritten: bool,
    /// We do not read, so the peer cannot be blamed for silence.
    pub(super) paused: bool,
    /// Calls or subscriptions are open.
    pub(super) busy: bool,
    /// The server stops, and nothing is left to be done.
    pub(super) done: bool,
    /// When the session is over at the latest.
    pub(super) until: Option<Instant>,
}

/// What the time says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// Nothing is read: see whether the peer is still there.
    Look,
    /// Ask the peer for a sign of life.
    Ping,
    /// No sign of life has come.
    Dead,
    /// Nothing has moved for long, and nobody waits for anything.
    Idle,
    /// A message takes too long to come.
    SlowMessage,
    /// The peer reads nothing.
    NotReading,
    /// The server stops, and this connection is at rest.
    Drained,
    /// Whatever is left is not waited for.
    Over,
}

/// How long a connection must be silent before it is closed when the server stops: what the peer
/// sent before it knew of that is still served.
const LAST_BYTE: Duration = Duration::from_millis(100);

/// How often a peer is looked at that is not read.
const LOOK: Duration = Duration::from_millis(50);

#[derive(Debug)]
pub(super) struct Clock {
    moved: Moved,
    received: Instant,
    written: Instant,
    /// Since when a message is incomplete.
    partial: Option<Instant>,
    /// Since when something waits to be written.
    unwritten: bool,
    pinged: Option<Instant>,
    /// When a peer that is not read was last looked at.
    looked: Option<Instant>,
    /// Whether the transport knows pings.
    pings: bool,
    /// Whether silence may last for ever.
    pub(super) patient: bool,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Clock {
    pub(super) fn new(patient: bool, pings: bool) -> Self {
        let now = Instant::now();
        Self {
            moved: Moved::default(),
            received: now,
            written: now,
            partial: None,
            unwritten: false,
            pinged: None,
            looked: None,
            pings,
            patient,
            timer: None,
        }
    }

    /// Nobody could be asked: no answer is awaited, now or later.
    pub(super) fn cannot_ping(&mut self) {
        self.pings = false;
        self.pinged = None;
    }

    /// Notes the facts; says what is due, or waits until something is.
    pub(super) fn poll(
        &mut self,
        facts: Facts,
        limits: &SessionLimits,
        cx: &mut Context<'_>,
    ) -> Poll<Verdict> {
        let now = Instant::now();
        self.note(facts, now);
        loop {
            let due = self.due(facts, limits);
            let due = due.into_iter().flatten().min_by_key(|(at, _)| *at);
            let Some((at, verdict)) = due else {
                self.timer = None;
                return Poll::Pending;
            };
            if at <= now {
                match verdict {
                    Verdict::Ping => self.pinged = Some(now),
                    Verdict::Look => self.looked = Some(now),
                    _ => {}
                }
                return Poll::Ready(verdict);
            }
            let timer = match &mut self.timer {
                Some(timer) if timer.deadline() <= at => timer,
                Some(timer) => {
                    timer.as_mut().reset(at);
                    timer
                }
                none => none.insert(Box::pin(sleep_until(at))),
            };
            if timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            // It was set for something that has moved away since.
            timer.as_mut().reset(at);
        }
    }

    fn note(&mut self, facts: Facts, now: Instant) {
        if facts.moved.received != self.moved.received || facts.paused {
            self.received = now;
            self.pinged = None;
        }
        let begins_to_wait = facts.unwritten && !self.unwritten;
        if facts.moved.written != self.moved.written || begins_to_wait {
            self.written = now;
        }
        self.looked = match facts.paused {
            true => self.looked.or(Some(now)),
            false => None,
        };
        self.unwritten = facts.unwritten;
        self.partial = match self.partial {
            Some(since) if facts.partial && !facts.message && !facts.paused => Some(since),
            _ => facts.partial.then_some(now),
        };
        self.moved = facts.moved;
    }

    fn due(&self, facts: Facts, limits: &SessionLimits) -> [Option<(Instant, Verdict)>; 6] {
        let after = |since: Instant, wait: Option<Duration>, verdict| {
            Some((since.checked_add(wait?)?, verdict))
        };
        let silence = match self.pinged {
            _ if facts.paused => None,
            Some(pinged) => after(pinged, Some(limits.ping_timeout), Verdict::Dead),
            None if self.pings && limits.ping_interval.is_some() => {
                after(self.received, limits.ping_interval, Verdict::Ping)
            }
            None if facts.busy || self.patient => None,
            None => {
                let moved = self.received.max(self.written);
                after(moved, limits.idle_timeout, Verdict::Idle)
            }
        };
        let partial = self.partial.filter(|_| !facts.paused);
        [
            facts.until.map(|until| (until, Verdict::Over)),
            silence,
            self.looked
                .and_then(|last| after(last, Some(LOOK), Verdict::Look)),
            partial.and_then(|since| after(since, limits.message_timeout, Verdict::SlowMessage)),
            match facts.unwritten {
                true => after(self.written, limits.write_timeout, Verdict::NotReading),
                false => None,
            },
            match facts.done {
                true => after(self.received, Some(LAST_BYTE), Verdict::Drained),
                false => None,
            },
        ]
    }
}
