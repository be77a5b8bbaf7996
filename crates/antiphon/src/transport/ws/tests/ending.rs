//! Ends of connections.

use super::*;
use crate::transport::ws::wire::DRAINED;

#[tokio::test]
async fn a_close_frame_is_answered_and_ends_the_stream() {
    for (code, answered) in [
        (&1000u16.to_be_bytes()[..], &1000u16.to_be_bytes()[..]),
        (b"", b""),
        // 1006 must not be sent in a close frame.
        (&1006u16.to_be_bytes(), &1002u16.to_be_bytes()),
    ] {
        let (mut peer, mut wire) = raw(1000);
        peer.write_all(&masked(FIN | TEXT, b"last")).await.unwrap();
        peer.write_all(&masked(FIN | CLOSE, code)).await.unwrap();
        assert_eq!(message(&mut wire).await, "last");
        assert!(receive(&mut wire).await.is_none());
        assert!(receive(&mut wire).await.is_none());
        // Nothing may be sent after a close frame.
        send(&mut wire, "too late").await;
        assert!(!wire.ping());
        poll_fn(|cx| wire.poll_close(cx, CloseReason::Normal))
            .await
            .unwrap();
        let (first, payload) = read_frame(&mut peer).await;
        assert_eq!(first, FIN | CLOSE);
        assert_eq!(payload.get(..2).unwrap_or_default(), answered);
        assert_eq!(peer.read(&mut [0]).await.unwrap(), 0);
    }
}

#[tokio::test]
async fn only_a_peer_that_says_so_has_answered_all_calls() {
    for (code, reason, is_drained) in [
        (1001_u16, DRAINED, true),
        (1001, "", false),
        (1001, "bye", false),
        (1000, DRAINED, false),
    ] {
        let (mut peer, mut wire) = raw(1000);
        let mut payload = code.to_be_bytes().to_vec();
        payload.extend_from_slice(reason.as_bytes());
        let frame = masked(FIN | CLOSE, &payload);
        peer.write_all(&frame).await.unwrap();
        let ended = receive(&mut wire).await.map(|received| {
            let error = received.unwrap_err();
            error.close_reason == CloseReason::GoingAway
        });
        assert_eq!(ended.is_some_and(|yes| yes), is_drained, "{code} {reason}");
        assert_eq!(ended.is_some(), is_drained, "{code} {reason}");
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
        let parting = poll_fn(|cx| one.poll_close(cx, CloseReason::GoingAway));
        let other = async {
            // What it says when it goes away.
            let error = receive(&mut two).await.unwrap().unwrap_err();
            assert_eq!(error.close_reason, CloseReason::GoingAway);
            poll_fn(|cx| two.poll_close(cx, CloseReason::Normal))
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
    poll_fn(|cx| wire.poll_close(cx, CloseReason::Normal))
        .await
        .unwrap();
    assert_eq!(read_frame(&mut peer).await.1, b"last");
    assert_eq!(read_frame(&mut peer).await.0, FIN | CLOSE);
}

#[tokio::test]
async fn the_dead_are_not_told() {
    let (mut peer, mut wire) = raw(1000);
    wire.send(&mut b"lost".to_vec());
    poll_fn(|cx| wire.poll_close(cx, CloseReason::Dead))
        .await
        .unwrap();
    assert_eq!(peer.read(&mut [0]).await.unwrap(), 0);

    let (peer, mut wire) = raw(1000);
    drop(peer);
    wire.send(&mut b"lost".to_vec());
    assert!(poll_fn(|cx| wire.poll_flush(cx)).await.is_err());
}
