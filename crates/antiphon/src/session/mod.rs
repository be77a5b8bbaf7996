//! Session: one connection on which both sides may call.
//!
//! A [`Session`] is one future over one [`Wire`]: it reads what is there, starts each call where it
//! was read, and writes all that is ready in one go. It has no tasks of its own; a call that has to
//! wait becomes one, and leaves its answer with the [`SessionHandle`].
//!
//! What it never does is wait for a method. Answers to our calls and cancellations go past requests
//! that queue up, and when nothing more fits, the socket is not read: the peer notices.
//!
//! | file | what it does |
//! |---|---|
//! | `mod.rs` | [`Session`]: the loop of reading, starting and writing |
//! | `receive.rs` | routing of incoming messages: answers, cancellations, calls |
//! | `parking.rs` | the queue of messages that wait for running calls |
//! | `clock.rs` | deadlines |
//! | `closing.rs` | the reasons why a session stops, and its close |
//! | `limits.rs` | [`SessionLimits`] |
//! | `wire.rs` | [`Wire`]: the connection under a session |

mod clock;
mod closing;
mod limits;
mod parking;
mod receive;
mod wire;

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use crate::connection::{ConnectionLimits, End, Outgoing, SessionHandle, Ticket};
use crate::dispatch::Dispatcher;
use crate::origin::{Connection, Origin, Transport};
use clock::{Activity, Clock, TimerEvent};
pub(crate) use closing::{Phase, StopReason};
pub use limits::SessionLimits;
use parking::Parking;
pub(crate) use wire::{CloseReason, Traffic, Wire, WireError};

/// Messages that are read before what is ready is written.
const READ_AHEAD: usize = 256;

/// While less than this waits to be written, items of subscriptions are fetched.
const WRITE_AHEAD: usize = 64 * 1024;

/// The largest buffer that is kept for the next answer.
const KEPT: usize = 4 * 1024;

/// What all sessions of a server, or those of a client, have in common.
#[derive(Clone, Debug)]
pub(crate) struct SessionConfig {
    pub(crate) limits: Arc<SessionLimits>,
    pub(crate) connection: Arc<ConnectionLimits>,
}

impl SessionConfig {
    pub(crate) fn new(limits: SessionLimits) -> Self {
        Self {
            connection: Arc::new(limits.connection_limits()),
            limits: Arc::new(limits),
        }
    }
}

impl Default for SessionConfig {
    fn default() -> Self {
        Self::new(SessionLimits::default())
    }
}

/// A session, as its task drives it. It is done when the connection is.
pub(crate) struct Session<W> {
    wire: W,
    handle: SessionHandle,
    dispatcher: Dispatcher,
    /// Where all calls of this session come from.
    origin: Arc<Origin>,
    limits: Arc<SessionLimits>,
    parked: Parking,
    /// A notification that runs: nothing else starts before it is done.
    barrier: Option<Ticket>,
    /// The buffer that answers are written in.
    scratch: Vec<u8>,
    outgoing: VecDeque<Outgoing>,
    /// Whether items of subscriptions wait until there is room for them.
    items: bool,
    /// Whether a whole message has come since the clock was asked.
    received: bool,
    clock: Clock,
    waker: Option<Waker>,
    phase: Phase,
}

impl<W: Wire> Session<W> {
    /// A session over a connection that is open. `change` completes the scope of its calls.
    pub(crate) fn new(
        wire: W,
        dispatcher: Dispatcher,
        connection: Arc<Connection>,
        local: bool,
        config: &SessionConfig,
        change: impl FnOnce(&mut Origin),
    ) -> Self {
        let patient = matches!(
            connection.transport,
            Transport::Stdio | Transport::InProcess
        );
        let handle = SessionHandle::new(Arc::clone(&config.connection), true);
        let mut origin = dispatcher.origin(connection, local);
        origin.session = Some(handle.clone());
        change(&mut origin);
        Self {
            wire,
            handle,
            dispatcher,
            origin: Arc::new(origin),
            limits: Arc::clone(&config.limits),
            parked: Parking::default(),
            barrier: None,
            scratch: Vec::new(),
            outgoing: VecDeque::new(),
            items: false,
            received: false,
            clock: Clock::new(patient, W::PINGS),
            waker: None,
            phase: Phase::Open,
        }
    }

    /// Never ends because of silence: that is the server's to decide.
    pub(crate) fn patient(mut self) -> Self {
        self.clock.patient = true;
        self
    }

    /// What others need to use this session.
    pub(crate) fn handle(&self) -> SessionHandle {
        self.handle.clone()
    }

    /// Does all that can be done now.
    fn work(&mut self, cx: &mut Context<'_>) -> Result<(), StopReason> {
        if !self.waker.as_ref().is_some_and(|w| w.will_wake(cx.waker())) {
            self.waker = Some(cx.waker().clone());
            self.handle.listen(cx.waker());
        }
        let mut left = READ_AHEAD;
        loop {
            self.fetch();
            self.start_parked(cx);
            self.read(&mut left, cx)?;
            if self.handle.has_mail() {
                continue;
            }
            let was_full = self.is_full();
            let flushed = self.wire.poll_flush(cx);
            self.handle.wrote(self.wire.unwritten());
            match flushed {
                Poll::Ready(Err(error)) => return Err(StopReason::from(error)),
                Poll::Ready(Ok(())) if self.items => continue,
                // What has stopped because of it goes on: nobody else would wake it.
                _ if was_full && !self.is_full() => continue,
                _ => {}
            }
            if left == 0 {
                // Others are to have their turn; there may be more to read.
                cx.waker().wake_by_ref();
                return Ok(());
            }
            if !self.handle.has_mail() {
                return Ok(());
            }
        }
    }

    /// Takes what others have left, and items of subscriptions as far as they fit.
    fn fetch(&mut self) {
        let room = WRITE_AHEAD.saturating_sub(self.wire.unwritten());
        let wanted = self.handle.has_mail() || (self.items && room > 0);
        if !wanted {
            return;
        }
        self.items = self.handle.fetch(room, &mut self.outgoing);
        while let Some(mut outgoing) = self.outgoing.pop_front() {
            self.wire.send(&mut outgoing.text);
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

    fn read(&mut self, left: &mut usize, cx: &mut Context<'_>) -> Result<(), StopReason> {
        while *left > 0 && self.may_read() {
            match self.wire.poll_receive(cx) {
                Poll::Pending => return Ok(()),
                Poll::Ready(Some(Ok(message))) => {
                    *left -= 1;
                    self.received = true;
                    self.take(message, cx)?;
                }
                Poll::Ready(Some(Err(error))) => return Err(StopReason::from(error)),
                Poll::Ready(None) => return Err(StopReason::gone()),
            }
        }
        Ok(())
    }

    /// Whether there is room for another message. While a method waits for an answer of this peer,
    /// there always is: that answer may be the next message.
    fn may_read(&self) -> bool {
        !matches!(self.phase, Phase::Finishing(_))
            && !self.is_full()
            && (!self.parked.is_full(&self.limits) || self.handle.awaits_answers())
    }

    /// Whether so much waits to be written that nothing may be made that adds to it.
    fn is_full(&self) -> bool {
        self.wire.unwritten() > self.limits.max_unwritten
    }

    fn activity(&mut self) -> Activity {
        let unwritten = self.wire.unwritten() > 0;
        let working = self.handle.running() > 0 || !self.parked.is_empty();
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
                // Between messages a connection holds no buffer: most are idle most of the time.
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
                        "the peer does not read",
                        CloseReason::Dead,
                    ));
                }
                TimerEvent::Over => this.begin_closing(StopReason::gone()),
                TimerEvent::Drained => this.begin_closing(StopReason::server()),
            }
        }
    }
}

/// A session as a future of any type of connection.
pub(crate) type SessionFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Drives a session of a server: until it ends by itself, or the server has stopped.
pub(crate) async fn run<W: Wire>(mut session: Session<W>, shutdown: crate::shutdown::Shutdown) {
    if shutdown
        .until_stopped(Pin::new(&mut session))
        .await
        .is_none()
    {
        session.stop();
        shutdown.until_killed(&mut session).await;
    }
}

impl<W> Drop for Session<W> {
    /// Whoever drops a session ends it: nothing that belongs to it lives on.
    fn drop(&mut self) {
        self.handle.close(End {
            reason: "the connection was dropped".into(),
            ours: true,
        });
        self.origin.connection.close();
    }
}
