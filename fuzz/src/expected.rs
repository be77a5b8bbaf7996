//! What has to become of a client's calls, by what its server says: said a second time, message by
//! message, with no sockets and no time.

use std::collections::HashMap;

use antiphon_proto::message::{Invalid, Likeness};
use antiphon_proto::{Entry, Incoming, Rejection, Request, Response};
use bytes::Bytes;
use serde_json::value::RawValue;

use crate::client::SUBSCRIBE;
use crate::ledger::{MAX_STRANGERS, read};
use crate::model::{Members, decoded};

/// What a call has come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Result(String),
    Error(String),
    /// An answer that is none.
    Malformed,
    /// The connection has ended before.
    Lost,
}

#[derive(Default)]
pub(crate) struct Expected {
    /// The calls that wait, with the numbers of their messages.
    waiting: Vec<(usize, String)>,
    /// Calls that were given up: a late answer to one is no fault.
    given_up: Vec<String>,
    told: HashMap<String, Told>,
    strangers: usize,
    subscription: Option<Subscription>,
    /// Something was said whose meaning is not written down here.
    inexact: bool,
}

struct Subscription {
    id: String,
    items: Vec<String>,
    over: bool,
}

impl Expected {
    /// The calls in what a client has sent.
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

    /// Takes what the server says. After too many answers that fit nothing, nothing counts.
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
        // Ids of the client's own, for calls that it makes when a subscriber falls behind.
        self.inexact |= id.starts_with("\"antiphon-");
        let outcome = response.into_outcome();
        if let Some(at) = self.waiting.iter().position(|(_, known)| *known == id) {
            self.waiting.remove(at);
            let told = match outcome {
                Ok(result) => Told::Result(result.as_str().to_owned()),
                Err(error) => Told::Error(error.to_json()),
            };
            if id == SUBSCRIBE {
                self.open(&told);
            }
            self.told.insert(id, told);
        } else if let Some(at) = self.given_up.iter().position(|known| *known == id) {
            self.given_up.remove(at);
        } else if let ("null", Err(error)) = (&*id, &outcome) {
            // It could not read a message: the oldest is the likeliest.
            let oldest = self.waiting.iter().map(|(number, _)| *number).min();
            let (told, rest) = std::mem::take(&mut self.waiting)
                .into_iter()
                .partition(|(number, _)| Some(*number) == oldest);
            self.waiting = rest;
            let told: Vec<(usize, String)> = told;
            for (_, id) in told {
                self.told.insert(id.clone(), Told::Error(error.to_json()));
                self.given_up.push(id);
            }
        } else {
            self.strangers += 1;
        }
    }

    /// Takes what may have been meant as an answer.
    fn bad_answer(&mut self, invalid: &Invalid) {
        if invalid.likeness() == Likeness::Request {
            return;
        }
        let known = self.waiting.iter().position(|(_, id)| id == invalid.id());
        if let Some(at) = known {
            let (_, id) = self.waiting.remove(at);
            self.told.insert(id, Told::Malformed);
        } else if invalid.likeness() == Likeness::Answer {
            self.strangers += 1;
        }
    }

    fn open(&mut self, told: &Told) {
        if let Told::Result(id) = told
            && id.starts_with(['"', '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9'])
        {
            self.subscription = Some(Subscription {
                id: id.clone(),
                items: Vec::new(),
                over: false,
            });
        }
    }

    /// Notes an item of the subscription, if it is one.
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
            // Progress of a call that waits is no item; an array may be one by chance.
            self.inexact = true;
            return;
        }
        let params: &RawValue = serde_json::from_str(params).expect("parameters are JSON");
        let Members(members) = decoded(params);
        // A name that no `String` can hold makes the whole unreadable for serde.
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

    /// What the call of this id comes to.
    pub(crate) fn told(&self, id: &str) -> Told {
        self.told.get(id).cloned().unwrap_or(Told::Lost)
    }

    /// Whether the client closes the connection.
    pub(crate) fn is_closed(&self) -> bool {
        self.strangers > MAX_STRANGERS
    }

    /// Whether items are certain.
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
