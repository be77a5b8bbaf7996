//! Members of one object: their spans, and what they make of it: a request, a response, or neither.

use std::time::Duration;

use bytes::Bytes;

use crate::error::ErrorObject;
use crate::id;
use crate::message::{Entry, Extensions, Invalid, Likeness, Name, Request, Response};
use crate::message::{MAX_AFTER_LEN, MAX_TRACE_LEN};
use crate::raw::RawJson;
use crate::rules::Rules;
use crate::scan::{Fault, Scanner, Span};

/// The longest method name that is copied because it has escapes, in bytes as it is written.
const MAX_ESCAPED_NAME: usize = 4096;

/// Spans of the members of an envelope.
#[derive(Default)]
pub(crate) struct Members {
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

/// Scans an object.
pub(crate) fn members<const COUNTS: bool>(
    scanner: &mut Scanner<'_, COUNTS>,
) -> Result<Members, Fault> {
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
    pub(crate) fn classify(self, message: Bytes, rules: &Rules) -> Entry {
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
        // Clients of editors write `null` where there are none.
        let params = self.params.filter(|&params| first(params) != Some(b'n'));
        if !params.is_none_or(|params| matches!(first(params), Some(b'[' | b'{'))) {
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
                asks_start: self.after.is_some_and(|span| at(span) == b"null"),
            })
        });
        Entry::Request(Request {
            method,
            params,
            id,
            extensions,
            text: message,
        })
    }
}

pub(crate) fn invalid(id: Option<RawJson>, reason: &'static str) -> Entry {
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
    use crate::message::Incoming;
    use crate::parse::parse;

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
            assert_eq!(request.asks_start(), expected.is_none(), "{value}");
        }
        let twice = r#"{"jsonrpc":"2.0","method":"m","after":"a","after":"b"}"#;
        let parsed = parse(twice.into(), &Rules::default());
        assert!(matches!(parsed, Ok(Incoming::Single(Entry::Invalid(_)))));
    }
}
