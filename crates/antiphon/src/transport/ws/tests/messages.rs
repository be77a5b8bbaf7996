//! Messages in both directions.

use super::*;
use crate::memory_budget::Account;

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
    assert_eq!(client.traffic().written, server.traffic().received);
    assert_eq!(server.traffic().written, client.traffic().received);
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
    // The pipe returns everything from one write in one read.
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
    assert_eq!(wire.traffic().written, 1000);
    let (_, (first, payload)) = tokio::join!(flush(&mut wire), read_frame(&mut peer));
    assert_eq!((first, payload.len()), (FIN | TEXT, 5000));
    assert_eq!(wire.traffic().written, 5004);
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
    assert_eq!(wire.traffic().received, all);
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
            (Some(Err(error)), true) => assert_eq!(error.close_reason, CloseReason::Dead),
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
        let before = (client.traffic().received, server.traffic().received);
        assert!(client.ping());
        flush(&mut client).await;
        assert!(is_idle(&mut server).await);
        assert!(is_idle(&mut client).await);
        assert!(server.ping());
        flush(&mut server).await;
        assert!(is_idle(&mut client).await);
        assert!(is_idle(&mut server).await);
        assert!(client.traffic().received > before.0 && server.traffic().received > before.1);
    }
}

#[tokio::test]
async fn a_wire_rests_between_messages_only() {
    let (mut client, mut server) = pair();
    let large = "x".repeat(900_000);
    for text in [&large, "small", "", &large, "small"] {
        send(&mut client, text).await;
        assert_eq!(message(&mut server).await, text);
        // The wire has not yet seen that its input is used up, so this frees nothing.
        server.rest();
        send(&mut server, text).await;
        assert_eq!(message(&mut client).await, text);
        assert!(is_idle(&mut client).await && is_idle(&mut server).await);
        client.rest();
        server.rest();
        assert!(client.holds_nothing() && server.holds_nothing());
    }

    // A connection on which nothing has arrived has no buffer even without `rest`.
    let (_peer, mut wire) = raw(1000);
    assert!(is_idle(&mut wire).await && wire.holds_nothing());

    // A call of `rest` at any point does not affect partial input.
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

    // Nor does it affect output that is not written yet.
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

/// Messages of many sizes in many fragments, with control frames in between, split at any byte, to
/// a wire on which `rest` is called whenever possible.
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
            // Without this, the task would use up its cooperative budget and the stream would stay
            // pending.
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
async fn what_was_read_before_the_upgrade_comes_first() {
    let (mut peer, stream) = duplex(1000);
    let frame = masked(FIN | TEXT, b"hello");
    let (ahead, later) = frame.split_at(7);
    let mut wire = WsWire::server(
        stream,
        Bytes::copy_from_slice(ahead),
        LIMIT,
        &Account::unlimited(),
    );
    assert!(is_idle(&mut wire).await);
    assert!(wire.is_partial());
    peer.write_all(later).await.unwrap();
    assert_eq!(message(&mut wire).await, "hello");
    assert_eq!(wire.traffic().received, frame.len() as u64);
}

/// As on a byte stream: a small message that is kept does not keep a large one.
#[tokio::test]
async fn a_small_message_does_not_keep_the_buffer_of_a_large_one() {
    let (mut peer, mut wire) = raw(1 << 21);
    let (large, small) = (vec![b'x'; 1_000_000], vec![b'y'; 600]);
    let bytes = [masked(FIN | TEXT, &large), masked(FIN | TEXT, &small)].concat();
    peer.write_all(&bytes).await.unwrap();
    let first = message(&mut wire).await;
    let second = message(&mut wire).await;
    assert_eq!((&first[..], &second[..]), (&large[..], &small[..]));
    let distance = (second.as_ptr() as usize).wrapping_sub(first.as_ptr() as usize);
    assert!(distance > bytes.len(), "{distance}");
}

/// The runtime lets a task read 128 times at a turn.
#[tokio::test]
async fn a_long_message_that_has_come_is_received_in_one_turn() {
    let (mut peer, mut wire) = raw(LIMIT);
    let text = "x".repeat(1 << 20);
    peer.write_all(&masked(FIN | TEXT, text.as_bytes()))
        .await
        .unwrap();
    let mut turns = 0;
    let received = poll_fn(|cx| {
        turns += 1;
        wire.poll_receive(cx)
    });
    assert_eq!(received.await.unwrap().unwrap(), text);
    assert_eq!(turns, 1);
}
