//! Requests in flight of a caller, by what the subjects of their responses end with.

use std::collections::{HashMap, HashSet};
use std::error::Error;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

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
    /// No server of the method is there for a session. Whether one was before.
    Unserved { was_served: bool },
    /// The server has no room for another session, or does not believe who asks for one.
    Refused,
    /// The identity of the caller is too long to be passed on.
    LongIdentity,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Away => f.write_str("the NATS server is away"),
            Self::TooLarge(max) => write!(f, "the NATS server takes {max} bytes at most"),
            Self::LongName => f.write_str("the name of the method is too long"),
            Self::Lost => f.write_str("the connection to the NATS server was lost"),
            Self::Silent => f.write_str("no server shows that it runs the call"),
            Self::Unserved { .. } => f.write_str("no server of this method is there now"),
            Self::Refused => f.write_str("the server has refused the session"),
            Self::LongIdentity => f.write_str("the identity of the caller is too long"),
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
    /// The subject of the last answer: mostly the next one is of the same.
    last: Mutex<String>,
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

    /// A server has answered on this subject, which belongs to the subscription `service`.
    pub(super) fn note_served(&self, subject: &str, service: impl FnOnce() -> String) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if *last == subject {
            return;
        }
        subject.clone_into(&mut last);
        drop(last);
        let mut served = self.served.lock().unwrap_or_else(PoisonError::into_inner);
        if served.len() < MAX_SERVED {
            served.insert(service());
        }
    }

    /// Gives up requests about which servers have been silent for this long. Returns where they can be
    /// cancelled.
    pub(super) fn give_up_silent(&self, silence: Duration) -> Vec<Subject> {
        let now = Instant::now();
        let mut waiting = self.waiting();
        let silent =
            waiting.extract_if(|_, waiting| now.saturating_duration_since(waiting.seen) >= silence);
        let silent: Vec<_> = silent.collect();
        drop(waiting);
        let give_up = |(_, waiting): (u64, Waiting)| {
            let _ = waiting.answer.send(Err(Failure::Silent));
            waiting.control
        };
        silent.into_iter().filter_map(give_up).collect()
    }

    /// Whether servers of this subscription were there.
    pub(super) fn was_served(&self, service: &str) -> bool {
        let served = self.served.lock().unwrap_or_else(PoisonError::into_inner);
        served.contains(service)
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<u64, Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place for a request, under the first of these keys that is free. Returns the key, and what is
    /// told of the answer.
    pub(super) fn add(&self, mut key: impl FnMut() -> u64) -> (u64, Answering) {
        let mut table = self.waiting();
        let key = loop {
            let key = key();
            if !table.contains_key(&key) {
                break key;
            }
        };
        let (answer, receiver) = oneshot::channel();
        let waiting = Waiting {
            answer,
            seen: Instant::now(),
            control: None,
        };
        table.insert(key, waiting);
        (key, receiver)
    }

    /// Gives up a request. Returns where it can be cancelled, if it has no answer and that is known.
    pub(super) fn remove(&self, key: u64) -> Option<Subject> {
        self.waiting().remove(&key)?.control
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::advance;

    use super::*;

    /// What has become of a request.
    fn outcome(answer: &mut Answering) -> &'static str {
        match answer.try_recv() {
            Ok(Ok(Answer::Response(_))) => "response",
            Ok(Ok(Answer::NobodyServes)) => "nobody",
            Ok(Err(Failure::Lost)) => "lost",
            Ok(Err(_)) => "failed",
            Err(oneshot::error::TryRecvError::Empty) => "waits",
            Err(oneshot::error::TryRecvError::Closed) => "gone",
        }
    }

    #[tokio::test]
    async fn a_request_has_one_answer_whatever_comes_later() {
        type Step = fn(&Table);
        let response: Step = |table| table.settle(7, Answer::Response(Bytes::new()));
        let nobody: Step = |table| table.settle(7, Answer::NobodyServes);
        let other: Step = |table| table.settle(8, Answer::NobodyServes);
        let lose: Step = Table::lose_all;
        let give_up: Step = |table| drop(table.remove(7));
        let check = |steps: &[Step], expected: &str| {
            let table = Table::default();
            let (key, mut answer) = table.add(|| 7);
            assert_eq!(key, 7);
            steps.iter().for_each(|step| step(&table));
            assert_eq!(outcome(&mut answer), expected);
        };
        check(&[], "waits");
        check(&[other], "waits");
        check(&[response], "response");
        check(&[nobody, response], "nobody");
        check(&[lose, response], "lost");
        check(&[response, lose], "response");
        check(&[give_up, response], "gone");
    }

    #[tokio::test(start_paused = true)]
    async fn a_beat_counts_for_a_request_that_somebody_waits_for() {
        let table = Table::default();
        let silence = Duration::from_secs(2);
        let (key, mut answer) = table.add(|| 7);
        let (_, mut silent) = table.add(|| 9);
        advance(Duration::from_secs(1)).await;
        assert!(!table.beat(8, None));
        let control = Subject::from("shop.ctl.x.y");
        assert!(table.beat(key, Some(control.clone())));
        assert_eq!(table.give_up_silent(silence), []);
        advance(Duration::from_secs(1)).await;
        // Nobody knows where the other one could be cancelled.
        assert_eq!(table.give_up_silent(silence), []);
        assert_eq!(
            (outcome(&mut answer), outcome(&mut silent)),
            ("waits", "failed")
        );
        advance(Duration::from_secs(1)).await;
        assert_eq!(table.give_up_silent(silence), [control]);
        assert_eq!(outcome(&mut answer), "failed");
        assert!(!table.beat(key, None));
        assert_eq!(table.remove(key), None);
    }

    #[tokio::test]
    async fn a_key_is_not_given_twice() {
        let table = Table::default();
        let mut keys = [7, 7, 7, 8].into_iter();
        let (first, _one) = table.add(|| keys.next().unwrap());
        let (second, _other) = table.add(|| keys.next().unwrap());
        assert_eq!((first, second), (7, 8));
    }
}
