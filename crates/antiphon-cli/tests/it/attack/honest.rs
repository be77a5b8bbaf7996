//! Callers that ask for little and want an answer, whatever others do.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

use crate::wire::{Peer, Place, Protocol, call};

/// Calls on one connection, before the next one is opened.
const PER_CONNECTION: usize = 10;

/// What happened to the calls.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) calls: usize,
    /// Those without their answer, and what came instead.
    pub(crate) failures: Vec<String>,
    /// The longest that a call took, with its connection.
    pub(crate) worst: Duration,
}

impl Report {
    pub(crate) fn add(&mut self, other: Self) {
        self.calls += other.calls;
        self.failures.extend(other.failures);
        self.worst = self.worst.max(other.worst);
    }
}

/// Threads that call `echo` until they are told to stop.
pub(crate) struct Honest {
    ended: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Report>>,
}

impl Honest {
    /// Starts one caller for each of these.
    pub(crate) fn start(callers: Vec<(Place, Protocol)>) -> Self {
        let ended = Arc::new(AtomicBool::new(false));
        let threads = callers.into_iter().map(|(place, protocol)| {
            let ended = Arc::clone(&ended);
            spawn(move || {
                let mut report = Report::default();
                while !ended.load(Ordering::Relaxed) {
                    report.add(connection(&place, protocol, &ended));
                }
                report
            })
        });
        Self {
            threads: threads.collect(),
            ended,
        }
    }

    pub(crate) fn stop(self) -> Report {
        self.ended.store(true, Ordering::Relaxed);
        let mut report = Report::default();
        for thread in self.threads {
            report.add(thread.join().unwrap());
        }
        report
    }
}

/// Some calls on one connection.
fn connection(place: &Place, protocol: Protocol, ended: &AtomicBool) -> Report {
    let mut report = Report::default();
    let mut begin = Instant::now();
    let mut peer = Peer::connect(place, protocol);
    for id in 0..PER_CONNECTION {
        let outcome = match &mut peer {
            Ok(peer) => ask(peer, id),
            Err(error) => Err(io::Error::other(format!("no connection: {error}"))),
        };
        report.calls += 1;
        report.worst = report.worst.max(begin.elapsed());
        if let Err(error) = outcome {
            let name = format!("{protocol:?} at {place:?}, call {id}");
            report.failures.push(format!("{name}: {error}"));
            break;
        }
        let is_last = peer.as_ref().is_ok_and(Peer::is_last);
        if is_last || ended.load(Ordering::Relaxed) {
            break;
        }
        sleep(Duration::from_millis(10));
        begin = Instant::now();
    }
    report
}

/// One call, whose answer has to be the right one.
pub(crate) fn ask(peer: &mut Peer, id: usize) -> io::Result<()> {
    let text = format!("\"honest {id} {}\"", "ü".repeat(id % 50));
    let answer = peer.ask(&call(id, "echo", &format!("[{text}]")))?;
    let expected = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{text}}}"#);
    match answer == expected {
        true => Ok(()),
        false => Err(io::Error::other(answer)),
    }
}
