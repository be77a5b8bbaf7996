//! Text of events (HTML standard, section 9.2).

use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use crate::memory_budget::Payload;
use crate::transport::line_breaks::join_lines;

/// The end of an event.
const END: &[u8] = b"\n\n";

/// The most bytes that an event has around its message: an id of 50 bytes at most.
pub(super) const AROUND: usize = 70;

/// The id of the last event of a stream that would end again if it were begun again. It has no data, so
/// nobody is told; but an `EventSource` sends the id when it comes back.
pub(crate) const LAST_ID: &str = "end";

/// The shortest time after which an `EventSource` comes back.
const RETRY: Duration = Duration::from_secs(1);

/// What is added to it at most, so that not all come at once.
const RETRY_SPREAD: Duration = Duration::from_secs(4);

/// Turns a message into an event, in its own memory.
pub(crate) fn event(message: Payload, id: Option<&dyn fmt::Display>) -> Payload {
    let mut head = Vec::new();
    write_id(&mut head, id);
    with_head(head, message)
}

/// Turns the response to a call into an event for an `EventSource`: one of a type of its own, so that
/// `onmessage` sees what follows only. It also says when to come back, not before `wait`, and the place
/// from which it then goes on.
pub(crate) fn response_event(message: Payload, wait: Duration, id: Option<&str>) -> Payload {
    let retry = retry(wait).as_millis();
    let mut head = format!("retry: {retry}\nevent: response\n").into_bytes();
    write_id(&mut head, id.as_ref().map(|id| id as &dyn fmt::Display));
    with_head(head, message)
}

/// The last event of a stream that has come to its end.
pub(crate) fn last_event() -> Vec<u8> {
    format!("id: {LAST_ID}\n\n").into_bytes()
}

fn with_head(mut head: Vec<u8>, mut message: Payload) -> Payload {
    head.extend_from_slice(DATA);
    join_lines(&mut message.text);
    message.text.reserve_exact(head.len() + END.len());
    message.text.extend_from_slice(END);
    message.text.splice(..0, head);
    message
}

/// Appends an event.
pub(super) fn write_event(text: &mut Vec<u8>, message: &[u8], id: Option<&dyn fmt::Display>) {
    write_id(text, id);
    text.extend_from_slice(DATA);
    let start = text.len();
    text.extend_from_slice(message);
    join_lines(text.get_mut(start..).unwrap_or_default());
    text.extend_from_slice(END);
}

const DATA: &[u8] = b"data: ";

fn write_id(text: &mut Vec<u8>, id: Option<&dyn fmt::Display>) {
    if let Some(id) = id {
        text.extend_from_slice(format!("id: {id}\n").as_bytes());
    }
}

/// When an `EventSource` is to come back: not before `wait`, and each at another time.
fn retry(wait: Duration) -> Duration {
    // The keys are random, and never leave this process.
    let random = RandomState::new().hash_one(0) >> 32;
    let spread = RETRY_SPREAD.mul_f64(random as f64 / f64::from(u32::MAX));
    wait.max(RETRY) + spread
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line_of_data() {
        for (message, id, expected) in [
            ("{}", None, "data: {}\n\n"),
            ("{}", Some("7"), "id: 7\ndata: {}\n\n"),
            ("[1,\n2]", Some("5-1-a"), "id: 5-1-a\ndata: [1, 2]\n\n"),
            ("[\r\n1,\r2]", None, "data: [  1, 2]\n\n"),
        ] {
            let mut text = Vec::new();
            let id = id.as_ref().map(|id| id as &dyn fmt::Display);
            write_event(&mut text, message.as_bytes(), id);
            assert_eq!(String::from_utf8(text).unwrap(), expected, "{message:?}");
            let event = event(message.as_bytes().to_vec().into(), id);
            assert_eq!(String::from_utf8(event.text).unwrap(), expected);
        }
    }

    #[test]
    fn browsers_come_back_at_different_times() {
        for (wait, least, most) in [(0, 1000, 5000), (700, 1000, 5000), (9000, 9000, 13_000)] {
            let wait = Duration::from_millis(wait);
            let times: Vec<_> = (0..200).map(|_| retry(wait).as_millis()).collect();
            assert!(
                times.iter().all(|time| (least..=most).contains(time)),
                "{times:?}"
            );
            let (first, last) = (times.iter().min().unwrap(), times.iter().max().unwrap());
            // 200 times within a quarter of the spread: once in 10^120.
            assert!(last - first > 1000, "{times:?}");
            let event = response_event(b"{\n}".to_vec().into(), wait, Some("5-1-a"));
            let text = String::from_utf8(event.text).unwrap();
            let (retry, rest) = text.split_once('\n').unwrap();
            let retry = retry.strip_prefix("retry: ").unwrap().parse().unwrap();
            assert!((least..=most).contains(&retry), "{retry}");
            assert_eq!(rest, "event: response\nid: 5-1-a\ndata: { }\n\n");
        }
    }
}
