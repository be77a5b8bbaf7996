//! Connections to one HTTP server: idle, shared, and being opened.
//!
//! Over HTTP/1 a call takes an idle connection, or opens one of its own; how many calls there are at
//! the same time, the client limits. Over HTTP/2 all calls share one connection. It is opened by a
//! task, for all calls that wait for it. So is the first connection over TLS, whose handshake decides
//! on the version.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::task::AbortOnDropHandle;

use super::dial::{Dialed, Dialer};
use super::fault::ConnectFault;
use super::http1::Http1;
use super::http2::Http2;
use super::idle::{IDLE_TIMEOUT, Idle, is_fresh, is_over};
use super::metered_socket::Version;
use crate::router::BoxError;
use crate::transport::tcp::CONNECT_TIMEOUT;

/// How often connections that the server has closed are looked for among the idle ones.
const SWEEP: Duration = Duration::from_secs(5);

/// For how many connections a call waits that are opened for all; each may be gone when it comes.
const MAX_WAITS: usize = 3;

/// How long a call waits for one of them. The attempt itself ends before, if its runtime is driven.
const OPENING: Duration = CONNECT_TIMEOUT.saturating_add(Duration::from_secs(1));

/// The connections to one server.
pub(super) struct Connections {
    dialer: Arc<Dialer>,
    state: Mutex<State>,
}

struct State {
    /// The version that the server speaks, as far as is known.
    version: Option<Version>,
    idle: Idle<Box<Http1>>,
    /// The connection that calls share, and when the last of them has ended.
    shared: Option<(Arc<Http2>, Instant)>,
    /// A connection that is being opened for all who wait.
    opening: Option<Opening>,
    /// Closes idle connections, as long as there are any.
    sweeper: Option<Sweeper>,
}

/// The task that closes idle connections, and when it has to look at them again. It may come no more
/// if it belongs to another runtime, which nobody drives.
struct Sweeper {
    task: AbortOnDropHandle<()>,
    due: Instant,
}

/// A connection that is being opened. It has a task, so that no call that goes away interrupts it.
struct Opening {
    outcome: Outcome,
    _task: AbortOnDropHandle<()>,
}

type Outcome = watch::Receiver<Option<Result<(), ConnectFault>>>;

/// A connection for one call.
pub(super) enum Taken {
    Http1(Box<Http1>),
    Http2(Arc<Http2>),
}

impl Connections {
    pub(super) fn new(dialer: Dialer) -> Arc<Self> {
        let state = State {
            version: dialer.version(),
            idle: Idle::default(),
            shared: None,
            opening: None,
            sweeper: None,
        };
        Arc::new(Self {
            dialer: Arc::new(dialer),
            state: Mutex::new(state),
        })
    }

    /// A connection that was used a moment ago, if there is one: that which calls share, or, if `idle`
    /// is set, one on which the last call has ended.
    pub(super) fn take_fresh(&self, now: Instant, idle: bool) -> Option<Taken> {
        let mut state = self.lock();
        if let Some((connection, since)) = &state.shared {
            let is_good = is_fresh(*since, now) && is_usable(connection, *since, now);
            return is_good.then(|| Taken::Http2(Arc::clone(connection)));
        }
        let popped = if idle {
            state.idle.pop_fresh(now)
        } else {
            None
        };
        drop(state);
        let mut connection = popped?;
        // Otherwise the next one is asked for with those that have rested.
        connection.is_ready().then_some(Taken::Http1(connection))
    }

    /// A connection that has rested, or a new one.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub(super) async fn rested_or_new(
        self: &Arc<Self>,
        now: Instant,
        idle: bool,
    ) -> Result<Taken, BoxError> {
        if self.has_rested(idle) {
            // What the server has done meanwhile is known when the runtime has asked the system, and the
            // task of a shared connection has run. A thread that was busy, or outside of the runtime, has
            // kept it from that. A task that yields comes after both, if it does so twice.
            yield_now().await;
            yield_now().await;
            if let Some(taken) = self.take(now, idle) {
                return Ok(taken);
            }
        }
        self.open().await
    }

    fn has_rested(&self, idle: bool) -> bool {
        let state = self.lock();
        state.shared.is_some() || idle && !state.idle.is_empty()
    }

    /// A connection that can be used now, if there is one.
    fn take(&self, now: Instant, idle: bool) -> Option<Taken> {
        loop {
            let mut state = self.lock();
            if let Some((connection, since)) = &state.shared
                && is_usable(connection, *since, now)
            {
                return Some(Taken::Http2(Arc::clone(connection)));
            }
            let closed = state.shared.take();
            let popped = if idle { state.idle.pop(now) } else { None };
            drop(state);
            drop(closed);
            let (mut connection, is_over) = popped?;
            if !is_over && connection.is_ready() {
                return Some(Taken::Http1(connection));
            }
            // The server has closed it, or will soon.
        }
    }

    /// A new connection: one of the call's own, or one that is opened for all who wait.
    ///
    /// # Errors
    ///
    /// If there is none.
    async fn open(self: &Arc<Self>) -> Result<Taken, BoxError> {
        for _ in 0..MAX_WAITS {
            let Some(opening) = self.join_opening() else {
                return Ok(match self.dialer.dial().await? {
                    Dialed::Http1(connection) => Taken::Http1(connection),
                    Dialed::Http2(connection) => Taken::Http2(self.share(connection)),
                });
            };
            match timeout(OPENING, outcome_of(opening.clone())).await {
                Ok(outcome) => outcome?,
                Err(_) => self.abandon(&opening),
            }
            if let Some(taken) = self.take(Instant::now(), true) {
                return Ok(taken);
            }
        }
        let text = "each connection was closed before it could be used";
        Err(ConnectFault::new(text).into())
    }

    /// Joins the attempt to open a connection, or begins one; `None` if each call opens its own.
    fn join_opening(self: &Arc<Self>) -> Option<Outcome> {
        let mut state = self.lock();
        if state.version == Some(Version::Http1) {
            return None;
        }
        if let Some(opening) = &state.opening
            && opening.goes_on()
        {
            return Some(opening.outcome.clone());
        }
        let (tell, outcome) = watch::channel(None);
        let (connections, dialer) = (Arc::downgrade(self), Arc::clone(&self.dialer));
        let task = tokio::spawn(async move {
            let told = dialer.dial().await.map(|dialed| {
                // Without connections nobody waits.
                if let Some(connections) = connections.upgrade() {
                    connections.keep(dialed);
                }
            });
            tell.send_replace(Some(told));
        });
        state.opening = Some(Opening {
            outcome: outcome.clone(),
            _task: AbortOnDropHandle::new(task),
        });
        Some(outcome)
    }

    /// Lets go of an attempt that takes longer than it may: it belongs to a runtime that nobody drives.
    fn abandon(&self, outcome: &Outcome) {
        let mut state = self.lock();
        let gone = state
            .opening
            .take_if(|opening| opening.outcome.same_channel(outcome));
        drop(state);
        drop(gone);
    }

    /// Keeps a new connection for those who wait for it.
    fn keep(self: &Arc<Self>, dialed: Dialed) {
        match dialed {
            Dialed::Http1(connection) => {
                self.lock().version = Some(Version::Http1);
                self.give_back(connection, Instant::now());
            }
            Dialed::Http2(connection) => drop(self.share(connection)),
        }
    }

    /// Lets all calls share a new connection.
    fn share(self: &Arc<Self>, connection: Http2) -> Arc<Http2> {
        let connection = Arc::new(connection);
        let mut state = self.lock();
        state.version = Some(Version::Http2);
        let now = Instant::now();
        let old = state.shared.replace((Arc::clone(&connection), now));
        self.watch(&mut state, now);
        drop(state);
        drop(old);
        connection
    }

    /// Takes back a connection on which a call has ended.
    pub(super) fn give_back(self: &Arc<Self>, connection: Box<Http1>, now: Instant) {
        let mut state = self.lock();
        let surplus = state.idle.push(connection, now);
        self.watch(&mut state, now);
        drop(state);
        drop(surplus);
    }

    /// Notes that a call on a shared connection has ended.
    pub(super) fn used(&self, connection: &Arc<Http2>, now: Instant) {
        if let Some((shared, since)) = &mut self.lock().shared
            && Arc::ptr_eq(shared, connection)
        {
            *since = now;
        }
    }

    /// Lets go of a shared connection that takes no more requests.
    pub(super) fn forget(&self, connection: &Arc<Http2>) {
        let mut state = self.lock();
        let gone = state
            .shared
            .take_if(|(shared, _)| Arc::ptr_eq(shared, connection));
        drop(state);
        drop(gone);
    }

    /// Makes sure that idle connections are closed in time.
    fn watch(self: &Arc<Self>, state: &mut State, now: Instant) {
        let is_there = |sweeper: &Sweeper| now < sweeper.due + SWEEP && !sweeper.task.is_finished();
        if state.sweeper.as_ref().is_some_and(is_there) {
            return;
        }
        // Outside of a runtime they are closed by the next call.
        if let Ok(runtime) = Handle::try_current() {
            let due = now + SWEEP;
            let task = runtime.spawn(sweep(Arc::downgrade(self), due));
            let task = AbortOnDropHandle::new(task);
            state.sweeper = Some(Sweeper { task, due });
        }
    }

    /// Closes what was idle for too long, or was closed by the server. Returns when to do that again;
    /// `None` if there is nothing left, and the sweeper has to end.
    fn sweep(&self, now: Instant) -> Option<Instant> {
        // One after the other, so that calls find the rest, and wait for none of these reads.
        let mut place = 0;
        loop {
            let Some((mut connection, since)) = self.lock().idle.remove(place) else {
                break;
            };
            if !is_over(since, now) && connection.is_ready() {
                let surplus = self.lock().idle.put_back(place, (connection, since));
                drop(surplus);
                place += 1;
            }
        }
        let mut state = self.lock();
        let closed = state
            .shared
            .take_if(|(connection, since)| !is_usable(connection, *since, now));
        let soon = now + SWEEP;
        let shared_end = state
            .shared
            .as_ref()
            .map(|(_, since)| *since + IDLE_TIMEOUT);
        let end = state.idle.next_end().into_iter().chain(shared_end).min();
        // An end that has passed is that of a connection in use.
        let next = end.map(|end| if end > now { end.min(soon) } else { soon });
        let sweeper = match (next, &mut state.sweeper) {
            (Some(next), Some(sweeper)) => {
                sweeper.due = next;
                None
            }
            _ => state.sweeper.take(),
        };
        drop(state);
        drop(closed);
        // It is the task that runs here.
        drop(sweeper.map(|sweeper| sweeper.task.detach()));
        next
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Opening {
    fn goes_on(&self) -> bool {
        self.outcome.has_changed().is_ok() && self.outcome.borrow().is_none()
    }
}

/// Whether a shared connection takes requests, and was not idle for too long.
fn is_usable(connection: &Arc<Http2>, since: Instant, now: Instant) -> bool {
    let is_in_use = Arc::strong_count(connection) > 1;
    !connection.is_closed() && (is_in_use || !is_over(since, now))
}

async fn outcome_of(mut opening: Outcome) -> Result<(), ConnectFault> {
    let lost = || {
        Err(ConnectFault::new(
            "the runtime in which it was opened has ended",
        ))
    };
    match opening.wait_for(Option::is_some).await {
        Ok(outcome) => outcome.clone().unwrap_or_else(lost),
        Err(_) => lost(),
    }
}

async fn sweep(connections: Weak<Connections>, mut next: Instant) {
    loop {
        sleep_until(next).await;
        let Some(connections) = connections.upgrade() else {
            return;
        };
        match connections.sweep(Instant::now()) {
            Some(later) => next = later,
            None => return,
        }
    }
}
