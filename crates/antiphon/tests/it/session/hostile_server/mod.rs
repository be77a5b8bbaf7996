//! Tests with a hostile server: every call ends with the right outcome, and no response reaches the
//! wrong call.

mod batches;
mod calls;
mod floods;
mod streams;

use std::net::SocketAddr;
use std::time::Duration;

use antiphon::client::{Client, ClientBuilder, Error, ErrorKind};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::raw::{RawPeer, TEST_TIMEOUT, result};

/// The timeout of calls that are never answered.
pub(super) const SHORT: Duration = Duration::from_millis(150);

pub(super) async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

pub(super) fn client(address: SocketAddr) -> ClientBuilder {
    Client::builder(format!("tcp://{address}")).timeout(TEST_TIMEOUT)
}

/// From now on answers every request with 7, and ignores other messages.
pub(super) async fn behave(peer: &mut RawPeer) {
    while let Some(line) = peer.line().await {
        let message: Value = serde_json::from_str(&line).unwrap();
        let wants = message.get("method").is_some() && message.get("id").is_some();
        if wants {
            peer.say([result(&message["id"].to_string(), "7")]).await;
        }
    }
}

/// The outcome of a call.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Outcome {
    Is(i64),
    Refused(i64),
    /// The call was sent, and the connection ended.
    Closed,
    /// The call was sent, and timed out.
    Late,
    /// The call was sent, and got an invalid response.
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
        ErrorKind::Refused(error) => Outcome::Refused(error.code().0),
        ErrorKind::NotSent => Outcome::NotSent,
        ErrorKind::Unknown if error.is_closed() => Outcome::Closed,
        ErrorKind::Unknown if error.is_timeout() => Outcome::Late,
        ErrorKind::Unknown if error.is_invalid_answer() => Outcome::Senseless,
        _ => Outcome::Other,
    }
}

/// A server that reads one message and sends `part` (`$ID` is the id of the call). Then it answers
/// further calls, or closes the connection.
pub(super) fn actor(listener: TcpListener, part: Vec<u8>, goes_on: bool) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut peer = RawPeer::accept(&listener).await;
        let first = peer.next().await;
        peer.send(with_id(&part, &first["id"].to_string())).await;
        if goes_on {
            behave(&mut peer).await;
        }
    })
}

/// Replaces `$ID` by the id.
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
