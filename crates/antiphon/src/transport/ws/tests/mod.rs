//! Two wires connected to each other, and a wire with a peer that writes raw frames.

mod ending;
mod limits;
mod messages;

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

use crate::memory_budget::Account;
use crate::session::{CloseReason, Wire, WireError};
use crate::transport::ws::WsWire;

pub(super) const LIMIT: usize = 2_000_000;

pub(super) const TEXT: u8 = 1;
pub(super) const BINARY: u8 = 2;
pub(super) const CLOSE: u8 = 8;
pub(super) const PING: u8 = 9;
pub(super) const PONG: u8 = 10;
pub(super) const FIN: u8 = 0x80;

/// A masked frame, as clients send them.
pub(super) fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
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
pub(super) fn plain(first: u8, payload: &[u8]) -> Vec<u8> {
    [head(first, 0, payload.len() as u64), payload.to_vec()].concat()
}

pub(super) fn head(first: u8, mask: u8, length: u64) -> Vec<u8> {
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

/// Reads one frame on the peer's end of the pair.
pub(super) async fn read_frame(peer: &mut DuplexStream) -> (u8, Vec<u8>) {
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

pub(super) fn server(stream: DuplexStream) -> WsWire<DuplexStream> {
    WsWire::server(stream, Bytes::new(), LIMIT, &Account::unlimited())
}

/// A server's wire, and a peer that writes raw bytes, with a buffer of this size between them.
pub(super) fn raw(room: usize) -> (DuplexStream, WsWire<DuplexStream>) {
    let (peer, stream) = duplex(room);
    (peer, server(stream))
}

/// Drives a wire as the session does: when nothing can be read, it is flushed.
pub(super) async fn receive<W: Wire>(wire: &mut W) -> Option<Result<Bytes, WireError>> {
    poll_fn(|cx| {
        let received = wire.poll_receive(cx);
        if received.is_pending() {
            let _ = wire.poll_flush(cx);
        }
        received
    })
    .await
}

pub(super) async fn message<W: Wire>(wire: &mut W) -> Bytes {
    receive(wire).await.unwrap().unwrap()
}

pub(super) async fn flush<W: Wire>(wire: &mut W) {
    poll_fn(|cx| wire.poll_flush(cx)).await.unwrap();
}

pub(super) async fn send<W: Wire>(wire: &mut W, text: &str) {
    let mut buffer = text.as_bytes().to_vec();
    wire.send(&mut buffer);
    assert!(buffer.is_empty());
    flush(wire).await;
}

/// Whether nothing can be received now and everything is written.
pub(super) async fn is_idle<W: Wire>(wire: &mut W) -> bool {
    poll_fn(|cx| {
        let pending = wire.poll_receive(cx).is_pending();
        Poll::Ready(pending && wire.poll_flush(cx).is_ready())
    })
    .await
}

pub(super) fn pair() -> (WsWire<DuplexStream>, WsWire<DuplexStream>) {
    let (near, far) = duplex(1 << 22);
    (WsWire::client(near, Bytes::new(), LIMIT), server(far))
}
