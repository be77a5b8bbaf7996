//! Handshake of a WebSocket server (RFC 6455, section 4.2).
//!
//! No extension is ever accepted, and `jsonrpc` is the only subprotocol, for clients that offer it.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, StatusCode, Version};
use tungstenite::handshake::derive_accept_key;

use crate::transport::ws::tokens::{SUBPROTOCOL, lists, tokens};

/// The result of checking a request for a WebSocket handshake.
#[derive(Debug)]
pub(crate) enum Handshake {
    /// It is not a WebSocket handshake.
    NotAnUpgrade,
    /// It is a WebSocket handshake that cannot be accepted.
    Refused {
        status: StatusCode,
        sentence: &'static str,
        headers: HeaderMap,
    },
    /// It is valid; these are the headers of the 101 response.
    Accepted(HeaderMap),
}

impl Handshake {
    fn refused(status: StatusCode, sentence: &'static str) -> Self {
        Self::Refused {
            status,
            sentence,
            headers: HeaderMap::new(),
        }
    }
}

/// Checks the head of a request. For methods other than GET this is a single comparison.
pub(crate) fn examine(head: &Parts) -> Handshake {
    // Only HTTP/1.1 has upgrades, and a server may ignore the `Upgrade` header.
    if head.method != Method::GET || head.version != Version::HTTP_11 {
        return Handshake::NotAnUpgrade;
    }
    let headers = &head.headers;
    if !lists(headers, &header::UPGRADE, b"websocket") {
        return Handshake::NotAnUpgrade;
    }
    if !lists(headers, &header::CONNECTION, b"upgrade") {
        return Handshake::refused(
            StatusCode::BAD_REQUEST,
            "A request for a WebSocket needs the header Connection: Upgrade.",
        );
    }
    if only(headers, &header::SEC_WEBSOCKET_VERSION).is_none_or(|value| value != "13") {
        return Handshake::Refused {
            status: StatusCode::UPGRADE_REQUIRED,
            sentence: "This server speaks version 13 of the WebSocket protocol.",
            headers: other_version(),
        };
    }
    match only(headers, &header::SEC_WEBSOCKET_KEY).filter(|key| is_key(key.as_bytes())) {
        Some(key) => accepted(key.as_bytes(), offers_ours(headers)),
        None => Handshake::refused(
            StatusCode::BAD_REQUEST,
            "A request for a WebSocket needs one Sec-WebSocket-Key of 16 bytes in base64.",
        ),
    }
}

fn accepted(key: &[u8], with_subprotocol: bool) -> Handshake {
    // Base64 is always a valid header value.
    let Ok(accept) = HeaderValue::try_from(derive_accept_key(key)) else {
        return Handshake::NotAnUpgrade;
    };
    let mut headers = upgrade_headers();
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    if with_subprotocol {
        let ours = HeaderValue::from_static(SUBPROTOCOL);
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, ours);
    }
    Handshake::Accepted(headers)
}

fn other_version() -> HeaderMap {
    let mut headers = upgrade_headers();
    headers.insert(
        header::SEC_WEBSOCKET_VERSION,
        HeaderValue::from_static("13"),
    );
    headers
}

fn upgrade_headers() -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(4);
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers
}

/// Whether the client offers our subprotocol. The names are case-sensitive.
fn offers_ours(headers: &HeaderMap) -> bool {
    tokens(headers, &header::SEC_WEBSOCKET_PROTOCOL).any(|one| one == SUBPROTOCOL.as_bytes())
}

/// The value of a header that occurs exactly once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut values = headers.get_all(name).into_iter();
    let first = values.next()?;
    values.next().is_none().then_some(first)
}

/// Whether this is 16 bytes in base64: 22 digits and two padding characters.
fn is_key(key: &[u8]) -> bool {
    let digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    match key.strip_suffix(b"==") {
        Some(digits) => digits.len() == 22 && digits.iter().all(digit),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key from RFC 6455, section 1.3, and its accept value.
    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
    const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

    const GOOD: &[(&str, &str)] = &[
        ("connection", "Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", KEY),
    ];

    fn request(headers: &[(&str, &str)]) -> Parts {
        let mut request = http::Request::get("/").body(()).unwrap();
        for (name, value) in headers {
            let name: HeaderName = name.parse().unwrap();
            request.headers_mut().append(name, value.parse().unwrap());
        }
        request.into_parts().0
    }

    /// A valid request in which these headers replace those of the same name.
    fn with(lines: &[(&'static str, &'static str)]) -> Parts {
        let kept = GOOD
            .iter()
            .filter(|(name, _)| lines.iter().all(|(other, _)| other != name));
        let all: Vec<_> = kept.chain(lines).copied().collect();
        request(&all)
    }

    fn without(name: &str) -> Parts {
        let kept: Vec<_> = GOOD.iter().filter(|(n, _)| *n != name).copied().collect();
        request(&kept)
    }

    #[test]
    fn a_good_request_is_answered_as_the_standard_says() {
        let Handshake::Accepted(headers) = examine(&request(GOOD)) else {
            panic!("not accepted");
        };
        assert_eq!(headers[header::SEC_WEBSOCKET_ACCEPT], ACCEPT);
        assert_eq!(headers[header::CONNECTION], "Upgrade");
        assert_eq!(headers[header::UPGRADE], "websocket");
        assert_eq!(headers.len(), 3);
    }

    #[test]
    fn what_is_accepted() {
        for lines in [
            &[][..],
            &[("connection", "keep-alive, Upgrade")],
            &[("connection", "keep-alive"), ("connection", "UPGRADE")],
            &[("upgrade", "WebSocket")],
            &[("upgrade", "h2c , websocket")],
            &[("sec-websocket-extensions", "permessage-deflate")],
            &[("sec-websocket-key", "AAAAAAAAAAAAAAAAAAAA+/==")],
        ] {
            let handshake = examine(&with(lines));
            let Handshake::Accepted(headers) = handshake else {
                panic!("{lines:?}: {handshake:?}");
            };
            assert!(!headers.contains_key(header::SEC_WEBSOCKET_EXTENSIONS));
        }
    }

    #[test]
    fn the_subprotocol_is_ours_or_none() {
        const NAME: &str = "sec-websocket-protocol";
        for (lines, chosen) in [
            (&[][..], false),
            (&[(NAME, "jsonrpc")], true),
            (&[(NAME, "graphql-ws, jsonrpc")], true),
            (&[(NAME, "graphql-ws"), (NAME, "jsonrpc")], true),
            (&[(NAME, "JSONRPC")], false),
            (&[(NAME, "jsonrpc2")], false),
            (&[(NAME, "graphql-ws")], false),
        ] {
            let Handshake::Accepted(headers) = examine(&with(lines)) else {
                panic!("not accepted");
            };
            let answer = headers.get(header::SEC_WEBSOCKET_PROTOCOL);
            assert_eq!(
                answer.map(HeaderValue::as_bytes),
                chosen.then_some(&b"jsonrpc"[..])
            );
        }
    }

    #[test]
    fn what_is_no_upgrade() {
        let mut post = request(GOOD);
        post.method = Method::POST;
        let mut old = request(GOOD);
        old.version = Version::HTTP_10;
        let mut new = request(GOOD);
        new.version = Version::HTTP_2;
        let other = with(&[("upgrade", "h2c")]);
        for head in [post, old, new, other, without("upgrade"), request(&[])] {
            let handshake = examine(&head);
            assert!(matches!(handshake, Handshake::NotAnUpgrade), "{head:?}");
        }
    }

    #[test]
    fn what_is_refused() {
        const KEY_NAME: &str = "sec-websocket-key";
        const VERSION: &str = "sec-websocket-version";
        let bad = StatusCode::BAD_REQUEST;
        let version = StatusCode::UPGRADE_REQUIRED;
        for (head, expected) in [
            (without("connection"), bad),
            (with(&[("connection", "keep-alive")]), bad),
            (with(&[("connection", "upgraded")]), bad),
            (without(VERSION), version),
            (with(&[(VERSION, "8")]), version),
            (with(&[(VERSION, "13, 8")]), version),
            (with(&[(VERSION, "13"), (VERSION, "13")]), version),
            (without(KEY_NAME), bad),
            (with(&[(KEY_NAME, "")]), bad),
            (with(&[(KEY_NAME, "dGhlIHNhbXBsZSBub25jZQ")]), bad),
            (with(&[(KEY_NAME, "dGhlIHNhbXBsZSBub25j")]), bad),
            (with(&[(KEY_NAME, "dGhlIHNhbXBsZSBub25jZQZZ==")]), bad),
            (with(&[(KEY_NAME, "dGhlIHNhbXBsZSBub25j!Q==")]), bad),
            (with(&[(KEY_NAME, KEY), (KEY_NAME, KEY)]), bad),
        ] {
            let handshake = examine(&head);
            let Handshake::Refused {
                status, headers, ..
            } = handshake
            else {
                panic!("{head:?}: {handshake:?}");
            };
            assert_eq!(status, expected, "{head:?}");
            let told = headers.get(header::SEC_WEBSOCKET_VERSION);
            assert_eq!(told.is_some_and(|value| value == "13"), status == version);
        }
    }
}
