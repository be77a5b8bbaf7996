//! Framing of messages in a byte stream: HTTP/1, WebSocket, lines.

use std::ops::Range;

/// How messages are framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// Requests and responses with `Content-Length`.
    Http,
    /// Text frames.
    WebSocket,
    /// One message a line.
    Lines,
}

/// Key of all frames. It is fixed, as every byte of the load is.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// Maximum length of a message from the server. All of them are much shorter.
const MAX_MESSAGE: usize = 1 << 20;

/// A message in the received bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) payload: Range<usize>,
    /// Where the next one begins.
    pub(crate) end: usize,
}

impl Framing {
    /// Encodes a message of the client.
    pub(crate) fn encode(self, message: &str) -> Vec<u8> {
        match self {
            Self::Http => request(message),
            Self::WebSocket => frame(message),
            Self::Lines => format!("{message}\n").into_bytes(),
        }
    }

    /// Finds the first message of the server. `None` until it is complete.
    pub(crate) fn decode(self, received: &[u8]) -> Result<Option<Message>, String> {
        let message = match self {
            Self::Http => decode_response(received)?,
            Self::WebSocket => decode_frame(received)?,
            Self::Lines => received.iter().position(|&byte| byte == b'\n').map(line),
        };
        match &message {
            None if received.len() > MAX_MESSAGE => Err("an endless message".into()),
            _ => Ok(message.filter(|message| message.end <= received.len())),
        }
    }
}

fn request(body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: counts\r\nAccept: application/json\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

fn frame(message: &str) -> Vec<u8> {
    let mut frame = vec![0x81];
    match u16::try_from(message.len()) {
        Ok(short @ 0..126) => frame.push(0x80 | short.to_be_bytes()[1]),
        Ok(medium) => {
            frame.push(0x80 | 126);
            frame.extend(medium.to_be_bytes());
        }
        Err(_) => {
            frame.push(0x80 | 127);
            frame.extend((message.len() as u64).to_be_bytes());
        }
    }
    frame.extend(MASK);
    frame.extend(message.bytes().zip(MASK.iter().cycle()).map(|(a, b)| a ^ b));
    frame
}

fn line(newline: usize) -> Message {
    Message {
        payload: 0..newline,
        end: newline + 1,
    }
}

fn decode_response(received: &[u8]) -> Result<Option<Message>, String> {
    let Some(head) = received.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(None);
    };
    let text = String::from_utf8_lossy(&received[..head]).to_ascii_lowercase();
    let length = text
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"));
    let length = length.and_then(|length| length.trim().parse::<usize>().ok());
    match length {
        Some(length) if text.starts_with("http/1.1 200 ") && length <= MAX_MESSAGE => {
            let start = head + 4;
            Ok(Some(Message {
                payload: start..start + length,
                end: start + length,
            }))
        }
        _ => Err(format!("a response that no case expects: {text}")),
    }
}

fn decode_frame(received: &[u8]) -> Result<Option<Message>, String> {
    let (start, length) = match *received {
        [0x81, length @ 0..126, ..] => (2, usize::from(length)),
        [0x81, 126, high, low, ..] => (4, usize::from(u16::from_be_bytes([high, low]))),
        [0x81, 126, ..] | [0x81] | [] => return Ok(None),
        [first, ref rest @ ..] => {
            return Err(format!(
                "a frame that no case expects: {first:#x}, {:?}",
                rest.first()
            ));
        }
    };
    Ok(Some(Message {
        payload: start..start + length,
        end: start + length,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_have_the_three_lengths() {
        for (length, head) in [(125, 6), (126, 8), (65_535, 8), (65_536, 14)] {
            let frame = Framing::WebSocket.encode(&"x".repeat(length));
            assert_eq!(frame.len(), head + length);
            assert_eq!(frame[head] ^ MASK[0], b'x');
        }
    }

    #[test]
    fn finds_a_message_once_it_is_complete() {
        let long = [vec![0x81, 126, 0, 200], vec![b'a'; 200]].concat();
        let response = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}".to_vec();
        for (framing, bytes, start) in [
            (Framing::Lines, b"{}\n".to_vec(), 0),
            (Framing::WebSocket, vec![0x81, 2, b'{', b'}'], 2),
            (Framing::WebSocket, long, 4),
            (Framing::Http, response, 38),
        ] {
            for short in 0..bytes.len() {
                let found = framing.decode(&bytes[..short]);
                assert_eq!(found, Ok(None), "{framing:?} {short}");
            }
            let message = framing.decode(&[&bytes[..], b"next"].concat()).unwrap();
            let message = message.unwrap();
            assert_eq!(message.payload.start, start, "{framing:?}");
            assert_eq!(message.end, bytes.len(), "{framing:?}");
        }
    }

    #[test]
    fn refuses_what_no_case_expects() {
        for (framing, bytes) in [
            (Framing::WebSocket, &b"\x88\x00"[..]),
            (Framing::WebSocket, b"\x89\x00"),
            (Framing::WebSocket, b"\x81\x85"),
            (Framing::WebSocket, b"\x81\x7f"),
            (Framing::Http, b"HTTP/1.1 503 \r\ncontent-length: 0\r\n\r\n"),
            (Framing::Http, b"HTTP/1.1 200 OK\r\n\r\n"),
            (
                Framing::Http,
                b"HTTP/1.1 200 OK\r\ncontent-length: 9999999\r\n\r\n",
            ),
        ] {
            framing.decode(bytes).unwrap_err();
        }
    }
}
