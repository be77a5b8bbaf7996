//! Record as a line of JSON.

use std::fmt::Write as _;
use std::time::SystemTime;

use antiphon_proto::is_printable;

use super::timestamp::Timestamp;
use crate::address::client_address::ClientAddress;
use crate::call_origin::Transport;

/// The most bytes of a text that is a peer's or a program's, as it stands in a line. So a line is shorter
/// than what a pipe takes as a whole.
pub(super) const MAX_TEXT: usize = 1024;

/// What a line says.
#[derive(Debug)]
pub(super) struct Line<'a> {
    pub(super) time: SystemTime,
    pub(super) subject: Option<&'a str>,
    pub(super) admin: bool,
    pub(super) address: ClientAddress,
    pub(super) transport: Transport,
    pub(super) connection: u64,
    pub(super) method: Option<&'a str>,
    /// The code of the error; 0 for a result.
    pub(super) code: i64,
    pub(super) microseconds: u128,
    pub(super) received: usize,
    pub(super) sent: usize,
    pub(super) traceparent: Option<&'a str>,
}

impl Line<'_> {
    /// The line, with its end.
    pub(super) fn to_json(&self) -> String {
        let mut line = String::with_capacity(320);
        // Writing to a string cannot fail, here and below.
        let _ = write!(line, "{{\"time\":\"{}\",\"subject\":", Timestamp(self.time));
        push_text(&mut line, self.subject);
        let _ = write!(line, ",\"admin\":{},\"address\":", self.admin);
        match self.address.ip() {
            Some(address) => drop(write!(line, "\"{address}\"")),
            None => line.push_str("null"),
        }
        let _ = write!(
            line,
            ",\"transport\":\"{}\",\"connection\":{},\"method\":",
            self.transport, self.connection
        );
        push_text(&mut line, self.method);
        let _ = write!(
            line,
            ",\"code\":{},\"microseconds\":{},\"bytesIn\":{},\"bytesOut\":{},\"traceId\":",
            self.code, self.microseconds, self.received, self.sent
        );
        push_text(&mut line, self.traceparent.and_then(trace_id));
        line.push_str("}\n");
        line
    }
}

/// The line that says how many are missing before it.
pub(super) fn missing(lines: u64) -> String {
    let time = Timestamp(SystemTime::now());
    format!("{{\"time\":\"{time}\",\"missingLines\":{lines}}}\n")
}

/// Appends a text as JSON, cut at its maximum. What is not printable is escaped, so that the file can be
/// read in a terminal.
fn push_text(line: &mut String, text: Option<&str>) {
    let Some(text) = text else {
        return line.push_str("null");
    };
    line.push('"');
    let end = line.len() + MAX_TEXT;
    for c in text.chars() {
        if line.len() >= end {
            line.push('…');
            break;
        }
        match c {
            '"' | '\\' => line.extend(['\\', c]),
            c if is_printable(c) => line.push(c),
            c => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _ = write!(line, "\\u{unit:04x}");
                }
            }
        }
    }
    line.push('"');
}

/// The trace id of a `traceparent` (W3C Trace Context, section 3.2.2.3).
fn trace_id(traceparent: &str) -> Option<&str> {
    let mut parts = traceparent.split('-');
    let version = parts.next()?;
    let id = parts.next()?;
    let is_hex = |text: &str| text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let is_valid = version.len() == 2 && is_hex(version) && id.len() == 32 && is_hex(id);
    (is_valid && id.bytes().any(|b| b != b'0')).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::IpAddr;

    const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn line() -> Line<'static> {
        Line {
            time: SystemTime::UNIX_EPOCH,
            subject: None,
            admin: false,
            address: ClientAddress::None,
            transport: Transport::Unix,
            connection: 3,
            method: Some("calc.add"),
            code: 0,
            microseconds: 12,
            received: 5,
            sent: 38,
            traceparent: None,
        }
    }

    #[test]
    fn a_line_has_the_same_members_whoever_calls() {
        let known = Line {
            subject: Some("alice"),
            admin: true,
            address: ClientAddress::from("2001:db8::1".parse::<IpAddr>().unwrap()),
            transport: Transport::Http,
            code: -32601,
            traceparent: Some(TRACE),
            ..line()
        };
        let begin = r#"{"time":"1970-01-01T00:00:00.000000Z","#;
        for (line, expected) in [
            (
                line(),
                r#""subject":null,"admin":false,"address":null,"transport":"unix","connection":3,"method":"calc.add","code":0,"microseconds":12,"bytesIn":5,"bytesOut":38,"traceId":null}"#,
            ),
            (
                known,
                r#""subject":"alice","admin":true,"address":"2001:db8::1","transport":"http","connection":3,"method":"calc.add","code":-32601,"microseconds":12,"bytesIn":5,"bytesOut":38,"traceId":"4bf92f3577b34da6a3ce929d0e0e4736"}"#,
            ),
        ] {
            assert_eq!(line.to_json(), format!("{begin}{expected}\n"));
        }
    }

    #[test]
    fn whatever_a_peer_sends_a_line_is_one_short_line_of_json() {
        for text in [
            "",
            "a\"b\\c",
            "a\nb\r\u{1b}[2J\u{0}",
            "\u{202e}txt.exe\u{e0041}",
            "é 語 👩‍🚀",
        ] {
            let line = Line {
                method: Some(text),
                subject: Some(text),
                ..line()
            };
            let json = line.to_json();
            let end = json.strip_suffix('\n').unwrap();
            assert!(end.chars().all(is_printable), "{json:?}");
            let value: serde_json::Value = serde_json::from_str(&json).unwrap();
            assert_eq!(
                (&value["method"], &value["subject"]),
                (&text.into(), &text.into())
            );
        }
        for c in ["x", "\u{e0041}", "👩‍🚀"] {
            let text = c.repeat(100_000);
            let line = Line {
                method: Some(&text),
                subject: Some(&text),
                ..line()
            };
            let json = line.to_json();
            assert!(json.len() < 4096, "{}", json.len());
            let value: serde_json::Value = serde_json::from_str(&json).unwrap();
            let method = value["method"].as_str().unwrap();
            assert!(method.ends_with('…') && method.len() > 64, "{method}");
        }
    }

    #[test]
    fn only_a_valid_trace_has_an_id() {
        for (text, valid) in [
            (TRACE, true),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736", true),
            (
                "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
                false,
            ),
            (
                "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
                false,
            ),
            (
                "0-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                false,
            ),
            (
                "00-4bf92f3577b34da6a3ce929d0e0e47-00f067aa0ba902b7-01",
                false,
            ),
            ("", false),
        ] {
            assert_eq!(trace_id(text).is_some(), valid, "{text}");
        }
    }
}
