//! What the topics of a server share on their way to the broker.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_nats::jetstream::context::{Context, PublishAckFuture};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;

use super::super::link::Link;
use super::names::{Names, TopicName};
use crate::topic::keys::HistoryLimits;
use crate::topic::link::in_process::SharedHub;

/// How long the broker has to answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// A topic that is to be followed.
pub(super) struct NewTopic {
    pub(super) id: u64,
    pub(super) name: TopicName,
    pub(super) history: HistoryLimits,
}

/// What all topics share.
pub(super) struct Shared {
    pub(super) hub: SharedHub,
    pub(super) link: Link,
    pub(super) jetstream: Context,
    pub(super) names: Names,
    /// The name of this server, which nobody can guess.
    pub(super) id: String,
    pub(super) topics: Mutex<Topics>,
}

#[derive(Default)]
pub(super) struct Topics {
    pub(super) by_name: HashMap<TopicName, u64>,
    pub(super) by_id: HashMap<u64, Followed>,
    /// Tasks of topics that streams keep.
    pub(super) tasks: JoinSet<()>,
}

pub(super) struct Followed {
    pub(super) topic: Arc<NewTopic>,
    pub(super) tasks: Vec<AbortHandle>,
    /// Items that are on their way to the stream.
    pub(super) unanswered: mpsc::UnboundedSender<Unanswered>,
}

/// An item on its way to a stream.
pub(super) struct Unanswered {
    pub(super) ticket: u64,
    pub(super) answer: PublishAckFuture,
    pub(super) until: Instant,
    /// How often the connection had been lost before.
    pub(super) losses: u64,
}

impl Shared {
    pub(super) fn topics(&self) -> MutexGuard<'_, Topics> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn find(&self, id: u64) -> Option<Arc<NewTopic>> {
        let topics = self.topics();
        let followed = topics.by_id.get(&id)?;
        Some(Arc::clone(&followed.topic))
    }
}

impl Topics {
    /// A topic is there no more.
    pub(super) fn remove(&mut self, id: u64) {
        if let Some(followed) = self.by_id.remove(&id) {
            followed.tasks.iter().for_each(AbortHandle::abort);
            if self.by_name.get(&followed.topic.name) == Some(&id) {
                self.by_name.remove(&followed.topic.name);
            }
        }
    }
}
