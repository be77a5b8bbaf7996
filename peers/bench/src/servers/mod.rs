//! The peers. One file each: how it serves, how it answers without a socket, how its client
//! calls. A new peer is a new file with a `PEER`, and its line in [`PEERS`].

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

/// All peers, in the order of the table's rows.
const PEERS: [Peer; 4] = [floor::PEER, antiphon::PEER, jsonrpsee::PEER, ajj::PEER];

/// The peer that does nothing: what no server can be faster than.
pub(crate) const FLOOR: Peer = floor::PEER;

/// A server that runs until its process ends.
pub(crate) type Serving = Pin<Box<dyn Future<Output = Result<(), Failure>>>>;

/// A port that listens, and the server behind it.
pub(crate) type Listening = (u16, Serving);

/// Makes a client of the server at a URL.
pub(crate) type Connect = fn(&str) -> Result<Caller, Failure>;

/// Binds a port of its own and serves lines there.
pub(crate) type ServeLines = fn(Case) -> LocalFuture<'static, Result<Listening, Failure>>;

/// Measures a WebSocket client of the server at a URL.
pub(crate) type MeasureWs = fn(String, Plan) -> LocalFuture<'static, Result<Sample, Failure>>;

/// One thing that can be measured, in the ways it can be.
#[derive(Clone, Copy)]
pub(crate) struct Peer {
    /// The name on the command line and in the table.
    pub(crate) name: &'static str,
    /// Serves `calc.add`, `len`, `echo` and `blob` over HTTP at `/`, inside a current-thread
    /// runtime. Only the floor looks at the case: it has nothing else to answer from.
    pub(crate) serve: fn(TcpListener, Case) -> Serving,
    /// Whether the same port takes the upgrade to WebSocket.
    pub(crate) upgrades: bool,
    /// Serves the same with a newline behind each message, on a port that it binds itself.
    pub(crate) serve_lines: Option<ServeLines>,
    /// Answers [`CALL`](crate::cases::CALL) so many times in a row, bytes to bytes on one
    /// thread, and checks each answer.
    pub(crate) in_process: Option<fn(u64) -> Result<(), Failure>>,
    /// Called inside a current-thread runtime.
    pub(crate) client: Option<Connect>,
    /// Measures 64 calls at a time over one WebSocket to the URL.
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

    /// Whether this peer has a form for the case.
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
