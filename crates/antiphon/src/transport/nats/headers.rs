//! Headers of messages: the caller's time and trace, and what a message is if it is no response.

use std::sync::Arc;
use std::time::Duration;

use async_nats::{HeaderMap, Message};
use bytes::Bytes;

use crate::call_origin::{MAX_TRACE, Origin};
use crate::identity::Identity;

/// The time that remains until the caller's deadline, in whole milliseconds; the same name as over HTTP.
const TIMEOUT: &str = "rpc-timeout-ms";
const TRACEPARENT: &str = "traceparent";
const TRACESTATE: &str = "tracestate";

/// What a message is, where it is neither a request nor a response.
const KIND: &str = "rpc-kind";
const RUNNING: &str = "running";
const CANCEL: &str = "cancel";
const FILLER: &str = "filler";
const OPEN: &str = "open";
const OPENED: &str = "opened";
const REFUSED: &str = "refused";
const CLOSE: &str = "close";

/// The number of a part of a session's message, with a plus sign if the message goes on.
const PART: &str = "rpc-part";
/// How much one side of a session has taken of the other.
const TAKEN: &str = "rpc-taken";

/// The most bytes of headers in one of our requests, beside its trace.
pub(super) const ROOM: usize = 256;

/// The most bytes of a request that is written again to add its timeout.
const SHORT: usize = 16 * 1024;

/// What a request says beside its text.
#[derive(Clone, Debug, Default)]
pub(crate) struct RequestHeaders {
    /// Who calls, if that is passed on.
    pub(crate) identity: Option<Identity>,
    /// The time that is left, in milliseconds.
    pub(crate) timeout: Option<u64>,
    pub(crate) traceparent: Option<Arc<str>>,
    pub(crate) tracestate: Option<Arc<str>>,
}

impl RequestHeaders {
    /// The text of a request that tells its timeout itself, and not in a header, which would cost more; as
    /// it is, if it is long.
    pub(crate) fn tell_timeout(&mut self, text: Bytes) -> Bytes {
        let Some(timeout) = self.timeout.filter(|_| text.len() <= SHORT) else {
            return text;
        };
        let Some(open) = text.strip_suffix(b"}") else {
            return text;
        };
        let mut told = Vec::with_capacity(text.len() + 32);
        told.extend_from_slice(open);
        told.extend_from_slice(b",\"timeout\":");
        told.extend_from_slice(timeout.to_string().as_bytes());
        told.push(b'}');
        self.timeout = None;
        told.into()
    }

    /// The headers to send. What no header can carry is left out.
    pub(super) fn to_map(&self) -> HeaderMap {
        let mut map = HeaderMap::new();
        if let Some(timeout) = self.timeout {
            map.insert(TIMEOUT, timeout.to_string().as_str());
        }
        let trace = [
            (TRACEPARENT, &self.traceparent),
            (TRACESTATE, &self.tracestate),
        ];
        for (name, value) in trace {
            if let Some(value) = value.as_deref().filter(|value| is_trace(value)) {
                map.insert(name, value);
            }
        }
        map
    }

    /// Tells the origin of a call what the headers of its message say.
    pub(super) fn describe(map: Option<&HeaderMap>, origin: &mut Origin) {
        let Some(map) = map else { return };
        let text = |name: &str| map.get(name).map(|value| value.as_str());
        let milliseconds = text(TIMEOUT).and_then(|value| value.parse().ok());
        origin.timeout = milliseconds.map(Duration::from_millis);
        let trace = |name: &str| text(name).filter(|value| is_trace(value)).map(Arc::from);
        origin.traceparent = trace(TRACEPARENT);
        origin.tracestate = trace(TRACESTATE);
    }
}

fn is_trace(value: &str) -> bool {
    let printable = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
    value.len() <= MAX_TRACE && value.bytes().all(printable)
}

/// The header of an acknowledgement, and of a beat.
pub(super) fn running() -> HeaderMap {
    kind(RUNNING)
}

/// The header of a cancellation.
pub(super) fn cancel() -> HeaderMap {
    kind(CANCEL)
}

/// The header of a message that says nothing.
pub(super) fn filler() -> HeaderMap {
    kind(FILLER)
}

pub(super) fn is_filler(message: &Message) -> bool {
    has_kind(message, FILLER)
}

pub(super) fn is_running(message: &Message) -> bool {
    has_kind(message, RUNNING)
}

pub(super) fn is_cancel(message: &Message) -> bool {
    has_kind(message, CANCEL)
}

/// The headers of a request for a session.
pub(super) fn open(request: &RequestHeaders) -> HeaderMap {
    let mut map = request.to_map();
    map.insert(KIND, OPEN);
    map
}

/// The header with which a server accepts a session.
pub(super) fn opened() -> HeaderMap {
    kind(OPENED)
}

/// The header with which it refuses one.
pub(super) fn refused() -> HeaderMap {
    kind(REFUSED)
}

/// The header of the end of a session.
pub(super) fn close() -> HeaderMap {
    kind(CLOSE)
}

/// The header of a sign of life in a session.
pub(super) fn beat(taken: u64) -> HeaderMap {
    let mut map = HeaderMap::new();
    map.insert(TAKEN, taken.to_string().as_str());
    map
}

/// The headers of a part.
pub(super) fn of_part(number: u64, more: bool, taken: u64) -> HeaderMap {
    let mut map = beat(taken);
    let sign = if more { "+" } else { "" };
    map.insert(PART, format!("{number}{sign}").as_str());
    map
}

/// The number of a part, and whether its message goes on.
pub(super) fn part(message: &Message) -> Option<(u64, bool)> {
    let text = message.headers.as_ref()?.get(PART)?.as_str();
    let (number, more) = match text.strip_suffix('+') {
        Some(number) => (number, true),
        None => (text, false),
    };
    Some((number.parse().ok()?, more))
}

/// How much the sender has taken.
pub(super) fn acknowledged(message: &Message) -> Option<u64> {
    let text = message.headers.as_ref()?.get(TAKEN)?.as_str();
    text.parse().ok()
}

pub(super) fn is_open(message: &Message) -> bool {
    has_kind(message, OPEN)
}

pub(super) fn is_opened(message: &Message) -> bool {
    has_kind(message, OPENED)
}

pub(super) fn is_refused(message: &Message) -> bool {
    has_kind(message, REFUSED)
}

pub(super) fn is_close(message: &Message) -> bool {
    has_kind(message, CLOSE)
}

fn kind(value: &str) -> HeaderMap {
    let mut map = HeaderMap::new();
    map.insert(KIND, value);
    map
}

fn has_kind(message: &Message, expected: &str) -> bool {
    let kind = message.headers.as_ref().and_then(|map| map.get(KIND));
    kind.is_some_and(|kind| kind.as_str() == expected)
}
