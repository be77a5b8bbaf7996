//! Deadlines of an HTTP connection.
//!
//! A connection waits for its first byte, for the rest of a head, for a method to finish, for the
//! peer to read, or for the next request. Each of these phases has its own limit. hyper has a
//! timeout for only one of them, and counts idle time into it. Therefore all deadlines are kept
//! here: requests report their progress, and the [socket](crate::transport::http::timed_socket) below
//! hyper enforces the deadlines.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::memory_budget::Account;
use crate::session::pace::Pace;
use crate::transport::http::http2_streams::{NEVER, Streams};

/// How long each phase may last; `None` means no limit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeouts {
    /// From the first byte of a head to its last; also from the start of the connection to the end
    /// of the first head.
    pub(crate) header: Option<Duration>,
    /// Between a response and the next byte.
    pub(crate) idle: Option<Duration>,
    /// Without the peer reading anything; over HTTP/2, without the peer reading any one response. A
    /// peer that reads too slowly uses it up, too ([`Pace`]).
    pub(crate) write: Option<Duration>,
}

/// How long a connection stays open for a byte that may be in transit when the server stops.
pub(crate) const LAST_BYTE: Duration = Duration::from_millis(100);
/// The same over HTTP/2, where the peer first gets GOAWAY and PING frames and answers the PING.
const LAST_FRAMES: Duration = Duration::from_secs(5);

/// In place of a deadline: that of a head begins when the socket waits for more of it. Most heads arrive
/// at once, and need neither a deadline nor a look at the clock.
const OF_HEAD: u64 = NEVER - 1;

/// Deadlines of an HTTP connection, shared by its socket and its requests.
#[derive(Debug)]
pub(crate) struct Clock {
    timeouts: Timeouts,
    /// What is held for the peer: who holds much has to read faster while memory is scarce.
    memory: Arc<Account>,
    began: Instant,
    /// Requests whose response has not been sent.
    active: AtomicUsize,
    /// Whether the next byte is the first of a head.
    idle: AtomicBool,
    draining: AtomicBool,
    /// Whether this is HTTP/2, where bytes between requests are frames and need not begin a
    /// request.
    multiplexed: AtomicBool,
    /// Deadline for the next byte from the peer, in nanoseconds after `began`, or [`OF_HEAD`].
    read_by: AtomicU64,
    /// Bytes from the peer so far.
    bytes: AtomicU64,
    /// How many of them had arrived when the last response was sent.
    bytes_before: AtomicU64,
    streams: Streams,
}

impl Clock {
    pub(crate) fn new(timeouts: Timeouts, memory: Arc<Account>) -> Arc<Self> {
        let began = Instant::now();
        let clock = Self {
            timeouts,
            memory,
            began,
            active: AtomicUsize::new(0),
            idle: AtomicBool::new(false),
            draining: AtomicBool::new(false),
            multiplexed: AtomicBool::new(false),
            read_by: AtomicU64::new(NEVER),
            bytes: AtomicU64::new(0),
            bytes_before: AtomicU64::new(0),
            streams: Streams::new(began),
        };
        clock.expect(clock.timeouts.header);
        Arc::new(clock)
    }

    /// Switches to HTTP/2, where frames such as pings also arrive between requests: only requests
    /// end the idle time.
    pub(crate) fn multiplexed(&self) {
        self.multiplexed.store(true, Ordering::Relaxed);
        self.expect(self.timeouts.idle);
    }

    /// Records that a head has arrived. The request is active until the guard is dropped.
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

    /// Records that the server is stopping: a connection without an active request is closed soon.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
        let between_requests = self.idle.load(Ordering::Relaxed) || self.is_multiplexed();
        if self.active.load(Ordering::Relaxed) == 0 && between_requests {
            self.rest();
        }
    }

    /// Sets the deadline for the next byte while no request is active.
    fn rest(&self) {
        self.expect(match (self.is_draining(), self.is_multiplexed()) {
            (false, _) => self.timeouts.idle,
            (true, false) => Some(LAST_BYTE),
            (true, true) => Some(LAST_FRAMES),
        });
    }

    /// Records that a blocked write is done: the time to wait for the next request begins again.
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

    /// The next deadline. While a write is blocked, only its deadline counts: a peer that has not
    /// read yet need not send anything.
    pub(super) fn due(&self, unread: Option<Instant>) -> u64 {
        let by = match unread {
            Some(by) => nanos(by.saturating_duration_since(self.began)),
            None => self.read_by(),
        };
        by.min(self.streams.stalled_by())
    }

    fn read_by(&self) -> u64 {
        let by = self.read_by.load(Ordering::Relaxed);
        if by != OF_HEAD {
            return by;
        }
        self.expect(self.timeouts.header);
        self.read_by.load(Ordering::Relaxed)
    }

    /// The pace at which the peer has to take what is written.
    pub(super) fn pace(&self) -> Pace {
        Pace::new(self.timeouts.write, &self.memory)
    }

    pub(super) fn has_passed(&self, by: u64) -> bool {
        nanos(self.began.elapsed()) >= by
    }

    pub(super) fn instant(&self, by: u64) -> Instant {
        self.began + Duration::from_nanos(by)
    }

    /// Whether the peer has cancelled too many requests.
    pub(super) fn is_flooded(&self) -> bool {
        self.streams.flooded()
    }

    /// The deadline that lies `time` after now.
    fn after(&self, time: Option<Duration>) -> u64 {
        time.map_or(NEVER, |time| nanos(self.began.elapsed() + time))
    }

    /// Bytes that have arrived since the last response over HTTP/1, with the head and all framing.
    /// hyper begins to read a body before the request is known here, so they count from the
    /// response.
    pub(super) fn bytes_of_request(&self) -> u64 {
        let before = self.bytes_before.load(Ordering::Relaxed);
        self.bytes.load(Ordering::Relaxed).wrapping_sub(before)
    }

    /// Records that bytes have arrived. Over HTTP/1 the first byte after a response begins the next
    /// head.
    pub(super) fn received(&self, bytes: usize) {
        // Only the socket counts, so this need not be one step.
        let before = self.bytes.load(Ordering::Relaxed);
        let bytes = before.wrapping_add(bytes as u64);
        self.bytes.store(bytes, Ordering::Relaxed);
        let begins = !self.is_multiplexed() && self.idle.load(Ordering::Relaxed);
        if begins {
            self.idle.store(false, Ordering::Relaxed);
            self.read_by.store(OF_HEAD, Ordering::Relaxed);
        }
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(NEVER)
}

/// An active request, until its response has been sent.
#[derive(Debug)]
pub(crate) struct InRequest {
    clock: Arc<Clock>,
    /// Whether sending of the response body has begun; also true for an empty body.
    taken: AtomicBool,
    /// The number of the response among those of its connection; only over HTTP/2.
    stream: Option<u64>,
}

impl InRequest {
    /// Records that the response is ready and will be sent.
    pub(crate) fn answered(&mut self, is_empty: bool) {
        *self.taken.get_mut() = is_empty;
        if self.clock.is_multiplexed() {
            self.stream = Some(self.clock.streams.begin(self.clock.pace()));
        }
    }

    /// Records that a chunk of the response body has been handed to hyper.
    pub(crate) fn taken(&self, bytes: usize) {
        self.taken.store(true, Ordering::Relaxed);
        if let Some(stream) = self.stream {
            self.clock.streams.taken(stream, bytes);
        }
    }

    /// Records that bytes of the response body have been sent to the peer.
    pub(crate) fn sent(&self, bytes: usize) {
        if let Some(stream) = self.stream {
            self.clock.streams.sent(stream, bytes);
        }
    }

    /// Records that the next chunk of the body is not available yet.
    pub(crate) fn waits(&self) {
        if let Some(stream) = self.stream {
            self.clock.streams.waits(stream);
        }
    }

    /// Whether responses are multiplexed on the connection (HTTP/2).
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
        // Over HTTP/1 a request can only be cancelled by closing its connection.
        if clock.is_multiplexed() {
            clock.streams.settle(*self.taken.get_mut());
        }
        if clock.active.fetch_sub(1, Ordering::Relaxed) == 1 {
            let bytes = clock.bytes.load(Ordering::Relaxed);
            clock.bytes_before.store(bytes, Ordering::Relaxed);
            clock.idle.store(true, Ordering::Relaxed);
            clock.rest();
        }
    }
}
