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
//! `publish` returns the number of subscribers, of all workers. A web page can do both as well, with
//! `new WebSocket("ws://127.0.0.1:8060")`, if its origin is allowed with `--allow-origin`. Each item has a
//! `cursor`. Whoever subscribes again with it, as the member `after` of the request, misses nothing, as long
//! as the last hundred items of the subject reach back so far. With `--workers 4` nothing changes.

use std::process::ExitCode;

use antiphon::{Overflow, PublishError, Router, Server, Subscription, Topic, rpc};

struct News {
    /// Texts by subject.
    texts: Topic<String>,
}

#[rpc]
impl News {
    /// Texts about a subject, from now on or from where the caller left off.
    fn rpc_subscribe(&self, subject: String) -> Subscription<String> {
        self.texts.subscribe(subject)
    }

    /// Sends a text to all subscribers of its subject, and returns their number.
    async fn rpc_publish(&self, subject: String, text: String) -> Result<usize, PublishError> {
        self.texts.publish(&subject, &text).await?;
        Ok(self.texts.subscribers(&subject))
    }
}

fn main() -> ExitCode {
    let texts = Topic::builder("news")
        .history(100)
        .overflow(Overflow::DropOldest)
        .build();
    Server::new(Router::new().nest("news", News { texts })).start()
}
