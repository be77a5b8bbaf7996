//! Tests of the limit of refused credentials, over each transport.
//!
//! The connections are in memory, and the clock is paused: nothing comes back unless a test says so.
//!
//! | file | what it tests |
//! |---|---|
//! | `attempts.rs` | who is refused after how many attempts, and who is not |
//!
//! The guarded server that the tests share is here.

mod attempts;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use antiphon_proto::Framing;
use bytes::Bytes;
use http::{HeaderMap, Request};
use serde_json::{Value, json};
use tokio::io::{
    AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream,
};
use tokio::time::advance;

use super::phase_tests::{app, connect};
use crate::call_origin::{Connection, Transport};
use crate::identity::{AuthenticationError, Authenticator, Credentials, Identity, PeerCredentials};
use crate::memory_budget::Account;
use crate::router::{Method, Router};
use crate::server::app::App;
use crate::server::builder::Server;
use crate::server::connection_setup::Peer;
use crate::server::listener::Protocol;
use crate::server::settings::Settings;
use crate::shutdown::Shutdown;

/// Knows tokens, keys and certificates that begin with "good", and counts how often it is asked.
struct Good(Arc<AtomicUsize>);

impl Authenticator for Good {
    async fn authenticate(
        &self,
        credentials: &Credentials,
    ) -> Result<Option<Identity>, AuthenticationError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        let key = || credentials.headers()?.get("x-api-key")?.to_str().ok();
        let shown = || std::str::from_utf8(credentials.certificate()?).ok();
        match credentials.bearer().or_else(key).or_else(shown) {
            None => Ok(None),
            Some(secret) if secret.starts_with("good") => Ok(Some(Identity::new("a"))),
            Some(secret) if secret.starts_with("expired") => {
                Err(AuthenticationError::expired("it was good"))
            }
            Some(_) => Err(AuthenticationError::refused("wrong")),
        }
    }
}

/// How credentials reach a server.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Way {
    Http1,
    Http2,
    Handshake,
    Session,
}

const WAYS: [Way; 4] = [Way::Http1, Way::Http2, Way::Handshake, Way::Session];

/// Where a request comes from.
#[derive(Clone, Copy)]
enum From {
    Address(&'static str),
    /// A Unix socket.
    Unix,
    /// The trusted proxy, which says this of its client.
    Proxy(&'static str),
}

const PROXY: &str = "10.0.0.1";

/// A server, and how often its authenticator was asked.
struct Guarded {
    app: App,
    settings: Settings,
    asked: Arc<AtomicUsize>,
}

/// A response: its status over HTTP, or the code of an error on a session.
#[derive(PartialEq, Debug)]
enum Answer {
    Good,
    Refused,
    /// With the milliseconds to wait.
    Limited(u64),
}

impl Guarded {
    fn new() -> Self {
        let asked = Arc::default();
        let settings = Settings {
            trusted_proxies: vec![PROXY.to_owned()],
            ..Settings::default()
        };
        let router = Router::new()
            .method_fn("known", || 1)
            .method(Method::function("free", || 1).public());
        let server = Server::builder().authenticate(Good(Arc::clone(&asked)));
        Self {
            app: app(router, server, &settings, &Shutdown::default()),
            settings,
            asked,
        }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    fn connect(&self, protocol: Protocol, from: From) -> DuplexStream {
        let address = match from {
            From::Address(text) => Some(text),
            From::Unix => None,
            From::Proxy(_) => Some(PROXY),
        };
        let address = address.map(|text| SocketAddr::new(text.parse().unwrap(), 7));
        let peer = Peer {
            transport: match from {
                From::Unix => Transport::Unix,
                From::Address(_) | From::Proxy(_) => Transport::Tcp,
            },
            address,
            client: address.into(),
            is_proxy: matches!(from, From::Proxy(_)),
            passed_on: false,
        };
        let setup = self.app.setup(&self.settings);
        connect(setup, protocol, peer, &Shutdown::default()).0
    }

    /// Presents a token on a connection of its own.
    async fn tries(&self, way: Way, from: From, token: &str) -> Answer {
        let bearer = ("authorization", format!("Bearer {token}"));
        match way {
            Way::Http1 | Way::Handshake => self.http1(way, from, bearer).await,
            Way::Http2 => self.http2(from, bearer).await,
            Way::Session => {
                let mut session = self.session(from);
                authenticates(&mut session, token).await
            }
        }
    }

    async fn http1(&self, way: Way, from: From, (name, value): (&str, String)) -> Answer {
        let mut stream = self.connect(Protocol::Http, from);
        let body = r#"{"jsonrpc":"2.0","id":1,"method":"free"}"#;
        let via = match from {
            From::Proxy(client) => format!("X-Forwarded-For: {client}\r\n"),
            From::Address(_) | From::Unix => String::new(),
        };
        let rest = match way {
            Way::Handshake => "Connection: Upgrade\r\nUpgrade: websocket\r\n\
                 Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
                .to_owned(),
            _ => format!(
                "Connection: close\r\nContent-Type: application/json\r\n\
                 Content-Length: {}\r\n\r\n{body}",
                body.len()
            ),
        };
        let method = if way == Way::Handshake { "GET" } else { "POST" };
        let request =
            format!("{method} / HTTP/1.1\r\nHost: localhost\r\n{via}{name}: {value}\r\n{rest}");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        let mut stream = BufReader::new(stream);
        let mut length = 0;
        while !answer.ends_with("\r\n\r\n") {
            let begin = answer.len();
            assert!(stream.read_line(&mut answer).await.unwrap() > 0, "{answer}");
            let line = answer[begin..].to_ascii_lowercase();
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.unwrap();
        let mut lines = answer.lines();
        let status = lines.next().unwrap()[9..12].parse().unwrap();
        let mut headers = HeaderMap::new();
        for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
            let name: http::HeaderName = name.parse().unwrap();
            headers.insert(name, value.parse().unwrap());
        }
        judge(status, &headers, &body)
    }

    async fn http2(&self, from: From, (name, value): (&str, String)) -> Answer {
        let stream = self.connect(Protocol::Http, from);
        let (mut client, driver) = h2::client::handshake(stream).await.unwrap();
        tokio::spawn(driver);
        let mut request = Request::post("http://localhost/")
            .header("content-type", "application/json")
            .header(name, value);
        if let From::Proxy(client) = from {
            request = request.header("x-forwarded-for", client);
        }
        let (response, mut body) = (client.send_request(request.body(()).unwrap(), false)).unwrap();
        let call = Bytes::from_static(br#"{"jsonrpc":"2.0","id":1,"method":"free"}"#);
        body.send_data(call, true).unwrap();
        let (head, mut body) = response.await.unwrap().into_parts();
        let mut text = Vec::new();
        while let Some(data) = body.data().await {
            text.extend_from_slice(&data.unwrap());
        }
        judge(head.status.as_u16(), &head.headers, &text)
    }

    fn session(&self, from: From) -> BufReader<DuplexStream> {
        BufReader::new(self.connect(Protocol::Raw(Framing::Newline), from))
    }
}

/// Presents a token on this session.
async fn authenticates(session: &mut BufReader<DuplexStream>, token: &str) -> Answer {
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "rpc.authenticate", "params": [token]});
    let line = format!("{call}\n");
    session.get_mut().write_all(line.as_bytes()).await.unwrap();
    let mut answer = String::new();
    session.read_line(&mut answer).await.unwrap();
    let answer: Value = serde_json::from_str(&answer).unwrap();
    match answer["error"]["code"].as_i64() {
        None => Answer::Good,
        Some(-32006) => Answer::Refused,
        Some(-32005) => Answer::Limited(answer["error"]["data"]["retryAfterMs"].as_u64().unwrap()),
        other => panic!("{other:?}"),
    }
}

/// What a response over HTTP says.
fn judge(status: u16, headers: &HeaderMap, body: &[u8]) -> Answer {
    let error = || {
        let answer: Value = serde_json::from_slice(body).unwrap();
        assert_eq!(answer["id"], Value::Null);
        answer["error"].clone()
    };
    match status {
        101 | 200 => Answer::Good,
        401 => {
            assert_eq!(
                headers["www-authenticate"],
                "Bearer error=\"invalid_token\""
            );
            assert_eq!(error()["code"], -32006);
            Answer::Refused
        }
        429 => {
            assert_eq!(error()["code"], -32005);
            let wait = error()["data"]["retryAfterMs"].as_u64().unwrap();
            let seconds = headers["retry-after"].to_str().unwrap().parse();
            assert_eq!(seconds, Ok(wait.div_ceil(1000)));
            Answer::Limited(wait)
        }
        status => panic!("{status}"),
    }
}
