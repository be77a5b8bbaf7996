//! Fuzz target for framing: the pieces in which a byte stream arrives do not change its messages.

use antiphon_proto::Framing;
use antiphon_proto::framing::{Decoder, FramingError};
use bytes::{Bytes, BytesMut};

/// The messages of a stream, and its end.
pub(crate) type Outcome = (Vec<Bytes>, Result<(), FramingError>);

/// Decodes the stream at once, byte by byte, and in pieces. The first three bytes of the input
/// select the framing, the maximum size of a message and the pieces; the rest is the stream.
/// Returns whether the stream ended without an error.
///
/// # Panics
///
/// If the outcomes differ, or if a message violates its framing.
pub fn check(input: &[u8]) -> bool {
    let Some((&[framing, max, pieces], stream)) = input.split_first_chunk() else {
        return false;
    };
    let framing = match framing % 2 {
        0 => Framing::Newline,
        _ => Framing::ContentLength,
    };
    let max = usize::from(max);

    let whole = cut(framing, max, [stream]);
    assert_eq!(cut(framing, max, stream.chunks(1)), whole, "byte by byte");
    let sizes = Sizes(u32::from(pieces) + 1);
    assert_eq!(cut(framing, max, sizes.of(stream)), whole, "in pieces");

    for message in &whole.0 {
        assert!(message.len() <= max, "{} bytes of {max}", message.len());
    }
    if framing == Framing::Newline {
        assert_eq!(whole, lines(stream, max));
    }

    // Encodes and decodes the messages again. This replaces a lone `\r` by a space, and drops one
    // at the end.
    let mut again = BytesMut::new();
    for message in &whole.0 {
        framing.encode(message, &mut again);
    }
    let (messages, end) = cut(framing, max, [&again[..]]);
    assert_eq!(end, Ok(()));
    assert_eq!(messages.len(), whole.0.len());
    for (before, after) in whole.0.iter().zip(&messages) {
        let expected: Vec<u8> = match framing {
            Framing::Newline => before.iter().map(|&byte| blank(byte)).collect(),
            _ => before.to_vec(),
        };
        assert_eq!(expected, after[..]);
    }
    whole.1.is_ok()
}

fn blank(byte: u8) -> u8 {
    match byte {
        b'\r' => b' ',
        other => other,
    }
}

pub(crate) fn cut<'a>(
    framing: Framing,
    max: usize,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Outcome {
    let (mut decoder, mut buffer) = (Decoder::new(framing, max), BytesMut::new());
    let mut messages = Vec::new();
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            match decoder.decode(&mut buffer) {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(error) => return (messages, Err(stays(decoder, error))),
            }
        }
    }
    loop {
        match decoder.finish(&mut buffer) {
            Ok(Some(message)) => messages.push(message),
            Ok(None) => return (messages, Ok(())),
            Err(error) => return (messages, Err(stays(decoder, error))),
        }
    }
}

/// Reference decoder for lines.
fn lines(stream: &[u8], max: usize) -> Outcome {
    const MAX_BLANK: usize = 64 * 1024;
    let mut messages = Vec::new();
    let mut blanks = 0;
    for line in stream.split_inclusive(|&byte| byte == b'\n') {
        let blank = |byte: &u8| b" \t\r\n".contains(byte);
        let start = line.iter().position(|byte| !blank(byte));
        blanks += start.unwrap_or(line.len());
        if blanks > MAX_BLANK {
            return (messages, Err(FramingError::Blank(MAX_BLANK)));
        }
        let Some(start) = start else {
            continue;
        };
        blanks = 0;
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let message = &line[start..];
        if !message.starts_with(b"{") && !message.starts_with(b"[") {
            return (messages, Err(FramingError::NotJson));
        }
        if message.len() > max {
            return (messages, Err(FramingError::TooLong(max)));
        }
        messages.push(Bytes::copy_from_slice(message));
    }
    (messages, Ok(()))
}

/// Checks that nothing after an error becomes a message.
fn stays(mut decoder: Decoder, error: FramingError) -> FramingError {
    let mut good = BytesMut::from("\r\n{}\nContent-Length: 2\r\n\r\n{}");
    assert_eq!(decoder.decode(&mut good), Err(error));
    assert_eq!(decoder.finish(&mut good), Err(error));
    error
}

/// Pseudo-random sizes of pieces, up to 24 bytes.
pub(crate) struct Sizes(pub(crate) u32);

impl Sizes {
    pub(crate) fn of(mut self, mut stream: &[u8]) -> Vec<&[u8]> {
        let mut pieces = Vec::new();
        while !stream.is_empty() {
            self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let size = 1 + (self.0 >> 24) as usize % 24;
            let (piece, rest) = stream.split_at(size.min(stream.len()));
            pieces.push(piece);
            stream = rest;
        }
        pieces
    }
}
