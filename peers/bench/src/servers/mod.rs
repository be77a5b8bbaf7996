//! Benchmark peers, one per file: how to serve, how to answer without a socket, and how its client
//! calls. A new peer is a new file with a `PEER`, and an entry in [`PEERS`].

mod ajj;
mod antiphon;
mod floor;
mod floor_fanout;
mod floor_session;
mod jsonrpsee;
pub(crate) mod program;
mod tarpc;
mod tonic;

use std::future::Future;
use std::pin::Pin;

use tokio::net::TcpListener;

use crate::Failure;
use crate::cases::{Case, Form, Setup};
use crate::client::Caller;
use crate::window::{LocalFuture, Plan, Sample};

/// All peers in the order of the table's rows.
const PEERS: [Peer; 8] = [
    floor::PEER,
    antiphon::PEER,
    program::PEER,
    jsonrpsee::PEER,
    ajj::PEER,
    tonic::PEER,
    tarpc::WITH_JSON,
    tarpc::WITH_BINCODE,
];

/// The peer with the minimal work, which is a lower bound for all others.
pub(crate) const FLOOR: Peer = floor::PEER;

/// The peers of the short table: the library, the tool, and what both are compared with.
pub(crate) const README: [Peer; 3] = [antiphon::PEER, program::PEER, jsonrpsee::PEER];

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

/// The load generator of a peer with a protocol of its own: its own clients.
#[derive(Clone, Copy)]
pub(crate) struct OwnLoad {
    /// The cases whose load it can make, and the only ones of the peer.
    pub(crate) cases: &'static [Case],
    /// Opens one connection to an address, on which many calls can be in flight.
    pub(crate) connect: fn(String) -> LocalFuture<'static, Result<Caller, Failure>>,
}

/// A peer, with the forms in which it can be measured.
#[derive(Clone, Copy)]
pub(crate) struct Peer {
    /// The name on the command line and in the table.
    pub(crate) name: &'static str,
    /// Serves `calc.add`, `len`, `echo` and `blob` at `/`. The floor takes its fixed response from the
    /// case, and Antiphon what `items` is.
    pub(crate) serve: fn(TcpListener, Case) -> Serving,
    /// Whether it serves HTTP.
    pub(crate) http: bool,
    /// Whether the HTTP port supports the upgrade to WebSocket.
    pub(crate) upgrades: bool,
    /// Whether `items` is a subscription to what `publish` publishes, over WebSocket.
    pub(crate) publishes: bool,
    /// Whether it is the program `antiphon`, which runs in a process of its own.
    pub(crate) program: bool,
    /// Serves the same methods with newline framing, on a port that it binds itself.
    pub(crate) serve_lines: Option<ServeLines>,
    /// The load generator, if the common ones do not speak the protocol.
    pub(crate) own_load: Option<OwnLoad>,
    /// Answers [`CALL`](crate::cases::CALL) this many times, from bytes to bytes on one thread, and
    /// checks each response.
    pub(crate) in_process: Option<fn(u64) -> Result<(), Failure>>,
    /// Creates a client; called on a current-thread runtime.
    pub(crate) client: Option<Connect>,
    /// Measures 64 concurrent calls over one WebSocket to the URL.
    pub(crate) ws_client: Option<MeasureWs>,
}

/// Names are unique.
impl PartialEq for Peer {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Peer {
    /// A peer that supports nothing.
    pub(crate) const fn without(name: &'static str) -> Self {
        Self {
            name,
            serve: |_, _| Box::pin(async { Err("this peer has no HTTP".into()) }),
            http: false,
            upgrades: false,
            publishes: false,
            program: false,
            serve_lines: None,
            own_load: None,
            in_process: None,
            client: None,
            ws_client: None,
        }
    }

    pub(crate) fn all() -> [Self; PEERS.len()] {
        PEERS
    }

    pub(crate) fn named(name: &str) -> Result<Self, Failure> {
        PEERS
            .into_iter()
            .find(|peer| peer.name == name)
            .ok_or_else(|| format!("there is no peer {name:?}").into())
    }

    /// Whether this peer has a row in the case.
    pub(crate) fn offers(&self, case: Case) -> bool {
        if let Some(own) = self.own_load {
            return own.cases.contains(&case);
        }
        if let Setup::Workers(_) = case.setup() {
            return self.program;
        }
        match case.form() {
            Form::Http => self.http,
            Form::Turns | Form::Relay => self.program,
            Form::InProcess => self.in_process.is_some(),
            Form::Client if case == Case::Client64 => self.ws_client.is_some(),
            Form::Client => self.client.is_some(),
            Form::Fanout => self.publishes || self.program,
            Form::Session | Form::Memory if case.scheme() == "tcp" => {
                self.serve_lines.is_some() || self.program
            }
            Form::Session | Form::Memory => self.upgrades,
        }
    }

    /// Whether this peer lacks the method that the case calls, so that its row is empty.
    pub(crate) fn lacks(&self, case: Case) -> bool {
        self.program && program::lacks(case)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_has_peers_and_each_peer_only_its_own() {
        for case in Case::all() {
            assert!(PEERS.iter().any(|peer| peer.offers(case)), "{case:?}");
        }
        let check = |peer: &str, case: &str, offers: bool, lacks: bool| {
            let (peer, case) = (Peer::named(peer).unwrap(), Case::named(case).unwrap());
            let found = (peer.offers(case), peer.lacks(case));
            assert_eq!(found, (offers, lacks), "{} {case:?}", peer.name);
        };
        check("antiphon-serve", "call", true, false);
        check("antiphon-serve", "result1m", true, true);
        check("antiphon-serve", "inprocess", false, false);
        check("antiphon-serve", "topic20", true, false);
        check("jsonrpsee", "topic1", true, false);
        check("ajj", "topic1", false, false);
        check("antiphon-serve", "crowd", true, false);
        check("jsonrpsee", "crowd", false, false);
        check("antiphon-serve", "relay1", true, false);
        check("antiphon-serve", "tcp64", true, false);
        check("antiphon-serve", "scale-100-w2", true, false);
        check("jsonrpsee", "scale-100-t2", true, false);
        check("jsonrpsee", "scale-100-w1", false, false);
        check("jsonrpsee", "tcp64", false, false);
        check("tonic", "ws64", true, false);
        check("tonic", "idle", false, false);
        check("tarpc-json", "tcp1", true, false);
        check("tarpc-bincode", "call", false, false);
    }
}
