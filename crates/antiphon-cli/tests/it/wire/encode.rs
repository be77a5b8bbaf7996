//! Bytes of a message in each protocol.

use super::Protocol;

/// Opcode of a WebSocket frame with text.
const TEXT: u8 = 1;
/// Longest payload of an HTTP/2 frame that every server takes.
const FRAME: usize = 16_384;

/// Media types that a response may have.
pub(super) const ANY: &str = "*/*";
pub(super) const EVENTS: &str = "text/event-stream";

/// The first bytes of a connection.
pub(super) fn greeting(protocol: Protocol) -> &'static [u8] {
    match protocol {
        // The settings grant a window of 0 bytes to every stream.
        Protocol::Http2 => {
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\
              \x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x04\x00\x00\x00\x00"
        }
        Protocol::WebSocket => {
            b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
              Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        }
        Protocol::Http1 | Protocol::Lines | Protocol::Headers => b"",
    }
}

/// One message; over HTTP with the media type that the response may have, over HTTP/2 on this stream.
pub(super) fn message(protocol: Protocol, stream: u32, accept: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    match protocol {
        Protocol::Http1 => {
            let head = format!(
                "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
                 Accept: {accept}\r\nContent-Length: {length}\r\n\r\n"
            );
            [head.as_bytes(), body].concat()
        }
        Protocol::Http2 => request(stream, accept, body),
        Protocol::WebSocket => [&*frame_head(TEXT, length), body].concat(),
        Protocol::Lines => [body, b"\n"].concat(),
        Protocol::Headers => {
            let head = format!("Content-Length: {length}\r\n\r\n");
            [head.as_bytes(), body].concat()
        }
    }
}

/// A frame of HTTP/2.
pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A request over HTTP/2.
fn request(stream: u32, accept: &str, body: &[u8]) -> Vec<u8> {
    // `POST`, `http` and `/`; then `:authority`, `content-type` and `accept`, each by its place in
    // the static table.
    let head = [
        &[0x83, 0x86, 0x84, 0x41, 9][..],
        b"localhost",
        &[0x0f, 0x10, 16],
        b"application/json",
        &[0x0f, 0x04, u8::try_from(accept.len()).unwrap()],
        accept.as_bytes(),
    ];
    let mut bytes = frame(1, 4, stream, &head.concat());
    let mut pieces = body.chunks(FRAME).peekable();
    while let Some(piece) = pieces.next() {
        bytes.extend(frame(0, u8::from(pieces.peek().is_none()), stream, piece));
    }
    bytes
}

/// The head of a WebSocket frame that ends a message, masked with zeros, which leave the payload as it
/// is.
pub(super) fn frame_head(opcode: u8, length: usize) -> Vec<u8> {
    let mut head = vec![0x80 | opcode];
    match length {
        0..126 => head.push(0x80 | u8::try_from(length).unwrap()),
        126..65_536 => {
            head.push(0x80 | 126);
            head.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
        _ => {
            head.push(0x80 | 127);
            head.extend(u64::try_from(length).unwrap().to_be_bytes());
        }
    }
    head.extend([0; 4]);
    head
}
