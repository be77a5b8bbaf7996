//! TLS handshakes that do not end.

use std::fs;
use std::io::Write as _;

use super::{ONE_CONNECTION, Target, alone, check};
use crate::wire::{Peer, Protocol};

/// Connections that begin a handshake.
const CONNECTIONS: usize = 600;

/// The beginning of a `ClientHello` of 512 bytes.
const HELLO: &[u8] = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03half a greeting";

/// Half of the handshakes stop after their first bytes, the others say nothing.
#[test]
fn half_handshakes_cost_little_and_end_by_themselves() {
    let _turn = alone();
    let folder = std::env::temp_dir().join(format!("antiphon-half-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
    let file = |name: &str, text: String| {
        let path = folder.join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let certificate = file("cert.pem", params.self_signed(&key).unwrap().pem());
    let key = file("key.pem", key.serialize_pem());
    let target = Target::shipped(&[
        "--bind",
        "http://127.0.0.1:0,https://127.0.0.1:0",
        "--tls-cert",
        &certificate,
        "--tls-key",
        &key,
    ]);
    let name = "600 half handshakes";
    check(name, target, ONE_CONNECTION, |target| {
        let begin = |number: usize| {
            let mut peer = Peer::connect(target.place("https"), Protocol::Lines).unwrap();
            let said = if number.is_multiple_of(2) { HELLO } else { b"" };
            peer.socket.write_all(said).unwrap();
            peer
        };
        let mut peers: Vec<_> = (0..CONNECTIONS).map(begin).collect();
        for peer in &mut peers {
            // The server ends the connection, after a message about the reason or without.
            let ended = peer.drain();
            assert!(
                !matches!(&ended, Err(error) if is_timeout(error)),
                "{ended:?}"
            );
        }
    });
    fs::remove_dir_all(&folder).unwrap();
}

fn is_timeout(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{TimedOut, WouldBlock};
    matches!(error.kind(), TimedOut | WouldBlock)
}
