//! The same methods behind two servers: `antiphon` and `jsonrpsee`, each on a free port of loopback.

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

/// A server that stops when this is dropped.
pub struct Site {
    pub url: String,
    pub address: SocketAddr,
    /// What the method `note` was told, in order.
    pub noted: UnboundedReceiver<String>,
    pub seen: Seen,
    stop: Option<Box<dyn FnOnce() + Send>>,
}

impl Site {
    /// The same port for WebSockets.
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

/// What a server has seen of calls that wait and of streams.
#[derive(Clone, Default)]
pub struct Seen {
    /// How many have begun.
    pub begun: Tally,
    /// How many are gone, finished or not.
    pub gone: Tally,
}

/// What the error of `divide` carries.
#[derive(Debug, Deserialize, Serialize, PartialEq, Eq)]
pub struct Dividend {
    pub dividend: i64,
}

/// Code and message of that error.
pub const DIVISION: (i32, &str) = (1, "division by zero");

fn note(noted: &UnboundedSender<String>, text: String) {
    // A test that does not listen has no use for it.
    let _ = noted.send(text);
}
