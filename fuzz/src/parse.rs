//! Fuzz target for the message parser: no panics, and the same verdicts as `serde_json` except for
//! the limit of depth.

use antiphon_proto::{Entry, Incoming, Rejection, Rules, parse};
use bytes::Bytes;

use crate::model::{self, Message, Rejected};

/// Parses the text with both parsers, and returns whether any part of it could run.
///
/// # Panics
///
/// If they disagree.
pub fn check(text: &[u8]) -> bool {
    let ours = parse(Bytes::copy_from_slice(text), &Rules::default());
    let taken = ours.is_ok();
    match (model::read(text), ours) {
        (Message::Syntax, Err(Rejection::Syntax { at })) => {
            assert!(at <= text.len(), "at {at} of {}", text.len());
        }
        (Message::Rejected(Rejected::Scalar), Err(Rejection::NotAnObject))
        | (Message::Rejected(Rejected::EmptyBatch), Err(Rejection::EmptyBatch))
        | (Message::Rejected(Rejected::LongBatch), Err(Rejection::BatchTooLong)) => {}
        (Message::Single(expected), Ok(Incoming::Single(entry))) => compare(&expected, &entry),
        (Message::Batch(expected), Ok(Incoming::Batch(entries))) => {
            assert_eq!(expected.len(), entries.len());
            for (expected, entry) in expected.iter().zip(&entries) {
                compare(expected, entry);
            }
        }
        (expected, ours) => panic!("expected {expected:?}, came {ours:?}"),
    }
    taken
}

fn compare(expected: &model::Entry<'_>, entry: &Entry) {
    match (expected, entry) {
        (model::Entry::Request(expected), Entry::Request(request)) => {
            match &expected.method {
                Some(method) => assert_eq!(request.method(), method),
                None => assert_eq!(request.method(), "\u{fffd}"),
            }
            assert_eq!(request.method().as_bytes(), request.method_bytes());
            assert_eq!(request.params(), expected.params);
            assert_eq!(request.id(), expected.id);
            assert_eq!(request.id_bytes(), expected.id.map(str::as_bytes));
            assert_eq!(request.is_notification(), expected.id.is_none());
        }
        (model::Entry::Other(id), Entry::Invalid(invalid)) => {
            assert_eq!(invalid.id(), id.unwrap_or("null"));
            assert!(!invalid.reason().is_empty());
        }
        (model::Entry::Other(id), Entry::Response(response)) => {
            assert_eq!(Some(response.id()), *id, "an answer has an id");
        }
        (expected, entry) => panic!("expected {expected:?}, came {entry:?}"),
    }
}
