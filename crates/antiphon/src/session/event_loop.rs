//! Event loop of a session: reads, starts calls, writes.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use super::config::{SessionConfig, Silence};
use super::deadlines::{Activity, Clock, TimerEvent};
use super::limits::SessionLimits;
use super::parking::Parking;
use super::phase::{Phase, StopReason};
use super::streams::{POLLS, Streams, WRITE_AHEAD};
use super::unasked::Unasked;
use super::wire::{CloseReason, Wire};
use crate::call_origin::{Connection, Origin, Transport};
use crate::dispatch::{Dispatcher, Parsing};
use crate::memory_budget::{Direction, FREE, Payload, Reservation};
use crate::session_state::{End, Outgoing, SessionHandle, Ticket};

/// The most messages that one poll reads before it writes and yields.
const READ_AHEAD: usize = 256;

/// Small messages may add up to this many bytes before they are reserved.
const UNRESERVED: usize = 64 * 1024;

/// A session, driven by one task. The future completes when the connection has ended.
pub(crate) struct Session<W> {
    pub(super) wire: W,
    pub(super) handle: SessionHandle,
    pub(super) dispatcher: Dispatcher,
    /// The origin of all calls of this session.
    pub(super) origin: Arc<Origin>,
    /// That of the message that is taken in, if it was sent on behalf of another caller.
    pub(super) on_behalf: Option<Arc<Origin>>,
    pub(super) limits: Arc<SessionLimits>,
    /// A large message that is being parsed on another thread, and its length. Until it is handled,
    /// no other one is read.
    pub(super) parsing: Option<(Parsing, usize)>,
    pub(super) parked: Parking,
    /// A pending notification: nothing else starts before it is done.
    pub(super) barrier: Option<Ticket>,
    /// The buffer that responses and items are written into.
    pub(super) scratch: Vec<u8>,
    pub(super) outgoing: VecDeque<Outgoing>,
    /// What is reserved for messages that are not written yet.
    pub(super) output: Reservation,
    /// Whether the budget has no room for them: then no more output is produced.
    pub(super) strained: bool,
    /// Whether items of subscriptions are queued that did not fit yet.
    pub(super) items: bool,
    pub(super) streams: Streams,
    /// What the peer may send unasked; unlimited on servers, which are there to be called.
    pub(super) unasked: Option<Unasked>,
    /// Whether a whole message was received since the clock was last polled.
    pub(super) received: bool,
    pub(super) clock: Clock,
    pub(super) waker: Option<Waker>,
    pub(super) phase: Phase,
}

impl<W: Wire> Session<W> {
    /// A session over an open connection. `change` completes the origin of its calls.
    pub(crate) fn new(
        wire: W,
        dispatcher: Dispatcher,
        connection: Arc<Connection>,
        local: bool,
        config: &SessionConfig,
        change: impl FnOnce(&mut Origin),
    ) -> Self {
        let spoken;
        let config = match dispatcher.speaks_mcp() {
            true => {
                spoken = config.speaking_mcp();
                &spoken
            }
            false => config,
        };
        // Who has started this process, or is a part of it, may be silent as long as it likes.
        let silence = match connection.transport {
            Transport::Stdio | Transport::InProcess => Silence::default(),
            _ => config.silence,
        };
        let memory = Arc::clone(&connection.memory);
        let clock = Clock::new(silence, W::PINGS, config.limits.write_timeout, &memory);
        let handle = SessionHandle::new(Arc::clone(&config.connection), &memory, true);
        let mut origin = dispatcher.origin(connection, local);
        origin.session = Some(handle.clone());
        change(&mut origin);
        Self {
            wire,
            handle,
            dispatcher,
            origin: Arc::new(origin),
            on_behalf: None,
            limits: Arc::clone(&config.limits),
            parsing: None,
            parked: Parking::new(&memory),
            barrier: None,
            scratch: Vec::new(),
            outgoing: VecDeque::new(),
            output: Reservation::new(&memory, Direction::Response),
            strained: false,
            items: false,
            streams: Streams::default(),
            unasked: None,
            received: false,
            clock,
            waker: None,
            phase: Phase::Open,
        }
    }

    /// Limits what the peer may send unasked: for clients, whose server has no reason to call them
    /// without end.
    pub(crate) fn limit_unasked(mut self) -> Self {
        self.unasked = Some(Unasked::new());
        self
    }

    /// A handle for everything outside of the session's task.
    pub(crate) fn handle(&self) -> SessionHandle {
        self.handle.clone()
    }

    /// Makes as much progress as possible.
    fn work(&mut self, cx: &mut Context<'_>) -> Result<(), StopReason> {
        if !self.waker.as_ref().is_some_and(|w| w.will_wake(cx.waker())) {
            self.waker = Some(cx.waker().clone());
            self.handle.listen(cx.waker());
            self.clock.forget_waker();
        }
        let mut left = READ_AHEAD;
        let mut polls = POLLS;
        if self.wire.unwritten() > 0 && !self.streams.is_empty() {
            // Before the streams: they may use up what this task may do before it has to yield.
            let _ = self.flush(cx)?;
        }
        loop {
            self.fetch();
            self.start_parked(cx);
            self.read(&mut left, cx)?;
            self.poll_streams(&mut polls, cx);
            if self.handle.has_mail() {
                continue;
            }
            let was_full = self.is_full();
            match self.flush(cx)? {
                Poll::Ready(()) if self.items || (polls > 0 && self.streams.are_waiting()) => {
                    continue;
                }
                // There is room again: reading and parked messages resume here, since no
                // waker is registered for that.
                _ if was_full && !self.is_full() => continue,
                _ => {}
            }
            if left == 0 {
                // Yield to other tasks; there may be more to read.
                cx.waker().wake_by_ref();
                return Ok(());
            }
            if polls == 0 && self.streams.are_waiting() {
                // They have had their share. If all is written, nothing else wakes this task for them.
                cx.waker().wake_by_ref();
            }
            if !self.handle.has_news() || polls == 0 {
                return Ok(());
            }
        }
    }

    /// Writes what there is, and reports what is left. Ready when everything is written.
    fn flush(&mut self, cx: &mut Context<'_>) -> Result<Poll<()>, StopReason> {
        let flushed = self.wire.poll_flush(cx);
        self.hold_output();
        self.handle.wrote(match self.strained {
            true => usize::MAX,
            false => self.wire.unwritten(),
        });
        match flushed {
            Poll::Ready(Err(error)) => Err(StopReason::from(error)),
            Poll::Ready(Ok(())) => Ok(Poll::Ready(())),
            Poll::Pending => Ok(Poll::Pending),
        }
    }

    /// Moves posted messages to the wire, and items of subscriptions as far as they fit.
    pub(super) fn fetch(&mut self) {
        let room = WRITE_AHEAD.saturating_sub(self.wire.unwritten());
        let wanted = self.handle.has_mail() || (self.items && room > 0);
        if !wanted {
            return;
        }
        self.items = {
            let arrivals = &mut self.streams.arrivals;
            self.handle.fetch(room, &mut self.outgoing, arrivals)
        };
        while let Some(mut outgoing) = self.outgoing.pop_front() {
            self.wire.set_principal(outgoing.principal.take());
            self.send(&mut outgoing.payload);
        }
        if self.outgoing.capacity() > 64 {
            self.outgoing = VecDeque::new();
        }
        if self
            .barrier
            .is_some_and(|ticket| !self.handle.is_at_work(ticket))
        {
            self.barrier = None;
        }
    }

    /// Queues a message for writing.
    pub(super) fn send(&mut self, payload: &mut Payload) {
        self.wire.send(&mut payload.text);
        if let Some(held) = payload.held.take() {
            self.output.absorb(*held);
        }
        // Small messages come without a reservation, and add up.
        if self.wire.unwritten() > self.output.bytes() + UNRESERVED {
            self.hold_output();
        }
    }

    /// Reserves what is not written yet, and returns what has been written.
    fn hold_output(&mut self) {
        let held = self.wire.held();
        if held > FREE || self.output.bytes() > 0 {
            self.strained = self.output.cover(held).is_err();
        }
    }

    fn read(&mut self, left: &mut usize, cx: &mut Context<'_>) -> Result<(), StopReason> {
        while self.poll_parsing(cx)? && *left > 0 && self.may_read() {
            match self.wire.poll_receive(cx) {
                Poll::Pending => return Ok(()),
                Poll::Ready(Some(Ok(message))) => {
                    *left -= 1;
                    self.received = true;
                    let principal = self.wire.take_principal();
                    self.on_behalf =
                        principal.map(|principal| Arc::new(self.origin.on_behalf_of(*principal)));
                    self.take(message, cx)?;
                }
                Poll::Ready(Some(Err(error))) => return Err(StopReason::from(error)),
                Poll::Ready(None) => return Err(StopReason::gone()),
            }
        }
        Ok(())
    }

    /// Whether another message may be read. Parked messages do not block reading while a call to
    /// this peer is pending: its response may be the next message.
    fn may_read(&self) -> bool {
        !matches!(self.phase, Phase::Finishing(_))
            && self.parsing.is_none()
            && !self.is_full()
            && (!self.parked.is_full(&self.limits) || self.handle.awaits_answers())
    }

    /// Whether so many bytes are unwritten that no more output may be produced.
    pub(super) fn is_full(&self) -> bool {
        self.strained || self.wire.unwritten() > self.limits.max_unwritten
    }

    fn activity(&mut self) -> Activity {
        let unwritten = self.wire.unwritten() > 0;
        let working =
            self.handle.running() > 0 || !self.parked.is_empty() || self.parsing.is_some();
        Activity {
            traffic: self.wire.traffic(),
            message: std::mem::take(&mut self.received),
            partial: self.wire.is_partial(),
            unwritten,
            paused: !self.may_read(),
            busy: working || self.handle.is_busy(),
            done: self.phase.is_stopping() && !working && !unwritten,
            until: self.phase.until(),
        }
    }
}

impl<W: Wire> Future for Session<W> {
    type Output = Arc<End>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Arc<End>> {
        let this = &mut *self;
        loop {
            if let Phase::Closing(_) = this.phase {
                return this.poll_closing(cx);
            }
            if let Err(stop) = this.work(cx) {
                this.begin_closing(stop);
                continue;
            }
            if let Some(stop) = this.wants_to_stop() {
                this.begin_closing(stop);
                continue;
            }
            let activity = this.activity();
            if !activity.partial && !activity.unwritten {
                // Most connections are idle most of the time, so they hold no buffers between
                // messages.
                this.wire.rest();
            }
            match ready!(this.clock.poll(activity, &this.limits, cx)) {
                TimerEvent::CheckPeer if this.wire.is_hung_up() => {
                    this.begin_closing(StopReason::gone())
                }
                TimerEvent::CheckPeer => {}
                TimerEvent::Ping if this.wire.ping() => {}
                TimerEvent::Ping => this.clock.cannot_ping(),
                TimerEvent::Dead => {
                    this.begin_closing(StopReason::late("no sign of life", CloseReason::Dead))
                }
                TimerEvent::NoMessage => {
                    this.begin_closing(StopReason::late("no message came", CloseReason::Normal))
                }
                TimerEvent::Idle => {
                    this.begin_closing(StopReason::late("it was idle", CloseReason::Normal))
                }
                TimerEvent::SlowMessage => {
                    this.begin_closing(StopReason::late(
                        "a message took too long",
                        CloseReason::Policy,
                    ));
                }
                TimerEvent::NotReading => {
                    this.begin_closing(StopReason::late(
                        "the peer does not read, or too slowly",
                        CloseReason::Dead,
                    ));
                }
                TimerEvent::Over => this.begin_closing(StopReason::gone()),
                TimerEvent::Drained => this.begin_closing(StopReason::server()),
            }
        }
    }
}

/// A session as a boxed future, whatever its wire.
pub(crate) type SessionFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Drives a session of a server until it ends, with graceful shutdown.
///
/// The session is what the block captures: as an argument of an `async fn` it would be there twice.
#[allow(clippy::manual_async_fn)]
pub(crate) fn run<W: Wire>(
    mut session: Session<W>,
    shutdown: crate::shutdown::Shutdown,
) -> impl Future<Output = ()> + Send {
    async move {
        if shutdown
            .until_stopped(Pin::new(&mut session))
            .await
            .is_none()
        {
            session.stop();
            shutdown.until_killed(&mut session).await;
        }
    }
}

impl<W> Drop for Session<W> {
    /// Dropping a session ends it and everything that belongs to it.
    fn drop(&mut self) {
        self.record_parked();
        self.handle.close(End {
            reason: "the connection was dropped".into(),
            ours: true,
            misbehaved: false,
            drained: false,
        });
        self.origin.connection.close();
    }
}
