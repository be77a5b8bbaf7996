//! Accepting connections, within bounds, until the server stops and the queue is empty.

use std::collections::HashMap;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use antiphon_proto::Framing;
use tokio::io::AsyncWrite;
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::task::TaskTracker;

use crate::origin::{Connection, Transport};
use crate::server::handle::Handle;
use crate::server::listener::{Door, Entrance, Guest, Speaks};
use crate::server::raw::Raw;
use crate::server::settings::Settings;
use crate::shutdown::Shutdown;
use crate::transport::http::Caller;
use crate::transport::http::connection::{Driven, Http};
use crate::transport::socket::Socket;
use crate::transport::stdio;
use crate::transport::tls::server::{Carries, HANDSHAKE_TIMEOUT, ServerTls};

/// How many peers are told at the same time that there is no room.
const REFUSALS: usize = 64;

/// What connections are offered.
#[derive(Clone)]
pub(super) struct Offer {
    pub(super) http: Http,
    /// None if there is no route, which cannot be.
    pub(super) raw: Option<Raw>,
    pub(super) tls: Option<ServerTls>,
}

impl std::fmt::Debug for Offer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Offer").finish_non_exhaustive()
    }
}

/// What the listeners of a server share.
#[derive(Clone)]
pub(super) struct Acceptor {
    offer: watch::Receiver<Offer>,
    handle: Handle,
    tasks: TaskTracker,
    places: Places,
    /// Peers that may be told at the same time that there is no room.
    refusals: Arc<Semaphore>,
}

impl Acceptor {
    pub(super) fn new(
        offer: &watch::Sender<Offer>,
        handle: &Handle,
        tasks: &TaskTracker,
        settings: &Settings,
        per_ip: Option<usize>,
    ) -> Self {
        Self {
            offer: offer.subscribe(),
            handle: handle.clone(),
            tasks: tasks.clone(),
            places: Places {
                max: settings.max_connections,
                open: Arc::clone(&handle.connections),
                per_ip: per_ip.map(|max| (max, Arc::default())),
            },
            refusals: Arc::new(Semaphore::new(REFUSALS)),
        }
    }

    /// Accepts until the server stops, then what has queued up before.
    pub(super) async fn run(self, door: Door) {
        let mut backoff = Backoff::default();
        loop {
            let accepted = tokio::select! {
                accepted = door.accept() => accepted,
                () = self.handle.shutdown.stopped() => break,
            };
            match accepted {
                Ok(guest) => {
                    backoff.pause = FIRST_PAUSE;
                    self.open(guest, door.entrance);
                    // What has come in goes first; and where several processes accept, none of them
                    // takes all that has queued up.
                    tokio::task::yield_now().await;
                }
                Err(error) => backoff.wait(&error).await,
            }
        }
        self.drain(door);
    }

    /// Clients whose connection the system has taken for us believe that they are connected: they
    /// are served before the listener closes.
    fn drain(&self, door: Door) {
        if self.handle.shutdown.leaves_queue() || door.lent {
            return;
        }
        let entrance = door.entrance;
        let Ok(queue) = door.into_queue() else {
            return;
        };
        queue.close_to_newcomers();
        loop {
            match queue.accept() {
                Ok(guest) => self.open(guest, entrance),
                Err(error) if has_gone(&error) => {}
                Err(_) => return,
            }
        }
    }

    /// Serves standard input and output; the server stops when they end.
    pub(super) fn stdio(&self, framing: Framing) -> io::Result<impl Future<Output = ()> + use<>> {
        let stream = stdio::own::own()?;
        let (offer, handle) = (self.offer.borrow().clone(), self.handle.clone());
        Ok(async move {
            let connection = Connection::new(Transport::Stdio, None);
            if let Some(raw) = offer.raw {
                let shutdown = handle.shutdown.clone();
                raw.serve(stream, framing, connection, shutdown).await;
            }
            handle.stop();
        })
    }

    fn open(&self, guest: Guest, entrance: Entrance) {
        self.handle.accepted.fetch_add(1, Ordering::Relaxed);
        let Some(place) = self.places.take(guest.address().map(|peer| peer.ip())) else {
            return self.refuse(guest, entrance);
        };
        let offer = self.offer.borrow().clone();
        let shutdown = self.handle.shutdown.clone();
        self.tasks.spawn(async move {
            let _place = place;
            // Boxed, and gone before what comes next: an idle session holds nothing of HTTP's.
            let welcome = Box::pin(offer.welcome(guest, entrance, shutdown));
            if let Some(session) = welcome.await {
                session.await;
            }
        });
    }

    /// Tells a peer that there is no room. When too many have to be told, some are not.
    fn refuse(&self, guest: Guest, entrance: Entrance) {
        // Only HTTP has words for it.
        let socket = match guest {
            Guest::Tcp(socket, _) if entrance.speaks == Speaks::Http && !entrance.secure => socket,
            _ => return,
        };
        let Ok(turn) = Arc::clone(&self.refusals).try_acquire_owned() else {
            return;
        };
        let shutdown = self.handle.shutdown.clone();
        self.tasks.spawn(async move {
            let _turn = turn;
            let told = timeout(Duration::from_secs(1), say_full(socket));
            let _ = shutdown.until_killed(told).await;
        });
    }
}

impl Offer {
    /// Begins with a guest. What the connection becomes is left to be driven.
    async fn welcome(self, guest: Guest, entrance: Entrance, shutdown: Shutdown) -> Option<Driven> {
        let speaks = entrance.speaks;
        let (socket, peer) = match guest {
            Guest::Tcp(socket, peer) => (socket, peer),
            Guest::Unix(socket) => {
                return self
                    .serve(socket, speaks, Transport::Unix, None, shutdown)
                    .await;
            }
        };
        // Answers are written whole; waiting for more to send only costs time.
        let _ = socket.set_nodelay(true);
        if entrance.secure {
            let carries = match speaks {
                Speaks::Http => Carries::Http,
                Speaks::Raw(_) => Carries::Raw,
            };
            let tls = self.tls.clone()?;
            let handshake = tls.accept(socket, carries, HANDSHAKE_TIMEOUT);
            return match shutdown.until_killed(handshake).await? {
                Ok(socket) => {
                    self.serve(socket, speaks, Transport::Tcp, Some(peer), shutdown)
                        .await
                }
                Err(error) => {
                    tracing::debug!("a TLS handshake failed: {error}");
                    None
                }
            };
        }
        self.serve(socket, speaks, Transport::Tcp, Some(peer), shutdown)
            .await
    }

    async fn serve<S>(
        self,
        socket: S,
        speaks: Speaks,
        transport: Transport,
        peer: Option<SocketAddr>,
        shutdown: Shutdown,
    ) -> Option<Driven>
    where
        S: Socket,
    {
        match speaks {
            Speaks::Http => {
                let caller = Caller {
                    connection: Connection::new(Transport::Http, peer),
                    local: self.http.local,
                    named: transport == Transport::Tcp,
                    stopping: shutdown.stopping(),
                    slot: None,
                };
                self.http.serve(socket, caller, shutdown).await
            }
            Speaks::Raw(framing) => {
                let connection = Connection::new(transport, peer);
                Some(self.raw?.serve(socket, framing, connection, shutdown))
            }
        }
    }
}

/// Says that there is no room, and waits a moment until the peer has read it: closing a socket with
/// unread bytes in it would take the answer back.
async fn say_full(mut socket: TcpStream) -> io::Result<()> {
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

/// How many connections each address has open.
type PerIp = Arc<Mutex<HashMap<IpAddr, usize>>>;

/// The connections that may be open.
#[derive(Clone)]
struct Places {
    max: usize,
    open: Arc<AtomicUsize>,
    per_ip: Option<(usize, PerIp)>,
}

impl Places {
    fn take(&self, ip: Option<IpAddr>) -> Option<Place> {
        let one_more = |open: usize| (open < self.max).then_some(open + 1);
        self.open
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more)
            .ok()?;
        let mut place = Place {
            open: Arc::clone(&self.open),
            of: None,
        };
        if let Some((max, counts)) = &self.per_ip
            && let Some(ip) = ip
        {
            let mut table = counts.lock().unwrap_or_else(PoisonError::into_inner);
            let count = table.entry(ip).or_default();
            if *count >= *max {
                return None;
            }
            *count += 1;
            place.of = Some((ip, Arc::clone(counts)));
        }
        Some(place)
    }
}

/// One open connection, until it is dropped.
struct Place {
    open: Arc<AtomicUsize>,
    of: Option<(IpAddr, PerIp)>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
        let Some((ip, counts)) = &self.of else {
            return;
        };
        let mut table = counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = table.get_mut(ip) {
            *count -= 1;
            if *count == 0 {
                table.remove(ip);
            }
        }
    }
}

/// What to do when accepting fails: the loop never ends and never spins.
struct Backoff {
    pause: Duration,
    /// When the log was told last.
    said: Option<Instant>,
}

/// The pause after a first failure, and the longest: whoever waits in the queue is let in soon
/// after there is room.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// The log is told of failures this often at most.
const SILENCE: Duration = Duration::from_secs(1);

impl Default for Backoff {
    fn default() -> Self {
        Self {
            pause: FIRST_PAUSE,
            said: None,
        }
    }
}

impl Backoff {
    async fn wait(&mut self, error: &io::Error) {
        if has_gone(error) {
            return;
        }
        // Out of descriptors or memory: the connection stays in the queue until there is room.
        if self.said.is_none_or(|said| said.elapsed() > SILENCE) {
            self.said = Some(Instant::now());
            tracing::warn!("cannot accept connections: {error}");
        }
        sleep(self.pause).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }
}

/// Whether the error is of this one connection, whose peer has gone again.
fn has_gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}
