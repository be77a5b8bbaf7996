//! Cases of scale: the cost of a call, by the count of connections and of threads or workers.

use std::fmt;

/// The counts of connections. Loopback has about 28,000 ports, and a server 10,000 connections.
const CONNECTIONS: [usize; 5] = [1, 10, 100, 1_000, 8_000];

/// How a server uses several cores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Setup {
    /// One process whose runtime has so many threads.
    Threads(usize),
    /// So many worker processes with one thread each.
    Workers(usize),
}

impl Setup {
    const ALL: [Self; 4] = [
        Self::Threads(1),
        Self::Threads(2),
        Self::Workers(1),
        Self::Workers(2),
    ];

    /// Count of cores that the server can use.
    pub(crate) fn cores(self) -> usize {
        match self {
            Self::Threads(count) | Self::Workers(count) => count,
        }
    }
}

/// Calls on HTTP connections, one in flight on each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scale {
    pub(crate) connections: usize,
    pub(crate) setup: Setup,
}

impl Scale {
    pub(crate) fn all() -> Vec<Self> {
        let with = |setup| CONNECTIONS.map(|connections| Self { connections, setup });
        Setup::ALL.into_iter().flat_map(with).collect()
    }
}

/// `scale-100-t2` is 100 connections to a server with two threads, `w2` with two workers.
impl fmt::Display for Scale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (letter, count) = match self.setup {
            Setup::Threads(count) => ('t', count),
            Setup::Workers(count) => ('w', count),
        };
        write!(f, "scale-{}-{letter}{count}", self.connections)
    }
}
