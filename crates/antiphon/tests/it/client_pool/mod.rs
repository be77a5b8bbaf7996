//! Tests of the client's pool of HTTP connections: which one a call gets, and when they end.

pub(crate) mod frames;
mod http1;
mod http2;
mod not_sent;
#[cfg(unix)]
mod silence;
mod threads;
mod time;
mod undriven;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use antiphon::client::{Client, ClientBuilder};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Instant, sleep};

use crate::client_support::{listen, read_request, wire};

/// The right response to every call of a client from [`builder`].
const RIGHT: &str = r#"{"jsonrpc":"2.0","id":1,"result":"right"}"#;

/// A client without a timeout, whose calls all have the id 1.
fn builder(address: SocketAddr) -> ClientBuilder {
    let builder = Client::builder(address.to_string());
    builder.id_generator(|| 1.into()).timeout(None)
}

fn client(address: SocketAddr) -> Client {
    builder(address).build().unwrap()
}

/// Makes a call that has to succeed.
async fn call(client: &Client) {
    assert_eq!(client.call::<String>("m", ()).await.unwrap(), "right");
}

/// A server that passes each connection with its number, from 0, to a function.
struct Numbered {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

impl Numbered {
    async fn serve<F>(serve: impl Fn(usize, TcpStream) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = io::Result<()>> + Send + 'static,
    {
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        let serve = move |stream| serve(count.fetch_add(1, Ordering::SeqCst), stream);
        Self {
            address: listen(serve).await,
            connections,
        }
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// What a server tells the test, in order.
fn events<T>() -> (UnboundedSender<T>, UnboundedReceiver<T>) {
    unbounded_channel()
}

/// Answers requests until the client closes the connection.
async fn answer_all(stream: &mut TcpStream) -> io::Result<()> {
    loop {
        answer_one(stream, "200 OK").await?;
    }
}

/// Answers one request. The status may have header lines behind it.
async fn answer_one(stream: &mut TcpStream, status: &str) -> io::Result<()> {
    read_request(stream).await?;
    stream.write_all(wire(status, RIGHT).as_bytes()).await
}

/// Lets the runtime see what has happened to its sockets.
async fn settle() {
    sleep(Duration::from_millis(5)).await;
}

/// Checks that a connection on which nothing is sent is closed after a minute, as the server tells.
async fn is_closed_after_a_minute(
    client: &Client,
    connections: impl Fn() -> usize,
    hears: &mut UnboundedReceiver<Instant>,
) {
    for _ in 0..3 {
        call(client).await;
        sleep(Duration::from_secs(59)).await;
    }
    assert_eq!(connections(), 1);
    call(client).await;
    let idle_since = Instant::now();
    let closed = hears.recv().await.unwrap();
    assert_eq!((closed - idle_since).as_secs(), 60);
    call(client).await;
    assert_eq!(connections(), 2);
}
