//! Reference parser for messages, with `serde_json`, without regard to speed. It shares no code
//! with the parser under test.

use std::fmt;

use antiphon_proto::id::MAX_ID_LEN;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The maximum nesting depth.
pub(crate) const MAX_DEPTH: usize = 128;
/// The default maximum number of entries in a batch.
pub(crate) const MAX_BATCH: usize = 100;

/// The parts of a message that determine its response.
#[derive(Debug)]
pub(crate) enum Message<'a> {
    /// Not JSON, not UTF-8, or nested too deeply.
    Syntax,
    /// Valid JSON that is rejected as a whole.
    Rejected(Rejected),
    Single(Entry<'a>),
    Batch(Vec<Entry<'a>>),
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Rejected {
    Scalar,
    EmptyBatch,
    LongBatch,
}

#[derive(Debug)]
pub(crate) enum Entry<'a> {
    Request(Request<'a>),
    /// A response or an invalid request, with the id for the error.
    Other(Option<&'a str>),
}

#[derive(Debug)]
pub(crate) struct Request<'a> {
    /// `None` for a name that a `String` cannot contain.
    pub(crate) method: Option<String>,
    pub(crate) params: Option<&'a str>,
    pub(crate) id: Option<&'a str>,
}

/// Reads a message.
pub(crate) fn read(text: &[u8]) -> Message<'_> {
    let Ok(value) = serde_json::from_slice::<&RawValue>(text) else {
        return Message::Syntax;
    };
    if depth(value.get()) > MAX_DEPTH {
        return Message::Syntax;
    }
    match value.get().as_bytes().first() {
        Some(b'{') => Message::Single(entry(value)),
        Some(b'[') => {
            let elements: Vec<&RawValue> = decoded(value);
            match elements.len() {
                0 => Message::Rejected(Rejected::EmptyBatch),
                length if length > MAX_BATCH => Message::Rejected(Rejected::LongBatch),
                _ => Message::Batch(elements.into_iter().map(entry).collect()),
            }
        }
        _ => Message::Rejected(Rejected::Scalar),
    }
}

/// The nesting depth of a JSON text.
fn depth(json: &str) -> usize {
    let (mut depth, mut deepest) = (0, 0);
    let (mut string, mut escaped) = (false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => string = !string,
            b'[' | b'{' if !string => depth += 1,
            b']' | b'}' if !string => depth -= 1,
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

fn entry(value: &RawValue) -> Entry<'_> {
    if !value.get().starts_with('{') {
        return Entry::Other(None);
    }
    let Members(members) = decoded(value);
    let all = |name: &str| -> Vec<&str> {
        let known = members.iter().filter(|(known, _)| known == name);
        known.map(|(_, value)| value.get()).collect()
    };
    let names = [
        "jsonrpc",
        "id",
        "method",
        "params",
        "result",
        "error",
        "timeout",
        "traceparent",
        "tracestate",
        "after",
    ];
    let once = names.iter().all(|name| all(name).len() < 2);
    let ids = all("id");
    let id = match *ids {
        [id] if is_id(id) => Some(id),
        _ => None,
    };
    let only = |name| all(name).first().copied();
    let string = |value: &str| serde_json::from_str::<String>(value).ok();

    let version = only("jsonrpc").and_then(string);
    let method = only("method").filter(|method| method.starts_with('"'));
    let params = only("params").filter(|params| *params != "null");
    let structured = params.is_none_or(|params| params.starts_with(['[', '{']));
    match method {
        Some(method)
            if once
                && version.as_deref() == Some("2.0")
                && structured
                && (ids.is_empty() || id.is_some()) =>
        {
            Entry::Request(Request {
                method: string(method),
                params,
                id,
            })
        }
        _ => Entry::Other(id),
    }
}

/// Whether it is a string, a number or null, and not too long.
pub(crate) fn is_id(json: &str) -> bool {
    !json.starts_with(['{', '[', 't', 'f']) && json.len() <= MAX_ID_LEN
}

/// Decodes JSON that is known to be of this type.
pub(crate) fn decoded<'a, T: Deserialize<'a>>(value: &'a RawValue) -> T {
    match serde_json::from_str(value.get()) {
        Ok(decoded) => decoded,
        Err(error) => panic!("{error} in what was JSON before"),
    }
}

/// The members of an object, in order, including duplicates. A name that a `String` cannot contain
/// becomes the empty name, which no message has.
pub(crate) struct Members<'a>(pub(crate) Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;

        impl<'de> Visitor<'de> for All {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((name, value)) = map.next_entry::<&RawValue, &RawValue>()? {
                    let name = serde_json::from_str(name.get()).unwrap_or_default();
                    members.push((name, value));
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(All)
    }
}
