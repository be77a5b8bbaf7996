//! Parser of messages: a single pass that classifies every entry.
//!
//! The checks are in the order of this file: is the text JSON, is it one object or a batch of a
//! valid length, and is each object a request, a response or neither. A syntax error anywhere in
//! the text takes precedence, so that no part of a malformed message ever runs.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;

use crate::error::{ErrorCode, ErrorObject};
use crate::id;
use crate::message::{Entry, Extensions, Incoming, Invalid, Likeness, Name, Request, Response};
use crate::message::{MAX_AFTER_LEN, MAX_TRACE_LEN};
use crate::raw::RawJson;
use crate::scan::{Fault, Scanner, Span, may_exceed};

/// The longest method name that is copied because it has escapes, in bytes as it is written.
const MAX_ESCAPED_NAME: usize = 4096;

/// A short entry of a batch, in bytes.
const TYPICAL_ENTRY: usize = 56;

/// Rules for valid messages.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Rules {
    /// Maximum count of entries in a batch.
    pub max_batch: usize,
    /// Maximum count of JSON values in a message: objects, arrays, strings, numbers, `true`, `false`
    /// and `null`, but not the names of members.
    pub max_values: usize,
    /// Required value of the member `jsonrpc`.
    pub version: String,
}

impl Default for Rules {
    /// At most 100 entries per batch and 1,000,000 values, and version `2.0`.
    fn default() -> Self {
        Self {
            max_batch: 100,
            max_values: 1_000_000,
            version: "2.0".to_owned(),
        }
    }
}

impl Rules {
    /// Sets the batch limit.
    #[must_use]
    pub fn max_batch(mut self, max: usize) -> Self {
        self.max_batch = max;
        self
    }

    /// Sets the limit of values.
    #[must_use]
    pub fn max_values(mut self, max: usize) -> Self {
        self.max_values = max;
        self
    }

    /// Sets the version.
    #[must_use]
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = version.into();
        self
    }
}

/// Why a message was rejected as a whole. The response is one error with the id null.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rejection {
    /// Not UTF-8, not JSON, or nested deeper than 128 brackets.
    Syntax {
        /// Offset of the first invalid byte.
        at: usize,
    },
    /// More values than [`Rules::max_values`]. The text after the first value too many was not read.
    TooManyValues,
    /// Valid JSON, but neither an object nor an array.
    NotAnObject,
    /// An empty batch: `[]`.
    EmptyBatch,
    /// A batch with more entries than [`Rules::max_batch`].
    BatchTooLong,
}

impl Rejection {
    /// The error for the response. It has no details, which are only for a log.
    ///
    /// ```
    /// use antiphon_proto::{Rules, parse};
    ///
    /// let rejection = parse("{\"jsonrpc\"".into(), &Rules::default()).unwrap_err();
    /// assert_eq!(rejection.error().to_json(), r#"{"code":-32700,"message":"Parse error"}"#);
    /// ```
    #[must_use]
    pub fn error(self) -> ErrorObject {
        ErrorObject::of(match self {
            Self::Syntax { .. } | Self::TooManyValues => ErrorCode::PARSE_ERROR,
            Self::NotAnObject | Self::EmptyBatch | Self::BatchTooLong => ErrorCode::INVALID_REQUEST,
        })
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax { at } => write!(f, "not JSON, or nested too deep, at byte {at}"),
            Self::TooManyValues => f.write_str("too many JSON values"),
            Self::NotAnObject => f.write_str("neither an object nor an array"),
            Self::EmptyBatch => f.write_str("an empty batch"),
            Self::BatchTooLong => f.write_str("a batch with too many entries"),
        }
    }
}

impl std::error::Error for Rejection {}

/// Parses one message.
///
/// # Errors
///
/// [`Rejection`] if no part of the message can run. An entry that is not a request is no error of
/// the whole message: it is returned as [`Entry::Invalid`].
///
/// ```
/// use antiphon_proto::{Entry, Incoming, Rules, parse};
///
/// let Ok(Incoming::Batch(entries)) = parse(br#"[1, {"jsonrpc":"2.0","method":"tick"}]"#[..].into(), &Rules::default())
/// else { panic!() };
/// assert!(matches!(entries[0], Entry::Invalid(_)));
/// assert!(matches!(&entries[1], Entry::Request(tick) if tick.is_notification()));
/// ```
pub fn parse(message: Bytes, rules: &Rules) -> Result<Incoming, Rejection> {
    if u32::try_from(message.len()).is_err() {
        return Err(Rejection::Syntax { at: 0 });
    }
    let shape = match may_exceed(message.len(), rules.max_values) {
        false => shape::<false>(&message, rules),
        true => shape::<true>(&message, rules),
    };
    match shape? {
        Shape::Object(members) => Ok(Incoming::Single(members.classify(message, rules))),
        Shape::Array { too_long: true, .. } => Err(Rejection::BatchTooLong),
        Shape::Array { entries, .. } if entries.is_empty() => Err(Rejection::EmptyBatch),
        Shape::Array { entries, .. } => Ok(Incoming::Batch(entries)),
        Shape::Scalar => Err(Rejection::NotAnObject),
    }
}

enum Shape {
    /// It contains only offsets, so the message can be moved afterwards.
    Object(Members),
    Array {
        entries: Vec<Entry>,
        too_long: bool,
    },
    Scalar,
}

/// Scans the whole text.
fn shape<const COUNTS: bool>(message: &Bytes, rules: &Rules) -> Result<Shape, Rejection> {
    let mut scanner = Scanner::<COUNTS>::new(message, rules.max_values);
    scanner.space();
    let shape = match scanner.peek() {
        Some(b'{') => members(&mut scanner).map(Shape::Object),
        Some(b'[') => entries(&mut scanner, message, rules),
        _ => scanner.value().map(|_| Shape::Scalar),
    };
    scanner.space();
    let at = scanner.at();
    let shape = match shape {
        Ok(shape) if scanner.peek().is_none() => shape,
        Err(Fault) if scanner.is_exceeded() => return Err(Rejection::TooManyValues),
        _ => return Err(Rejection::Syntax { at }),
    };
    if !scanner.is_ascii()
        && let Err(invalid) = std::str::from_utf8(message)
    {
        let at = invalid.valid_up_to();
        return Err(Rejection::Syntax { at });
    }
    Ok(shape)
}

/// The entries of a batch. Beyond the limit only the syntax is checked, and nothing is stored.
fn entries<const COUNTS: bool>(
    scanner: &mut Scanner<'_, COUNTS>,
    message: &Bytes,
    rules: &Rules,
) -> Result<Shape, Fault> {
    let expected = message.len() / TYPICAL_ENTRY;
    let mut entries = Vec::with_capacity(expected.min(rules.max_batch));
    let mut too_long = false;
    scanner.open(b'[')?;
    scanner.space();
    if scanner.close(b']') {
        return Ok(Shape::Array { entries, too_long });
    }
    loop {
        if entries.len() >= rules.max_batch {
            too_long = true;
            scanner.value()?;
        } else if scanner.peek() == Some(b'{') {
            let members = members(scanner)?;
            entries.push(members.classify(message.clone(), rules));
        } else {
            scanner.value()?;
            entries.push(invalid(None, "not an object"));
        }
        scanner.space();
        if scanner.close(b']') {
            return Ok(Shape::Array { entries, too_long });
        }
        scanner.expect(b',')?;
        scanner.space();
    }
}

/// Spans of the members of an envelope.
#[derive(Default)]
struct Members {
    jsonrpc: Option<Span>,
    method: Option<Span>,
    params: Option<Span>,
    id: Option<Span>,
    result: Option<Span>,
    error: Option<Span>,
    timeout: Option<Span>,
    traceparent: Option<Span>,
    tracestate: Option<Span>,
    after: Option<Span>,
    /// No string has contained an escape by the end of the object.
    plain: bool,
    /// A member was repeated, with or without escapes in its name.
    duplicate: bool,
    duplicate_id: bool,
}

fn members<const COUNTS: bool>(scanner: &mut Scanner<'_, COUNTS>) -> Result<Members, Fault> {
    let mut members = Members::default();
    scanner.open(b'{')?;
    scanner.space();
    if scanner.close(b'}') {
        return Ok(members);
    }
    loop {
        members.read(scanner)?;
        scanner.space();
        if scanner.accept(b',') {
            scanner.space();
            continue;
        }
        if !scanner.close(b'}') {
            return Err(Fault);
        }
        members.plain = scanner.is_plain();
        return Ok(members);
    }
}

impl Members {
    /// Scans one member: its name and its value.
    #[inline]
    fn read<const COUNTS: bool>(&mut self, scanner: &mut Scanner<'_, COUNTS>) -> Result<(), Fault> {
        // Fast path: most messages write the common names without escapes, and the version like this.
        let second = scanner.second();
        if second == Some(b'j')
            && let Some(version) =
                scanner.accept_member(b"\"jsonrpc\":\"2.0\"", b"\"jsonrpc\"".len())?
        {
            self.duplicate |= self.jsonrpc.replace(version).is_some();
            return Ok(());
        }
        let slot = match second {
            Some(b'i') if scanner.accept_key(b"\"id\":") => Some(&mut self.id),
            Some(b'm') if scanner.accept_key(b"\"method\":") => Some(&mut self.method),
            Some(b'p') if scanner.accept_key(b"\"params\":") => Some(&mut self.params),
            _ => {
                let name = scanner.key()?;
                self.slot(scanner.bytes(name), name.escaped)
            }
        };
        let value = scanner.value()?;
        if let Some(slot) = slot
            && slot.replace(value).is_some()
        {
            self.duplicate = true;
            self.duplicate_id |= self.id == Some(value);
        }
        Ok(())
    }

    fn slot(&mut self, spelled: &[u8], escaped: bool) -> Option<&mut Option<Span>> {
        if escaped {
            // `"i\u0064"` is `id`, and must be treated as such.
            let name = unescape(spelled)?;
            return self.slot(name.as_bytes(), false);
        }
        Some(match spelled {
            b"jsonrpc" => &mut self.jsonrpc,
            b"method" => &mut self.method,
            b"params" => &mut self.params,
            b"id" => &mut self.id,
            b"result" => &mut self.result,
            b"error" => &mut self.error,
            b"timeout" => &mut self.timeout,
            b"traceparent" => &mut self.traceparent,
            b"tracestate" => &mut self.tracestate,
            b"after" => &mut self.after,
            _ => return None,
        })
    }

    /// Classifies the object as a request, a response or neither (sections 4 and 5).
    fn classify(self, message: Bytes, rules: &Rules) -> Entry {
        let at = |span: Span| message.get(span.range()).unwrap_or_default();
        let first = |span: Span| at(span).first().copied();
        let id = self
            .id
            .filter(|&id| !self.duplicate_id && id::is_valid(at(id)));
        let kind = match (self.method, self.result.or(self.error)) {
            (None, Some(_)) => Likeness::Answer,
            (None, None) => Likeness::Neither,
            (Some(_), _) => Likeness::Request,
        };
        let refuse = |reason| {
            let id = id.map(|id| RawJson::cut(&message, id));
            Entry::Invalid(Invalid { id, reason, kind })
        };

        if self.duplicate {
            return refuse("a member came twice");
        }
        if !self
            .jsonrpc
            .is_some_and(|version| is_string(at(version), &rules.version))
        {
            return refuse("the member jsonrpc is missing or names another version");
        }
        if id.is_none() && self.id.is_some() {
            return refuse("the id is neither string, number nor null, or is too long");
        }
        let Some(method) = self.method else {
            return match response(&message, id, self.result, self.error) {
                Some(response) => Entry::Response(response),
                None => refuse("neither a method nor one of result and error"),
            };
        };
        if !self
            .params
            .is_none_or(|params| matches!(first(params), Some(b'[' | b'{')))
        {
            return refuse("params are neither an array nor an object");
        }
        let Some(method) = method_name(at(method), method, self.plain) else {
            return refuse("the method is not a string");
        };
        let extended = self.timeout.is_some()
            || self.traceparent.is_some()
            || self.tracestate.is_some()
            || self.after.is_some();
        let extensions = extended.then(|| {
            Box::new(Extensions {
                timeout: self.timeout.and_then(|span| milliseconds(at(span))),
                traceparent: self.traceparent.and_then(|span| trace(at(span))),
                tracestate: self.tracestate.and_then(|span| trace(at(span))),
                after: self.after.and_then(|span| cursor(at(span))),
            })
        });
        Entry::Request(Request {
            method,
            params: self.params,
            id,
            extensions,
            text: message,
        })
    }
}

fn invalid(id: Option<RawJson>, reason: &'static str) -> Entry {
    Entry::Invalid(Invalid {
        id,
        reason,
        kind: Likeness::Neither,
    })
}

/// A response has an id and exactly one of result and error (section 5).
fn response(
    message: &Bytes,
    id: Option<Span>,
    result: Option<Span>,
    error: Option<Span>,
) -> Option<Response> {
    let outcome = match (result, error) {
        (Some(result), None) => Ok(RawJson::cut(message, result)),
        (None, Some(error)) => Err(ErrorObject::from_json(
            RawJson::cut(message, error).as_str(),
        )?),
        _ => return None,
    };
    let id = RawJson::cut(message, id?);
    Some(Response { id, outcome })
}

fn method_name(value: &[u8], span: Span, plain: bool) -> Option<Name> {
    let inner = value.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    if !plain && inner.contains(&b'\\') {
        // A name with an unpaired surrogate is a string, but not a valid method name. With the
        // replacement character, which no method name may contain, it becomes a method that is not
        // found.
        // So does one that is too long to be copied.
        let name = match inner.len() <= MAX_ESCAPED_NAME {
            true => unescape(inner),
            false => None,
        };
        let name = name.unwrap_or_else(|| "\u{fffd}".to_owned());
        return Some(Name::Unescaped(name.into()));
    }
    let range = span.range();
    Some(Name::Plain {
        start: u32::try_from(range.start + 1).ok()?,
        end: u32::try_from(range.end - 1).ok()?,
    })
}

/// Whether the JSON value is the string `expected`, with or without escapes.
fn is_string(value: &[u8], expected: &str) -> bool {
    // Nearly always; comparisons with constants are cheap.
    if value == b"\"2.0\"" && expected == "2.0" {
        return true;
    }
    let Some(inner) = value
        .strip_prefix(b"\"")
        .and_then(|v| v.strip_suffix(b"\""))
    else {
        return false;
    };
    inner == expected.as_bytes()
        || (inner.contains(&b'\\') && unescape(inner).as_deref() == Some(expected))
}

/// Unescapes the text between the quotes of a string. `None` for an unpaired surrogate.
fn unescape(inner: &[u8]) -> Option<String> {
    string(&[b"\"", inner, b"\""].concat())
}

fn string(value: &[u8]) -> Option<String> {
    serde_json::from_slice(value).ok()
}

/// A member of a trace context, unless it is too long.
fn trace(value: &[u8]) -> Option<String> {
    match value.len() <= MAX_TRACE_LEN {
        true => string(value),
        false => None,
    }
}

/// A cursor. One that is too long, or no string, is known to nobody; so is the empty one. `null` is none.
fn cursor(value: &[u8]) -> Option<String> {
    match value {
        b"null" => None,
        _ if value.len() <= MAX_AFTER_LEN => Some(string(value).unwrap_or_default()),
        _ => Some(String::new()),
    }
}

fn milliseconds(value: &[u8]) -> Option<Duration> {
    serde_json::from_slice(value)
        .ok()
        .map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A copy would outlive its message, and is not counted with it.
    #[test]
    fn what_is_copied_out_of_a_message_is_short() {
        for (length, kept) in [(100, true), (1022, true), (1023, false), (1_000_000, false)] {
            let text = "x".repeat(length);
            let message = format!(
                r#"{{"jsonrpc":"2.0","method":"m","traceparent":"{text}","tracestate":"{text}"}}"#
            );
            let Ok(Incoming::Single(Entry::Request(request))) =
                parse(message.into(), &Rules::default())
            else {
                panic!("no request");
            };
            let expected = kept.then_some(&*text);
            assert_eq!(
                (request.traceparent(), request.tracestate()),
                (expected, expected)
            );
            let message = format!(r#"{{"jsonrpc":"2.0","method":"\u0041{text}"}}"#);
            let Ok(Incoming::Single(Entry::Request(request))) =
                parse(message.into(), &Rules::default())
            else {
                panic!("no request");
            };
            assert_eq!(
                request.method().len() == length + 1,
                length < 4_000,
                "{length}"
            );
        }
    }

    /// What is no cursor is one that nobody knows; so nobody takes it for a subscription from now on.
    #[test]
    fn a_cursor_is_a_short_text() {
        let long = |length: usize| format!("\"{}\"", "x".repeat(length));
        for (value, expected) in [
            ("null", None),
            (r#""5-1-a""#, Some("5-1-a")),
            (r#""\u0061""#, Some("a")),
            (&*long(254), Some(&*"x".repeat(254))),
            (&*long(255), Some("")),
            (r#""\ud800""#, Some("")),
            ("7", Some("")),
            (r#"{"a":[]}"#, Some("")),
        ] {
            let message = format!(r#"{{"jsonrpc":"2.0","method":"m","id":1,"after":{value}}}"#);
            let Ok(Incoming::Single(Entry::Request(request))) =
                parse(message.into(), &Rules::default())
            else {
                panic!("no request");
            };
            assert_eq!(request.after(), expected, "{value}");
        }
        let twice = r#"{"jsonrpc":"2.0","method":"m","after":"a","after":"b"}"#;
        let parsed = parse(twice.into(), &Rules::default());
        assert!(matches!(parsed, Ok(Incoming::Single(Entry::Invalid(_)))));
    }
}
