//! Subscriptions that nobody reads.

use super::{ANY, ONE_CONNECTION, Target, alone, check};
use crate::wire::{Peer, Protocol, call};

/// Subscriptions of one connection, whose items are 1 MB each.
const SUBSCRIPTIONS: usize = 500;

const LISTENERS: &str = "127.0.0.1:0,tcp://127.0.0.1:0,tcp://127.0.0.1:0?framing=content-length";

fn subscribed(scheme: &str, protocol: Protocol) {
    let _turn = alone();
    let target = Target::subject(&["--bind", LISTENERS]);
    let name = format!("500 subscriptions, {scheme}, {protocol:?}");
    check(&name, target, ONE_CONNECTION, |target| {
        let mut peer = target.connect(scheme, protocol);
        for id in 0..SUBSCRIPTIONS {
            let _ = peer.send(&call(id, "flood", "[]"));
        }
        peer
    });
}

#[test]
fn subscriptions_of_a_web_socket_that_does_not_read_are_not_asked() {
    subscribed("http", Protocol::WebSocket);
}

#[test]
fn subscriptions_in_lines_of_a_peer_that_does_not_read_are_not_asked() {
    subscribed("tcp", Protocol::Lines);
}

#[test]
fn subscriptions_under_headers_of_a_peer_that_does_not_read_are_not_asked() {
    subscribed("framed", Protocol::Headers);
}

#[test]
fn event_streams_that_nobody_reads_are_bounded() {
    let _turn = alone();
    let target = Target::subject(&["--bind", LISTENERS]);
    check("400 event streams, HTTP/1", target, ANY, |target| {
        let ask = |_| {
            let mut peer = target.connect("http", Protocol::Http1);
            let _ = peer.send_for_events(&call(1, "flood", "[]"));
            peer
        };
        (0..400).map(ask).collect::<Vec<Peer>>()
    });
}

/// As many streams as one connection may have, and a window of nothing.
#[test]
fn event_streams_of_one_http2_connection_without_a_window_are_bounded() {
    let _turn = alone();
    let target = Target::subject(&["--bind", LISTENERS]);
    check(
        "100 event streams, HTTP/2",
        target,
        ONE_CONNECTION,
        |target| {
            let mut peer = target.connect("http", Protocol::Http2);
            for id in 0..100 {
                let _ = peer.send_for_events(&call(id, "flood", "[]"));
            }
            peer
        },
    );
}
