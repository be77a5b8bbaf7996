//! Peers that do what they should not.

use std::io::{self, Read as _, Write as _};
use std::thread::sleep;
use std::time::Duration;

use super::random::Random;
use crate::wire::{Peer, Place, Protocol, batch, call};

/// What a peer does with its connection. All of them let go of it in the end, in whatever state it
/// is.
#[derive(Clone, Copy, Debug)]
enum Deed {
    /// Calls, and reads the answers.
    Call,
    /// Connects and says nothing.
    Stay,
    /// Sends a part of a message, and later the rest.
    Stall,
    /// Sends a part of a message and goes.
    Cut,
    /// Sends calls and resets the connection.
    Reset,
    /// Sends calls and reads nothing.
    Ignore,
    /// Asks for much and reads it in small pieces.
    Sip,
    /// Subscribes, reads a little and goes.
    Subscribe,
    /// Sends bytes without a sense.
    Babble,
    /// Sends a message in which some bytes are wrong.
    Corrupt,
}

const DEEDS: [Deed; 10] = [
    Deed::Call,
    Deed::Stay,
    Deed::Stall,
    Deed::Cut,
    Deed::Reset,
    Deed::Ignore,
    Deed::Sip,
    Deed::Subscribe,
    Deed::Babble,
    Deed::Corrupt,
];

/// Does one thing on one connection, and returns the number of calls that were sent whole. The
/// server may end the connection at any time, so an error is no news.
pub(super) fn act(random: &mut Random, place: &Place, protocol: Protocol) -> usize {
    let deed = random.pick(&DEEDS);
    let mut sent = 0;
    let _ = Peer::connect(place, protocol).and_then(|peer| perform(deed, peer, random, &mut sent));
    sent
}

fn perform(deed: Deed, mut peer: Peer, random: &mut Random, sent: &mut usize) -> io::Result<()> {
    // Nobody waits here for an answer that the server owes to no one.
    peer.socket.set_deadline(Duration::from_secs(2))?;
    match deed {
        Deed::Call => {
            for _ in 0..=random.below(20) {
                let message = message(random);
                peer.ask(&message)?;
                *sent += 1;
            }
        }
        Deed::Stay => pause(random),
        Deed::Stall => {
            let (first, rest) = parted(&mut peer, random);
            peer.socket.write_all(&first)?;
            pause(random);
            peer.socket.write_all(&rest)?;
            *sent += 1;
            pause(random);
        }
        Deed::Cut => {
            let (first, _) = parted(&mut peer, random);
            peer.socket.write_all(&first)?;
        }
        Deed::Reset => {
            for _ in 0..=random.below(5) {
                peer.send(&message(random))?;
                *sent += 1;
            }
            peer.socket.reset();
        }
        Deed::Ignore => {
            for _ in 0..=random.below(50) {
                peer.send(&message(random))?;
                *sent += 1;
            }
            pause(random);
        }
        Deed::Sip => {
            peer.send(&call(1, "calc.randompaths", "[1,20000]"))?;
            *sent += 1;
            let mut room = [0; 1000];
            for _ in 0..random.below(20) {
                let length = 1 + random.below(room.len());
                peer.socket.read_exact(&mut room[..length])?;
                sleep(Duration::from_millis(10));
            }
        }
        Deed::Subscribe => {
            for id in 0..=random.below(10) {
                let message = match random.below(2) {
                    0 => call(id, "ticks", "[1000000,1]"),
                    _ => call(id, "news.subscribe", &format!("[\"{}\"]", topic(random))),
                };
                peer.send_for_events(&message)?;
                *sent += 1;
            }
            let mut room = [0; 4096];
            for _ in 0..random.below(10) {
                // However much it is.
                let _ = peer.socket.read(&mut room)?;
            }
            pause(random);
        }
        Deed::Babble => {
            let noise: Vec<_> = (0..random.below(5000)).map(|_| random.byte()).collect();
            peer.socket.write_all(&noise)?;
            pause(random);
        }
        Deed::Corrupt => {
            let message = message(random);
            let mut bytes = peer.encode(&message);
            for _ in 0..=random.below(5) {
                let at = random.below(bytes.len());
                bytes[at] = random.byte();
            }
            peer.socket.write_all(&bytes)?;
            pause(random);
        }
    }
    Ok(())
}

/// Some message with calls.
fn message(random: &mut Random) -> String {
    let text = "storm ".repeat(random.below(1000));
    let params = format!("[\"{text}\"]");
    match random.below(5) {
        0 => batch(1 + random.below(20), "echo", &params),
        1 => call(random.below(10), "calc.randompaths", "[1,100]"),
        2 => call(random.below(10), "nothing", &params),
        3 => {
            let params = format!("[\"{}\",\"{text}\"]", topic(random));
            call(random.below(10), "news.publish", &params)
        }
        _ => call(random.below(10), "echo", &params),
    }
}

/// The name of one of many topics; some of them are busy.
fn topic(random: &mut Random) -> String {
    let many = [3, 10_000][random.below(2)];
    format!("topic {}", random.below(many))
}

/// A message in two parts.
fn parted(peer: &mut Peer, random: &mut Random) -> (Vec<u8>, Vec<u8>) {
    let message = message(random);
    let mut first = peer.encode(&message);
    let rest = first.split_off(random.below(first.len()));
    (first, rest)
}

fn pause(random: &mut Random) {
    sleep(Duration::from_millis(random.below(400) as u64));
}
