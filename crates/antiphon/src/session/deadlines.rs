//! Timeouts of a session: idle connections, pings, slow messages, and peers that do not read.
//!
//! All of them share one timer. A busy connection only records when bytes have moved; the timer is
//! reset when it fires, or when an earlier deadline comes up.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use super::config::Silence;
use super::last_look::LastLook;
use super::limits::SessionLimits;
use super::pace::{Pace, arrival_deadline};
use super::wire::Traffic;
use crate::memory_budget::Account;

/// A snapshot of the session, taken when it can make no more progress.
#[derive(Clone, Copy, Debug)]
pub(super) struct Activity {
    pub(super) traffic: Traffic,
    /// A whole message was received since the last snapshot.
    pub(super) message: bool,
    /// A message was received in part.
    pub(super) partial: bool,
    /// There are bytes to be written.
    pub(super) unwritten: bool,
    /// Reading is paused, so silence does not count against the peer.
    pub(super) paused: bool,
    /// Calls or subscriptions are open.
    pub(super) busy: bool,
    /// The server is shutting down, and this session has no work left.
    pub(super) done: bool,
    /// The deadline of the whole session.
    pub(super) until: Option<Instant>,
}

/// What is due.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum TimerEvent {
    /// Reading is paused: check whether the peer is still connected.
    CheckPeer,
    /// Send a ping.
    Ping,
    /// Nothing was received after a ping.
    Dead,
    /// The first message has not begun.
    NoMessage,
    /// The connection was idle for too long.
    Idle,
    /// A message takes too long to arrive.
    SlowMessage,
    /// The peer does not read, or too slowly.
    NotReading,
    /// The server is shutting down, and this session has finished its work.
    Drained,
    /// The deadline of the session has passed; unfinished work is dropped.
    Over,
}

impl TimerEvent {
    /// Whether it ends the session because nothing has arrived.
    fn is_silence(self) -> bool {
        match self {
            Self::Dead | Self::NoMessage | Self::Idle | Self::SlowMessage | Self::Drained => true,
            Self::CheckPeer | Self::Ping | Self::NotReading | Self::Over => false,
        }
    }
}

/// How long a connection must be silent before graceful shutdown closes it. Requests that the peer
/// sent before it could know of the shutdown are still served.
const DRAIN_SILENCE: Duration = Duration::from_millis(100);

/// How often a peer is checked while reading is paused.
const PEER_CHECK: Duration = Duration::from_millis(50);

#[derive(Debug)]
pub(super) struct Clock {
    traffic: Traffic,
    /// When the session began.
    began: Instant,
    /// When the peer last gave a sign of life: bytes of a message, or a control frame. Blank bytes
    /// between messages are none.
    received: Instant,
    /// When the session was last in use: a whole message, or an open call or subscription.
    used: Instant,
    written: Instant,
    /// Whether a message has arrived.
    spoken: bool,
    /// Whether calls or subscriptions were open at the last poll.
    busy: bool,
    /// The incomplete message that is arriving.
    partial: Option<Partial>,
    /// The deadline of what is to be written.
    pace: Pace,
    pinged: Option<Instant>,
    /// When the peer was last checked while reading is paused.
    peer_checked: Option<Instant>,
    /// Whether pings can be sent.
    pings: bool,
    silence: Silence,
    timer: Option<Pin<Box<Sleep>>>,
    /// Whether the timer wakes the task that polls this.
    registered: bool,
    last_look: LastLook,
}

/// An incomplete message.
#[derive(Clone, Copy, Debug)]
struct Partial {
    since: Instant,
    /// Bytes that had been received before.
    before: u64,
}

impl Clock {
    pub(super) fn new(
        silence: Silence,
        pings: bool,
        write_timeout: Option<Duration>,
        memory: &Arc<Account>,
    ) -> Self {
        let now = Instant::now();
        Self {
            traffic: Traffic::default(),
            began: now,
            received: now,
            used: now,
            written: now,
            spoken: false,
            busy: false,
            partial: None,
            pace: Pace::new(write_timeout, memory),
            pinged: None,
            peer_checked: None,
            pings,
            silence,
            timer: None,
            registered: false,
            last_look: LastLook::default(),
        }
    }

    /// Turns pings off, after one could not be sent.
    pub(super) fn cannot_ping(&mut self) {
        self.pings = false;
        self.pinged = None;
    }

    /// The task has another waker now.
    pub(super) fn forget_waker(&mut self) {
        self.registered = false;
    }

    /// Whether nothing has happened since the last poll but that bytes were written, and none wait.
    /// That makes no deadline earlier, so neither the time nor the timer has to be looked at. This is
    /// what an item of a subscription leaves behind.
    fn is_unmoved(&self, activity: &Activity) -> bool {
        let timer = self.timer.as_ref().filter(|_| self.registered);
        timer.is_some_and(|timer| !timer.is_elapsed())
            && activity.traffic.received == self.traffic.received
            && activity.until.is_none()
            && (activity.busy && self.busy)
            && !(activity.message || activity.done)
            && !(activity.partial || self.partial.is_some())
            && !(activity.unwritten || self.pace.is_waiting())
            && !(activity.paused || self.peer_checked.is_some())
    }

    /// Records the activity; returns what is due, or waits until something is.
    pub(super) fn poll(
        &mut self,
        activity: Activity,
        limits: &SessionLimits,
        cx: &mut Context<'_>,
    ) -> Poll<TimerEvent> {
        if self.is_unmoved(&activity) {
            return Poll::Pending;
        }
        let now = Instant::now();
        if activity.traffic.received != self.traffic.received {
            self.last_look.reset();
        }
        self.note(activity, now);
        loop {
            let due = self.due(activity, limits);
            let due = due.into_iter().flatten().min_by_key(|(at, _)| *at);
            let Some((at, event)) = due else {
                self.timer = None;
                return Poll::Pending;
            };
            if at <= now {
                if event.is_silence() {
                    ready!(self.last_look.poll(cx));
                }
                match event {
                    TimerEvent::Ping => self.pinged = Some(now),
                    TimerEvent::CheckPeer => self.peer_checked = Some(now),
                    _ => {}
                }
                return Poll::Ready(event);
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
                self.registered = true;
                return Poll::Pending;
            }
            // The timer was set for a deadline that has moved since.
            timer.as_mut().reset(at);
        }
    }

    fn note(&mut self, activity: Activity, now: Instant) {
        let has_received = activity.traffic.received != self.traffic.received;
        let counts = self.pings || activity.message || activity.partial;
        if (has_received && counts) || activity.paused {
            self.received = now;
            self.pinged = None;
        }
        if activity.message || activity.paused || activity.busy || self.busy {
            self.used = now;
        }
        self.spoken |= activity.message;
        self.busy = activity.busy;
        let written = activity.traffic.written.wrapping_sub(self.traffic.written);
        if written > 0 {
            self.written = now;
            self.pace.moved(written, || now);
        }
        match activity.unwritten {
            true => self.pace.waits(|| now),
            false => self.pace.rests(|| now),
        }
        self.peer_checked = match activity.paused {
            true => self.peer_checked.or(Some(now)),
            false => None,
        };
        let begins = Partial {
            since: now,
            before: self.traffic.received,
        };
        self.partial = match self.partial {
            Some(same) if activity.partial && !activity.message && !activity.paused => Some(same),
            _ => activity.partial.then_some(begins),
        };
        self.traffic = activity.traffic;
    }

    fn due(
        &self,
        activity: Activity,
        limits: &SessionLimits,
    ) -> [Option<(Instant, TimerEvent)>; 6] {
        let after = |since: Instant, wait: Option<Duration>, event| {
            Some((since.checked_add(wait?)?, event))
        };
        let silence = match self.pinged {
            _ if activity.paused => None,
            Some(pinged) => after(pinged, Some(limits.ping_timeout), TimerEvent::Dead),
            None if self.pings && limits.ping_interval.is_some() => {
                after(self.received, limits.ping_interval, TimerEvent::Ping)
            }
            // An incomplete message and unread output have deadlines of their own.
            None if activity.busy || activity.partial || self.pace.is_waiting() => None,
            None if !self.spoken && self.silence.first.is_some() => {
                after(self.began, self.silence.first, TimerEvent::NoMessage)
            }
            None => {
                let last_used = self.used.max(self.written);
                after(last_used, self.silence.idle, TimerEvent::Idle)
            }
        };
        let partial = self.partial.filter(|_| !activity.paused);
        let partial = partial.and_then(|partial| {
            let whole = partial.since.checked_add(limits.message_timeout?)?;
            let bytes = activity.traffic.received.wrapping_sub(partial.before);
            let by = whole.min(arrival_deadline(partial.since, bytes));
            Some((by, TimerEvent::SlowMessage))
        });
        let unread = self.pace.deadline();
        [
            activity.until.map(|until| (until, TimerEvent::Over)),
            silence,
            self.peer_checked
                .and_then(|last| after(last, Some(PEER_CHECK), TimerEvent::CheckPeer)),
            partial,
            unread.map(|by| (by, TimerEvent::NotReading)),
            match activity.done {
                true => after(self.received, Some(DRAIN_SILENCE), TimerEvent::Drained),
                false => None,
            },
        ]
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::time::sleep;

    use super::*;

    const REST: Activity = Activity {
        traffic: Traffic {
            received: 0,
            written: 0,
        },
        message: false,
        partial: false,
        unwritten: false,
        paused: false,
        busy: false,
        done: false,
        until: None,
    };

    #[tokio::test(start_paused = true)]
    async fn what_arrives_in_time_keeps_a_session_though_it_is_told_late() {
        let limits = SessionLimits::default();
        let memory = Account::unlimited();
        for (told, expected) in [(true, None), (false, Some(TimerEvent::Drained))] {
            let mut clock = Clock::new(Silence::default(), true, limits.write_timeout, &memory);
            let mut activity = Activity { done: true, ..REST };
            let mut event = None;
            for _ in 0..3 {
                let polled = poll_fn(|cx| Poll::Ready(clock.poll(activity, &limits, cx))).await;
                if let Poll::Ready(due) = polled {
                    event = event.or(Some(due));
                }
                let step = if activity.traffic.written == 0 {
                    100
                } else {
                    1
                };
                sleep(Duration::from_millis(step)).await;
                activity.traffic.written += 1;
                if told && activity.traffic.written == 2 {
                    activity.traffic.received += 50;
                }
            }
            assert_eq!(event, expected, "{told}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn items_that_are_written_put_no_deadline_off() {
        let limits = SessionLimits::default();
        let memory = Account::unlimited();
        let mut clock = Clock::new(Silence::default(), true, limits.write_timeout, &memory);
        let mut activity = Activity { busy: true, ..REST };
        let mut due = Vec::new();
        let began = Instant::now();
        for _ in 0..50 {
            let polled = poll_fn(|cx| Poll::Ready(clock.poll(activity, &limits, cx))).await;
            if let Poll::Ready(event) = polled {
                due.push((began.elapsed().as_secs(), event));
            }
            activity.traffic.written += 100;
            sleep(Duration::from_secs(1)).await;
        }
        // There is a second look before it is dead.
        due.truncate(2);
        assert_eq!(due, [(20, TimerEvent::Ping), (41, TimerEvent::Dead)]);
    }
}
