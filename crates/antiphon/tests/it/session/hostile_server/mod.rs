//! A server that breaks the rules: every call ends, with what is known of it, and no answer reaches
//! a call that it does not belong to.

mod batches;
mod calls;
mod streams;

use std::net::SocketAddr;
use std::time::Duration;

use antiphon::client::{Client, ClientBuilder, Error, Kind};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::raw::{PATIENCE, Raw, result};

/// Short enough for what is never answered.
pub(super) const SHORT: Duration = Duration::from_millis(150);

pub(super) async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

pub(super) fn client(address: SocketAddr) -> ClientBuilder {
    Client::builder(format!("tcp://{address}")).timeout(PATIENCE)
}

/// Answers what is asked with 7 from now on, and passes over what else comes.
pub(super) async fn behave(peer: &mut Raw) {
    while let Some(line) = peer.line().await {
        let message: Value = serde_json::from_str(&line).unwrap();
        let wants = message.get("method").is_some() && message.get("id").is_some();
        if wants {
            peer.say([result(&message["id"].to_string(), "7")]).await;
        }
    }
}

/// What a call has come to.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Outcome {
    Is(i64),
    Refused(i64),
    /// Sent, and the connection ended.
    Closed,
    /// Sent, and the time was over.
    Late,
    /// Sent, and what came was no answer.
    Senseless,
    NotSent,
    Other,
}

pub(super) fn outcome(result: Result<i64, Error>) -> Outcome {
    let error = match result {
        Ok(value) => return Outcome::Is(value),
        Err(error) => error,
    };
    match error.kind() {
        Kind::Refused(error) => Outcome::Refused(error.code().0),
        Kind::NotSent => Outcome::NotSent,
        Kind::Unknown if error.is_closed() => Outcome::Closed,
        Kind::Unknown if error.is_timeout() => Outcome::Late,
        Kind::Unknown if error.is_invalid_answer() => Outcome::Senseless,
        _ => Outcome::Other,
    }
}

/// A server that reads one message, says its part (`$ID` is the id of the call) and goes on, or
/// closes after it.
pub(super) fn actor(listener: TcpListener, part: Vec<u8>, goes_on: bool) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut peer = Raw::accept(&listener).await;
        let first = peer.next().await;
        peer.send(with_id(&part, &first["id"].to_string())).await;
        if goes_on {
            behave(&mut peer).await;
        }
    })
}

/// The same bytes with the id where `$ID` stands.
pub(super) fn with_id(part: &[u8], id: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = part;
    while let Some(at) = rest.windows(3).position(|w| w == b"$ID") {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(id.as_bytes());
        rest = &rest[at + 3..];
    }
    out.extend_from_slice(rest);
    out
}
