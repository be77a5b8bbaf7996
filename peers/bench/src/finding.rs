//! Result of one measurement, which a child process sends to `bench run`.

use std::error::Error;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Failure;
use crate::window::Sample;

/// The result of one measurement.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Finding {
    /// CPU time per call.
    Cpu(Sample),
    /// Memory usage of the server.
    Memory(Memory),
    /// Connections of each worker of a server.
    Turns(Vec<usize>),
    /// Items from one worker to another.
    Relay(Relay),
    /// The peer does not support the transport of the case. It is a row of the table, not a
    /// failure.
    Refused(String),
}

/// Memory usage of a server. Each case defines what it refers to.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Memory {
    pub(crate) kib: f64,
    /// The figure after one small call on each connection.
    pub(crate) called_kib: Option<f64>,
    /// When the server cut the connection; `None` if it did not, or if the case does not measure
    /// it.
    pub(crate) cut_seconds: Option<f64>,
}

/// Items from a connection at one worker to a connection at another.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Relay {
    pub(crate) items_per_second: f64,
    /// From the request to the item.
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    /// CPU time of an item.
    pub(crate) supervisor_us: f64,
    pub(crate) workers_us: f64,
}

impl Finding {
    /// Turns a refusal into a finding; every other failure remains one.
    pub(crate) fn of(result: Result<Self, Failure>) -> Result<Self, Failure> {
        match result {
            Err(failure) => match failure.downcast::<Refused>() {
                Ok(refused) => Ok(Self::Refused(refused.0)),
                Err(failure) => Err(failure),
            },
            found => found,
        }
    }

    /// Prints the finding as one line of JSON.
    pub(crate) fn print(&self) -> Result<(), Failure> {
        println!("{}", serde_json::to_string(self)?);
        Ok(())
    }
}

/// The failure of a peer that does not support the case, with the reason.
#[derive(Debug)]
pub(crate) struct Refused(pub(crate) String);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "refused: {}", self.0)
    }
}

impl Error for Refused {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_found_and_a_failure_is_not() {
        let refusal: Failure = Refused("404".into()).into();
        assert!(matches!(Finding::of(Err(refusal)), Ok(Finding::Refused(why)) if why == "404"));
        Finding::of(Err("broken".into())).unwrap_err();
    }
}
