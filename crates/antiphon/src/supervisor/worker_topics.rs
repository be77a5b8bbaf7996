//! Topics of a worker: they follow the supervisor as long as the worker works.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::topic_channel::carry;
use crate::server::ServerHandle;
use crate::topic::link::frame::VERSION;
use crate::topic::link::worker_end::Link;
use crate::topic::registry::work_with;

/// How long the end of a worker waits until what it has published has its numbers.
const LAST_ITEMS: Duration = Duration::from_millis(500);

/// The topics of this process.
pub(super) struct WorkerTopics(Option<Following>);

/// The channel that they follow.
struct Following {
    link: Arc<Link>,
    carrier: JoinHandle<()>,
}

impl WorkerTopics {
    /// Makes all topics of the process follow the supervisor at the other end of the channel. If that is
    /// of another version of the program and speaks otherwise, they stay in this process.
    pub(super) fn begin(channel: Option<OwnedFd>, version: u32) -> Self {
        let Some(channel) = channel.filter(|_| version == VERSION) else {
            tracing::warn!(
                "topics do not reach other workers: the supervisor is of another version of the program"
            );
            return Self(None);
        };
        let link = Link::new();
        work_with(&link);
        let end = EndLink(Arc::clone(&link));
        let carrier = tokio::spawn(async move {
            if let Err(error) = carry(UnixStream::from(channel), &*end.0).await {
                tracing::error!("the channel for topics has failed: {error}");
            }
        });
        Self(Some(Following { link, carrier }))
    }

    /// Waits until all topics have their history.
    pub(super) async fn live(&self) {
        if let Some(following) = &self.0 {
            following.link.live().await;
        }
    }

    /// Waits until the supervisor does not carry topics any more. Once.
    pub(super) async fn ended(&mut self) {
        match &mut self.0 {
            Some(following) => drop((&mut following.carrier).await),
            None => std::future::pending().await,
        }
    }

    /// The worker serves: a topic that the program drops from now on is gone, if no other worker has it.
    /// When the worker stops, or has not come so far, it drops its topics, and the supervisor keeps them
    /// for others.
    pub(super) fn serve(&self, handle: &ServerHandle) {
        if let Some(following) = &self.0 {
            let handle = handle.clone();
            following.link.keep_topics_if(move || handle.is_stopping());
        }
    }

    /// Waits until what was published has its numbers, for a while.
    pub(super) async fn finish(&self) {
        if let Some(following) = &self.0
            && timeout(LAST_ITEMS, following.link.quiet()).await.is_err()
        {
            tracing::warn!(
                "the last items of topics may be lost: the supervisor does not take them"
            );
        }
    }
}

/// Ends the channel for all who use it.
struct EndLink(Arc<Link>);

impl Drop for EndLink {
    fn drop(&mut self) {
        self.0.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn without_a_channel_or_with_another_version_a_topic_stays_in_its_process() {
        for (has_channel, version) in [(false, VERSION), (false, 0), (true, 0), (true, VERSION + 1)]
        {
            let (ours, theirs) = UnixStream::pair().unwrap();
            let topics = WorkerTopics::begin(has_channel.then(|| theirs.into()), version);
            let topic = crate::Topic::<u32>::builder("unlinked").build();
            topics.live().await;
            let mut items = topic.subscribe("k");
            assert_eq!(topic.publish("k", &7).await.unwrap(), 1);
            assert_eq!(items.next().await.unwrap().unwrap(), 7);
            topics.finish().await;
            drop(ours);
        }
    }
}
