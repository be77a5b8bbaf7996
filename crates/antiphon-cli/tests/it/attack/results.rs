//! Large results that nobody reads.

use super::{ANY, Target, alone, check, send_on_many};
use crate::wire::{Peer, Protocol, batch, call};

/// Parameters of `calc.randompaths` for a result of 10 MB, the most text that its numbers can be.
const LARGE: &str = "[1,399999,-1.2345678901234567e-300,0]";
/// Results of an attack: twice the budget.
const RESULTS: usize = 50;

const LISTENERS: &str = "127.0.0.1:0,tcp://127.0.0.1:0,tcp://127.0.0.1:0?framing=content-length,\
                         unix:{folder}/socket";

/// One connection with 25 streams and no window; a batch of two large results on each.
#[test]
fn results_of_http2_streams_without_a_window_are_bounded() {
    let _turn = alone();
    let target = Target::shipped(&["--bind", "127.0.0.1:0"]);
    check("HTTP/2, no window", target, ANY, |target| {
        let mut peer = target.connect("http", Protocol::Http2);
        for _ in 0..RESULTS / 2 {
            let _ = peer.send(&batch(2, "calc.randompaths", LARGE));
        }
        peer
    });
}

#[test]
fn results_of_http1_connections_that_do_not_read_are_bounded() {
    let _turn = alone();
    let target = Target::shipped(&["--bind", "127.0.0.1:0"]);
    check("HTTP/1, a batch each", target, ANY, |target| {
        send_on_many(target, "http", Protocol::Http1, RESULTS / 2, |peer| {
            peer.encode(&batch(2, "calc.randompaths", LARGE))
        })
    });
}

#[test]
fn results_of_one_web_socket_that_does_not_read_are_bounded() {
    let _turn = alone();
    let target = Target::shipped(&["--bind", "127.0.0.1:0"]);
    check("WebSocket, 50 calls", target, ANY, |target| {
        let mut peer = target.connect("http", Protocol::WebSocket);
        for id in 0..RESULTS {
            let _ = peer.send(&call(id, "calc.randompaths", LARGE));
        }
        peer
    });
}

/// As many blocking calls as a connection may have, on eight of them: more than there are threads.
#[test]
fn blocking_calls_of_web_sockets_that_do_not_read_are_bounded() {
    let _turn = alone();
    let target = Target::shipped(&["--bind", "127.0.0.1:0"]);
    check("WebSockets, 8 × 128 calls", target, ANY, |target| {
        send_on_many(target, "http", Protocol::WebSocket, 8, |peer| {
            let call = |id| peer.encode(&call(id, "calc.randompaths", "[10,20000]"));
            (0..128).flat_map(call).collect()
        })
    });
}

/// One connection with 50 calls, whose methods hold nothing of their results.
fn session(mut flags: Vec<&str>, name: &str, connect: impl FnOnce(&mut Target) -> Peer) {
    let _turn = alone();
    flags.extend(["--bind", LISTENERS]);
    let target = Target::subject(&flags);
    check(&format!("{name}, 50 calls"), target, ANY, |target| {
        let mut peer = connect(target);
        for id in 0..RESULTS {
            let _ = peer.send(&call(id, "big", "[]"));
        }
        peer
    });
}

#[test]
fn results_in_lines_that_nobody_reads_are_bounded() {
    session(Vec::new(), "TCP, lines", |target| {
        target.connect("tcp", Protocol::Lines)
    });
}

#[test]
fn results_under_headers_that_nobody_reads_are_bounded() {
    session(Vec::new(), "TCP, headers", |target| {
        target.connect("framed", Protocol::Headers)
    });
}

#[test]
fn results_on_a_unix_socket_that_nobody_reads_are_bounded() {
    session(Vec::new(), "Unix", |target| {
        target.connect("unix", Protocol::Lines)
    });
}

#[test]
fn results_on_standard_output_that_nobody_reads_are_bounded() {
    session(vec!["--stdio"], "stdio", Target::stdio);
}

#[test]
fn results_of_a_mounted_service_are_bounded() {
    let _turn = alone();
    let target = Target::subject(&["--mounted"]);
    check("mounted, a batch each", target, ANY, |target| {
        send_on_many(target, "http", Protocol::Http1, RESULTS / 2, |peer| {
            peer.encode(&batch(2, "big", "[]"))
        })
    });
}
