//! Work that leaves the thread which reads: messages to parse and parameters to decode, if they are
//! large.
//!
//! A thread serves many connections, and decoding 10 MiB takes up to a second. Such work goes to the
//! threads for blocking work, of any runtime; outside of one it is done where it is.

use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Waker};
use std::thread::available_parallelism;

use antiphon_proto::{Incoming, Rejection, Rules, parse};
use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use super::pending_call::{PendingCall, Polled, first_poll};
use crate::call::{Call, Reply};
use crate::current_call::HeldPlace;
use crate::error::{IncidentScope, internal_error};
use crate::metrics::counters::InFlight;
use crate::router::Endpoint;

/// The longest text that is handled where it was read, in bytes. A few milliseconds at worst.
const LARGE: usize = 256 * 1024;

/// Whether work on a text of this length has to go to another thread, and can.
pub(super) fn goes_elsewhere(length: usize) -> bool {
    length > LARGE && Handle::try_current().is_ok()
}

/// How many threads may do such work at the same time.
#[derive(Clone)]
pub(super) struct Threads {
    parsing: Arc<Semaphore>,
    /// Separate from `parsing`: here code of methods runs, which may take its time.
    decoding: Arc<Semaphore>,
}

impl Default for Threads {
    /// As many as cores, for each of the two.
    fn default() -> Self {
        static CORES: LazyLock<usize> =
            LazyLock::new(|| available_parallelism().map_or(1, usize::from));
        Self {
            parsing: Arc::new(Semaphore::new(*CORES)),
            decoding: Arc::new(Semaphore::new(*CORES)),
        }
    }
}

/// A future of a parsed message.
pub(crate) type Parsing = Pin<Box<dyn Future<Output = Result<Incoming, Rejection>> + Send>>;

impl Threads {
    /// Parses a message.
    pub(super) fn parse(&self, message: Bytes, rules: Rules) -> Parsing {
        let threads = Arc::clone(&self.parsing);
        Box::pin(async move {
            let permit = threads.acquire_owned().await;
            let parsing = spawn_blocking(move || {
                let _permit = permit;
                parse(message, &rules)
            });
            let parsed = AbortOnDropHandle::new(parsing).await;
            // The parser does not panic, and the runtime ends only with everything on it.
            parsed.unwrap_or(Err(Rejection::Syntax { at: 0 }))
        })
    }

    /// Calls a method and polls it once, on another thread; later polls are those of this future.
    /// The call holds `place` until it is done, and on that thread whatever happens here.
    pub(super) async fn call(
        self,
        endpoint: Endpoint,
        call: Call,
        place: InFlight,
        deadline: Option<Instant>,
    ) -> Reply {
        let permit = self.decoding.acquire_owned().await;
        let beginning = spawn_blocking(move || {
            let _permit = permit;
            begin(&endpoint, call, place, deadline)
        });
        match AbortOnDropHandle::new(beginning).await {
            Ok(Begun::Replied(reply)) => reply,
            Ok(Begun::Pending(call)) => call.await,
            Err(_) => Reply::error(internal_error(&"a call could not begin")),
        }
    }
}

/// A call that was polled once. If nobody waits for it, it is dropped where that was done.
enum Begun {
    Replied(Reply),
    Pending(PendingCall),
}

/// Calls a method and polls it once.
fn begin(endpoint: &Endpoint, mut call: Call, place: InFlight, deadline: Option<Instant>) -> Begun {
    if let Some(deadline) = deadline {
        // The method may see its deadline, of which some time has passed.
        call.limits.timeout = Some(deadline.saturating_duration_since(Instant::now()));
    }
    let origin = Arc::clone(&call.origin);
    let mut route = usize::MAX;
    let scope = IncidentScope::enter();
    // The waker is that of nobody: the future is polled again as soon as this is done.
    let mut cx = Context::from_waker(Waker::noop());
    let polled = first_poll(
        endpoint,
        &mut Some(call),
        HeldPlace::Yes,
        &mut route,
        &mut cx,
    );
    scope.log(|| origin.named(route));
    match polled {
        Polled::Replied(reply) => Begun::Replied(reply),
        Polled::Pending(future) => Begun::Pending(PendingCall::new(future, Some(place))),
        Polled::Elsewhere(future) => Begun::Pending(PendingCall::new(future, None)),
    }
}
