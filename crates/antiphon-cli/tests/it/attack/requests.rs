//! Messages that do not end, messages that wait, and messages that grow in memory.

use super::{ANY, ONE_CONNECTION, Target, alone, check, send_on_many};
use crate::wire::{Protocol, call};

/// Connections of an attack, whose messages are 400 MiB.
const CONNECTIONS: usize = 48;
/// Calls of one connection.
const CALLS: usize = 20;
/// Bytes of each message.
const SIZE: usize = 8_900_000;

const LISTENERS: &str = "127.0.0.1:0,tcp://127.0.0.1:0,tcp://127.0.0.1:0?framing=content-length,\
                         unix:{folder}/socket";

/// A call of this many bytes, most of which are spaces.
fn blank(id: usize, method: &str, params: &str, size: usize) -> String {
    let call = call(id, method, params);
    let (inside, brace) = call.split_at(call.len() - 1);
    format!("{inside}{}{brace}", " ".repeat(size - call.len()))
}

/// Connections with 8.9 MB each of a message whose last byte does not come.
fn unfinished(scheme: &str, protocol: Protocol) {
    let _turn = alone();
    let target = Target::shipped(&["--bind", LISTENERS]);
    let text = format!("[\"{}\"]", "x".repeat(SIZE));
    let message = call(1, "echo", &text);
    let name = format!("unfinished messages, {scheme}, {protocol:?}");
    check(&name, target, ANY, |target| {
        send_on_many(target, scheme, protocol, CONNECTIONS, |peer| {
            let mut bytes = peer.encode(&message);
            bytes.truncate(bytes.len() - 2);
            bytes
        })
    });
}

#[test]
fn unfinished_messages_of_web_sockets_are_bounded() {
    unfinished("http", Protocol::WebSocket);
}

#[test]
fn unfinished_messages_in_lines_are_bounded() {
    unfinished("tcp", Protocol::Lines);
}

#[test]
fn unfinished_messages_under_headers_are_bounded() {
    unfinished("framed", Protocol::Headers);
}

#[test]
fn unfinished_messages_on_unix_sockets_are_bounded() {
    unfinished("unix", Protocol::Lines);
}

#[test]
fn unfinished_bodies_are_bounded() {
    unfinished("http", Protocol::Http1);
}

#[test]
fn unfinished_bodies_of_a_mounted_service_are_bounded() {
    let _turn = alone();
    let text = format!("[\"{}\"]", "x".repeat(SIZE));
    let message = call(1, "echo", &text);
    let target = Target::subject(&["--mounted"]);
    // There is no WebSocket behind axum unless the application makes one.
    check("unfinished bodies, mounted", target, ANY, |target| {
        send_on_many(target, "http", Protocol::Http1, CONNECTIONS, |peer| {
            let mut bytes = peer.encode(&message);
            bytes.truncate(bytes.len() - 2);
            bytes
        })
    });
}

/// One connection, twenty waiting calls, and 8.9 MB of white space in the message of each.
fn waiting_on_one(scheme: &str, protocol: Protocol) {
    let _turn = alone();
    let target = Target::subject(&["--bind", LISTENERS]);
    let name = format!("waiting calls of 8.9 MB, {scheme}, {protocol:?}");
    check(&name, target, ONE_CONNECTION, |target| {
        let mut peer = target.connect(scheme, protocol);
        for id in 0..CALLS {
            let _ = peer.send(&blank(id, "wait", "[600000]", SIZE));
        }
        peer
    });
}

#[test]
fn waiting_calls_of_a_web_socket_do_not_hold_their_messages() {
    waiting_on_one("http", Protocol::WebSocket);
}

#[test]
fn waiting_calls_in_lines_do_not_hold_their_messages() {
    waiting_on_one("tcp", Protocol::Lines);
}

#[test]
fn waiting_calls_under_headers_do_not_hold_their_messages() {
    waiting_on_one("framed", Protocol::Headers);
}

#[test]
fn waiting_calls_over_http_do_not_hold_the_budget() {
    let _turn = alone();
    let target = Target::subject(&["--bind", LISTENERS]);
    check("waiting calls of 8.9 MB, HTTP/1", target, ANY, |target| {
        send_on_many(target, "http", Protocol::Http1, CONNECTIONS, |peer| {
            peer.encode(&blank(1, "wait", "[600000]", SIZE))
        })
    });
}

/// Objects of seven bytes, which in memory are a hundred times as large. A message of so many
/// values is refused before it is decoded; a tenth of it is not.
#[test]
fn a_message_of_very_many_values_is_refused() {
    let _turn = alone();
    let target = Target::subject(&["--bind", LISTENERS, "--max-request", "64MiB"]);
    let many = |count: usize| {
        let list = vec![r#"{"":0}"#; count].join(",");
        call(1, "count", &format!("[[{list}]]"))
    };
    let mut answers = Vec::new();
    check("decoding of 14 MB, HTTP and TCP", target, ANY, |target| {
        for (scheme, protocol) in [("http", Protocol::Http1), ("tcp", Protocol::Lines)] {
            let mut peer = target.connect(scheme, protocol);
            let answer = peer.ask(&many(100_000)).unwrap();
            assert_eq!(answer, r#"{"jsonrpc":"2.0","id":1,"result":200001}"#);
            let mut peer = target.connect(scheme, protocol);
            answers.push(peer.ask(&many(2_000_000)));
        }
    });
    for answer in answers {
        let answer = answer.unwrap();
        assert!(answer.contains("\"error\""), "{answer:.200}");
    }
}
