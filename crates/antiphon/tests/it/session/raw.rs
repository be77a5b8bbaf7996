//! Test peer that sends and receives raw lines, and the server that it connects to.

use std::future::pending;
use std::net::SocketAddr;
use std::time::Duration;

use antiphon::{Router, ServeError, Server, ServerHandle};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::support::call;
use crate::support::counter::{Counter, Gauge};
use crate::support::until;

/// Time limit after which a test counts as hung.
pub(super) const TEST_TIMEOUT: Duration = Duration::from_secs(20);

/// One end of a connection with one message per line.
pub(super) struct RawPeer {
    pub(super) stream: TcpStream,
    read: Vec<u8>,
}

impl From<TcpStream> for RawPeer {
    fn from(stream: TcpStream) -> Self {
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            read: Vec::new(),
        }
    }
}

impl RawPeer {
    pub(super) async fn connect(address: SocketAddr) -> Self {
        Self::from(TcpStream::connect(address).await.unwrap())
    }

    pub(super) async fn accept(listener: &TcpListener) -> Self {
        let accepted = timeout(TEST_TIMEOUT, listener.accept()).await;
        Self::from(accepted.expect("nobody connects").unwrap().0)
    }

    /// Sends lines in one packet.
    pub(super) async fn say<T: AsRef<str>>(&mut self, lines: impl IntoIterator<Item = T>) {
        let mut packet = String::new();
        for line in lines {
            packet.push_str(line.as_ref());
            packet.push('\n');
        }
        self.send(packet).await;
    }

    pub(super) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let sent = self.stream.write_all(bytes.as_ref());
        timeout(TEST_TIMEOUT, sent)
            .await
            .expect("nobody reads")
            .unwrap();
    }

    /// Reads the next line. `None` means that the connection has ended or was reset.
    pub(super) async fn line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.read.iter().position(|&byte| byte == b'\n') {
                let line = self.read.drain(..=end).collect();
                return Some(String::from_utf8(line).unwrap().trim_end().to_owned());
            }
            let read = self.stream.read_buf(&mut self.read);
            let read = timeout(TEST_TIMEOUT, read).await.expect("nothing comes");
            if !matches!(read, Ok(1..)) {
                return None;
            }
        }
    }

    /// Reads the next message.
    pub(super) async fn next(&mut self) -> Value {
        let line = self.line().await.expect("the connection has ended");
        serde_json::from_str(&line).unwrap()
    }

    pub(super) async fn call(&mut self, id: &str, method: &str, params: &str) -> Value {
        self.say([call(id, method, params)]).await;
        self.next().await
    }

    /// Reads until the peer closes the connection, and returns the lines.
    pub(super) async fn rest(mut self) -> Vec<String> {
        let mut lines = Vec::new();
        while let Some(line) = self.line().await {
            lines.push(line);
        }
        lines
    }

    /// Checks that the next message on the connection is the response to a new call.
    pub(super) async fn answers(&mut self, name: &str) {
        let answer = self.call("\"still\"", "add", "[3,4]").await;
        assert_eq!(
            (&answer["id"], &answer["result"]),
            (&"still".into(), &7.into()),
            "{name}: {answer}"
        );
    }
}

/// The JSON text of a cancellation.
pub(super) fn cancel(id: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","method":"$/cancelRequest","params":{{"id":{id}}}}}"#)
}

/// The JSON text of a response.
pub(super) fn result(id: &str, result: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#)
}

/// Counters of the calls on a test server.
#[derive(Clone, Default)]
pub(super) struct MethodCounters {
    /// Calls of `count`.
    pub(super) counted: Counter,
    /// Calls of `hold` that have begun.
    pub(super) held: Counter,
    /// Calls of `hold` that were dropped.
    pub(super) dropped: Counter,
    /// Calls of `sleep` that have begun.
    pub(super) slept: Counter,
    /// Concurrent calls of `sleep` and `hold`.
    pub(super) busy: Gauge,
}

/// The methods of a test server.
pub(super) fn router(seen: &MethodCounters) -> Router {
    let (counted, sleeps, holds) = (seen.counted.clone(), seen.clone(), seen.clone());
    Router::new()
        .method_fn("add", |a: i64, b: i64| a + b)
        .method_fn("big", |size: usize| "x".repeat(size))
        .method_fn("count", move || counted.add())
        .method_fn("sleep", move |ms: u64| {
            let seen = sleeps.clone();
            async move {
                let _entered = seen.busy.enter();
                seen.slept.add();
                sleep(Duration::from_millis(ms)).await;
                ms
            }
        })
        .method_fn("hold", move || {
            let (guard, entered) = (holds.dropped.guard(), holds.busy.enter());
            holds.held.add();
            async move {
                pending::<()>().await;
                drop((guard, entered));
            }
        })
}

/// A server that runs until it is dropped.
pub(super) struct SessionServer {
    pub(super) address: SocketAddr,
    pub(super) url: String,
    pub(super) handle: ServerHandle,
    serving: Option<JoinHandle<Result<(), ServeError>>>,
}

impl SessionServer {
    /// Starts a server on a free raw TCP port.
    pub(super) async fn raw(server: Server) -> Self {
        Self::bound(server.bind("tcp://127.0.0.1:0")).await
    }

    pub(super) async fn bound(server: Server) -> Self {
        let listening = server.listen().await.unwrap();
        Self {
            address: *listening.addresses().first().unwrap(),
            url: listening.url(),
            handle: listening.handle(),
            serving: Some(tokio::spawn(listening.serve())),
        }
    }

    pub(super) async fn connect(&self) -> RawPeer {
        RawPeer::connect(self.address).await
    }

    /// Waits until the server has ended.
    pub(super) async fn ended(&mut self) {
        let serving = self.serving.take().unwrap();
        let ended = timeout(TEST_TIMEOUT, serving).await;
        ended.expect("the server does not end").unwrap().unwrap();
        assert_eq!(self.handle.connections(), 0);
    }

    /// Waits until this many connections are open.
    pub(super) async fn until_open(&self, connections: usize) {
        let open = || self.handle.connections();
        until(|| open() == connections, "connections").await;
    }
}

impl Drop for SessionServer {
    fn drop(&mut self) {
        self.handle.kill();
    }
}

/// A WebSocket client on raw frames.
pub(super) struct RawWebSocket {
    pub(super) stream: TcpStream,
}

impl RawWebSocket {
    pub(super) const TEXT: u8 = 1;
    pub(super) const CLOSE: u8 = 8;
    pub(super) const PING: u8 = 9;
    pub(super) const PONG: u8 = 10;

    pub(super) async fn connect(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).await.unwrap(), address).await
    }

    pub(super) async fn over(mut stream: TcpStream, address: SocketAddr) -> Self {
        let head = format!(
            "GET / HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            let byte = timeout(TEST_TIMEOUT, stream.read_u8()).await;
            answer.push(byte.expect("no answer").unwrap());
        }
        assert!(answer.starts_with(b"HTTP/1.1 101"));
        Self { stream }
    }

    /// Sends a frame, masked with zeros.
    pub(super) async fn send(&mut self, opcode: u8, payload: &[u8]) {
        let length = u8::try_from(payload.len()).unwrap();
        assert!(length < 126);
        let mut frame = vec![0x80 | opcode, 0x80 | length, 0, 0, 0, 0];
        frame.extend_from_slice(payload);
        self.stream.write_all(&frame).await.unwrap();
    }

    /// Reads the next frame. `None` means that the connection has ended.
    pub(super) async fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let read = async {
            let opcode = self.stream.read_u8().await? & 0x0f;
            let length = match self.stream.read_u8().await? & 0x7f {
                126 => usize::from(self.stream.read_u16().await?),
                short => usize::from(short),
            };
            let mut payload = vec![0; length];
            self.stream.read_exact(&mut payload).await?;
            Ok::<_, std::io::Error>((opcode, payload))
        };
        timeout(TEST_TIMEOUT, read)
            .await
            .expect("nothing comes")
            .ok()
    }

    /// Reads the next message, and answers pings before it.
    pub(super) async fn next(&mut self) -> Value {
        loop {
            match self.frame().await.expect("the connection has ended") {
                (Self::TEXT, text) => return serde_json::from_slice(&text).unwrap(),
                (Self::PING, payload) => self.send(Self::PONG, &payload).await,
                other => panic!("{other:?}"),
            }
        }
    }
}
