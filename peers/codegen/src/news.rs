//! Methods with a topic, whose subscriptions resume.

use antiphon::{PublishError, Subscription, Topic};

/// Lines by subject.
pub struct News(Topic<String>);

impl Default for News {
    fn default() -> Self {
        Self(Topic::builder("news").history(3).build())
    }
}

/// Lines that are told to all who follow.
#[antiphon::rpc]
impl News {
    /// Lines about a subject.
    fn rpc_follow(&self, subject: String) -> Subscription<String> {
        self.0.subscribe(subject)
    }

    /// Tells a line, and returns its number.
    async fn rpc_tell(&self, subject: String, line: String) -> Result<u64, PublishError> {
        self.0.publish(subject, &line).await
    }
}
