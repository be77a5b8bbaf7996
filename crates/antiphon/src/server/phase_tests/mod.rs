//! Every phase of a connection has a deadline, over every transport, which neither single bytes nor
//! framing extend.
//!
//! The connections are in memory, and the clock is paused.
//!
//! | file | what it tests |
//! |---|---|
//! | `byte_streams.rs` | HTTP/1, WebSocket, and connections without HTTP, with peers that send bytes |
//! | `http2.rs` | HTTP/2, with peers that send frames |

mod byte_streams;
mod http2;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::task::{Context, Poll};
use std::time::Duration;

use antiphon_proto::Framing;
use tokio::io::{DuplexStream, duplex};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use crate::address::client_address::ClientAddress;
use crate::call_origin::Transport;
use crate::metrics::status::ServerStatus;
use crate::rate_limit::RateTable;
use crate::router::{Method, Router};
use crate::server::app::App;
use crate::server::authentication::NamedAuthenticators;
use crate::server::builder::Server;
use crate::server::connection_setup::{ConnectionSetup, Peer};
use crate::server::exposure::Exposure;
use crate::server::listener::Protocol;
use crate::server::settings::Settings;
use crate::shutdown::Shutdown;
use crate::topic::Overflow;
use crate::transport::http::{Route, SessionPlace};

const HTTP: (Protocol, Transport) = (Protocol::Http, Transport::Tcp);
const LINES: (Protocol, Transport) = (Protocol::Raw(Framing::Newline), Transport::Tcp);
const HEADERS: (Protocol, Transport) = (Protocol::Raw(Framing::ContentLength), Transport::Unix);
const STDIO: (Protocol, Transport) = (Protocol::Raw(Framing::Newline), Transport::Stdio);

/// A stream of one item again and again, or without items.
struct Items(Option<String>);

impl futures_core::Stream for Items {
    type Item = String;

    fn poll_next(self: std::pin::Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<String>> {
        match &self.0 {
            Some(item) => Poll::Ready(Some(item.clone())),
            None => Poll::Pending,
        }
    }
}

fn router() -> Router {
    let endless = || Items(Some("x".repeat(1000)));
    Router::new()
        .method_fn("big", |size: usize| "x".repeat(size))
        .method_fn("hold", std::future::pending::<()>)
        .method_fn("quiet", || Items(None))
        .method(Method::function("endless", endless).overflow(Overflow::Block))
}

/// A place among sessions for everybody.
#[derive(Debug)]
struct Free;

impl SessionPlace for Free {
    fn become_session(&self) -> bool {
        true
    }

    fn count_address(&self, _: IpAddr) -> bool {
        true
    }
}

/// Serves one connection; returns the peer's end.
fn serve(
    (protocol, transport): (Protocol, Transport),
    settings: &Settings,
    shutdown: &Shutdown,
) -> (DuplexStream, JoinHandle<()>) {
    let app = app(router(), Server::builder(), settings, shutdown);
    let end = Peer {
        transport,
        address: None,
        client: ClientAddress::None,
        is_proxy: false,
        passed_on: false,
    };
    connect(app.setup(settings), protocol, end, shutdown)
}

/// What a server serves that has a single route.
pub(super) fn app(
    router: Router,
    mut server: Server,
    settings: &Settings,
    shutdown: &Shutdown,
) -> App {
    let count = || Arc::new(AtomicUsize::new(0));
    let status = ServerStatus::new(
        Vec::new(),
        shutdown.clone(),
        count(),
        count(),
        Vec::new(),
        settings.budgets(),
        None,
    );
    let named = NamedAuthenticators::add_to(&mut server).unwrap();
    App {
        audit: None,
        routes: vec![(Some("/".to_owned()), Route::new(router.build().unwrap()))],
        status: Arc::new(status),
        admin: None,
        http_layers: Vec::new(),
        tls: None,
        budgets: settings.budgets(),
        rate_table: RateTable::new(Instant::now()),
        exposure: Exposure::of(&[], &[]),
        brokers: None,
        authenticators: server.authenticators,
        named,
    }
}

/// Serves a connection of this peer; returns the peer's end.
pub(super) fn connect(
    setup: ConnectionSetup,
    protocol: Protocol,
    end: Peer,
    shutdown: &Shutdown,
) -> (DuplexStream, JoinHandle<()>) {
    let (peer, socket) = duplex(1024);
    let shutdown = shutdown.clone();
    let serving = tokio::spawn(async move {
        let place: Arc<dyn SessionPlace> = Arc::new(Free);
        let own = Arc::downgrade(&place);
        let served = setup.serve_stream(socket, protocol, end, own, shutdown);
        if let Some(session) = served.await {
            session.await;
        }
    });
    (peer, serving)
}

/// Longer than any of the deadlines.
const LONG: Duration = Duration::from_secs(1000);

/// The seconds until a connection has ended; `None` if it stays open.
async fn seconds(serving: JoinHandle<()>) -> Option<u64> {
    let began = Instant::now();
    let ended = timeout(LONG, serving).await;
    ended.ok().map(|ended| {
        ended.unwrap();
        began.elapsed().as_secs()
    })
}

fn call(method: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#)
}
