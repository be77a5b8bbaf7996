//! Wires against each other, and against a peer that writes its frames by hand.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

use crate::session::{Broken, Goodbye, Wire};
use crate::transport::ws::WsWire;

const LIMIT: usize = 2_000_000;

const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;
const FIN: u8 = 0x80;

/// A masked frame, as clients send them.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [7, 0, 200, 33];
    let mut frame = head(first, 0x80, payload.len() as u64);
    frame.extend_from_slice(&mask);
    frame.extend(
        payload
            .iter()
            .enumerate()
            .map(|(at, byte)| byte ^ mask[at % 4]),
    );
    frame
}

/// A frame as servers send them.
fn plain(first: u8, payload: &[u8]) -> Vec<u8> {
    [head(first, 0, payload.len() as u64), payload.to_vec()].concat()
}

fn head(first: u8, mask: u8, length: u64) -> Vec<u8> {
    let mut head = vec![first];
    match length {
        0..126 => head.push(mask | length as u8),
        126..65_536 => {
            head.push(mask | 126);
            head.extend_from_slice(&(length as u16).to_be_bytes());
        }
        _ => {
            head.push(mask | 127);
            head.extend_from_slice(&length.to_be_bytes());
        }
    }
    head
}

/// What the server's end reads at the other end of the pair.
async fn read_frame(peer: &mut DuplexStream) -> (u8, Vec<u8>) {
    let first = peer.read_u8().await.unwrap();
    let length = match peer.read_u8().await.unwrap() {
        126 => peer.read_u16().await.unwrap().into(),
        127 => peer.read_u64().await.unwrap(),
        short => short.into(),
    };
    let mut payload = vec![0; length as usize];
    peer.read_exact(&mut payload).await.unwrap();
    (first, payload)
}

fn server(stream: DuplexStream) -> WsWire<DuplexStream> {
    WsWire::server(stream, Bytes::new(), LIMIT)
}

/// A server's wire and a peer that writes bytes, with this much room between them.
fn raw(room: usize) -> (DuplexStream, WsWire<DuplexStream>) {
    let (peer, stream) = duplex(room);
    (peer, server(stream))
}

/// Drives a wire as the engine does: what cannot be read is followed by a flush.
async fn receive<W: Wire>(wire: &mut W) -> Option<Result<Bytes, Broken>> {
    poll_fn(|cx| {
        let received = wire.poll_receive(cx);
        if received.is_pending() {
            let _ = wire.poll_flush(cx);
        }
        received
    })
    .await
}

async fn message<W: Wire>(wire: &mut W) -> Bytes {
    receive(wire).await.unwrap().unwrap()
}

async fn flush<W: Wire>(wire: &mut W) {
    poll_fn(|cx| wire.poll_flush(cx)).await.unwrap();
}

async fn send<W: Wire>(wire: &mut W, text: &str) {
    let mut buffer = text.as_bytes().to_vec();
    wire.send(&mut buffer);
    assert!(buffer.is_empty());
    flush(wire).await;
}

/// Whether there is nothing to receive now, and all is written.
async fn is_idle<W: Wire>(wire: &mut W) -> bool {
    poll_fn(|cx| {
        let pending = wire.poll_receive(cx).is_pending();
        Poll::Ready(pending && wire.poll_flush(cx).is_ready())
    })
    .await
}

fn pair() -> (WsWire<DuplexStream>, WsWire<DuplexStream>) {
    let (near, far) = duplex(1 << 22);
    (WsWire::client(near, Bytes::new(), LIMIT), server(far))
}

#[tokio::test]
async fn both_ends_talk() {
    let (mut client, mut server) = pair();
    for size in [0, 1, 125, 126, 65_535, 65_536, 300_000] {
        let text = "x".repeat(size);
        send(&mut client, &text).await;
        assert_eq!(message(&mut server).await, text);
        send(&mut server, &text).await;
        assert_eq!(message(&mut client).await, text);
    }
    assert_eq!(client.moved().written, server.moved().received);
    assert_eq!(server.moved().written, client.moved().received);
    assert!(!client.is_partial() && !server.is_partial());
}

#[tokio::test]
async fn many_answers_leave_in_one_piece() {
    let (mut peer, mut wire) = raw(1 << 16);
    let mut expected = Vec::new();
    for at in 0..100 {
        let mut buffer = Vec::with_capacity(64);
        buffer.extend_from_slice(format!("answer {at}").as_bytes());
        expected.extend(plain(FIN | TEXT, &buffer));
        wire.send(&mut buffer);
        assert_eq!(buffer.capacity(), 64);
    }
    assert_eq!(wire.unwritten(), expected.len());
    flush(&mut wire).await;
    assert_eq!(wire.unwritten(), 0);
    let mut all = vec![0; expected.len()];
    // A pipe gives all of one write at once.
    assert_eq!(peer.read(&mut all).await.unwrap(), expected.len());
    assert_eq!(all, expected);
}

#[tokio::test]
async fn a_peer_that_does_not_read_is_waited_for_and_its_bytes_are_counted() {
    let (mut peer, mut wire) = raw(1000);
    let mut answer = vec![b'x'; 5000];
    wire.send(&mut answer);
    poll_fn(|cx| {
        assert!(wire.poll_flush(cx).is_pending());
        Poll::Ready(())
    })
    .await;
    assert_eq!(wire.unwritten(), 4004);
    assert_eq!(wire.moved().written, 1000);
    let (_, (first, payload)) = tokio::join!(flush(&mut wire), read_frame(&mut peer));
    assert_eq!((first, payload.len()), (FIN | TEXT, 5000));
    assert_eq!(wire.moved().written, 5004);
}

#[tokio::test]
async fn messages_come_whole_from_single_bytes() {
    let (mut peer, mut wire) = raw(1);
    let sent = [
        masked(FIN | TEXT, "grüß".as_bytes()),
        masked(FIN | PING, b"?"),
        masked(TEXT, b"in "),
        masked(0, b"two or "),
        masked(FIN | PONG, b""),
        masked(FIN, b"three"),
        masked(FIN | BINARY, &[b'y'; 70_000]),
    ]
    .concat();
    let all = sent.len() as u64;
    let writing = tokio::spawn(async move {
        peer.write_all(&sent).await.unwrap();
        let pong = read_frame(&mut peer).await;
        assert_eq!(pong, (FIN | PONG, b"?".to_vec()));
        peer
    });
    assert_eq!(message(&mut wire).await, "grüß");
    assert_eq!(message(&mut wire).await, "in two or three");
    assert_eq!(message(&mut wire).await, vec![b'y'; 70_000]);
    assert!(!wire.is_partial());
    assert_eq!(wire.moved().received, all);
    flush(&mut wire).await;
    writing.await.unwrap();
}

#[tokio::test]
async fn whatever_has_begun_is_partial() {
    for (bytes, partial) in [
        (vec![], false),
        (masked(FIN | TEXT, b""), false),
        (masked(FIN | TEXT, b"abc")[..1].to_vec(), true),
        (masked(FIN | TEXT, b"abc")[..4].to_vec(), true),
        (masked(FIN | TEXT, b"abc")[..8].to_vec(), true),
        (masked(TEXT, b"abc"), true),
        (
            [masked(TEXT, b"abc"), masked(FIN | PING, b"")].concat(),
            true,
        ),
        ([masked(TEXT, b"abc"), masked(FIN, b"")].concat(), false),
    ] {
        let (mut peer, mut wire) = raw(1000);
        peer.write_all(&bytes).await.unwrap();
        while !is_idle(&mut wire).await {}
        assert_eq!(wire.is_partial(), partial, "{bytes:?}");

        drop(peer);
        match (receive(&mut wire).await, partial) {
            (None, false) => {}
            (Some(Err(broken)), true) => assert_eq!(broken.goodbye, Goodbye::Dead),
            (other, _) => panic!("{bytes:?}: {other:?}"),
        }
        assert!(receive(&mut wire).await.is_none());
    }
}

#[tokio::test]
async fn answers_are_of_the_kind_of_the_last_message() {
    let (mut peer, mut wire) = raw(1000);
    send(&mut wire, "hello").await;
    assert_eq!(read_frame(&mut peer).await.0, FIN | TEXT);
    for (sent, answered) in [(BINARY, BINARY), (PING, BINARY), (TEXT, TEXT), (PONG, TEXT)] {
        peer.write_all(&masked(FIN | sent, b"")).await.unwrap();
        if sent < CLOSE {
            message(&mut wire).await;
        } else {
            assert!(is_idle(&mut wire).await);
        }
        if sent == PING {
            assert_eq!(read_frame(&mut peer).await.0, FIN | PONG);
        }
        send(&mut wire, "hello").await;
        assert_eq!(read_frame(&mut peer).await.0, FIN | answered);
    }
}

#[tokio::test]
async fn signs_of_life_go_both_ways() {
    let (mut client, mut server) = pair();
    for _ in 0..3 {
        let before = (client.moved().received, server.moved().received);
        assert!(client.ping());
        flush(&mut client).await;
        assert!(is_idle(&mut server).await);
        assert!(is_idle(&mut client).await);
        assert!(server.ping());
        flush(&mut server).await;
        assert!(is_idle(&mut client).await);
        assert!(is_idle(&mut server).await);
        assert!(client.moved().received > before.0 && server.moved().received > before.1);
    }
}

#[tokio::test]
async fn what_breaks_a_connection() {
    let too_long = masked(FIN | TEXT, &vec![b'x'; LIMIT + 1]);
    let controls: Vec<u8> = (0..101).flat_map(|_| masked(FIN | PING, b"")).collect();
    let fragments: Vec<u8> = masked(TEXT, b"x")
        .into_iter()
        .chain((0..1100).flat_map(|_| masked(0, b"x")))
        .collect();
    for (name, bytes, goodbye) in [
        ("frame too big", too_long, Goodbye::TooBig),
        (
            "announced too big",
            head(FIN | TEXT, 0x80, u64::MAX),
            Goodbye::TooBig,
        ),
        (
            "announced by a ping",
            head(FIN | PING, 0x80, 1 << 40),
            Goodbye::Protocol,
        ),
        (
            "message too big",
            [
                masked(TEXT, &vec![b'x'; LIMIT]),
                masked(0, b""),
                masked(FIN, b"x"),
            ]
            .concat(),
            Goodbye::TooBig,
        ),
        (
            "not UTF-8",
            masked(FIN | TEXT, b"\xc3\x28"),
            Goodbye::BadText,
        ),
        (
            "half a character",
            masked(FIN | TEXT, b"\xc3"),
            Goodbye::BadText,
        ),
        (
            "not UTF-8 in a fragment",
            [masked(TEXT, b"\xc3"), masked(FIN, b"\x28")].concat(),
            Goodbye::BadText,
        ),
        ("unmasked", plain(FIN | TEXT, b"{}"), Goodbye::Protocol),
        (
            "reserved bit",
            masked(FIN | 0x40 | TEXT, b"{}"),
            Goodbye::Protocol,
        ),
        ("reserved data", masked(FIN | 3, b""), Goodbye::Protocol),
        ("reserved control", masked(FIN | 11, b""), Goodbye::Protocol),
        ("nothing to continue", masked(FIN, b"{}"), Goodbye::Protocol),
        (
            "message in a message",
            [masked(TEXT, b"{"), masked(FIN | TEXT, b"}")].concat(),
            Goodbye::Protocol,
        ),
        ("ping in fragments", masked(PING, b""), Goodbye::Protocol),
        (
            "ping too long",
            masked(FIN | PING, &[0; 126]),
            Goodbye::Protocol,
        ),
        (
            "half a close code",
            masked(FIN | CLOSE, &[3]),
            Goodbye::Protocol,
        ),
        ("too many fragments", fragments, Goodbye::Policy),
        ("too many pings", controls, Goodbye::Policy),
    ] {
        let (mut peer, mut wire) = raw(1 << 22);
        let good = masked(FIN | TEXT, b"good");
        peer.write_all(&[good, bytes].concat()).await.unwrap();
        // What came before in good order is not lost.
        assert_eq!(message(&mut wire).await, "good", "{name}");
        let broken = receive(&mut wire).await.unwrap().unwrap_err();
        assert_eq!(broken.goodbye, goodbye, "{name}: {}", broken.reason);
        assert!(receive(&mut wire).await.is_none(), "{name}");

        // The peer is told, behind all that was to be said, and may still be sending.
        send(&mut wire, "last answer").await;
        let closing = poll_fn(|cx| wire.poll_close(cx, goodbye));
        let reading = async {
            let mut frames = Vec::new();
            loop {
                let (first, payload) = read_frame(&mut peer).await;
                match first & 0x0f {
                    PONG => {}
                    CLOSE => break assert_eq!(payload, (goodbye as u16).to_be_bytes()),
                    _ => frames.push(payload),
                }
            }
            assert_eq!(frames, [b"last answer"], "{name}");
            assert_eq!(peer.read(&mut [0]).await.unwrap(), 0);
            peer.shutdown().await.unwrap();
        };
        tokio::join!(async { closing.await.unwrap() }, reading);
    }
}

#[tokio::test]
async fn a_client_does_not_take_masked_frames() {
    let (mut peer, stream) = duplex(100);
    let mut wire = WsWire::client(stream, Bytes::new(), LIMIT);
    peer.write_all(&masked(FIN | TEXT, b"{}")).await.unwrap();
    let broken = receive(&mut wire).await.unwrap().unwrap_err();
    assert_eq!(broken.goodbye, Goodbye::Protocol);
}

#[tokio::test]
async fn messages_at_the_limits_pass() {
    let (mut peer, mut wire) = raw(1 << 22);
    let mut fragments = masked(TEXT, b"x");
    fragments.extend((0..1022).flat_map(|_| masked(0, b"x")));
    fragments.extend(masked(FIN, b"x"));
    // Longer ones may be as many as they like.
    let mut long = masked(TEXT, &[b'x'; 64]);
    long.extend((0..LIMIT / 64 - 2).flat_map(|_| masked(0, &[b'x'; 64])));
    long.extend(masked(FIN, b""));
    for bytes in [
        masked(FIN | TEXT, &vec![b'x'; LIMIT]),
        [masked(TEXT, &vec![b'x'; LIMIT]), masked(FIN, b"")].concat(),
        fragments.clone(),
        fragments,
        long,
        (0..100).flat_map(|_| masked(FIN | PING, b"")).collect(),
    ] {
        peer.write_all(&bytes).await.unwrap();
        peer.write_all(&masked(FIN | TEXT, b"next")).await.unwrap();
        while message(&mut wire).await != "next" {}
    }
}

#[tokio::test(start_paused = true)]
async fn ten_control_frames_a_second_are_fine_and_more_are_not() {
    let (mut peer, mut wire) = raw(1 << 16);
    let pong = masked(FIN | PONG, b"");
    for _ in 0..1000 {
        peer.write_all(&pong).await.unwrap();
        assert!(is_idle(&mut wire).await);
        tokio::time::advance(Duration::from_millis(100)).await;
    }
    // A hundred more are left over from the beginning, at most.
    let mut passed = 0;
    for _ in 0..300 {
        peer.write_all(&pong).await.unwrap();
        if !is_idle(&mut wire).await {
            break;
        }
        passed += 1;
        tokio::time::advance(Duration::from_millis(50)).await;
    }
    assert!((100..=200).contains(&passed), "{passed}");
}

#[tokio::test]
async fn a_flood_of_fragments_is_cut_early() {
    let (mut peer, mut wire) = raw(4096);
    let flooding = tokio::spawn(async move {
        let fragment = masked(0, b"x");
        let mut sent = 1;
        let mut result = peer.write_all(&masked(TEXT, b"x")).await;
        while result.is_ok() && sent < 200_000 {
            result = peer.write_all(&fragment).await;
            sent += 1;
        }
        sent
    });
    let broken = receive(&mut wire).await.unwrap().unwrap_err();
    assert_eq!(broken.goodbye, Goodbye::Policy);
    // No more was read than what is allowed and one buffer.
    assert!(wire.moved().received < 1024 * 7 + 2 * 4096);
    drop(wire);
    assert!(flooding.await.unwrap() < 4000);
}

#[tokio::test]
async fn a_wire_rests_between_messages_only() {
    let (mut client, mut server) = pair();
    let large = "x".repeat(900_000);
    for text in [&large, "small", "", &large, "small"] {
        send(&mut client, text).await;
        assert_eq!(message(&mut server).await, text);
        // Not all that has come is known to be read yet.
        server.rest();
        send(&mut server, text).await;
        assert_eq!(message(&mut client).await, text);
        assert!(is_idle(&mut client).await && is_idle(&mut server).await);
        client.rest();
        server.rest();
        assert!(client.holds_nothing() && server.holds_nothing());
    }

    // Who has been silent from the beginning has no buffer even before that.
    let (_peer, mut wire) = raw(1000);
    assert!(is_idle(&mut wire).await && wire.holds_nothing());

    // Whatever comes in pieces survives a rest at any point.
    let (mut peer, mut wire) = raw(1000);
    let bytes = [
        masked(BINARY, b"in two "),
        masked(FIN | PING, b"?"),
        masked(FIN, b"parts"),
    ]
    .concat();
    for byte in bytes {
        assert!(is_idle(&mut wire).await);
        wire.rest();
        peer.write_all(&[byte]).await.unwrap();
    }
    assert_eq!(message(&mut wire).await, "in two parts");
    assert_eq!(read_frame(&mut peer).await, (FIN | PONG, b"?".to_vec()));

    // And what is not written yet.
    let (mut peer, mut wire) = raw(10);
    wire.send(&mut b"a long answer".to_vec());
    poll_fn(|cx| {
        assert!(wire.poll_flush(cx).is_pending());
        Poll::Ready(())
    })
    .await;
    wire.rest();
    let (_, frame) = tokio::join!(flush(&mut wire), read_frame(&mut peer));
    assert_eq!(frame.1, b"a long answer");
}

/// Messages of many sizes in many fragments, with control frames between, cut anywhere, to a wire
/// that rests whenever it is asked to.
#[tokio::test(start_paused = true)]
async fn no_cut_and_no_rest_changes_a_message() {
    let mut seed = 1u64;
    let mut random = move |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) % below
    };
    let (mut peer, mut wire) = raw(1 << 22);
    for round in 0..300 {
        tokio::time::advance(Duration::from_secs(10)).await;
        let largest = [1, 10, 200, 5000, 70_000][round % 5];
        let mut expected = Vec::new();
        let mut bytes = Vec::new();
        for _ in 0..1 + random(4) {
            let fragments = 1 + random(4);
            let mut text = Vec::new();
            for at in 1..=fragments {
                let size = random(largest) as usize;
                let part = vec![b'a' + at as u8; size];
                let first = if at == 1 { BINARY } else { 0 };
                let last = if at == fragments { FIN } else { 0 };
                bytes.extend(masked(first | last, &part));
                text.extend(part);
                if random(3) == 0 {
                    bytes.extend(masked(FIN | PING, &[b'?'; 125][..random(126) as usize]));
                }
            }
            expected.push(text);
        }
        let mut received = Vec::new();
        let mut rest = &bytes[..];
        while !rest.is_empty() || received.len() < expected.len() {
            // Or the runtime would have this task wait for its next turn for ever.
            tokio::task::yield_now().await;
            let (now, later) = rest.split_at(rest.len().min(1 + random(largest) as usize));
            peer.write_all(now).await.unwrap();
            rest = later;
            while let Poll::Ready(message) = poll_fn(|cx| Poll::Ready(wire.poll_receive(cx))).await
            {
                received.push(message.unwrap().unwrap());
            }
            flush(&mut wire).await;
            wire.rest();
        }
        assert!(received == expected, "round {round}");
        assert!(!wire.is_partial());
    }
}

#[tokio::test]
async fn a_close_frame_is_answered_and_ends_the_stream() {
    for (code, answered) in [
        (&1000u16.to_be_bytes()[..], &1000u16.to_be_bytes()[..]),
        (b"", b""),
        // Not a code that may be sent.
        (&1006u16.to_be_bytes(), &1002u16.to_be_bytes()),
    ] {
        let (mut peer, mut wire) = raw(1000);
        peer.write_all(&masked(FIN | TEXT, b"last")).await.unwrap();
        peer.write_all(&masked(FIN | CLOSE, code)).await.unwrap();
        assert_eq!(message(&mut wire).await, "last");
        assert!(receive(&mut wire).await.is_none());
        assert!(receive(&mut wire).await.is_none());
        // Nothing may be sent behind a close frame.
        send(&mut wire, "too late").await;
        assert!(!wire.ping());
        poll_fn(|cx| wire.poll_close(cx, Goodbye::Normal))
            .await
            .unwrap();
        let (first, payload) = read_frame(&mut peer).await;
        assert_eq!(first, FIN | CLOSE);
        assert_eq!(payload.get(..2).unwrap_or_default(), answered);
        assert_eq!(peer.read(&mut [0]).await.unwrap(), 0);
    }
}

#[tokio::test]
async fn two_wires_part_in_good_order() {
    for client_first in [true, false] {
        let (client, server) = pair();
        let (mut one, mut two) = if client_first {
            (client, server)
        } else {
            (server, client)
        };
        let parting = poll_fn(|cx| one.poll_close(cx, Goodbye::GoingAway));
        let other = async {
            assert!(receive(&mut two).await.is_none());
            poll_fn(|cx| two.poll_close(cx, Goodbye::Normal))
                .await
                .unwrap();
            drop(two);
        };
        let (parted, ()) = tokio::join!(parting, other);
        parted.unwrap();
    }
}

#[tokio::test]
async fn a_peer_that_only_stops_sending_is_still_told() {
    let (mut peer, mut wire) = raw(1000);
    peer.shutdown().await.unwrap();
    assert!(receive(&mut wire).await.is_none());
    send(&mut wire, "last").await;
    poll_fn(|cx| wire.poll_close(cx, Goodbye::Normal))
        .await
        .unwrap();
    assert_eq!(read_frame(&mut peer).await.1, b"last");
    assert_eq!(read_frame(&mut peer).await.0, FIN | CLOSE);
}

#[tokio::test]
async fn the_dead_are_not_told() {
    let (mut peer, mut wire) = raw(1000);
    wire.send(&mut b"lost".to_vec());
    poll_fn(|cx| wire.poll_close(cx, Goodbye::Dead))
        .await
        .unwrap();
    assert_eq!(peer.read(&mut [0]).await.unwrap(), 0);

    let (peer, mut wire) = raw(1000);
    drop(peer);
    wire.send(&mut b"lost".to_vec());
    assert!(poll_fn(|cx| wire.poll_flush(cx)).await.is_err());
}

#[tokio::test]
async fn what_was_read_before_the_upgrade_comes_first() {
    let (mut peer, stream) = duplex(1000);
    let frame = masked(FIN | TEXT, b"hello");
    let (ahead, later) = frame.split_at(7);
    let mut wire = WsWire::server(stream, Bytes::copy_from_slice(ahead), LIMIT);
    assert!(is_idle(&mut wire).await);
    assert!(wire.is_partial());
    peer.write_all(later).await.unwrap();
    assert_eq!(message(&mut wire).await, "hello");
    assert_eq!(wire.moved().received, frame.len() as u64);
}
