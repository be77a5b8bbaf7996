//! Cases of workers: how evenly connections are spread over the worker processes of a server.

use std::fmt;

/// Count of worker processes.
pub(super) const WORKERS: usize = 4;

/// Connections to a server with four workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Turns {
    pub(crate) connections: usize,
    /// Whether they are opened at once; otherwise one by one, each after a call on the one before.
    pub(crate) at_once: bool,
}

impl Turns {
    pub(crate) const ALL: [Self; 3] = [
        Self::new(400, true),
        Self::new(400, false),
        Self::new(16, true),
    ];

    const fn new(connections: usize, at_once: bool) -> Self {
        Self {
            connections,
            at_once,
        }
    }
}

/// `turns-burst400` is 400 connections at once, `turns-single400` one by one.
impl fmt::Display for Turns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = if self.at_once { "burst" } else { "single" };
        write!(f, "turns-{how}{}", self.connections)
    }
}
