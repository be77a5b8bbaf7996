//! Tests of framing as tables of byte streams with the expected messages.

use super::FramingError::{BadHeader, NotJson, TooLong, Truncated};
use super::*;
use bytes::Bytes;

/// The result of decoding a stream: its messages, and how it ended.
type Outcome = (Vec<Bytes>, Result<(), FramingError>);
/// A stream, its messages joined by `|`, and how it ends.
type Row = (&'static [u8], &'static str, Result<(), FramingError>);

fn run<'a>(framing: Framing, max: usize, pieces: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let (mut decoder, mut buffer) = (Decoder::new(framing, max), BytesMut::new());
    let mut messages = Vec::new();
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            match decoder.decode(&mut buffer) {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(decoder.finish(&mut buffer), Err(error), "an error stays");
                    return (messages, Err(error));
                }
            }
        }
    }
    loop {
        match decoder.finish(&mut buffer) {
            Ok(Some(message)) => messages.push(message),
            Ok(None) => return (messages, Ok(())),
            Err(error) => return (messages, Err(error)),
        }
    }
}

/// Decodes the stream as a whole, byte by byte, and in two parts split at every offset. The outcome
/// must always be the same. The limit is 8 bytes.
fn check(framing: Framing, (input, messages, end): Row) {
    let messages = messages.split_terminator('|').map(Bytes::from).collect();
    let (expected, shown) = ((messages, end), input.escape_ascii());
    assert_eq!(run(framing, 8, [input]), expected, "{shown}");
    assert_eq!(
        run(framing, 8, input.chunks(1)),
        expected,
        "{shown} by bytes"
    );
    for cut in 0..input.len() {
        let (head, tail) = input.split_at(cut);
        assert_eq!(
            run(framing, 8, [head, tail]),
            expected,
            "{shown} cut at {cut}"
        );
    }
}

#[test]
#[rustfmt::skip]
fn lines() {
    let rows: &[Row] = &[
        (b"",                                        "",             Ok(())),
        (b"[1]\n",                                   "[1]",          Ok(())),
        (b"[1]\r\n{}\n[2]\n",                        "[1]|{}|[2]",   Ok(())),
        (b"\n \t\r\n  [1] \n\n",                    "[1] ",         Ok(())),
        (b"[1]\n[2]",                                "[1]|[2]",      Ok(())),
        (b"[1]\r",                                   "[1]",          Ok(())),
        (b"[1]\n \r",                                "[1]",          Ok(())),
        (b"[234567]\n{}\n",                          "[234567]|{}",  Ok(())),
        (b"[234567]\r\n{}\n",                        "[234567]|{}",  Ok(())),
        (b"[234567]\r",                              "[234567]",     Ok(())),
        (b"            [234567]",                    "[234567]",     Ok(())),
        (b"[2345678]\n",                             "",             Err(TooLong(8))),
        (b"[2345678]\r\n",                           "",             Err(TooLong(8))),
        (b"[2345678]",                               "",             Err(TooLong(8))),
        (b"[234567]\r\r",                            "",             Err(TooLong(8))),
        (b"{}\n[234567] {}\n",                       "{}",           Err(TooLong(8))),
        (b"{\n}\n",                                  "{",            Err(NotJson)),
        (b"{}\n 1\n{}\n",                            "{}",           Err(NotJson)),
        (b"\xEF\xBB\xBF{}\n",                        "",             Err(NotJson)),
        (b"POST / HTTP/1.1\r\n\r\n{}\n",             "",             Err(NotJson)),
    ];
    rows.iter().for_each(|row| check(Framing::Newline, *row));
}

#[test]
#[rustfmt::skip]
fn headed_messages() {
    let rows: &[Row] = &[
        (b"",                                                                "",         Ok(())),
        (b"Content-Length: 2\r\n\r\n{}",                                     "{}",       Ok(())),
        (b"content-LENGTH:2\r\n\r\n{}CONTENT-length: \t3 \r\n\r\n[1]",       "{}|[1]",   Ok(())),
        (b"Content-Length: 0\r\n\r\n",                                       "|",        Ok(())),
        (b"Content-Length: 4\r\n\r\n{\r\n}",                                 "{\r\n}",   Ok(())),
        (b"Content-Type: a/b; Charset=\"UTF-8\"\r\nContent-Length: 2\r\n\r\n{}", "{}",     Ok(())),
        (b"Content-Length: 2\r\nContent-Type: a/b;charset=utf8; x\r\n\r\n{}", "{}",       Ok(())),
        (b"X-Other: any: thing\r\nContent-Length: 008\r\n\r\n[234567]",      "[234567]", Ok(())),
        (b"Content-Length: 9\r\n\r\n",                                       "",         Err(TooLong(8))),
        (b"Content-Length: 18446744073709551615\r\n",                        "",         Err(TooLong(8))),
        (b"Content-Length: 3\r\n\r\n{}",                                     "",         Err(Truncated)),
        (b"Content-Length: 2\r\n\r\n{}C",                                    "{}",       Err(Truncated)),
        (b"Content-Length: 2\r\n\r\n",                                       "",         Err(Truncated)),
        (b"Content-Length: 2\r\n",                                           "",         Err(Truncated)),
        (b"Content-Length: 2\r\n\r",                                         "",         Err(Truncated)),
    ];
    rows.iter().for_each(|row| check(Framing::ContentLength, *row));
}

#[test]
#[rustfmt::skip]
fn hostile_headers() {
    let rows: &[(&'static [u8], &'static str)] = &[
        (b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}",  "line is not `name: value`"),
        (b"{\"jsonrpc\":\"2.0\"}",                            "line is not `name: value`"),
        (b"X: 1\r\nPOST http://a/ HTTP/1.1\r\n",             "line is not `name: value`"),
        (b": 2\r\n",                                         "line is not `name: value`"),
        (b"Content-Length : 2\r\n",                          "line is not `name: value`"),
        (b" Content-Length: 2\r\n",                          "line is not `name: value`"),
        (b"Content-Length\r\n",                              "line is not `name: value`"),
        (b"Content-Length: 2\n\n{}",                         "line not ended by CR LF"),
        (b"Content-Length: 2\r\n\n{}",                       "line not ended by CR LF"),
        (b"\rX: 1\r\n",                                      "control character in a line"),
        (b"X: 1\rContent-Length: 2\r\n",                     "control character in a line"),
        (b"X: \0\r\n",                                       "control character in a line"),
        (b"\r\n",                                            "no Content-Length"),
        (b"Content-Type: a/b\r\n\r\n",                       "no Content-Length"),
        (b"Content-Type: a/b; charset=utf-16\r\n",           "charset is not utf-8"),
        (b"Content-Type: a/b; charset\r\n",                  "charset is not utf-8"),
        (b"Content-Length: 2\r\ncontent-length: 2\r\n",      "more than one Content-Length"),
        (b"Content-Length: -2\r\n",                          "Content-Length is not a number of bytes"),
        (b"Content-Length: +2\r\n",                          "Content-Length is not a number of bytes"),
        (b"Content-Length: 0x2\r\n",                         "Content-Length is not a number of bytes"),
        (b"Content-Length: 2, 2\r\n",                        "Content-Length is not a number of bytes"),
        (b"Content-Length:\r\n",                             "Content-Length is not a number of bytes"),
        (b"Content-Length: 18446744073709551616\r\n",        "Content-Length is not a number of bytes"),
    ];
    for &(input, reason) in rows {
        check(Framing::ContentLength, (input, "", Err(BadHeader(reason))));
    }
}

#[test]
fn header_caps() {
    let line = |length: usize| format!("X:{}\r\n", "x".repeat(length - 2)).into_bytes();
    // 4 lines of 1002 bytes, the last line, and `Content-Length: 2` with the empty line.
    let block = |last| [line(1000).repeat(4), line(last)].concat();
    let fits = 4096 - 4 * 1002 - 2 - 21;
    for (header, end) in [
        (line(1024), Ok(())),
        (line(1025), Err(BadHeader("line longer than 1 KiB"))),
        (b"x".repeat(1025), Err(BadHeader("line longer than 1 KiB"))),
        (line(3).repeat(15), Ok(())),
        (line(3).repeat(16), Err(BadHeader("more than 16 lines"))),
        (block(fits), Ok(())),
        (block(fits + 1), Err(BadHeader("more than 4 KiB"))),
    ] {
        let input = [&header[..], b"Content-Length: 2\r\n\r\n{}"].concat();
        let outcome = run(Framing::ContentLength, 8, [&input[..]]);
        assert_eq!(outcome.1, end, "{}", header.len());
        assert_eq!(run(Framing::ContentLength, 8, input.chunks(1)), outcome);
    }
}

#[test]
fn encoding_is_undone_by_decoding() {
    let text = "{\r\n\"a\"\n:1}";
    for (framing, expected) in [
        (Framing::Newline, "{  \"a\" :1}"),
        (Framing::ContentLength, text),
    ] {
        assert_eq!(framing.as_str().parse(), Ok(framing));
        let mut out = BytesMut::new();
        framing.encode(b"[1]", &mut out);
        framing.encode(text.as_bytes(), &mut out);
        let place = out.as_ptr_range();
        assert_eq!(
            run(framing, 64, [&out[..]]),
            (vec!["[1]".into(), expected.into()], Ok(()))
        );

        let message = Decoder::new(framing, 8).decode(&mut out).unwrap().unwrap();
        assert!(place.contains(&message.as_ptr()), "{framing} copies");
    }
    assert_eq!("Newline".parse::<Framing>(), Err(UnknownFraming(())));
}

/// Takes minutes instead of moments if every call scans the line from its start.
#[test]
fn a_long_line_in_small_pieces_is_read_once() {
    let line = [&b"["[..], &b" ".repeat(1 << 20), b"]"].concat();
    let (messages, end) = run(Framing::Newline, line.len(), line.chunks(1));
    assert_eq!(
        (messages.len(), messages[0].len(), end),
        (1, line.len(), Ok(()))
    );
}

#[test]
fn chunking_never_changes_the_outcome() {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).unwrap()
    };
    let lines = b"{\"id\":1}\r\n\n[1,2]\n  {\"a\": [3]} \n{}";
    let headed = b"Content-Length: 5\r\nContent-Type: a/b; charset=utf-8\r\n\r\n[1,2]\
        content-length:2\r\n\r\n{}X-A: b\r\nContent-Length: 12\r\n\r\n{\"a\": [3, 4]}";
    let spice = b"\n\r:;{[ 09-xC\0\xFF";
    let mut good = 0;
    for round in 0..10_000 {
        let (framing, seed) = match round % 2 {
            0 => (Framing::Newline, &lines[..]),
            _ => (Framing::ContentLength, &headed[..]),
        };
        let mut input = seed.to_vec();
        for _ in 0..random(4) {
            let (at, byte) = (random(input.len()), spice[random(spice.len())]);
            match random(4) {
                0 => input[at] = byte,
                1 => input.insert(at, byte),
                2 => drop(input.remove(at)),
                _ => input.extend_from_within(at..),
            }
        }
        let whole = run(framing, 14, [&input[..]]);
        let (mut rest, mut pieces) = (&input[..], Vec::new());
        while !rest.is_empty() {
            let (piece, tail) = rest.split_at(1 + random(rest.len().min(24)));
            pieces.push(piece);
            rest = tail;
        }
        assert_eq!(
            run(framing, 14, pieces),
            whole,
            "{framing}: {}",
            input.escape_ascii()
        );
        good += usize::from(whole.1.is_ok());
    }
    // If all or none of the mutations were valid, the test would prove little.
    assert!((2_000..8_000).contains(&good), "{good}");
}

#[test]
fn white_space_between_messages_is_limited() {
    let most = 64 * 1024;
    for (blank, error) in [
        (most, None),
        (most + 1, Some(FramingError::Blank(most))),
        (10 * most, Some(FramingError::Blank(most))),
    ] {
        for byte in [b' ', b'\n', b'\r', b'\t'] {
            let mut stream = b"[1]\n".to_vec();
            stream.resize(4 + blank, byte);
            stream.extend_from_slice(b"[2]\n");
            // What comes in a message, or was followed by one, does not count.
            stream.resize(stream.len() + most, byte);
            for size in [1, 1000, stream.len()] {
                let (messages, end) = run(Framing::Newline, 8, stream.chunks(size));
                let expected = if error.is_none() { 2 } else { 1 };
                assert_eq!(messages.len(), expected, "{blank} of {byte} by {size}");
                assert_eq!(end.err(), error, "{blank} of {byte} by {size}");
            }
        }
    }
}
