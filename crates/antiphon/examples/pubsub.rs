//! Publish and subscribe over WebSocket: all subscribers receive what any client publishes.
//!
//! Run with
//!
//! ```console
//! $ cargo run --example pubsub
//! $ antiphon listen ws://127.0.0.1:8060 news.subscribe weather
//! $ antiphon call ws://127.0.0.1:8060 news.publish weather "it rains"
//! ```
//!
//! `publish` returns the number of subscribers. A web page can do both as well, with
//! `new WebSocket("ws://127.0.0.1:8060")`, if its origin is allowed with `--allow-origin`. A
//! publisher lives in one process. To publish across several servers, use a message broker.

use std::process::ExitCode;

use antiphon::{Router, Server, rpc};
use futures_util::stream::{Stream, unfold};
use tokio::sync::broadcast::{Sender, error::RecvError};

struct News {
    /// Topic and text.
    channel: Sender<(String, String)>,
}

#[rpc]
impl News {
    /// Texts that are published under a topic from now on.
    #[method(overflow = "drop_oldest")]
    fn rpc_subscribe(&self, topic: String) -> impl Stream<Item = String> {
        unfold(
            (self.channel.subscribe(), topic),
            |(mut news, topic)| async {
                loop {
                    match news.recv().await {
                        Ok((about, text)) if about == topic => return Some((text, (news, topic))),
                        // Another topic, or messages that the full channel has dropped.
                        Ok(_) | Err(RecvError::Lagged(_)) => {}
                        Err(RecvError::Closed) => return None,
                    }
                }
            },
        )
    }

    /// Sends a text to all subscribers, and returns their number.
    fn rpc_publish(&self, topic: String, text: String) -> usize {
        // `send` fails only if there is no subscriber.
        self.channel.send((topic, text)).unwrap_or(0)
    }
}

fn main() -> ExitCode {
    let (channel, _) = tokio::sync::broadcast::channel(256);
    Server::new(Router::new().nest("news", News { channel })).start()
}
