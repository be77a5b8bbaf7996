//! Reference model of a client's session: the expected outcomes of calls, without sockets and time.

use std::collections::HashMap;

use antiphon_proto::message::{Invalid, Likeness};
use antiphon_proto::{Entry, Incoming, Rejection, Request, Response};
use bytes::Bytes;
use serde_json::value::RawValue;

use crate::client::SUBSCRIBE;
use crate::ledger::{MAX_UNMATCHED, read};
use crate::model::{Members, decoded};

/// The outcome of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CallOutcome {
    Result(String),
    Error(String),
    /// The response was invalid.
    Malformed,
    /// The connection ended before the response.
    Lost,
}

#[derive(Default)]
pub(crate) struct Expected {
    /// The pending calls, with the numbers of their messages.
    waiting: Vec<(usize, String)>,
    /// Dropped calls: a late response to one of them is not a violation.
    given_up: Vec<String>,
    told: HashMap<String, CallOutcome>,
    strangers: usize,
    subscription: Option<Subscription>,
    /// The server has sent something that this model does not cover.
    inexact: bool,
}

struct Subscription {
    id: String,
    items: Vec<String>,
    over: bool,
}

impl Expected {
    /// The expected outcomes for the messages that a client has sent.
    pub(crate) fn of(messages: &[Bytes]) -> Self {
        let mut this = Self::default();
        for (number, message) in messages.iter().enumerate() {
            match read(message).expect("the client's own message") {
                Incoming::Batch(entries) => {
                    for entry in entries {
                        this.call(number, &entry);
                    }
                }
                Incoming::Single(entry) => this.call(number, &entry),
            }
        }
        this
    }

    fn call(&mut self, number: usize, entry: &Entry) {
        let Entry::Request(request) = entry else {
            panic!("a client says {entry:?}");
        };
        if let Some(id) = request.id() {
            self.waiting.push((number, id.to_owned()));
            return;
        }
        if request.method() == "$/cancelRequest" {
            let params: &RawValue = serde_json::from_str(request.params().unwrap_or_default())
                .expect("parameters are JSON");
            let Members(members) = decoded(params);
            let id = members[0].1.get();
            let at = self.waiting.iter().position(|(_, known)| known == id);
            let (_, id) = self
                .waiting
                .remove(at.expect("a call is given up that was made"));
            self.given_up.push(id);
        }
    }

    /// Processes a message of the server. After too many unmatched responses, messages are ignored.
    pub(crate) fn take(&mut self, message: Result<Incoming, Rejection>) {
        let entries = match message {
            Err(_) => return,
            Ok(Incoming::Single(entry)) => vec![entry],
            Ok(Incoming::Batch(entries)) => entries,
        };
        for entry in entries {
            if self.is_closed() {
                return;
            }
            match entry {
                Entry::Response(response) => self.answer(response),
                Entry::Request(request) if request.is_notification() => self.item(&request),
                Entry::Request(_) => {}
                Entry::Invalid(invalid) => self.bad_answer(&invalid),
            }
        }
    }

    fn answer(&mut self, response: Response) {
        let id = response.id().to_owned();
        // The client itself makes calls with such ids when a subscriber is too slow.
        self.inexact |= id.starts_with("\"antiphon-");
        let outcome = response.into_outcome();
        if let Some(at) = self.waiting.iter().position(|(_, known)| *known == id) {
            self.waiting.remove(at);
            let told = match outcome {
                Ok(result) => CallOutcome::Result(result.as_str().to_owned()),
                Err(error) => CallOutcome::Error(error.to_json()),
            };
            if id == SUBSCRIBE {
                self.open(&told);
            }
            self.told.insert(id, told);
        } else if let Some(at) = self.given_up.iter().position(|known| *known == id) {
            self.given_up.remove(at);
        } else if let ("null", Err(error)) = (&*id, &outcome) {
            // The server could not read a message. It is taken to be the oldest one.
            let oldest = self.waiting.iter().map(|(number, _)| *number).min();
            let (told, rest) = std::mem::take(&mut self.waiting)
                .into_iter()
                .partition(|(number, _)| Some(*number) == oldest);
            self.waiting = rest;
            let told: Vec<(usize, String)> = told;
            for (_, id) in told {
                self.told
                    .insert(id.clone(), CallOutcome::Error(error.to_json()));
                self.given_up.push(id);
            }
        } else {
            self.strangers += 1;
        }
    }

    /// Processes an invalid message that may be meant as a response.
    fn bad_answer(&mut self, invalid: &Invalid) {
        if invalid.likeness() == Likeness::Request {
            return;
        }
        let known = self.waiting.iter().position(|(_, id)| id == invalid.id());
        if let Some(at) = known {
            let (_, id) = self.waiting.remove(at);
            self.told.insert(id, CallOutcome::Malformed);
        } else if invalid.likeness() == Likeness::Answer {
            self.strangers += 1;
        }
    }

    fn open(&mut self, told: &CallOutcome) {
        if let CallOutcome::Result(id) = told
            && id.starts_with(['"', '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9'])
        {
            self.subscription = Some(Subscription {
                id: id.clone(),
                items: Vec::new(),
                over: false,
            });
        }
    }

    /// Records an item of the subscription, if the message is one.
    fn item(&mut self, request: &Request) {
        let method = request.method();
        let Some(subscription) = self.subscription.as_mut().filter(|known| !known.over) else {
            return;
        };
        if method == "$/cancelRequest" {
            return;
        }
        let Some(params) = request.params() else {
            return;
        };
        if method == "$/progress" || !params.starts_with('{') {
            // Progress of a pending call is not an item. An array may happen to look like one.
            self.inexact = true;
            return;
        }
        let params: &RawValue = serde_json::from_str(params).expect("parameters are JSON");
        let Members(members) = decoded(params);
        // serde cannot read an object with a name that a `String` cannot contain.
        self.inexact |= members.iter().any(|(name, _)| name.is_empty());
        let all = |name: &str| -> Vec<&str> {
            let known = members.iter().filter(|(known, _)| known == name);
            known.map(|(_, value)| value.get()).collect()
        };
        let one = |name: &str| all(name).first().copied().filter(|value| *value != "null");
        let names = ["subscription", "end", "error"];
        if names.iter().any(|name| all(name).len() > 1)
            || one("subscription") != Some(&subscription.id)
        {
            return;
        }
        subscription.over = one("end").is_some() || one("error").is_some();
        let read = all("seq").len() < 2
            && all("result").len() < 2
            && one("seq").is_none_or(|seq| serde_json::from_str::<u64>(seq).is_ok());
        if let (true, false, Some(result)) = (read, subscription.over, all("result").first()) {
            subscription.items.push((*result).to_owned());
        }
    }

    /// The expected outcome of the call with this id.
    pub(crate) fn told(&self, id: &str) -> CallOutcome {
        self.told.get(id).cloned().unwrap_or(CallOutcome::Lost)
    }

    /// Whether the client closes the connection.
    pub(crate) fn is_closed(&self) -> bool {
        self.strangers > MAX_UNMATCHED
    }

    /// Whether the expected items are exact.
    pub(crate) fn is_exact(&self) -> bool {
        !self.inexact
    }

    /// The id of the subscription.
    pub(crate) fn subscription(&self) -> Option<&str> {
        self.subscription.as_ref().map(|known| &*known.id)
    }

    /// The items that were sent to the subscriber.
    pub(crate) fn items(&self) -> &[String] {
        self.subscription.as_ref().map_or(&[], |known| &known.items)
    }
}
