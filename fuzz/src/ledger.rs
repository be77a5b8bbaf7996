//! Reference model of the responses on a session: exactly one for each call, and no others.
//!
//! Messages are parsed by the library itself, whose parser is tested by the target `parse`.

use std::collections::{HashMap, HashSet};
use std::fmt;

use antiphon_proto::message::Likeness;
use antiphon_proto::{Entry, ErrorCode, Incoming, Rejection, Request, Response, Rules, parse};
use bytes::Bytes;
use serde_json::value::RawValue;

/// The number of unmatched responses after which a session closes the connection.
pub(crate) const MAX_UNMATCHED: usize = 16;

/// The method whose result is its only parameter.
pub(crate) const ECHO: &str = "echo";

/// Reads a message as a session does.
pub(crate) fn read(message: &Bytes) -> Result<Incoming, Rejection> {
    parse(message.clone(), &Rules::default())
}

#[derive(Default)]
pub(crate) struct Ledger {
    due: Vec<Due>,
    /// The allowed results of the calls with this id; `None` allows any result.
    results: HashMap<String, Option<HashSet<String>>>,
    /// Ids that were used twice, or by an invalid request. Only these may be refused.
    refusable: HashSet<String>,
    /// The number of responses among the sent messages, whether expected or not.
    pub(crate) answers: usize,
}

/// A pending response, single or batch.
#[derive(Debug)]
struct Due {
    batch: bool,
    /// The ids, and whether each is required.
    ids: Vec<(String, bool)>,
}

impl Due {
    fn is_certain(&self) -> bool {
        self.ids.iter().any(|(_, certain)| *certain)
    }

    /// The number of omitted ids, if these ids can be the response.
    fn left_out(&self, ids: &[String]) -> Option<usize> {
        // `reached[n]`: the first n ids of the response may be matched so far.
        let mut reached = vec![false; ids.len() + 1];
        reached[0] = true;
        for (id, certain) in &self.ids {
            for at in (0..=ids.len()).rev() {
                let before = at > 0 && reached[at - 1] && ids[at - 1] == *id;
                reached[at] = before || (!certain && reached[at]);
            }
        }
        reached[ids.len()].then(|| self.ids.len() - ids.len())
    }
}

impl Ledger {
    /// Records the responses that a sent message requires.
    pub(crate) fn send(&mut self, message: &Result<Incoming, Rejection>) {
        let (batch, entries) = match message {
            Err(_) => return self.owe_parse_error(),
            Ok(Incoming::Single(entry)) => (false, std::slice::from_ref(entry)),
            Ok(Incoming::Batch(entries)) => (true, entries.as_slice()),
        };
        let ids: Vec<_> = entries
            .iter()
            .filter_map(|entry| self.entry(entry))
            .collect();
        if !ids.is_empty() {
            self.due.push(Due { batch, ids });
        }
    }

    /// Records that an unreadable message requires a response without an id.
    pub(crate) fn owe_parse_error(&mut self) {
        let ids = vec![("null".to_owned(), true)];
        self.due.push(Due { batch: false, ids });
    }

    /// The id of the response to an entry, and whether the response is required.
    fn entry(&mut self, entry: &Entry) -> Option<(String, bool)> {
        match entry {
            Entry::Invalid(invalid) if invalid.likeness() == Likeness::Answer => {
                self.answers += 1;
                None
            }
            Entry::Invalid(invalid) => {
                // It counts as the response to a call, if one is pending.
                self.refusable.insert(invalid.id().to_owned());
                let certain = invalid.likeness() == Likeness::Request || invalid.id() == "null";
                Some((invalid.id().to_owned(), certain))
            }
            Entry::Response(_) => {
                self.answers += 1;
                None
            }
            Entry::Request(request) => {
                let id = request.id()?.to_owned();
                if self.results.contains_key(&id) {
                    self.refusable.insert(id.clone());
                }
                let results = self.results.entry(id.clone());
                let results = results.or_insert_with(|| Some(HashSet::new()));
                match (echoed(request), &mut *results) {
                    (Some(result), Some(known)) => drop(known.insert(result)),
                    _ => *results = None,
                }
                Some((id, true))
            }
        }
    }

    /// Processes a received message. Returns the id if it is a call.
    ///
    /// # Panics
    ///
    /// If it is a response that is not expected, or has a wrong result.
    pub(crate) fn receive(&mut self, message: &Bytes) -> Option<String> {
        let shown = message.escape_ascii();
        match read(message) {
            Ok(Incoming::Single(Entry::Request(request))) => request.id().map(str::to_owned),
            Ok(Incoming::Single(Entry::Response(response))) => {
                let (id, _) = self.answer(response);
                self.strike(false, &[id]);
                None
            }
            Ok(Incoming::Batch(entries)) => {
                let mut run = HashSet::new();
                let mut ids = Vec::new();
                for entry in entries {
                    let Entry::Response(response) = entry else {
                        panic!("not an answer: {shown}");
                    };
                    let (id, has_run) = self.answer(response);
                    let first = !has_run || id == "null" || run.insert(id.clone());
                    assert!(first, "two calls of one id have run: {shown}");
                    ids.push(id);
                }
                self.strike(true, &ids);
                None
            }
            _ => panic!("neither call nor answer: {shown}"),
        }
    }

    /// The id of a response, and whether it has a result.
    fn answer(&self, response: Response) -> (String, bool) {
        let id = response.id().to_owned();
        let result = match response.into_outcome() {
            Ok(result) => result,
            Err(error) => {
                let refused = error.code() == ErrorCode::INVALID_REQUEST && id != "null";
                let justly = !refused || self.refusable.contains(&id);
                assert!(justly, "the call {id} was refused: {error}");
                return (id, false);
            }
        };
        if let Some(Some(results)) = self.results.get(&id) {
            let result = spaced(result.as_str());
            assert!(results.contains(&result), "{id} has the result {result}");
        }
        (id, true)
    }

    fn strike(&mut self, batch: bool, ids: &[String]) {
        let fits = |(at, due): (usize, &Due)| match due.batch == batch {
            true => due
                .left_out(ids)
                .map(|left_out| (left_out, !due.is_certain(), at)),
            false => None,
        };
        match self.due.iter().enumerate().filter_map(fits).min() {
            Some((_, _, at)) => drop(self.due.swap_remove(at)),
            None => panic!("an answer that is not due: {ids:?} of {:?}", self.due),
        }
    }

    pub(crate) fn is_settled(&self) -> bool {
        !self.due.iter().any(Due::is_certain)
    }
}

impl fmt::Display for Ledger {
    /// Lists the pending responses.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.due)
    }
}

/// The parameter that a call of `echo` has to return.
fn echoed(request: &Request) -> Option<String> {
    let params = request.params().filter(|_| request.method() == ECHO)?;
    match serde_json::from_str::<Vec<&RawValue>>(params).as_deref() {
        Ok([value]) => Some(spaced(value.get())),
        _ => None,
    }
}

/// Replaces line breaks by spaces, as the encoding of lines does.
fn spaced(text: &str) -> String {
    text.replace(['\r', '\n'], " ")
}

/// A response to a call of the peer.
pub(crate) fn reply(id: &str) -> String {
    format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":0}}")
}
