//! Fuzz target for batches: entries start in order, concurrency is limited, and responses are in
//! order.
//!
//! The input is not the text of a batch but a plan for it. So every input is a batch, and the
//! expected responses are known without parsing it.

use std::cell::RefCell;

use antiphon::{Dispatcher, Limits, Router};
use serde_json::value::RawValue;
use tokio::runtime::{Builder, Runtime};

use crate::model::{MAX_BATCH, decoded};
use crate::verdict::{Verdict, verdict};

/// Ids. For JSON-RPC, ids with different texts are different.
const IDS: [&str; 8] = [
    "7",
    "7.0",
    "\"7\"",
    "-1",
    "1e400",
    "null",
    "\"a\\u0062\"",
    "0",
];

/// Invalid requests, each with the id of its response.
const INVALID: [(&str, &str); 8] = [
    ("1", "null"),
    ("[]", "null"),
    ("{}", "null"),
    (r#"{"id":5}"#, "5"),
    (r#"{"jsonrpc":"2.0","id":[],"method":"at"}"#, "null"),
    (r#"{"jsonrpc":"2.0","id":6,"method":"at","params":7}"#, "6"),
    (r#"{"jsonrpc":"2.0","id":7,"result":8}"#, "7"),
    (r#"{"jsonrpc":"2.0","id":8,"id":8,"method":"at"}"#, "null"),
];

/// The number of repetitions of a repeated entry.
const REPETITIONS: usize = 33;

/// An entry is repeated if its first byte is above this.
const REPEAT_ABOVE: u8 = 239;

thread_local! {
    static FIXTURE: Fixture = Fixture::new();
    static RECORDED: RefCell<Recorded> = const { RefCell::new(Recorded::new()) };
}

/// The calls of one batch, as recorded by the methods.
struct Recorded {
    /// The positions of the started entries, in the order of their start.
    started: Vec<usize>,
    running: usize,
    peak: usize,
}

impl Recorded {
    const fn new() -> Self {
        Self {
            started: Vec::new(),
            running: 0,
            peak: 0,
        }
    }
}

struct Fixture {
    runtime: Runtime,
    dispatcher: Dispatcher,
}

impl Fixture {
    fn new() -> Self {
        let router = Router::new()
            .method_fn("now", |place: usize| {
                RECORDED.with_borrow_mut(|seen| seen.started.push(place));
                place
            })
            .method_fn("at", async |place: usize, pauses: u8| {
                RECORDED.with_borrow_mut(|seen| {
                    seen.started.push(place);
                    seen.running += 1;
                    seen.peak = seen.peak.max(seen.running);
                });
                for _ in 0..pauses {
                    tokio::task::yield_now().await;
                }
                RECORDED.with_borrow_mut(|seen| seen.running -= 1);
                place
            });
        Self {
            runtime: Builder::new_current_thread()
                .enable_time()
                .build()
                .expect("a runtime"),
            dispatcher: router.build().expect("a router whose names are good"),
        }
    }
}

/// The expected response to one entry.
struct Expected {
    id: &'static str,
    verdict: Verdict,
}

/// A batch and its expected responses.
struct Plan {
    text: String,
    entries: usize,
    expected: Vec<Expected>,
    started: Vec<usize>,
}

impl Plan {
    /// Each entry is made of three bytes: its kind, its id, and how long it waits.
    fn new(bytes: &[u8]) -> Self {
        let mut plan = Self {
            text: "[".to_owned(),
            entries: 0,
            expected: Vec::new(),
            started: Vec::new(),
        };
        for entry in bytes.chunks_exact(3).take(MAX_BATCH + 1) {
            let times = match entry[0] > REPEAT_ABOVE {
                true => REPETITIONS,
                false => 1,
            };
            for _ in 0..times {
                plan.push(entry[0] % 8, entry[1], entry[2]);
            }
        }
        plan.text.push(']');
        plan
    }

    fn push(&mut self, what: u8, id: u8, pauses: u8) {
        if self.entries > 0 {
            self.text.push(',');
        }
        let place = self.entries;
        self.entries += 1;
        let id = IDS[usize::from(id) % IDS.len()];
        let (name, params) = match pauses % 4 {
            0 => ("now", format!("[{place}]")),
            pauses => ("at", format!("[{place},{pauses}]")),
        };
        let answer = |verdict| Expected { id, verdict };
        match what {
            // An unknown method, invalid parameters, or an invalid request.
            5 => {
                self.request(Some(id), "nothing", &params);
                self.expected.push(answer(Verdict::Code(-32601)));
            }
            6 => {
                self.request(Some(id), "now", "[\"no place\"]");
                self.expected.push(answer(Verdict::Code(-32602)));
            }
            7 => {
                let (text, id) = INVALID[usize::from(pauses) % INVALID.len()];
                self.text.push_str(text);
                let verdict = Verdict::Code(-32600);
                self.expected.push(Expected { id, verdict });
            }
            4 => {
                self.request(None, name, &params);
                self.started.push(place);
            }
            _ => {
                self.request(Some(id), name, &params);
                self.expected
                    .push(answer(Verdict::Result(place.to_string())));
                self.started.push(place);
            }
        }
    }

    fn request(&mut self, id: Option<&str>, method: &str, params: &str) {
        let id = id.map(|id| format!("\"id\":{id},")).unwrap_or_default();
        let text =
            format!("{{\"jsonrpc\":\"2.0\",{id}\"method\":\"{method}\",\"params\":{params}}}");
        self.text.push_str(&text);
    }
}

/// Sends a batch. The first byte selects the maximum number of concurrent calls, the second the
/// maximum length of the response, and the rest the entries. Returns whether all calls succeeded.
///
/// # Panics
///
/// If a response is missing, duplicate, out of order, or belongs to another entry.
pub fn check(input: &[u8]) -> bool {
    let Some((&[concurrency, room], entries)) = input.split_first_chunk() else {
        return false;
    };
    let plan = Plan::new(entries);
    let concurrency = 1 + usize::from(concurrency) % 8;
    let room = match room % 4 {
        0 => Some(usize::from(room) * 4),
        _ => None,
    };
    let mut limits = Limits::default().batch_concurrency(concurrency);
    if let Some(room) = room {
        limits = limits.max_batch_response(room);
    }
    RECORDED.set(Recorded::new());
    let answer = FIXTURE.with(|fixture| {
        let dispatcher = fixture.dispatcher.with_limits(limits);
        let answer = fixture
            .runtime
            .block_on(dispatcher.handle(plan.text.clone()));
        assert_eq!(dispatcher.in_flight(), 0);
        answer
    });
    let answer = answer.as_deref().map(|text| {
        let text: &RawValue = serde_json::from_slice(text).expect("an answer is JSON");
        text
    });
    let seen = RECORDED.replace(Recorded::new());

    if plan.entries == 0 || plan.entries > MAX_BATCH {
        let answer = answer.map(verdict);
        assert_eq!(answer, Some(("null".to_owned(), Verdict::Code(-32600))));
        assert!(seen.started.is_empty(), "something of it has run");
        return false;
    }
    assert_eq!(seen.running, 0, "something still runs");
    assert!(seen.peak <= concurrency, "{} run at a time", seen.peak);
    let answers: Vec<&RawValue> = answer.map(decoded).unwrap_or_default();
    assert_eq!(answer.is_some(), !plan.expected.is_empty());
    assert_eq!(answers.len(), plan.expected.len());
    for (answer, expected) in answers.into_iter().zip(&plan.expected) {
        let (id, came) = verdict(answer);
        assert_eq!(id, expected.id);
        let cut = room.is_some() && came == Verdict::Code(-32003);
        assert!(cut || came == expected.verdict, "{answer}: {came:?}");
    }
    if room.is_none() {
        assert_eq!(seen.started, plan.started);
    } else {
        assert!(seen.started.is_sorted(), "{:?}", seen.started);
    }
    plan.started.len() == plan.entries
}
