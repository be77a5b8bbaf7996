//! Test servers with the same methods in `antiphon` and `jsonrpsee`, each on a free loopback port.

pub mod antiphon_server;
pub mod jsonrpsee_server;
pub mod session_methods;
pub mod tally;

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

use crate::tally::Tally;

/// Any failure.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A running server. Dropping it stops the server.
pub struct Site {
    pub url: String,
    pub address: SocketAddr,
    /// The arguments of all calls of `note`, in order.
    pub noted: UnboundedReceiver<String>,
    pub seen: Seen,
    stop: Option<Box<dyn FnOnce() + Send>>,
}

impl Site {
    /// The URL of the same port for WebSockets.
    #[must_use]
    pub fn web_socket(&self) -> String {
        format!("ws://{}", self.address)
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            stop();
        }
    }
}

/// Counters of waiting calls and of streams.
#[derive(Clone, Default)]
pub struct Seen {
    /// Started.
    pub begun: Tally,
    /// Ended, whether finished or cancelled.
    pub gone: Tally,
}

/// The data in the error of `divide`.
#[derive(Debug, Deserialize, Serialize, PartialEq, Eq)]
pub struct Dividend {
    pub dividend: i64,
}

/// Code and message of the error of `divide`.
pub const DIVISION: (i32, &str) = (1, "division by zero");

fn note(noted: &UnboundedSender<String>, text: String) {
    // A test that ignores notes has dropped the receiver.
    let _ = noted.send(text);
}
