//! Streams split at any byte, messages of every length, and peers that violate the framing.

use std::future::poll_fn;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::*;

const LIMIT: usize = 1_000_000;

fn wire(framing: Framing, buffer: usize) -> (DuplexStream, StreamWire<DuplexStream>) {
    let (peer, ours) = duplex(buffer);
    (
        peer,
        StreamWire::new(ours, framing, LIMIT, &Account::unlimited()),
    )
}

async fn receive(wire: &mut StreamWire<DuplexStream>) -> Option<Result<Bytes, WireError>> {
    poll_fn(|cx| wire.poll_receive(cx)).await
}

fn framed(framing: Framing, messages: &[String]) -> Vec<u8> {
    let mut out = BytesMut::new();
    for message in messages {
        framing.encode(message.as_bytes(), &mut out);
    }
    out.to_vec()
}

/// Short messages, and one that is longer than every buffer.
fn messages() -> Vec<String> {
    let lengths = [0, 1, 100, 512, READ, GATHERED - 20, GATHERED, 300_000, 3];
    let text = |length| format!("[\"{}\"]", "x".repeat(length));
    lengths.map(text).to_vec()
}

const FRAMINGS: [Framing; 2] = [Framing::Newline, Framing::ContentLength];

#[tokio::test]
async fn messages_come_whole_wherever_the_stream_is_cut() {
    for framing in FRAMINGS {
        for piece in [1, 7, 4096, 1 << 20] {
            let (mut peer, mut wire) = wire(framing, 1 << 16);
            let all = messages();
            let bytes = framed(framing, &all);
            let sent = bytes.len() as u64;
            let sending = tokio::spawn(async move {
                for piece in bytes.chunks(piece) {
                    peer.write_all(piece).await.unwrap();
                }
            });
            for expected in &all {
                let message = receive(&mut wire).await.unwrap().unwrap();
                assert_eq!(message, expected.as_bytes());
                wire.rest();
            }
            assert!(receive(&mut wire).await.is_none());
            assert_eq!(wire.traffic().received, sent);
            sending.await.unwrap();
        }
    }
}

#[tokio::test]
async fn line_breaks_in_a_message_become_spaces_wherever_they_are() {
    for length in [1, 31, 32, 33, 64, 65, 100] {
        for at in 0..length {
            let mut message = vec![b'x'; length];
            message[at] = if at % 2 == 0 { b'\n' } else { b'\r' };
            let (mut peer, mut wire) = wire(Framing::Newline, 1000);
            wire.send(&mut message.clone());
            poll_fn(|cx| wire.poll_flush(cx)).await.unwrap();
            drop(wire);
            let mut sent = Vec::new();
            peer.read_to_end(&mut sent).await.unwrap();
            message[at] = b' ';
            message.push(b'\n');
            assert_eq!(sent, message, "{at} of {length}");
        }
    }
}

#[tokio::test]
async fn messages_go_whole_in_their_order() {
    for framing in FRAMINGS {
        let (mut peer, mut wire) = wire(framing, 1000);
        let all = messages();
        for message in &all {
            wire.send(&mut message.clone().into_bytes());
        }
        let expected = framed(framing, &all);
        assert_eq!(wire.unwritten(), expected.len());
        let reading = tokio::spawn(async move {
            let mut bytes = Vec::new();
            peer.read_to_end(&mut bytes).await.unwrap();
            bytes
        });
        poll_fn(|cx| wire.poll_flush(cx)).await.unwrap();
        assert_eq!(
            (wire.unwritten(), wire.traffic().written),
            (0, expected.len() as u64)
        );
        // The buffer kept for reuse does not disturb a long message.
        wire.send(&mut b"[1]".to_vec());
        poll_fn(|cx| wire.poll_flush(cx)).await.unwrap();
        wire.send(&mut vec![b' '; GATHERED]);
        poll_fn(|cx| wire.poll_flush(cx)).await.unwrap();
        drop(wire);
        assert!(reading.await.unwrap().starts_with(&expected));
    }
}

#[tokio::test]
async fn a_line_break_in_a_message_does_not_end_it() {
    let (mut peer, mut wire) = wire(Framing::Newline, 1000);
    let mut message = b"{\r\n\"a\":\n1}".to_vec();
    wire.send(&mut message);
    assert!(message.is_empty());
    poll_fn(|cx| wire.poll_flush(cx)).await.unwrap();
    drop(wire);
    let mut line = String::new();
    peer.read_to_string(&mut line).await.unwrap();
    assert_eq!(line, "{  \"a\": 1}\n");
}

#[tokio::test]
async fn what_breaks_a_stream() {
    let long = format!("[\"{}\"]\n", "x".repeat(LIMIT));
    let rows: &[(Framing, &[u8], bool, CloseReason)] = &[
        (
            Framing::Newline,
            b"POST / HTTP/1.1\r\n\r\n{}\n",
            true,
            CloseReason::Protocol,
        ),
        (
            Framing::Newline,
            b"\x16\x03\x01",
            false,
            CloseReason::Protocol,
        ),
        (
            Framing::Newline,
            long.as_bytes(),
            false,
            CloseReason::TooBig,
        ),
        (
            Framing::ContentLength,
            b"POST / HTTP/1.1\r\n\r\n",
            false,
            CloseReason::Protocol,
        ),
        (
            Framing::ContentLength,
            b"Content-Length: 2147483648\r\n\r\n",
            false,
            CloseReason::TooBig,
        ),
        (
            Framing::ContentLength,
            b"Content-Length: 5\r\n\r\n{",
            false,
            CloseReason::Protocol,
        ),
    ];
    for (framing, bytes, answered, close_reason) in rows {
        let (mut peer, mut wire) = wire(*framing, 1 << 16);
        let bytes = bytes.to_vec();
        let sending = tokio::spawn(async move {
            // The wire may fail before reading all of it.
            let _ = peer.write_all(&bytes).await;
        });
        let error = receive(&mut wire).await.unwrap().unwrap_err();
        assert_eq!(
            (error.answered, error.close_reason),
            (*answered, *close_reason),
            "{error:?}"
        );
        drop(wire);
        sending.await.unwrap();
    }
}

#[tokio::test]
async fn at_rest_there_is_no_buffer() {
    let (mut peer, mut wire) = wire(Framing::Newline, 1 << 20);
    let big = framed(
        Framing::Newline,
        &[format!("[\"{}\"]", "x".repeat(900_000))],
    );
    peer.write_all(&big).await.unwrap();
    let message = receive(&mut wire).await.unwrap().unwrap();
    wire.send(&mut message.to_vec());
    let mut back = vec![0; big.len()];
    let (read, written) = tokio::join!(
        peer.read_exact(&mut back),
        poll_fn(|cx| wire.poll_flush(cx))
    );
    read.unwrap();
    written.unwrap();
    assert!(!wire.is_partial());
    drop(message);
    wire.rest();
    assert_eq!((wire.input.capacity(), wire.output.capacity()), (0, 0));
    // A partial message is kept.
    peer.write_all(b"[1").await.unwrap();
    let pending = poll_fn(|cx| Poll::Ready(wire.poll_receive(cx).is_pending()));
    assert!(pending.await && wire.is_partial());
    wire.rest();
    peer.write_all(b"]\n").await.unwrap();
    assert_eq!(receive(&mut wire).await.unwrap().unwrap(), "[1]");
}

/// The peer sends a small message right behind a large one. If only the small one is kept, so is only
/// its own memory.
#[tokio::test]
async fn a_small_message_does_not_keep_the_buffer_of_a_large_one() {
    for (large, small, shared) in [
        (900_000, 600, false),
        (900_000, 100_000, false),
        (900_000, 500_000, true),
        (3_000, 600, true),
        (60_000, 600, false),
    ] {
        for framing in FRAMINGS {
            let (mut peer, mut wire) = wire(framing, 1 << 21);
            let text = |length| format!("[\"{}\"]", "x".repeat(length));
            let all = framed(framing, &[text(large), text(small)]);
            peer.write_all(&all).await.unwrap();
            let first = receive(&mut wire).await.unwrap().unwrap();
            let second = receive(&mut wire).await.unwrap().unwrap();
            let distance = (second.as_ptr() as usize).wrapping_sub(first.as_ptr() as usize);
            let follows = distance <= all.len();
            // Reading the rest of the second may have moved it to memory of its own.
            assert!(!follows || shared, "{large} and {small}: {distance}");
        }
    }
}

/// A peer that takes all but the last byte of a large message lets go of nothing.
#[tokio::test]
async fn a_message_that_is_written_in_part_is_held_as_a_whole() {
    let (mut peer, mut ours) = wire(Framing::Newline, 1000);
    ours.send(&mut vec![b'x'; 100_000]);
    for _ in 0..99 {
        let flushed = poll_fn(|cx| Poll::Ready(ours.poll_flush(cx).is_ready())).await;
        assert!(!flushed && ours.unwritten() > 0);
        assert_eq!(ours.held(), 100_001);
        peer.read_exact(&mut [0; 1000]).await.unwrap();
        tokio::task::yield_now().await;
    }
}
