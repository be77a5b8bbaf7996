//! Accepting connections, within bounds, until the server stops and the queue is empty.

use std::collections::HashMap;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::AsyncWrite;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};
use tokio_util::task::TaskTracker;

use crate::scope::{Connection, Transport};
use crate::server::handle::Handle;
use crate::server::settings::Settings;
use crate::transport::http::Caller;
use crate::transport::http::connection::Http;

/// How many peers are told at the same time that there is no room.
const REFUSALS: usize = 64;

/// What the listeners of a server share.
#[derive(Clone)]
pub(super) struct Acceptor {
    http: watch::Receiver<Http>,
    handle: Handle,
    tasks: TaskTracker,
    places: Places,
    /// Peers that may be told at the same time that there is no room.
    refusals: Arc<Semaphore>,
}

impl Acceptor {
    pub(super) fn new(
        http: &watch::Sender<Http>,
        handle: &Handle,
        tasks: &TaskTracker,
        settings: &Settings,
        per_ip: Option<usize>,
    ) -> Self {
        Self {
            http: http.subscribe(),
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
    pub(super) async fn run(self, listener: TcpListener) {
        let mut backoff = Backoff::default();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = self.handle.life.stopped() => break,
            };
            match accepted {
                Ok((socket, peer)) => {
                    backoff = Backoff::default();
                    self.open(socket, peer);
                }
                Err(error) => backoff.wait(&error).await,
            }
        }
        self.drain(listener);
    }

    /// Clients whose connection the system has taken for us believe that they are connected: they
    /// are served before the listener closes.
    fn drain(&self, listener: TcpListener) {
        let Ok(listener) = listener.into_std() else {
            return;
        };
        loop {
            let (socket, peer) = match listener.accept() {
                Ok(accepted) => accepted,
                Err(error) if has_gone(&error) => continue,
                Err(_) => return,
            };
            let ready = socket
                .set_nonblocking(true)
                .and_then(|()| TcpStream::from_std(socket));
            if let Ok(socket) = ready {
                self.open(socket, peer);
            }
        }
    }

    fn open(&self, socket: TcpStream, peer: SocketAddr) {
        self.handle.accepted.fetch_add(1, Ordering::Relaxed);
        let Some(place) = self.places.take(peer.ip()) else {
            return self.refuse(socket);
        };
        // Answers are written whole; waiting for more to send with them only costs time.
        let _ = socket.set_nodelay(true);
        let http = self.http.borrow().clone();
        let caller = Caller {
            connection: Connection::new(Transport::Http, Some(peer)),
            local: http.local,
        };
        let life = self.handle.life.clone();
        self.tasks.spawn(async move {
            let _place = place;
            http.serve(socket, caller, life).await;
        });
    }

    /// Tells a peer that there is no room. When too many have to be told, some are not.
    fn refuse(&self, socket: TcpStream) {
        let Ok(turn) = Arc::clone(&self.refusals).try_acquire_owned() else {
            return;
        };
        let life = self.handle.life.clone();
        self.tasks.spawn(async move {
            let _turn = turn;
            let told = timeout(Duration::from_secs(1), say_full(socket));
            let _ = life.until_killed(told).await;
        });
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
    fn take(&self, ip: IpAddr) -> Option<Place> {
        let one_more = |open: usize| (open < self.max).then_some(open + 1);
        self.open
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more)
            .ok()?;
        let mut place = Place {
            open: Arc::clone(&self.open),
            of: None,
        };
        if let Some((max, counts)) = &self.per_ip {
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
struct Backoff(Duration);

impl Default for Backoff {
    fn default() -> Self {
        Self(Duration::from_millis(10))
    }
}

impl Backoff {
    async fn wait(&mut self, error: &io::Error) {
        if has_gone(error) {
            return;
        }
        // Out of descriptors or memory: the connection stays in the queue until there is room.
        if self.0 >= Duration::from_secs(1) || self.0 == Self::default().0 {
            tracing::warn!("cannot accept connections: {error}");
        }
        sleep(self.0).await;
        self.0 = (self.0 * 2).min(Duration::from_secs(1));
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
