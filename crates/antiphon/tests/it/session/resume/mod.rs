//! Tests of subscriptions that go on: behind a cursor, and after an outage.

mod cursors;
mod messages;
mod outages;

use std::time::Duration;

use antiphon::client::{Reconnect, StreamError, Subscription};
use antiphon::{Topic, rpc};
use futures_util::stream::{self, Stream};
use tokio::time::timeout;

use super::raw::TEST_TIMEOUT;

/// An object with a topic, and a stream that is none.
struct Numbers(Topic<u64>);

#[rpc]
impl Numbers {
    /// Those of one key.
    fn rpc_of(&self, key: String) -> antiphon::Subscription<u64> {
        self.0.subscribe(key)
    }

    /// Those of all keys.
    fn rpc_all(&self) -> antiphon::Subscription<u64> {
        self.0.subscribe_all()
    }

    /// Those of one key, without places.
    #[method(plain)]
    fn rpc_plain(&self, key: String) -> antiphon::Subscription<u64> {
        self.0.subscribe(key)
    }

    /// A stream of its own.
    fn rpc_count(&self) -> impl Stream<Item = u64> + use<> {
        stream::iter(1..=2)
    }
}

fn topic(history: usize) -> Topic<u64> {
    Topic::builder("numbers").history(history).build()
}

fn publish(topic: &Topic<u64>, numbers: impl IntoIterator<Item = u64>) {
    for n in numbers {
        topic.publish("k", &n);
    }
}

fn soon() -> Reconnect {
    Reconnect::default()
        .first_pause(Duration::from_millis(1))
        .max_pause(Duration::from_millis(20))
}

/// What has come, in a few words.
fn told(next: Option<Result<u64, StreamError>>) -> String {
    match next {
        None => "end".to_owned(),
        Some(Ok(n)) => n.to_string(),
        Some(Err(StreamError::Gap { missed: Some(n) })) => format!("gap {n}"),
        Some(Err(StreamError::Gap { missed: None })) => "gap".to_owned(),
        Some(Err(StreamError::Interrupted)) => "interrupted".to_owned(),
        Some(Err(StreamError::Shutdown)) => "shutdown".to_owned(),
        Some(Err(StreamError::Lost(_))) => "lost".to_owned(),
        Some(Err(StreamError::Decode(_))) => "decode".to_owned(),
        Some(Err(error)) => format!("{error:?}"),
    }
}

async fn expect(items: &mut Subscription<u64>, expected: &[&str], what: &str) {
    for (at, expected) in expected.iter().enumerate() {
        let next = timeout(TEST_TIMEOUT, items.next()).await;
        let next = next.unwrap_or_else(|_| panic!("{what}: nothing comes at {at}"));
        assert_eq!(told(next), *expected, "{what}, at {at}");
    }
}
