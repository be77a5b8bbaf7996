//! Requests in flight of a caller, by what the subjects of their responses end with.

use std::collections::{HashMap, HashSet};
use std::error::Error;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_nats::Subject;
use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// Why there is no response.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Failure {
    /// There is no connection to the broker now.
    Away,
    /// It is larger than the broker allows: the most bytes.
    TooLarge(usize),
    /// The name of the method is too long for a subject.
    LongName,
    /// The connection to the broker was lost.
    Lost,
    /// No server has shown for too long that it runs.
    Silent,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Away => f.write_str("the NATS server is away"),
            Self::TooLarge(max) => write!(f, "the NATS server takes {max} bytes at most"),
            Self::LongName => f.write_str("the name of the method is too long"),
            Self::Lost => f.write_str("the connection to the NATS server was lost"),
            Self::Silent => f.write_str("no server shows that it runs the call"),
        }
    }
}

impl Error for Failure {}

/// The requests in flight, by what the subjects of their responses end with; and what was served.
#[derive(Default)]
pub(super) struct Table {
    waiting: Mutex<HashMap<u64, Waiting>>,
    /// Subscriptions of servers that have answered.
    served: Mutex<HashSet<String>>,
}

/// The most namespaces and single methods whose servers are remembered.
const MAX_SERVED: usize = 4096;

/// What is told of the answer to a request.
pub(super) type Answering = oneshot::Receiver<Result<Answer, Failure>>;

/// A request in flight.
struct Waiting {
    answer: oneshot::Sender<Result<Answer, Failure>>,
    /// When a server has last shown that it runs.
    seen: Instant,
    /// Where it can be cancelled, once that is known.
    control: Option<Subject>,
}

/// What has come on the inbox.
pub(super) enum Answer {
    Response(Bytes),
    NobodyServes,
}

impl Table {
    /// A server shows that it runs a request. Returns whether somebody waits for it.
    pub(super) fn beat(&self, key: u64, control: Option<Subject>) -> bool {
        let mut table = self.waiting();
        let Some(waiting) = table.get_mut(&key) else {
            return false;
        };
        waiting.seen = Instant::now();
        waiting.control = control;
        true
    }

    /// The answer to a request has come.
    pub(super) fn settle(&self, key: u64, answer: Answer) {
        let waiting = self.waiting().remove(&key);
        if let Some(waiting) = waiting {
            let _ = waiting.answer.send(Ok(answer));
        }
    }

    /// No answer will come to what is in flight.
    pub(super) fn lose_all(&self) {
        let lost = std::mem::take(&mut *self.waiting());
        for waiting in lost.into_values() {
            let _ = waiting.answer.send(Err(Failure::Lost));
        }
    }

    pub(super) fn note_served(&self, service: String) {
        let mut served = self.served.lock().unwrap_or_else(PoisonError::into_inner);
        if served.len() < MAX_SERVED {
            served.insert(service);
        }
    }

    pub(super) fn was_served(&self, service: &str) -> bool {
        let served = self.served.lock().unwrap_or_else(PoisonError::into_inner);
        served.contains(service)
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<u64, Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place for a request, under the first of these keys that is free. Returns the key, what is
    /// told of the answer, and the time.
    pub(super) fn add(&self, mut key: impl FnMut() -> u64) -> (u64, Answering, Instant) {
        let mut table = self.waiting();
        let key = loop {
            let key = key();
            if !table.contains_key(&key) {
                break key;
            }
        };
        let (answer, receiver) = oneshot::channel();
        let seen = Instant::now();
        let waiting = Waiting {
            answer,
            seen,
            control: None,
        };
        table.insert(key, waiting);
        (key, receiver, seen)
    }

    /// When a server has last shown that it runs a request; `None` if that is answered.
    pub(super) fn seen(&self, key: u64) -> Option<Instant> {
        self.waiting().get(&key).map(|waiting| waiting.seen)
    }

    /// Gives up a request. Returns where it can be cancelled, if it has no answer and that is known.
    pub(super) fn remove(&self, key: u64) -> Option<Subject> {
        self.waiting().remove(&key)?.control
    }
}
