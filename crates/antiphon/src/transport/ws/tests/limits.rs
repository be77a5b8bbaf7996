//! Limits on incoming frames.

use super::*;
use crate::memory_budget::account::Accounts;

#[tokio::test]
async fn what_breaks_a_connection() {
    let too_long = masked(FIN | TEXT, &vec![b'x'; LIMIT + 1]);
    let controls: Vec<u8> = (0..101).flat_map(|_| masked(FIN | PING, b"")).collect();
    let fragments: Vec<u8> = masked(TEXT, b"x")
        .into_iter()
        .chain((0..1100).flat_map(|_| masked(0, b"x")))
        .collect();
    for (name, bytes, close_reason) in [
        ("frame too big", too_long, CloseReason::TooBig),
        (
            "announced too big",
            head(FIN | TEXT, 0x80, u64::MAX),
            CloseReason::TooBig,
        ),
        (
            "announced by a ping",
            head(FIN | PING, 0x80, 1 << 40),
            CloseReason::Protocol,
        ),
        (
            "message too big",
            [
                masked(TEXT, &vec![b'x'; LIMIT]),
                masked(0, b""),
                masked(FIN, b"x"),
            ]
            .concat(),
            CloseReason::TooBig,
        ),
        (
            "not UTF-8",
            masked(FIN | TEXT, b"\xc3\x28"),
            CloseReason::BadText,
        ),
        (
            "half a character",
            masked(FIN | TEXT, b"\xc3"),
            CloseReason::BadText,
        ),
        (
            "not UTF-8 in a fragment",
            [masked(TEXT, b"\xc3"), masked(FIN, b"\x28")].concat(),
            CloseReason::BadText,
        ),
        ("unmasked", plain(FIN | TEXT, b"{}"), CloseReason::Protocol),
        (
            "reserved bit",
            masked(FIN | 0x40 | TEXT, b"{}"),
            CloseReason::Protocol,
        ),
        ("reserved data", masked(FIN | 3, b""), CloseReason::Protocol),
        (
            "reserved control",
            masked(FIN | 11, b""),
            CloseReason::Protocol,
        ),
        (
            "nothing to continue",
            masked(FIN, b"{}"),
            CloseReason::Protocol,
        ),
        (
            "message in a message",
            [masked(TEXT, b"{"), masked(FIN | TEXT, b"}")].concat(),
            CloseReason::Protocol,
        ),
        (
            "ping in fragments",
            masked(PING, b""),
            CloseReason::Protocol,
        ),
        (
            "ping too long",
            masked(FIN | PING, &[0; 126]),
            CloseReason::Protocol,
        ),
        (
            "half a close code",
            masked(FIN | CLOSE, &[3]),
            CloseReason::Protocol,
        ),
        ("too many fragments", fragments, CloseReason::Policy),
        ("too many pings", controls, CloseReason::Policy),
    ] {
        let (mut peer, mut wire) = raw(1 << 22);
        let good = masked(FIN | TEXT, b"good");
        peer.write_all(&[good, bytes].concat()).await.unwrap();
        // Messages before the fault are delivered.
        assert_eq!(message(&mut wire).await, "good", "{name}");
        let error = receive(&mut wire).await.unwrap().unwrap_err();
        assert_eq!(error.close_reason, close_reason, "{name}: {}", error.reason);
        assert!(receive(&mut wire).await.is_none(), "{name}");

        // The peer gets a close frame after all pending output, and may still be sending.
        send(&mut wire, "last answer").await;
        let closing = poll_fn(|cx| wire.poll_close(cx, close_reason));
        let reading = async {
            let mut frames = Vec::new();
            loop {
                let (first, payload) = read_frame(&mut peer).await;
                match first & 0x0f {
                    PONG => {}
                    CLOSE => break assert_eq!(payload, (close_reason as u16).to_be_bytes()),
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
    let error = receive(&mut wire).await.unwrap().unwrap_err();
    assert_eq!(error.close_reason, CloseReason::Protocol);
}

#[tokio::test]
async fn messages_at_the_limits_pass() {
    let (mut peer, mut wire) = raw(1 << 22);
    let mut fragments = masked(TEXT, b"x");
    fragments.extend((0..1022).flat_map(|_| masked(0, b"x")));
    fragments.extend(masked(FIN, b"x"));
    // With longer fragments there may be any number.
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
    // At most a hundred more are left from the initial burst.
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
    let error = receive(&mut wire).await.unwrap().unwrap_err();
    assert_eq!(error.close_reason, CloseReason::Policy);
    // No more than the allowed bytes plus one buffer was read.
    assert!(wire.traffic().received < 1024 * 7 + 2 * 4096);
    drop(wire);
    assert!(flooding.await.unwrap() < 4000);
}

/// tungstenite zeroes as much as it may read, also if nothing comes any more.
#[tokio::test]
async fn large_steps_are_reserved_or_not_taken() {
    for (budget, come, reserved) in [
        (1_000_000, 20, 0),
        (1_000_000, 4_095, 0),
        (1_000_000, 4_096, 64 * 1024),
        (100_000, 4_096, 0),
    ] {
        let accounts = Accounts::new(budget, 0);
        let (mut peer, stream) = duplex(1 << 16);
        let mut wire = WsWire::server(stream, Bytes::new(), LIMIT, &accounts.open());
        let frame = masked(FIN | TEXT, &[b'x'; 50_000]);
        peer.write_all(&frame[..come]).await.unwrap();
        assert!(is_idle(&mut wire).await);
        let used = || accounts.budgets.requests.used();
        assert_eq!(used(), reserved, "{come} of {budget}");
        if budget == 1_000_000 {
            peer.write_all(&frame[come..]).await.unwrap();
            assert_eq!(message(&mut wire).await.len(), 50_000);
            assert!(is_idle(&mut wire).await);
            assert_eq!(used(), 0);
        }
    }
}
