//! Methods with a topic, whose subscriptions resume.

use antiphon::{PublishError, Subscription, Topic, rpc};

/// Texts by topic.
pub(crate) struct News(Topic<String>);

impl Default for News {
    fn default() -> Self {
        Self(Topic::builder("news").history(20).build())
    }
}

/// Texts that are published once and reach all subscribers of their topic.
#[rpc]
impl News {
    /// Texts of a topic, from now on or from where the caller left off.
    #[method(example = r#"{"params": ["weather"]}"#)]
    fn rpc_subscribe(&self, topic: String) -> Subscription<String> {
        self.0.subscribe(topic)
    }

    /// Publishes a text; returns its number.
    async fn rpc_publish(&self, topic: String, text: String) -> Result<u64, PublishError> {
        self.0.publish(topic, &text).await
    }
}
