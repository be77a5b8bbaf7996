//! What a worker says in one order: topics that come and go, items, and producers that were stopped.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use tokio::sync::oneshot;

use super::super::item::{Item, Text};
use super::super::keys::HistoryLimits;
use super::super::published::{Answer, PublishError, Published, log};
use super::buffer::MAX_TEXT;
use super::frame::ToHub;

/// The most items, and bytes of them, that wait for their numbers.
const MAX_ITEMS: usize = 65_536;
const MAX_BYTES: usize = MAX_TEXT;

/// The room of a list of a topic that stays when it is empty.
const SPARE: usize = 64;

/// A topic as it is registered.
#[derive(Clone, Debug)]
pub(in crate::topic) struct Named {
    pub(in crate::topic) name: Box<str>,
    /// Its number among the topics of this name.
    pub(in crate::topic) nth: u32,
    pub(in crate::topic) limits: HistoryLimits,
    pub(in crate::topic) keys: usize,
}

/// An item that was published.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) topic: u32,
    pub(super) key: Arc<str>,
    pub(super) text: Text,
    answer: oneshot::Sender<Answer>,
}

impl Sent {
    /// Tells the publisher; if nobody waits, an error comes back.
    pub(super) fn tell(answer: oneshot::Sender<Answer>, told: Answer) -> Option<PublishError> {
        answer.send(told).err().and_then(Result::err)
    }

    fn bytes(&self) -> usize {
        Item::bytes_of(&self.key, &self.text)
    }

    pub(super) fn into_parts(self) -> (u32, Arc<str>, Text, oneshot::Sender<Answer>) {
        (self.topic, self.key, self.text, self.answer)
    }
}

/// What has to be written, in this order.
#[derive(Debug)]
enum Queued {
    Item(Sent),
    Register(u32, Named),
    /// A topic was dropped, and whether the supervisor keeps it.
    Unregister(u32, bool),
    /// What publishes a key was stopped. Its last items are before.
    Stopped(u32, Arc<str>),
}

/// What was written.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Wrote {
    /// A topic: more can be said of it now.
    Register(u32),
    Another,
}

/// Items of a topic that were sent, without those whose fate is known.
#[derive(Debug, Default)]
struct SentItems {
    /// How many were sent before the first one that is here.
    first: u64,
    items: VecDeque<Option<Sent>>,
    /// Whether the topic was dropped.
    is_over: bool,
}

impl SentItems {
    fn take(&mut self, nth: u64) -> Option<Sent> {
        let at = usize::try_from(nth.checked_sub(self.first)?).ok()?;
        let taken = self.items.get_mut(at)?.take();
        while let Some(None) = self.items.front() {
            self.items.pop_front();
            self.first += 1;
        }
        if self.items.is_empty() && self.items.capacity() > SPARE {
            self.items = VecDeque::new();
        }
        taken
    }
}

/// Items that are to be sent, and those that were sent and have no number yet.
#[derive(Debug, Default)]
pub(super) struct Pending {
    queued: VecDeque<Queued>,
    /// By topic.
    sent: HashMap<u32, SentItems>,
    /// Items of both, and their bytes.
    items: usize,
    bytes: usize,
}

impl Pending {
    /// Adds an item, unless too many wait.
    pub(super) fn add(&mut self, topic: u32, key: &str, text: Text) -> Published {
        let bytes = Item::bytes_of(key, &text);
        let is_full = self.items >= MAX_ITEMS || self.bytes + bytes > MAX_BYTES;
        if self.items > 0 && is_full {
            return Published::failed(PublishError::QueueFull);
        }
        self.add_kept(topic, key, text)
    }

    /// Adds an item, however many wait.
    pub(super) fn add_kept(&mut self, topic: u32, key: &str, text: Text) -> Published {
        let (answer, answered) = oneshot::channel();
        let item = Sent {
            topic,
            key: key.into(),
            text,
            answer,
        };
        let bytes = item.bytes();
        self.items += 1;
        self.bytes += bytes;
        self.queued.push_back(Queued::Item(item));
        Published::waits(answered)
    }

    /// Says that there is a topic, behind the end of one that had its name.
    pub(super) fn register(&mut self, topic: u32, named: Named) {
        self.queued.push_back(Queued::Register(topic, named));
    }

    /// Says that a topic is gone, behind all that was published in it.
    pub(super) fn unregister(&mut self, topic: u32, keeps: bool) {
        self.queued.push_back(Queued::Unregister(topic, keeps));
    }

    /// Says that what publishes a key was stopped, behind all that was published by it.
    pub(super) fn stopped(&mut self, topic: u32, key: Arc<str>) {
        self.queued.push_back(Queued::Stopped(topic, key));
    }

    /// Writes what comes next; `None` if there was nothing.
    pub(super) fn write(&mut self, out: &mut Vec<u8>) -> Option<Wrote> {
        match self.queued.pop_front()? {
            Queued::Register(topic, named) => {
                ToHub::Register {
                    topic,
                    nth: named.nth,
                    limits: named.limits,
                    keys: named.keys as u64,
                    name: &named.name,
                }
                .write(out);
                return Some(Wrote::Register(topic));
            }
            Queued::Unregister(topic, keeps) => {
                if let Some(sent) = self.sent.get_mut(&topic) {
                    sent.is_over = true;
                    self.forget_if_over(topic);
                }
                ToHub::Unregister { topic, keeps }.write(out);
            }
            Queued::Stopped(topic, key) => ToHub::Stopped { topic, key: &key }.write(out),
            Queued::Item(item) => {
                ToHub::Publish {
                    topic: item.topic,
                    key: &item.key,
                    text: item.text.raw(),
                }
                .write(out);
                let sent = self.sent.entry(item.topic).or_default();
                sent.items.push_back(Some(item));
            }
        }
        Some(Wrote::Another)
    }

    /// Takes an item of a topic that was sent behind `nth` others: it is known what has become of it.
    pub(super) fn answered(&mut self, topic: u32, nth: u64) -> Option<Sent> {
        let item = self.sent.get_mut(&topic)?.take(nth)?;
        self.forget_if_over(topic);
        self.items -= 1;
        self.bytes -= item.bytes();
        if self.items == 0 {
            // A topic that was dropped may wait there.
            self.queued.shrink_to_fit();
        }
        Some(item)
    }

    /// Forgets a topic that was dropped. It has another number if it comes again.
    fn forget_if_over(&mut self, topic: u32) {
        let is_over = |sent: &SentItems| sent.is_over && sent.items.is_empty();
        if self.sent.get(&topic).is_some_and(is_over) {
            self.sent.remove(&topic);
        }
    }

    /// Whether all items have their numbers.
    pub(super) fn is_empty(&self) -> bool {
        self.items == 0
    }

    /// Nobody will number these.
    pub(super) fn give_up(self) {
        let queued = self.queued.into_iter().filter_map(|queued| match queued {
            Queued::Item(item) => Some(item),
            Queued::Register(..) | Queued::Unregister(..) | Queued::Stopped(..) => None,
        });
        let mut unheard = 0;
        let sent = self
            .sent
            .into_values()
            .flat_map(|sent| sent.items)
            .flatten();
        for item in sent.chain(queued) {
            let told = Sent::tell(item.answer, Err(PublishError::Disconnected));
            unheard += usize::from(told.is_some());
        }
        if unheard > 0 {
            log(&PublishError::Disconnected);
            tracing::error!("that holds for {unheard} items of topics");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(length: usize) -> Text {
        let mut text = Text::begin();
        text.resize(text.len() + length, b'1');
        Text::end(text)
    }

    #[test]
    fn a_topic_that_is_dropped_is_told_also_if_the_last_item_gets_its_number_before() {
        let mut pending = Pending::default();
        let mut out = Vec::new();
        drop(pending.add(7, "k", text(1)));
        assert!(pending.write(&mut out).is_some());
        pending.unregister(7, false);
        assert!(pending.answered(7, 0).is_some() && pending.is_empty());
        out.clear();
        assert_eq!(pending.write(&mut out), Some(Wrote::Another));
        assert_eq!(pending.write(&mut Vec::new()), None);
        let mut expected = Vec::new();
        ToHub::Unregister {
            topic: 7,
            keeps: false,
        }
        .write(&mut expected);
        assert_eq!(out, expected);
    }

    #[tokio::test]
    async fn beyond_a_number_or_bytes_an_item_is_refused() {
        for (length, most) in [(1, MAX_ITEMS), (1 << 20, 31), (MAX_BYTES, 1)] {
            let mut pending = Pending::default();
            let published: Vec<_> = (0..most)
                .map(|_| pending.add(1, "k", text(length)))
                .collect();
            let refused = pending.add(1, "k", text(length)).await;
            assert!(matches!(refused, Err(PublishError::QueueFull)), "{length}");
            // Also when they are on their way.
            let mut out = Vec::new();
            while pending.write(&mut out).is_some() {
                out.clear();
            }
            let refused = pending.add(1, "k", text(length)).await;
            assert!(matches!(refused, Err(PublishError::QueueFull)), "{length}");
            let (.., answer) = pending.answered(1, 0).unwrap().into_parts();
            assert!(Sent::tell(answer, Ok(1)).is_none());
            let mut more = pending.add(1, "k", text(length));
            assert_eq!(more.number(), None);
            let unknown = tokio::time::timeout(std::time::Duration::ZERO, &mut more).await;
            assert!(unknown.is_err());
            pending.give_up();
            let mut outcomes = Vec::new();
            for published in published {
                outcomes.push(published.await);
            }
            assert!(matches!(outcomes[0], Ok(1)));
            let lost = |outcome: &Answer| matches!(outcome, Err(PublishError::Disconnected));
            assert!(outcomes[1..].iter().all(lost) && lost(&more.await));
        }
    }
}
