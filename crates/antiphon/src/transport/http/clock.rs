//! Deadlines of an HTTP connection.
//!
//! A connection waits for its first byte, for the rest of a head, for a method, for the peer to read,
//! for the next request: each of these has its own limit. hyper knows only one of them, and counts
//! idle time into it. So all of them live here; requests say what happens, and the
//! [socket](crate::transport::http::socket) below hyper keeps the time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::transport::http::streams::{NEVER, Streams};

/// How long each phase may last; `None` is for ever.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeouts {
    /// From the first byte of a head to its last; also from the connection to its first head.
    pub(crate) header: Option<Duration>,
    /// Between an answer and the next byte.
    pub(crate) idle: Option<Duration>,
    /// Without the peer reading anything; over HTTP/2 of any one answer.
    pub(crate) write: Option<Duration>,
}

/// How long a connection stays open for a byte that is on its way when the server stops.
pub(super) const LAST_BYTE: Duration = Duration::from_millis(100);
/// The same over HTTP/2, where the peer is told first, and says that it has heard.
const LAST_FRAMES: Duration = Duration::from_secs(5);

/// What a connection is doing, shared by its socket and its requests.
#[derive(Debug)]
pub(crate) struct Clock {
    timeouts: Timeouts,
    began: Instant,
    /// Requests whose response has not been sent.
    active: AtomicUsize,
    /// Whether the next byte begins a head.
    idle: AtomicBool,
    draining: AtomicBool,
    /// Whether bytes between requests are no request: HTTP/2 frames.
    multiplexed: AtomicBool,
    /// Nanoseconds after `began` by which a byte must come.
    read_by: AtomicU64,
    streams: Streams,
}

impl Clock {
    pub(crate) fn new(timeouts: Timeouts) -> Arc<Self> {
        let clock = Self {
            timeouts,
            began: Instant::now(),
            active: AtomicUsize::new(0),
            idle: AtomicBool::new(false),
            draining: AtomicBool::new(false),
            multiplexed: AtomicBool::new(false),
            read_by: AtomicU64::new(NEVER),
            streams: Streams::default(),
        };
        clock.expect(clock.timeouts.header);
        Arc::new(clock)
    }

    /// HTTP/2 keeps talking between requests, and pings peers that do not: only requests count.
    pub(crate) fn multiplexed(&self) {
        self.multiplexed.store(true, Ordering::Relaxed);
        self.expect(self.timeouts.idle);
    }

    /// A head has arrived: its request is on its way until the guard is dropped.
    pub(crate) fn request(self: &Arc<Self>) -> InRequest {
        self.active.fetch_add(1, Ordering::Relaxed);
        self.idle.store(false, Ordering::Relaxed);
        self.read_by.store(NEVER, Ordering::Relaxed);
        InRequest {
            clock: Arc::clone(self),
            taken: AtomicBool::new(false),
            stream: None,
        }
    }

    /// The server stops: a connection without a request ends soon.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
        let between = self.idle.load(Ordering::Relaxed) || self.is_multiplexed();
        if self.active.load(Ordering::Relaxed) == 0 && between {
            self.rest();
        }
    }

    /// Nothing is to be done until the next byte.
    fn rest(&self) {
        self.expect(match (self.is_draining(), self.is_multiplexed()) {
            (false, _) => self.timeouts.idle,
            (true, false) => Some(LAST_BYTE),
            (true, true) => Some(LAST_FRAMES),
        });
    }

    /// The peer has read again: it has all its time for whatever comes next.
    pub(super) fn written(&self) {
        if self.idle.load(Ordering::Relaxed) {
            self.rest();
        }
    }

    fn is_multiplexed(&self) -> bool {
        self.multiplexed.load(Ordering::Relaxed)
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    fn expect(&self, within: Option<Duration>) {
        self.read_by.store(self.after(within), Ordering::Relaxed);
    }

    /// By when something has to come from the peer. As long as it has yet to read, by `write_by`, it
    /// need not say anything.
    pub(super) fn due(&self, write_by: u64) -> u64 {
        let by = match write_by {
            NEVER => self.read_by.load(Ordering::Relaxed),
            by => by,
        };
        by.min(self.streams.stalled_by())
    }

    /// By when a peer has to read that does not read now.
    pub(super) fn write_by(&self) -> u64 {
        self.after(self.timeouts.write)
    }

    pub(super) fn has_passed(&self, by: u64) -> bool {
        nanos(self.began.elapsed()) >= by
    }

    pub(super) fn instant(&self, by: u64) -> Instant {
        self.began + Duration::from_nanos(by)
    }

    /// Whether the peer does little else than to take requests back.
    pub(super) fn is_flooded(&self) -> bool {
        self.streams.flooded()
    }

    /// Now and so much later.
    fn after(&self, time: Option<Duration>) -> u64 {
        time.map_or(NEVER, |time| nanos(self.began.elapsed() + time))
    }

    /// Bytes have come. The first after an answer begin the next head.
    pub(super) fn received(&self) {
        let begins = !self.is_multiplexed() && self.idle.load(Ordering::Relaxed);
        if begins {
            self.idle.store(false, Ordering::Relaxed);
            self.expect(self.timeouts.header);
        }
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(NEVER)
}

/// One request, until its response has been sent.
#[derive(Debug)]
pub(crate) struct InRequest {
    clock: Arc<Clock>,
    /// Whether the peer has begun to take the answer.
    taken: AtomicBool,
    /// The number of the answer among those of its connection, if it is one of several.
    stream: Option<u64>,
}

impl InRequest {
    /// There is an answer; it begins to be sent.
    pub(crate) fn answered(&mut self, is_empty: bool) {
        *self.taken.get_mut() = is_empty;
        if self.clock.is_multiplexed() {
            let by = self.clock.write_by();
            self.stream = Some(self.clock.streams.begin(by));
        }
    }

    /// A piece of the answer is on its way.
    pub(crate) fn taken(&self) {
        self.taken.store(true, Ordering::Relaxed);
        if let Some(stream) = self.stream {
            let by = self.clock.write_by();
            self.clock.streams.taken(stream, by);
        }
    }

    /// The peer has been sent a whole piece of it.
    pub(crate) fn sent(&self) {
        if let Some(stream) = self.stream {
            let by = self.clock.write_by();
            self.clock.streams.sent(stream, by);
        }
    }

    /// There is nothing more of it to be sent yet.
    pub(crate) fn waits(&self) {
        if let Some(stream) = self.stream {
            self.clock.streams.waits(stream);
        }
    }

    /// Whether its answer is sent beside others.
    pub(crate) fn is_multiplexed(&self) -> bool {
        self.clock.is_multiplexed()
    }
}

impl Drop for InRequest {
    fn drop(&mut self) {
        let clock = &self.clock;
        if let Some(stream) = self.stream {
            clock.streams.end(stream);
        }
        // Over HTTP/1 a request can be taken back only together with its connection.
        if clock.is_multiplexed() {
            clock.streams.settle(*self.taken.get_mut());
        }
        if clock.active.fetch_sub(1, Ordering::Relaxed) == 1 {
            clock.idle.store(true, Ordering::Relaxed);
            clock.rest();
        }
    }
}
