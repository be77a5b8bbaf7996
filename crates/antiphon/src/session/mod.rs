//! One connection on which both sides may call.
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
//! | `intake.rs` | what becomes of a message that has come |
//! | `parking.rs` | messages that wait for a place |
//! | `clock.rs` | deadlines |
//! | `ending.rs` | stopping, and saying goodbye |
//! | `limits.rs` | [`SessionLimits`] |
//! | `wire.rs` | what a session needs of a connection |

mod clock;
mod ending;
mod intake;
mod limits;
mod parking;
mod wire;

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use crate::connection::{End, Outgoing, SessionHandle, SessionHandleLimits, Ticket};
use crate::dispatch::Dispatcher;
use crate::origin::{Connection, Origin, Transport};
use clock::{Clock, Facts, Verdict};
pub(crate) use ending::{Phase, Stop};
pub use limits::SessionLimits;
use parking::Parking;
pub(crate) use wire::{Broken, Goodbye, Moved, Wire};

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
    pub(crate) session_handle: Arc<SessionHandleLimits>,
}

impl SessionConfig {
    pub(crate) fn new(limits: SessionLimits) -> Self {
        Self {
            session_handle: Arc::new(limits.session_handle()),
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
    session_handle: SessionHandle,
    dispatcher: Dispatcher,
    /// Where all calls of this session come from.
    origin: Arc<Origin>,
    limits: Arc<SessionLimits>,
    parked: Parking,
    /// A notification that runs: nothing else starts before it is done.
    barrier: Option<Ticket>,
    /// The buffer that answers are written in.
    scratch: Vec<u8>,
    mail: VecDeque<Outgoing>,
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
        let session_handle = SessionHandle::new(Arc::clone(&config.session_handle), true);
        let mut origin = dispatcher.origin(connection, local);
        origin.session_handle = Some(session_handle.clone());
        change(&mut origin);
        Self {
            wire,
            session_handle,
            dispatcher,
            origin: Arc::new(origin),
            limits: Arc::clone(&config.limits),
            parked: Parking::default(),
            barrier: None,
            scratch: Vec::new(),
            mail: VecDeque::new(),
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
    pub(crate) fn session_handle(&self) -> SessionHandle {
        self.session_handle.clone()
    }

    /// Does all that can be done now.
    fn work(&mut self, cx: &mut Context<'_>) -> Result<(), Stop> {
        if !self.waker.as_ref().is_some_and(|w| w.will_wake(cx.waker())) {
            self.waker = Some(cx.waker().clone());
            self.session_handle.listen(cx.waker());
        }
        let mut left = READ_AHEAD;
        loop {
            self.fetch();
            self.start_parked(cx);
            self.read(&mut left, cx)?;
            if self.session_handle.has_mail() {
                continue;
            }
            let was_full = self.is_full();
            let flushed = self.wire.poll_flush(cx);
            self.session_handle.wrote(self.wire.unwritten());
            match flushed {
                Poll::Ready(Err(error)) => return Err(Stop::from(error)),
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
            if !self.session_handle.has_mail() {
                return Ok(());
            }
        }
    }

    /// Takes what others have left, and items of subscriptions as far as they fit.
    fn fetch(&mut self) {
        let room = WRITE_AHEAD.saturating_sub(self.wire.unwritten());
        let wanted = self.session_handle.has_mail() || (self.items && room > 0);
        if !wanted {
            return;
        }
        self.items = self.session_handle.fetch(room, &mut self.mail);
        while let Some(mut outgoing) = self.mail.pop_front() {
            self.wire.send(&mut outgoing.text);
        }
        if self.mail.capacity() > 64 {
            self.mail = VecDeque::new();
        }
        if self
            .barrier
            .is_some_and(|ticket| !self.session_handle.is_at_work(ticket))
        {
            self.barrier = None;
        }
    }

    fn read(&mut self, left: &mut usize, cx: &mut Context<'_>) -> Result<(), Stop> {
        while *left > 0 && self.may_read() {
            match self.wire.poll_receive(cx) {
                Poll::Pending => return Ok(()),
                Poll::Ready(Some(Ok(message))) => {
                    *left -= 1;
                    self.received = true;
                    self.take(message, cx)?;
                }
                Poll::Ready(Some(Err(broken))) => return Err(Stop::from(broken)),
                Poll::Ready(None) => return Err(Stop::gone()),
            }
        }
        Ok(())
    }

    /// Whether there is room for another message. While a method waits for an answer of this peer,
    /// there always is: that answer may be the next message.
    fn may_read(&self) -> bool {
        !matches!(self.phase, Phase::Finishing(_))
            && !self.is_full()
            && (!self.parked.is_full(&self.limits) || self.session_handle.awaits_answers())
    }

    /// Whether so much waits to be written that nothing may be made that adds to it.
    fn is_full(&self) -> bool {
        self.wire.unwritten() > self.limits.max_unwritten
    }

    fn facts(&mut self) -> Facts {
        let unwritten = self.wire.unwritten() > 0;
        let working = self.session_handle.running() > 0 || !self.parked.is_empty();
        Facts {
            moved: self.wire.moved(),
            message: std::mem::take(&mut self.received),
            partial: self.wire.is_partial(),
            unwritten,
            paused: !self.may_read(),
            busy: working || self.session_handle.is_busy(),
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
            let facts = this.facts();
            if !facts.partial && !facts.unwritten {
                // Between messages a connection holds no buffer: most are idle most of the time.
                this.wire.rest();
            }
            match ready!(this.clock.poll(facts, &this.limits, cx)) {
                Verdict::Look if this.wire.is_hung_up() => this.begin_closing(Stop::gone()),
                Verdict::Look => {}
                Verdict::Ping if this.wire.ping() => {}
                Verdict::Ping => this.clock.cannot_ping(),
                Verdict::Dead => this.begin_closing(Stop::late("no sign of life", Goodbye::Dead)),
                Verdict::Idle => this.begin_closing(Stop::late("it was idle", Goodbye::Normal)),
                Verdict::SlowMessage => {
                    this.begin_closing(Stop::late("a message took too long", Goodbye::Policy));
                }
                Verdict::NotReading => {
                    this.begin_closing(Stop::late("the peer does not read", Goodbye::Dead));
                }
                Verdict::Over => this.begin_closing(Stop::gone()),
                Verdict::Drained => this.begin_closing(Stop::server()),
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
        self.session_handle.close(End {
            reason: "the connection was dropped".into(),
            ours: true,
        });
        self.origin.connection.close();
    }
}
