//! Load generator: many concurrent clients that record every call.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::http::{Connection, Outcome};

/// How a client uses connections.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Style {
    /// A new connection for each call.
    Close,
    /// The same connection for as long as the server keeps it open.
    KeepAlive,
}

/// The record of one call.
#[derive(Clone, Debug)]
pub struct Call {
    pub client: usize,
    pub began: Instant,
    pub ended: Instant,
    pub outcome: Outcome,
}

/// Clients that call until they are stopped. They continue when connections are refused.
#[derive(Debug)]
pub struct Load {
    stop: Arc<AtomicBool>,
    clients: Vec<JoinHandle<Vec<Call>>>,
}

impl Load {
    /// Starts clients that call `sleep`, half of them in each style. After a refused connection, a
    /// client waits briefly and tries again.
    pub fn start(address: SocketAddr, clients: usize, milliseconds: u64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let client = |number: usize| {
            let stop = Arc::clone(&stop);
            let style = if number.is_multiple_of(2) {
                Style::Close
            } else {
                Style::KeepAlive
            };
            std::thread::spawn(move || run(address, number, style, milliseconds, &stop))
        };
        let clients = (0..clients).map(client).collect();
        Self { stop, clients }
    }

    /// Stops the clients after their current calls, and returns the records of all calls.
    pub fn stop(self) -> Tally {
        self.stop.store(true, Ordering::SeqCst);
        let calls = self
            .clients
            .into_iter()
            .flat_map(|client| client.join().unwrap_or_default());
        Tally(calls.collect())
    }
}

fn run(
    address: SocketAddr,
    client: usize,
    style: Style,
    milliseconds: u64,
    stop: &AtomicBool,
) -> Vec<Call> {
    let params = json!([milliseconds]);
    let mut calls = Vec::new();
    let mut kept: Option<Connection> = None;
    while !stop.load(Ordering::SeqCst) {
        let began = Instant::now();
        let opened = match kept.take() {
            Some(connection) => Ok(connection),
            None => Connection::open(address),
        };
        let outcome = match opened {
            Ok(mut connection) => {
                let close = style == Style::Close;
                let outcome = connection.call("sleep", &params, close, "");
                if !close && !connection.closes && matches!(outcome, Outcome::Answered(_)) {
                    kept = Some(connection);
                }
                outcome
            }
            Err(_) => Outcome::Refused,
        };
        let refused = outcome == Outcome::Refused;
        calls.push(Call {
            client,
            began,
            ended: Instant::now(),
            outcome,
        });
        if refused {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
    calls
}

/// The records of all calls.
#[derive(Clone, Debug)]
pub struct Tally(pub Vec<Call>);

impl Tally {
    pub fn answered(&self) -> usize {
        self.count(|outcome| matches!(outcome, Outcome::Answered(_)))
    }

    pub fn failed(&self) -> usize {
        self.count(|outcome| matches!(outcome, Outcome::Failed(..)))
    }

    pub fn refused(&self) -> usize {
        self.count(|outcome| *outcome == Outcome::Refused)
    }

    pub fn lost(&self) -> Vec<&Call> {
        let lost = |call: &&Call| matches!(call.outcome, Outcome::Lost(_));
        self.0.iter().filter(lost).collect()
    }

    fn count(&self, which: impl Fn(&Outcome) -> bool) -> usize {
        self.0.iter().filter(|call| which(&call.outcome)).count()
    }

    /// The count of responses per process.
    pub fn by_process(&self) -> std::collections::BTreeMap<u64, usize> {
        let mut processes = std::collections::BTreeMap::new();
        for call in &self.0 {
            if let Outcome::Answered(Value::Number(pid)) = &call.outcome {
                *processes
                    .entry(pid.as_u64().unwrap_or_default())
                    .or_default() += 1;
            }
        }
        processes
    }

    /// A percentile of the latencies of answered calls; `share` is a fraction.
    pub fn latency(&self, share: f64) -> Duration {
        let answered = self
            .0
            .iter()
            .filter(|call| matches!(call.outcome, Outcome::Answered(_)));
        let mut took: Vec<_> = answered.map(|call| call.ended - call.began).collect();
        took.sort();
        let at = (took.len() as f64 * share) as usize;
        took.get(at.min(took.len().saturating_sub(1)))
            .copied()
            .unwrap_or_default()
    }
}
