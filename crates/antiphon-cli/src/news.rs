//! Topics for trying out publish and subscribe.

use antiphon::{ErrorObject, Overflow, PublishError, Subscription, Topic, rpc};
use serde_json::value::RawValue;

/// The longest name of a topic, in bytes.
const MAX_NAME: usize = 256;

/// The largest item, in bytes.
const MAX_ITEM: usize = 256 * 1024;

/// The most topics that have subscribers or a history.
const MAX_TOPICS: usize = 1000;

/// The items of one topic that are kept for subscribers who come back.
const HISTORY: usize = 1000;

/// The bytes of all items that are kept, and of those that wait for subscribers. Anybody may publish to
/// a demonstration.
const MAX_BYTES: usize = 8 * 1024 * 1024;

/// Publish and subscribe.
pub(crate) struct News {
    /// As they were published: numbers keep all their digits.
    items: Topic<Box<RawValue>>,
}

impl News {
    pub(crate) fn new() -> Self {
        let items = Topic::builder("news")
            .history(HISTORY)
            .history_bytes(MAX_BYTES)
            .max_waiting(MAX_BYTES)
            .max_keys(MAX_TOPICS)
            .overflow(Overflow::DropOldest)
            .build();
        Self { items }
    }
}

#[rpc(client = false)]
impl News {
    /// Publish an item, which may be any value, to all who have subscribed to its topic; returns its
    /// number within the topic.
    #[method(example = r#"{"params": ["weather", "rain"], "result": 1}"#)]
    async fn rpc_publish(&self, topic: String, item: Box<RawValue>) -> Result<u64, ErrorObject> {
        check_name(&topic)?;
        if item.get().len() > MAX_ITEM {
            return Err(ErrorObject::invalid_params(format_args!(
                "the item has more than {MAX_ITEM} bytes"
            )));
        }
        let published = self.items.publish(topic, &item).await;
        published.map_err(|error| match error {
            PublishError::KeyTooLong | PublishError::TooLarge | PublishError::NotJson(_) => {
                ErrorObject::invalid_params(error)
            }
            error => error.into(),
        })
    }

    /// The items of a topic, from now on; if the request has the member `after`, with the cursor of an
    /// item, those behind it first.
    fn rpc_subscribe(&self, topic: String) -> Result<Subscription<Box<RawValue>>, ErrorObject> {
        check_name(&topic)?;
        Ok(self.items.subscribe(topic))
    }
}

/// Rejects names that are too long for a topic.
fn check_name(topic: &str) -> Result<(), ErrorObject> {
    match topic.len() <= MAX_NAME {
        true => Ok(()),
        false => Err(ErrorObject::invalid_params(format_args!(
            "the name of the topic has more than {MAX_NAME} bytes"
        ))),
    }
}
