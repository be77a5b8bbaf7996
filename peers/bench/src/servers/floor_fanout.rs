//! Floor of publishing: a task for each subscriber, which is woken and writes bytes that are ready.

use std::net::SocketAddr;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast::{self, Sender};
use tokio_tungstenite::accept_async;
use tokio_tungstenite::tungstenite::Message;

use crate::Failure;
use crate::fanout;
use crate::messages;

/// Upgrades every connection to a WebSocket. It becomes a subscriber, or publishes.
pub(super) async fn serve(listener: TcpListener) -> Result<(), Failure> {
    let (publisher, _) = broadcast::channel(fanout::QUEUE);
    loop {
        let (stream, _): (_, SocketAddr) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(connection(stream, publisher.clone()));
    }
}

/// The first message tells what the connection is for.
async fn connection(stream: TcpStream, publisher: Sender<Bytes>) -> Result<(), Failure> {
    let mut socket = accept_async(stream).await?;
    let frame = frame();
    while let Some(message) = socket.next().await {
        let Message::Text(request) = message? else {
            continue;
        };
        let id = String::from_utf8_lossy(messages::id_of(request.as_bytes()));
        let Some(count) = messages::published(request.as_bytes()) else {
            let mut items = publisher.subscribe();
            let answer = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":"1"}}"#);
            socket.send(Message::text(answer)).await?;
            // Nothing more comes from a subscriber, and nothing is left in the buffers.
            let stream = socket.get_mut();
            let mut ready = Vec::new();
            loop {
                ready.extend_from_slice(&items.recv().await?);
                while let Ok(more) = items.try_recv() {
                    ready.extend_from_slice(&more);
                }
                stream.write_all(&ready).await?;
                ready.clear();
            }
        };
        for _ in 0..count {
            // Fails if nobody has subscribed, which the load generator would notice.
            let _ = publisher.send(frame.clone());
        }
        let answer = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{count}}}"#);
        socket.send(Message::text(answer)).await?;
    }
    Ok(())
}

/// A whole frame with an item, as long as those of Antiphon.
fn frame() -> Bytes {
    let item = fanout::item();
    let id = "0".repeat(32);
    let text = format!(
        r#"{{"jsonrpc":"2.0","method":"items","params":{{"subscription":"0x{id}","seq":1,"result":"{item}"}}}}"#
    );
    // Between 126 and 65,535 bytes, the length has two bytes.
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX).to_be_bytes();
    [&[0x81, 126][..], &length, text.as_bytes()].concat().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_frame_has_the_item() {
        let frame = frame();
        let length = usize::from(u16::from_be_bytes([frame[2], frame[3]]));
        assert_eq!(frame.len(), 4 + length);
        fanout::check(&frame[4..]).unwrap();
    }
}
