//! Counters of topics, and the list of all topics of this process.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use serde::{Deserialize, Serialize};

/// What a topic has done, and for how many.
#[derive(Debug, Default)]
pub(super) struct Counts {
    name: Box<str>,
    pub(super) published: AtomicU64,
    /// Items that were queued for a subscriber.
    pub(super) delivered: AtomicU64,
    /// Those of them that a subscriber did not get, because it did not keep up.
    pub(super) dropped: AtomicU64,
    pub(super) subscribers: AtomicUsize,
    /// Those of all workers, as far as the supervisor has told.
    pub(super) everywhere: AtomicUsize,
}

/// The counters of all topics of one name.
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct TopicCounts {
    pub(crate) published: u64,
    pub(crate) delivered: u64,
    pub(crate) dropped: u64,
    pub(crate) subscribers: u64,
}

impl TopicCounts {
    pub(crate) fn add(&mut self, other: &Self) {
        self.published += other.published;
        self.delivered += other.delivered;
        self.dropped += other.dropped;
        self.subscribers += other.subscribers;
    }
}

/// The topics that were made and not dropped. Programs have few.
static TOPICS: Mutex<Vec<Weak<Counts>>> = Mutex::new(Vec::new());

impl Counts {
    /// Counters that [`all`] shows.
    pub(super) fn new(name: &str) -> Arc<Self> {
        let counts = Arc::new(Self {
            name: name.into(),
            ..Self::default()
        });
        let mut topics = TOPICS.lock().unwrap_or_else(PoisonError::into_inner);
        topics.retain(|topic| topic.strong_count() > 0);
        topics.push(Arc::downgrade(&counts));
        counts
    }

    pub(super) fn add(counter: &AtomicU64, more: usize) {
        counter.fetch_add(more as u64, Ordering::Relaxed);
    }

    fn read(&self) -> TopicCounts {
        TopicCounts {
            published: self.published.load(Ordering::Relaxed),
            delivered: self.delivered.load(Ordering::Relaxed),
            dropped: self.dropped.load(Ordering::Relaxed),
            subscribers: self.subscribers.load(Ordering::Relaxed) as u64,
        }
    }
}

/// The counters of all topics of this process, by name.
pub(crate) fn all() -> BTreeMap<String, TopicCounts> {
    let topics = TOPICS.lock().unwrap_or_else(PoisonError::into_inner);
    let mut all = BTreeMap::<String, TopicCounts>::new();
    for topic in topics.iter().filter_map(Weak::upgrade) {
        all.entry(topic.name.to_string())
            .or_default()
            .add(&topic.read());
    }
    all
}
