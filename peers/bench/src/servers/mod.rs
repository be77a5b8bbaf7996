//! Benchmark peers, one per file: how to serve, how to answer without a socket, and how its client
//! calls. A new peer is a new file with a `PEER`, and an entry in [`PEERS`].

mod ajj;
mod antiphon;
mod floor;
mod floor_session;
mod jsonrpsee;

use std::future::Future;
use std::pin::Pin;

use tokio::net::TcpListener;

use crate::Failure;
use crate::cases::{Case, Form};
use crate::client::Caller;
use crate::window::{LocalFuture, Plan, Sample};

/// All peers in the order of the table's rows.
const PEERS: [Peer; 4] = [floor::PEER, antiphon::PEER, jsonrpsee::PEER, ajj::PEER];

/// The peer with the minimal work, which is a lower bound for all others.
pub(crate) const FLOOR: Peer = floor::PEER;

/// A server that runs until its process ends.
pub(crate) type Serving = Pin<Box<dyn Future<Output = Result<(), Failure>>>>;

/// A listening port and its server.
pub(crate) type Listening = (u16, Serving);

/// Creates a client of the server at a URL.
pub(crate) type Connect = fn(&str) -> Result<Caller, Failure>;

/// Binds a port and serves newline-delimited messages on it.
pub(crate) type ServeLines = fn(Case) -> LocalFuture<'static, Result<Listening, Failure>>;

/// Measures a WebSocket client of the server at a URL.
pub(crate) type MeasureWs = fn(String, Plan) -> LocalFuture<'static, Result<Sample, Failure>>;

/// A peer, with the forms in which it can be measured.
#[derive(Clone, Copy)]
pub(crate) struct Peer {
    /// The name on the command line and in the table.
    pub(crate) name: &'static str,
    /// Serves `calc.add`, `len`, `echo` and `blob` over HTTP at `/`, on a current-thread runtime.
    /// Only the floor uses the case, from which it takes its fixed response.
    pub(crate) serve: fn(TcpListener, Case) -> Serving,
    /// Whether the HTTP port supports the upgrade to WebSocket.
    pub(crate) upgrades: bool,
    /// Serves the same methods with newline framing, on a port that it binds itself.
    pub(crate) serve_lines: Option<ServeLines>,
    /// Answers [`CALL`](crate::cases::CALL) this many times, from bytes to bytes on one thread, and
    /// checks each response.
    pub(crate) in_process: Option<fn(u64) -> Result<(), Failure>>,
    /// Creates a client; called on a current-thread runtime.
    pub(crate) client: Option<Connect>,
    /// Measures 64 concurrent calls over one WebSocket to the URL.
    pub(crate) ws_client: Option<MeasureWs>,
}

impl Peer {
    pub(crate) fn all() -> [Self; PEERS.len()] {
        PEERS
    }

    pub(crate) fn named(name: &str) -> Result<Self, Failure> {
        PEERS
            .into_iter()
            .find(|peer| peer.name == name)
            .ok_or_else(|| format!("there is no peer {name:?}").into())
    }

    /// Whether this peer supports the case.
    pub(crate) fn offers(&self, case: Case) -> bool {
        match case.form() {
            Form::Http => true,
            Form::InProcess => self.in_process.is_some(),
            Form::Client if case == Case::Client64 => self.ws_client.is_some(),
            Form::Client => self.client.is_some(),
            Form::Session | Form::Memory if case.scheme() == "tcp" => self.serve_lines.is_some(),
            Form::Session | Form::Memory => self.upgrades,
        }
    }
}
