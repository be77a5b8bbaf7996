//! Accept loop: enforces connection limits, and drains the accept queue on shutdown.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::task::Poll;
use std::time::Duration;

use antiphon_proto::Framing;
use tokio::io::AsyncWrite;
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::task::TaskTracker;

use crate::call_origin::{Connection, Transport};
use crate::server::connection_kind::ConnectionKind;
use crate::server::connection_limits::ConnectionSlots;
use crate::server::connection_setup::ConnectionSetup;
use crate::server::handle::ServerHandle;
use crate::server::listener::{Incoming, Listener, ListenerKind, Protocol};
use crate::server::turns::Turns;
use crate::server::worker_counts::has_waiting;
use crate::transport::http::SessionPlace;
use crate::transport::stdio;

/// Maximum number of 503 responses that are sent concurrently.
const MAX_REFUSALS: usize = 64;

/// State that the accept loops of all listeners of a server share.
#[derive(Clone)]
pub(super) struct Acceptor {
    setup: watch::Receiver<ConnectionSetup>,
    handle: ServerHandle,
    tasks: TaskTracker,
    slots: ConnectionSlots,
    /// Limits how many 503 responses are sent concurrently.
    refusals: Arc<Semaphore>,
}

impl Acceptor {
    pub(super) fn new(
        setup: &watch::Sender<ConnectionSetup>,
        handle: &ServerHandle,
        tasks: &TaskTracker,
        slots: ConnectionSlots,
    ) -> Self {
        Self {
            setup: setup.subscribe(),
            handle: handle.clone(),
            tasks: tasks.clone(),
            slots,
            refusals: Arc::new(Semaphore::new(MAX_REFUSALS)),
        }
    }

    /// Accepts connections until the server stops, then drains the accept queue.
    pub(super) async fn run(self, listener: Listener) {
        let mut backoff = Backoff::default();
        let mut turns = Turns::default();
        loop {
            let accepted = tokio::select! {
                accepted = accept(&listener, &self.slots, &mut turns) => accepted,
                () = self.handle.shutdown.stopped() => break,
            };
            match accepted {
                Ok(incoming) => {
                    backoff.pause = FIRST_PAUSE;
                    self.open(incoming, listener.kind);
                    // Let accepted connections make progress first, and other workers.
                    tokio::task::yield_now().await;
                }
                Err(error) if is_transient(&error) => {}
                Err(error) => {
                    // Others take the connection meanwhile.
                    let _unable = self.slots.unable();
                    tokio::select! {
                        () = backoff.wait(&error) => {}
                        () = self.handle.shutdown.stopped() => break,
                    }
                }
            }
        }
        if let Some(counts) = self.slots.shared() {
            counts.leave();
        }
        self.drain(listener);
    }

    /// Serves the connections left in the accept queue before the listener closes. For their
    /// clients they are established, so closing the socket would reset them.
    fn drain(&self, listener: Listener) {
        if self.handle.shutdown.leaves_queue() || listener.external {
            return;
        }
        let kind = listener.kind;
        let Ok(queue) = listener.into_queue() else {
            return;
        };
        queue.close_to_newcomers();
        loop {
            match queue.accept() {
                Ok(incoming) => self.open(incoming, kind),
                Err(error) if is_transient(&error) => {}
                Err(_) => return,
            }
        }
    }

    /// Serves standard input and output; the server stops when they end.
    pub(super) fn stdio(&self, framing: Framing) -> io::Result<impl Future<Output = ()> + use<>> {
        let stream = stdio::current_process::take()?;
        let (setup, handle) = (self.setup.borrow().clone(), self.handle.clone());
        Ok(async move {
            let connection = Connection::new(Transport::Stdio, None, setup.accounts.open());
            if let Some(raw) = setup.raw {
                let shutdown = handle.shutdown.clone();
                raw.serve(stream, framing, connection, None, shutdown).await;
            }
            handle.stop();
        })
    }

    fn open(&self, incoming: Incoming, kind: ListenerKind) {
        self.handle.accepted.fetch_add(1, Ordering::Relaxed);
        let ip = self.setup.borrow().counted_address(&incoming, kind);
        let Some(slot) = self.slots.take(ConnectionKind::of(kind.protocol), ip) else {
            return self.refuse(incoming, kind);
        };
        let slot = Arc::new(slot);
        let place = Arc::downgrade(&slot);
        let setup = self.setup.borrow().clone();
        let shutdown = self.handle.shutdown.clone();
        let place: Weak<dyn SessionPlace> = place;
        // Boxed, and outside of the task, so that nothing of it is left while a session runs: an idle
        // session then uses less memory.
        let serving = Box::pin(setup.serve(incoming, kind, place, shutdown));
        self.tasks.spawn(async move {
            let _slot = slot;
            if let Some(session) = serving.await {
                session.await;
            }
        });
    }

    /// Sends a 503 response, or just closes the connection if too many responses are being sent.
    fn refuse(&self, incoming: Incoming, kind: ListenerKind) {
        // Other protocols, and HTTP before the TLS handshake, have no response for this.
        let socket = match incoming {
            Incoming::Tcp(socket, _) if kind.protocol == Protocol::Http && !kind.secure => socket,
            _ => return,
        };
        let Ok(permit) = Arc::clone(&self.refusals).try_acquire_owned() else {
            return;
        };
        let shutdown = self.handle.shutdown.clone();
        self.tasks.spawn(async move {
            let _permit = permit;
            let sending = timeout(Duration::from_secs(1), send_503(socket));
            let _ = shutdown.until_killed(sending).await;
        });
    }
}

/// Accepts the next connection; a worker among others does so when it is its turn.
pub(super) async fn accept(
    listener: &Listener,
    slots: &ConnectionSlots,
    turns: &mut Turns,
) -> io::Result<Incoming> {
    let Some(counts) = slots.shared() else {
        return listener.accept().await;
    };
    let kind = ConnectionKind::of(listener.kind.protocol);
    // Kept while others are waited for, because the runtime tells of a connection only once.
    let mut accepting = pin!(listener.accept());
    loop {
        let accepted = poll_fn(|cx| {
            let own = slots.load();
            let own = own.filter(|_| counts.read_others(&mut turns.others).is_ok());
            if own.is_some_and(|own| !turns.is_mine(own, kind)) && has_waiting(listener) {
                return Poll::Ready(None);
            }
            let accepted = accepting.as_mut().poll(cx);
            if accepted.is_pending() {
                turns.queue_is_empty();
            }
            accepted.map(Some)
        });
        match accepted.await {
            Some(accepted) => return accepted,
            None => turns.pause().await,
        }
    }
}

/// Sends a 503 response and reads until the peer closes. Closing a socket with unread input sends a
/// reset, which would discard the response.
async fn send_503(mut socket: TcpStream) -> io::Result<()> {
    const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\n\
        Retry-After: 1\r\nConnection: close\r\nContent-Length: 31\r\n\r\n\
        there are too many connections\n";
    socket.writable().await?;
    // The send buffer of a new socket is empty, so these few bytes fit at once.
    socket.try_write(FULL)?;
    poll_fn(|cx| Pin::new(&mut socket).poll_shutdown(cx)).await?;
    let mut discarded = [0; 4096];
    loop {
        socket.readable().await?;
        match socket.try_read(&mut discarded) {
            Ok(0) => return Ok(()),
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
            _ => {}
        }
    }
}

/// Backoff for errors of `accept`, so that the accept loop neither ends nor spins.
struct Backoff {
    pause: Duration,
    /// When an error was last logged.
    logged_at: Option<Instant>,
}

/// Pause after the first failure. It doubles up to [`LONGEST_PAUSE`], which is short so that queued
/// connections are accepted soon after resources become free.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// Minimum interval between two log messages about `accept` errors.
const LOG_INTERVAL: Duration = Duration::from_secs(1);

impl Default for Backoff {
    fn default() -> Self {
        Self {
            pause: FIRST_PAUSE,
            logged_at: None,
        }
    }
}

impl Backoff {
    async fn wait(&mut self, error: &io::Error) {
        // Out of file descriptors or memory: the connection stays in the accept queue meanwhile.
        if self
            .logged_at
            .is_none_or(|logged_at| logged_at.elapsed() > LOG_INTERVAL)
        {
            self.logged_at = Some(Instant::now());
            tracing::warn!("cannot accept connections: {error}");
        }
        sleep(self.pause).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }
}

/// Whether the error concerns a single connection, or the call was interrupted: retry at once.
fn is_transient(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}
