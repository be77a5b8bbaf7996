//! Accept loop: within bounds, until the server stops and the queue is empty.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use antiphon_proto::Framing;
use tokio::io::AsyncWrite;
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::task::TaskTracker;

use crate::origin::{Connection, Transport};
use crate::server::handle::ServerHandle;
use crate::server::listener::{Incoming, Listener, ListenerKind, Protocol};
use crate::server::settings::Settings;
use crate::server::setup::ConnectionSetup;
use crate::server::slots::ConnectionSlots;
use crate::transport::stdio;

/// How many peers are told at the same time that there is no room.
const REFUSALS: usize = 64;

/// What the listeners of a server share.
#[derive(Clone)]
pub(super) struct Acceptor {
    setup: watch::Receiver<ConnectionSetup>,
    handle: ServerHandle,
    tasks: TaskTracker,
    slots: ConnectionSlots,
    /// Peers that may be told at the same time that there is no room.
    refusals: Arc<Semaphore>,
}

impl Acceptor {
    pub(super) fn new(
        setup: &watch::Sender<ConnectionSetup>,
        handle: &ServerHandle,
        tasks: &TaskTracker,
        settings: &Settings,
        per_ip: Option<usize>,
    ) -> Self {
        Self {
            setup: setup.subscribe(),
            handle: handle.clone(),
            tasks: tasks.clone(),
            slots: ConnectionSlots::new(
                settings.max_connections,
                Arc::clone(&handle.connections),
                per_ip,
            ),
            refusals: Arc::new(Semaphore::new(REFUSALS)),
        }
    }

    /// Accepts until the server stops, then what has queued up before.
    pub(super) async fn run(self, listener: Listener) {
        let mut backoff = Backoff::default();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = self.handle.shutdown.stopped() => break,
            };
            match accepted {
                Ok(incoming) => {
                    backoff.pause = FIRST_PAUSE;
                    self.open(incoming, listener.kind);
                    // What has come in goes first; and where several processes accept, none of them
                    // takes all that has queued up.
                    tokio::task::yield_now().await;
                }
                Err(error) => backoff.wait(&error).await,
            }
        }
        self.drain(listener);
    }

    /// Clients whose connection the system has taken for us believe that they are connected: they
    /// are served before the listener closes.
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
                Err(error) if is_of_peer(&error) => {}
                Err(_) => return,
            }
        }
    }

    /// Serves standard input and output; the server stops when they end.
    pub(super) fn stdio(&self, framing: Framing) -> io::Result<impl Future<Output = ()> + use<>> {
        let stream = stdio::own::own()?;
        let (setup, handle) = (self.setup.borrow().clone(), self.handle.clone());
        Ok(async move {
            let connection = Connection::new(Transport::Stdio, None);
            if let Some(raw) = setup.raw {
                let shutdown = handle.shutdown.clone();
                raw.serve(stream, framing, connection, shutdown).await;
            }
            handle.stop();
        })
    }

    fn open(&self, incoming: Incoming, kind: ListenerKind) {
        self.handle.accepted.fetch_add(1, Ordering::Relaxed);
        let Some(slot) = self.slots.take(incoming.address().map(|peer| peer.ip())) else {
            return self.refuse(incoming, kind);
        };
        let setup = self.setup.borrow().clone();
        let shutdown = self.handle.shutdown.clone();
        self.tasks.spawn(async move {
            let _slot = slot;
            // Boxed, and dropped before the session: an idle session holds nothing of HTTP's.
            let serving = Box::pin(setup.serve(incoming, kind, shutdown));
            if let Some(session) = serving.await {
                session.await;
            }
        });
    }

    /// Tells a peer that there is no room. When too many have to be told, some are not.
    fn refuse(&self, incoming: Incoming, kind: ListenerKind) {
        // Only HTTP has words for it.
        let socket = match incoming {
            Incoming::Tcp(socket, _) if kind.protocol == Protocol::Http && !kind.secure => socket,
            _ => return,
        };
        let Ok(turn) = Arc::clone(&self.refusals).try_acquire_owned() else {
            return;
        };
        let shutdown = self.handle.shutdown.clone();
        self.tasks.spawn(async move {
            let _turn = turn;
            let told = timeout(Duration::from_secs(1), send_503(socket));
            let _ = shutdown.until_killed(told).await;
        });
    }
}

/// Says that there is no room, and waits a moment until the peer has read it: closing a socket with
/// unread bytes in it would take the answer back.
async fn send_503(mut socket: TcpStream) -> io::Result<()> {
    const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\n\
        Retry-After: 1\r\nConnection: close\r\nContent-Length: 31\r\n\r\n\
        there are too many connections\n";
    socket.writable().await?;
    // The socket is new: so few bytes fit.
    socket.try_write(FULL)?;
    poll_fn(|cx| Pin::new(&mut socket).poll_shutdown(cx)).await?;
    let mut waste = [0; 4096];
    loop {
        socket.readable().await?;
        match socket.try_read(&mut waste) {
            Ok(0) => return Ok(()),
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
            _ => {}
        }
    }
}

/// What to do when accepting fails: the loop never ends and never spins.
struct Backoff {
    pause: Duration,
    /// When the log was told last.
    logged: Option<Instant>,
}

/// The pause after a first failure, and the longest: whoever waits in the queue is let in soon
/// after there is room.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// The log is told of failures this often at most.
const LOG_INTERVAL: Duration = Duration::from_secs(1);

impl Default for Backoff {
    fn default() -> Self {
        Self {
            pause: FIRST_PAUSE,
            logged: None,
        }
    }
}

impl Backoff {
    async fn wait(&mut self, error: &io::Error) {
        if is_of_peer(error) {
            return;
        }
        // Out of descriptors or memory: the connection stays in the queue until there is room.
        if self
            .logged
            .is_none_or(|logged| logged.elapsed() > LOG_INTERVAL)
        {
            self.logged = Some(Instant::now());
            tracing::warn!("cannot accept connections: {error}");
        }
        sleep(self.pause).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }
}

/// Whether the error is of this one connection, whose peer has gone again.
fn is_of_peer(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}
