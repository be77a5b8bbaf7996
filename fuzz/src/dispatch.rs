//! Fuzz target for the dispatcher: one response per call with an id, none per notification, and no
//! call of a rejected message runs.

use std::cell::Cell;

use antiphon::{Dispatcher, ErrorObject, Router};
use bytes::Bytes;
use serde_json::value::RawValue;
use tokio::runtime::{Builder, Runtime};

use crate::model::{self, Entry, Message, Rejected, decoded};
use crate::verdict::{Verdict, verdict};

thread_local! {
    static FIXTURE: Fixture = Fixture::new();
    /// The number of calls of `tick` on this thread.
    static TICKS: Cell<usize> = const { Cell::new(0) };
}

struct Fixture {
    runtime: Runtime,
    dispatcher: Dispatcher,
}

impl Fixture {
    fn new() -> Self {
        let calc = Router::new()
            .method_fn("add", |a: f64, b: f64| a + b)
            .method_fn("divide", |a: i64, b: i64| {
                let error = || ErrorObject::new(1, "no \"quotient\"\n").with_data(&[a, b]);
                a.checked_div(b).ok_or_else(error)
            });
        let router = Router::new()
            .nest("calc", calc)
            .method_fn("tick", || TICKS.set(TICKS.get() + 1))
            .method_fn("echo", |value: Box<RawValue>| value)
            .method_fn("text", |text: String| text)
            .method_fn("later", async |text: Option<String>| {
                tokio::task::yield_now().await;
                text
            });
        Self {
            runtime: Builder::new_current_thread()
                .enable_time()
                .build()
                .expect("a runtime"),
            dispatcher: router.build().expect("a router whose names are good"),
        }
    }

    fn ask(&self, message: &[u8]) -> Option<Bytes> {
        let message = Bytes::copy_from_slice(message);
        self.runtime.block_on(self.dispatcher.handle(message))
    }
}

/// Sends the message and checks the response. Returns whether any part of the message could run.
///
/// # Panics
///
/// If the response violates the specification.
pub fn check(message: &[u8]) -> bool {
    FIXTURE.with(|fixture| {
        let before = TICKS.get();
        let answer = fixture.ask(message);
        let ticks = TICKS.get() - before;
        let answer = answer
            .as_deref()
            .map(|text| match serde_json::from_slice(text) {
                Ok(answer) => answer,
                Err(error) => panic!("{error} in an answer: {}", text.escape_ascii()),
            });
        assert_eq!(fixture.dispatcher.in_flight(), 0);
        let message = model::read(message);
        compare(&message, answer, ticks);
        matches!(message, Message::Single(_) | Message::Batch(_))
    })
}

fn compare(message: &Message<'_>, answer: Option<&RawValue>, ticks: usize) {
    match message {
        Message::Syntax => refused(answer, None, -32700),
        Message::Rejected(Rejected::Scalar | Rejected::EmptyBatch | Rejected::LongBatch) => {
            refused(answer, None, -32600);
        }
        Message::Single(entry) => {
            let answers = answer.into_iter().collect();
            assert_eq!(ticks, answered(std::slice::from_ref(entry), answers));
            return;
        }
        Message::Batch(entries) => {
            let answers: Option<Vec<&RawValue>> = answer.map(decoded);
            assert_ne!(
                answers.as_ref().map(Vec::len),
                Some(0),
                "`[]` for an answer"
            );
            assert_eq!(ticks, answered(entries, answers.unwrap_or_default()));
            return;
        }
    }
    assert_eq!(ticks, 0, "something of a broken message has run");
}

/// Compares entries with their responses, and returns the expected number of calls of `tick`.
fn answered(entries: &[Entry<'_>], answers: Vec<&RawValue>) -> usize {
    let mut answers = answers.into_iter();
    let mut ticks = 0;
    for entry in entries {
        match entry {
            Entry::Other(id) => refused(answers.next(), *id, -32600),
            Entry::Request(request) => {
                let runs = request.method.as_deref() == Some("tick") && !has_values(request.params);
                ticks += usize::from(runs);
                if let Some(id) = request.id {
                    let code = outcome(answers.next(), id);
                    assert!(!runs || code.is_none(), "`tick` came to {code:?}");
                }
            }
        }
    }
    assert!(answers.next().is_none(), "an answer that nobody asked for");
    ticks
}

fn has_values(params: Option<&str>) -> bool {
    let Some(params) = params else {
        return false;
    };
    !params[1..params.len() - 1].trim().is_empty()
}

fn refused(answer: Option<&RawValue>, id: Option<&str>, code: i64) {
    assert_eq!(outcome(answer, id.unwrap_or("null")), Some(code));
}

/// The error code of a response with this id, `None` for a result.
fn outcome(answer: Option<&RawValue>, id: &str) -> Option<i64> {
    let Some(answer) = answer else {
        panic!("no answer to {id}");
    };
    let (echo, verdict) = verdict(answer);
    assert_eq!(echo, id);
    match verdict {
        Verdict::Result(_) => None,
        Verdict::Code(code) => Some(code),
    }
}
