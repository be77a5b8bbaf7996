//! Log of what the workers of a supervisor have not taken yet.

use std::collections::VecDeque;
use std::sync::Arc;

use super::super::item::Item;

/// The most bytes of what is in the log. One item may always be there.
pub(super) const MAX_BYTES: usize = 64 * 1024 * 1024;

/// What an entry takes beside its text.
const OVERHEAD: usize = size_of::<Entry>();

/// An item that a worker has published.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Origin {
    pub(super) worker: u64,
    /// The number that the topic has there.
    pub(super) topic: u32,
    /// How many items this worker had published in the topic before.
    pub(super) nth: u64,
}

impl Origin {
    /// What comes from a broker; no worker has this number.
    pub(super) const ELSEWHERE: Self = Self {
        worker: 0,
        topic: 0,
        nth: 0,
    };
}

/// What all workers are told that have this topic.
#[derive(Clone, Debug)]
pub(super) enum Entry {
    Item {
        topic: u64,
        item: Arc<Item>,
        /// Who has published it.
        origin: Origin,
        /// Whether its key is in the table.
        known: bool,
    },
    /// A key has other subscribers.
    Key {
        topic: u64,
        key: Arc<str>,
        id: u64,
        number: u64,
        total: u32,
    },
    /// All keys have other subscribers.
    All {
        topic: u64,
        total: u32,
    },
    Vanished {
        topic: u64,
        key: Arc<str>,
        id: u64,
    },
    /// For one worker alone: there is no room for a key.
    Refused {
        topic: u64,
        worker: u64,
        key: Arc<str>,
    },
    /// For one worker alone: it has all that is before.
    Answer {
        topic: u64,
        worker: u64,
        question: u64,
    },
}

impl Entry {
    /// Whether a worker has to be told of it although histories have what it says.
    pub(super) fn concerns(&self, peer: u64) -> bool {
        match self {
            Self::Item { origin, .. } => origin.worker == peer,
            Self::Refused { worker, .. } => *worker == peer,
            _ => false,
        }
    }

    fn bytes(&self) -> usize {
        OVERHEAD
            + match self {
                Self::Item { item, .. } => item.bytes(),
                Self::Key { key, .. } | Self::Vanished { key, .. } | Self::Refused { key, .. } => {
                    key.len()
                }
                Self::All { .. } | Self::Answer { .. } => 0,
            }
    }
}

/// Entries in their order, each with the number of those before it.
#[derive(Debug)]
pub(super) struct Log {
    entries: VecDeque<Entry>,
    /// The number of the first entry that is there.
    first: u64,
    bytes: usize,
    max: usize,
}

impl Log {
    pub(super) fn new(max: usize) -> Self {
        Self {
            entries: VecDeque::new(),
            first: 0,
            bytes: 0,
            max,
        }
    }

    pub(super) fn first(&self) -> u64 {
        self.first
    }

    /// The number of the entry that comes next.
    pub(super) fn end(&self) -> u64 {
        self.first + self.entries.len() as u64
    }

    pub(super) fn get(&self, number: u64) -> Option<&Entry> {
        let at = number.checked_sub(self.first)?;
        self.entries.get(usize::try_from(at).ok()?)
    }

    /// Adds an entry. What is beyond the limit has to be taken out then.
    pub(super) fn add(&mut self, entry: Entry) {
        self.bytes += entry.bytes();
        self.entries.push_back(entry);
    }

    pub(super) fn is_too_long(&self) -> bool {
        self.bytes > self.max && self.entries.len() > 1
    }

    /// Takes the first entry out.
    pub(super) fn take_first(&mut self) -> Option<(u64, Entry)> {
        let entry = self.entries.pop_front()?;
        self.bytes -= entry.bytes();
        self.first += 1;
        if self.entries.is_empty() && self.entries.capacity() > 1024 {
            self.entries = VecDeque::new();
        }
        Some((self.first - 1, entry))
    }
}
