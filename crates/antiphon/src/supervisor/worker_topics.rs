//! Topics of a worker: they follow the supervisor as long as the worker works.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::topic_channel::carry;
use crate::server::ServerHandle;
use crate::topic::link::worker_end::Link;
use crate::topic::registry::work_with;

/// How long the end of a worker waits until what it has published has its numbers.
const LAST_ITEMS: Duration = Duration::from_millis(500);

/// The topics of this process.
pub(super) struct WorkerTopics {
    link: Arc<Link>,
    carrier: JoinHandle<()>,
}

impl WorkerTopics {
    /// Makes all topics of the process follow the supervisor at the other end of the channel.
    pub(super) fn begin(channel: Option<OwnedFd>) -> Self {
        let link = Link::new();
        work_with(&link);
        let end = EndLink(Arc::clone(&link));
        let carrier = tokio::spawn(async move {
            let Some(channel) = channel else {
                return;
            };
            if let Err(error) = carry(UnixStream::from(channel), &*end.0).await {
                tracing::error!("the channel for topics has failed: {error}");
            }
        });
        Self { link, carrier }
    }

    /// Waits until all topics have their history.
    pub(super) async fn live(&self) {
        self.link.live().await;
    }

    /// Waits until the supervisor does not carry topics any more. Once.
    pub(super) async fn ended(&mut self) {
        let _ = (&mut self.carrier).await;
    }

    /// The worker serves: a topic that the program drops from now on is gone, if no other worker has it.
    /// When the worker stops, or has not come so far, it drops its topics, and the supervisor keeps them
    /// for others.
    pub(super) fn serve(&self, handle: &ServerHandle) {
        let handle = handle.clone();
        self.link.keep_topics_if(move || handle.is_stopping());
    }

    /// Waits until what was published has its numbers, for a while.
    pub(super) async fn finish(&self) {
        if timeout(LAST_ITEMS, self.link.quiet()).await.is_err() {
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
