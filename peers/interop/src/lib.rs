//! The same methods behind two servers: `antiphon` and `jsonrpsee`, each on a free port of loopback.

pub mod antiphon_server;
pub mod jsonrpsee_server;

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

/// Any failure.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A server that stops when this is dropped.
pub struct Site {
    pub url: String,
    /// What the method `note` was told, in order.
    pub noted: UnboundedReceiver<String>,
    stop: Option<Box<dyn FnOnce() + Send>>,
}

impl Drop for Site {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            stop();
        }
    }
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
