//! Accepting connections, within bounds, until the server stops and the queue is empty.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::task::TaskTracker;

use crate::scope::{Connection, Transport};
use crate::server::handle::Handle;
use crate::server::settings::Settings;
use crate::transport::http::Caller;
use crate::transport::http::connection::Http;

/// What the listeners of a server share.
#[derive(Clone)]
pub(super) struct Acceptor {
    http: watch::Receiver<Http>,
    handle: Handle,
    tasks: TaskTracker,
    places: Places,
    local: bool,
}

impl Acceptor {
    pub(super) fn new(
        http: &watch::Sender<Http>,
        handle: &Handle,
        tasks: &TaskTracker,
        settings: &Settings,
        local: bool,
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
            local,
        }
    }

    /// Accepts until the server stops, then what has queued up before.
    pub(super) async fn run(self, listener: TcpListener) {
        let mut backoff = Backoff::default();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = self.handle.stop.cancelled() => break,
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
        while let Ok((socket, peer)) = listener.accept() {
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
            return refuse(&socket);
        };
        // Answers are written whole; waiting for more to send with them only costs time.
        let _ = socket.set_nodelay(true);
        let caller = Caller {
            connection: Connection::new(Transport::Http, Some(peer)),
            local: self.local,
        };
        let http = self.http.borrow().clone();
        let stop = self.handle.stop.clone();
        let kill = self.handle.kill.clone();
        self.tasks.spawn(async move {
            let _place = place;
            kill.run_until_cancelled(http.serve(socket, caller, stop))
                .await;
        });
    }
}

/// Says that there is no room. The socket is new, so a few bytes fit without waiting.
fn refuse(socket: &TcpStream) {
    const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\n\
        Retry-After: 1\r\nConnection: close\r\nContent-Length: 34\r\n\r\n\
        there are too many connections\r\n\r\n";
    let _ = socket.try_write(FULL);
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
        let the_peer_has_gone = matches!(
            error.kind(),
            io::ErrorKind::ConnectionAborted
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionRefused
                | io::ErrorKind::Interrupted
        );
        if the_peer_has_gone {
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
