//! Readers of a few bytes a second.

use std::io::Read as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use super::{ANY, Target, alone, check};
use crate::wire::{Peer, Place, Protocol, Socket, batch};

/// Readers, each of which asks for an answer of 20 MB.
const READERS: usize = 25;
/// Connections of those who call beside them.
const OTHERS: u64 = 2;
/// Bytes that each reads at a time, and how often. That is a tenth of what a reader has to take.
const PIECE: usize = 100;
const PAUSE: Duration = Duration::from_secs(1);
/// When such readers are given up, at the latest: the write timeout is 30 s, and what they read saves
/// a few more.
const GIVEN_UP: Duration = Duration::from_secs(60);

/// The server has to end the connections. It is asked, because a reader sees the end only behind
/// what the system still holds for it.
fn slow(protocol: Protocol) {
    let _turn = alone();
    let target = Target::subject(&["--bind", "127.0.0.1:0", "--idle-timeout", "5s"]);
    let mut left = 0;
    let name = format!("slow readers, {protocol:?}");
    check(&name, target, ANY, |target| {
        let Place::Tcp(address) = *target.place("http") else {
            panic!("HTTP is served over TCP");
        };
        let over = AtomicBool::new(false);
        let read = || {
            let socket = Socket::with_small_buffer(address).unwrap();
            let mut peer = Peer::over(socket, protocol).unwrap();
            peer.send(&batch(2, "big", "[]")).unwrap();
            let mut room = [0; PIECE];
            while !over.load(Ordering::Relaxed) && peer.socket.read_exact(&mut room).is_ok() {
                sleep(PAUSE);
            }
            peer
        };
        scope(|scope| {
            let begin = Instant::now();
            let readers: Vec<_> = (0..READERS).map(|_| scope.spawn(read)).collect();
            sleep(Duration::from_secs(6));
            left = target.load().0;
            while left > OTHERS && begin.elapsed() < GIVEN_UP {
                sleep(Duration::from_millis(200));
                left = target.load().0;
            }
            println!(
                "{name}: {left} connections are open after {:?}",
                begin.elapsed()
            );
            over.store(true, Ordering::Relaxed);
            let readers = readers.into_iter();
            let peers: Vec<_> = readers.map(|reader| reader.join().unwrap()).collect();
            peers
        })
    });
    assert!(
        left <= OTHERS,
        "readers of {PIECE} bytes a second hold their answers"
    );
}

#[test]
fn a_response_that_is_hardly_read_ends_its_connection() {
    slow(Protocol::Http1);
}

#[test]
fn a_web_socket_that_hardly_reads_is_ended() {
    slow(Protocol::WebSocket);
}
