//! Topics of this process, and the channel to the supervisor of a worker.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::core::Core;
use super::link::worker_end::Link;

/// The topics that were made and not dropped. Programs have few.
static REGISTRY: Mutex<Registry> = Mutex::new(Registry {
    topics: Vec::new(),
    link: None,
});

struct Registry {
    topics: Vec<Entry>,
    /// In a worker, from the moment on when it works as one.
    link: Option<Arc<Link>>,
}

/// Topics of one name stay apart: the first one belongs to the first ones of the other workers.
struct Entry {
    name: Box<str>,
    nth: u32,
    core: Weak<Core>,
}

/// Adds a topic. In a worker it follows the supervisor.
pub(super) fn add(name: &str, core: &Arc<Core>) {
    let mut registry = REGISTRY.lock().unwrap_or_else(PoisonError::into_inner);
    let is_there = |core: Arc<Core>| !core.lock().closed;
    registry
        .topics
        .retain(|entry| entry.core.upgrade().is_some_and(is_there));
    let of_name = registry.topics.iter().filter(|entry| *entry.name == *name);
    let taken: Vec<_> = of_name.map(|entry| entry.nth).collect();
    let nth = (0..).find(|nth| !taken.contains(nth)).unwrap_or(u32::MAX);
    registry.topics.push(Entry {
        name: name.into(),
        nth,
        core: Arc::downgrade(core),
    });
    let link = registry.link.clone();
    drop(registry);
    if let Some(link) = link {
        core.follow(&link, name, nth);
    }
}

/// Whether the topics of this process follow a supervisor, or a hub of their own.
pub(crate) fn follow_already() -> bool {
    let registry = REGISTRY.lock().unwrap_or_else(PoisonError::into_inner);
    let link = registry.link.as_ref();
    link.is_some_and(|link| !link.is_gone())
}

/// This process is a worker: all its topics, and those that are made later, follow the supervisor at
/// the other end of this channel.
pub(crate) fn work_with(link: &Arc<Link>) {
    let mut registry = REGISTRY.lock().unwrap_or_else(PoisonError::into_inner);
    registry.link = Some(Arc::clone(link));
    let topics = registry.topics.iter();
    let topics =
        topics.filter_map(|entry| Some((entry.name.clone(), entry.nth, entry.core.upgrade()?)));
    let topics: Vec<_> = topics.collect();
    drop(registry);
    for (name, nth, core) in topics {
        core.follow(link, &name, nth);
    }
}
