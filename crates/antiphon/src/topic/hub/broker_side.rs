//! Broker's side of a hub: topics over many servers.
//!
//! A topic without a history is numbered here, and each item goes to the other servers as well. They number it
//! for themselves. If something was lost on the way, the topic begins anew, and all subscribers are told.
//! A topic with a history is kept by the broker if it can: then an item goes there, gets its number, and
//! comes back to all servers in one order.

use std::task::{Context, Poll};

use super::super::cursor::new_epoch;
use super::super::item::{Item, Text};
use super::super::kept::Kept;
use super::super::keys::{HistoryLimits, MAX_KEY};
use super::super::link::buffer::MAX_TEXT;
use super::super::published::NotPublished;
use super::broker_queue::{BrokerQueue, Order, Ticket};
use super::exchange::Hub;
use super::foreign_item::text_of;
use super::log::{Entry, Origin};
use super::shared_topic::{Numbering, SharedTopic, Unnumbered};

/// The most items of a worker, and bytes of them, that wait for their numbers. It waits with less before
/// that it publishes no more, apart from what it has published before its start.
const MAX_UNNUMBERED: usize = 1 << 18;
const MAX_UNNUMBERED_BYTES: usize = 8 * MAX_TEXT;

/// Something was lost.
#[derive(Debug)]
pub(crate) struct Gap;

/// For who talks with the broker.
impl Hub {
    /// A hub of one of many servers.
    pub(crate) fn with_broker() -> Self {
        let mut hub = Self::default();
        hub.broker = Some(BrokerQueue::default());
        hub
    }

    /// What this server keeps of a topic that the broker numbers: in which epoch, and up to which number.
    pub(crate) fn has_of_broker(&self, topic: u64) -> Option<(u64, u64)> {
        let shared = self.topics.get(&topic)?;
        let is_kept = shared.numbering == Numbering::Broker && shared.is_ready;
        is_kept.then_some((shared.keys.epoch, shared.keys.serial))
    }

    /// The broker takes items of up to this many bytes.
    pub(crate) fn broker_takes(&mut self, max_item: usize) {
        if let Some(broker) = &mut self.broker {
            broker.max_item = Some(max_item);
        }
    }

    /// What the broker is to be told next, or wakes the task when there is something.
    pub(crate) fn poll_order(&mut self, cx: &Context<'_>) -> Poll<Order> {
        let Some(broker) = &mut self.broker else {
            return Poll::Pending;
        };
        broker.poll(cx)
    }

    /// How many items were passed on to other servers, or lost.
    pub(crate) fn passed_on(&self) -> u64 {
        self.broker.as_ref().map_or(0, |broker| broker.passed_on)
    }

    /// The topics that are there, as if they were new: there is another connection to the broker.
    pub(crate) fn follow_again(&mut self) {
        for ((name, nth), &topic) in &self.names {
            if let Some(shared) = self.topics.get(&topic)
                && let Some(broker) = &mut self.broker
            {
                let history = shared.keys.limits;
                broker.order(Order::Follow {
                    topic,
                    name: name.clone(),
                    nth: *nth,
                    history,
                });
            }
        }
    }

    /// The items of a topic are numbered by each server for itself.
    pub(crate) fn number_here(&mut self, topic: u64) {
        let Some(shared) = self.topics.get_mut(&topic) else {
            return;
        };
        if shared.numbering == Numbering::Here {
            return;
        }
        let was_kept = shared.numbering == Numbering::Broker;
        shared.numbering = Numbering::Here;
        shared.is_ready = true;
        let questions = std::mem::take(&mut shared.questions);
        let waiting = std::mem::take(&mut shared.unnumbered);
        if was_kept {
            self.begin_anew(topic);
        }
        let mut entries = Vec::new();
        for (_, worker, question) in questions {
            entries.push(Entry::Answer {
                topic,
                worker,
                question,
            });
        }
        for Unnumbered { origin, key, text } in waiting {
            self.release(origin, Item::bytes_of(&key, &text));
            self.publish(topic, origin, &key, text, &mut entries);
        }
        self.add(entries);
        self.wake();
    }

    /// The broker keeps and numbers the items of a topic, and tells first what it has. `epoch` stands for
    /// what it keeps them in.
    pub(crate) fn broker_numbers(&mut self, topic: u64, epoch: u64, kept: Kept) {
        let Some(shared) = self.topics.get_mut(&topic) else {
            return;
        };
        shared.is_ready = false;
        shared.numbering = Numbering::Broker;
        shared.keys.renew(epoch, Some(kept));
        let waiting = std::mem::take(&mut shared.unnumbered);
        for peer in self.peers.values_mut() {
            peer.renew(topic);
        }
        let mut entries = Vec::new();
        for Unnumbered { origin, key, text } in waiting {
            self.release(origin, Item::bytes_of(&key, &text));
            self.publish(topic, origin, &key, text, &mut entries);
        }
        self.add(entries);
    }

    /// The broker has told all that it has of a topic, up to this number.
    pub(crate) fn broker_told_all(&mut self, topic: u64, last: u64) {
        let Some(shared) = self.topics.get_mut(&topic) else {
            return;
        };
        shared.keys.serial = shared.keys.serial.max(last);
        shared.is_ready = true;
        self.answer_questions(topic);
        self.wake();
    }

    /// An item that the broker has numbered.
    ///
    /// # Errors
    ///
    /// If others are missing before it. The topic has to begin anew.
    pub(crate) fn numbered_item(
        &mut self,
        topic: u64,
        number: u64,
        key: &str,
        json: &[u8],
    ) -> Result<(), Gap> {
        let Some(shared) = self.topics.get_mut(&topic) else {
            return Ok(());
        };
        let last = shared.keys.serial;
        if shared.numbering != Numbering::Broker || number <= last || key.len() > MAX_KEY {
            return Ok(());
        }
        if shared.is_ready && number > last + 1 {
            return Err(Gap);
        }
        // It gets the next number.
        shared.keys.serial = number - 1;
        let mut entries = Vec::new();
        match text_of(json) {
            Some(text) => shared.publish(Origin::ELSEWHERE, key, text, &mut entries),
            None => shared.keys.serial = number,
        }
        let is_ready = shared.is_ready;
        self.add(entries);
        if is_ready {
            self.answer_questions(topic);
            self.wake();
        }
        Ok(())
    }

    /// A number of the broker that has no item here.
    ///
    /// # Errors
    ///
    /// If others are missing before it.
    pub(crate) fn number_without_item(&mut self, topic: u64, number: u64) -> Result<(), Gap> {
        let Some(shared) = self.topics.get_mut(&topic) else {
            return Ok(());
        };
        let last = shared.keys.serial;
        if shared.is_ready && number > last + 1 {
            return Err(Gap);
        }
        shared.keys.serial = last.max(number);
        self.answer_questions(topic);
        Ok(())
    }

    /// Items of a topic that the broker has numbered are not there any more. What it has is told anew.
    pub(crate) fn broker_lost_some(&mut self, topic: u64) {
        if let Some(shared) = self.topics.get_mut(&topic) {
            shared.is_ready = false;
        }
    }

    /// An item of another server, of a topic that each server numbers for itself.
    pub(crate) fn item_from_elsewhere(&mut self, topic: u64, key: &str, json: &[u8]) {
        let Some(shared) = self.topics.get_mut(&topic) else {
            return;
        };
        let text = text_of(json).filter(|_| key.len() <= MAX_KEY);
        let Some(text) = text.filter(|_| shared.numbering == Numbering::Here) else {
            return;
        };
        let mut entries = Vec::new();
        shared.publish(Origin::ELSEWHERE, key, text, &mut entries);
        self.add(entries);
        self.wake();
    }

    /// Items of other servers were lost. All topics that are numbered here begin anew.
    pub(crate) fn lost_some(&mut self) {
        let topics = self.topics.iter();
        let here = topics.filter(|(_, shared)| shared.numbering == Numbering::Here);
        let here: Vec<_> = here.map(|(topic, _)| *topic).collect();
        for topic in here {
            self.begin_anew(topic);
        }
        self.wake();
    }

    fn begin_anew(&mut self, topic: u64) {
        if let Some(shared) = self.topics.get_mut(&topic) {
            shared.keys.renew(new_epoch("anew"), None);
        }
        for peer in self.peers.values_mut() {
            peer.renew(topic);
        }
    }

    /// It is known what has become of an item that the broker was to number.
    pub(crate) fn was_published(&mut self, ticket: u64, outcome: Result<u64, NotPublished>) {
        let broker = self.broker.as_mut();
        let ticket = broker.and_then(|broker| broker.redeem(ticket));
        if let Some(Ticket::Item { origin, bytes }) = ticket {
            self.release(origin, bytes);
            self.answer(origin, outcome);
        }
    }

    /// The broker has this many items by now, or does not say.
    pub(crate) fn broker_has(&mut self, topic: u64, ticket: u64, last: Option<u64>) {
        let broker = self.broker.as_mut();
        let ticket = broker.and_then(|broker| broker.redeem(ticket));
        if let Some(Ticket::Question { worker, question }) = ticket
            && let Some(shared) = self.topics.get_mut(&topic)
        {
            shared
                .questions
                .push((last.unwrap_or_default(), worker, question));
            self.answer_questions(topic);
            self.wake();
        }
    }

    fn answer_questions(&mut self, topic: u64) {
        let Some(shared) = self.topics.get_mut(&topic) else {
            return;
        };
        let last = shared.keys.serial;
        if shared.questions.is_empty() || !shared.is_ready {
            return;
        }
        let answered = shared
            .questions
            .extract_if(.., |(until, ..)| *until <= last);
        let entries = answered.map(|(_, worker, question)| Entry::Answer {
            topic,
            worker,
            question,
        });
        let entries = entries.collect();
        self.add(entries);
    }
}

/// For what workers say.
impl Hub {
    /// There is a new topic.
    pub(super) fn opened(&mut self, topic: u64, name: &str, nth: u32, history: HistoryLimits) {
        let Some(broker) = &mut self.broker else {
            return;
        };
        if let Some(shared) = self.topics.get_mut(&topic) {
            (shared.numbering, shared.is_ready) = (Numbering::Awaited, false);
        }
        broker.order(Order::Follow {
            topic,
            name: name.into(),
            nth,
            history,
        });
    }

    /// A topic is there no more.
    pub(super) fn removed(&mut self, topic: u64) {
        let removed = self.topics.remove(&topic);
        let waiting = removed.map(|removed| removed.unnumbered);
        for Unnumbered { origin, key, text } in waiting.into_iter().flatten() {
            self.release(origin, Item::bytes_of(&key, &text));
            self.answer(origin, Err(NotPublished::Unavailable));
        }
        if let Some(broker) = &mut self.broker {
            broker.order(Order::Leave { topic });
        }
    }

    /// Numbers an item, or sees to it that somebody does.
    pub(super) fn publish(
        &mut self,
        topic: u64,
        origin: Origin,
        key: &str,
        text: Text,
        entries: &mut Vec<Entry>,
    ) {
        let Some(shared) = self.topics.get_mut(&topic) else {
            return;
        };
        let Some(broker) = &mut self.broker else {
            return shared.publish(origin, key, text, entries);
        };
        if broker.max_item.is_some_and(|most| text.json().len() > most) {
            return self.answer(origin, Err(NotPublished::TooLarge));
        }
        if shared.numbering == Numbering::Here {
            broker.pass_on(topic, key, &text);
            return shared.publish(origin, key, text, entries);
        }
        let bytes = Item::bytes_of(key, &text);
        let Some(peer) = self.peers.get_mut(&origin.worker) else {
            return;
        };
        let (items, all) = &mut peer.unnumbered;
        if *items >= MAX_UNNUMBERED || *all + bytes > MAX_UNNUMBERED_BYTES {
            return self.answer(origin, Err(NotPublished::QueueFull));
        }
        (*items, *all) = (*items + 1, *all + bytes);
        match shared.numbering {
            Numbering::Broker => {
                let ticket = broker.ticket(Ticket::Item { origin, bytes });
                broker.order(Order::Publish {
                    topic,
                    key: key.into(),
                    json: text.json_bytes(),
                    ticket,
                });
            }
            _ => shared.unnumbered.push_back(Unnumbered {
                origin,
                key: key.into(),
                text,
            }),
        }
    }

    /// Sees to it that a question is answered behind all that was published before.
    pub(super) fn ask(&mut self, topic: u64, worker: u64, question: u64, entries: &mut Vec<Entry>) {
        let is_kept = |topic: &SharedTopic| topic.numbering == Numbering::Broker;
        match (
            &mut self.broker,
            self.topics.get(&topic).is_some_and(is_kept),
        ) {
            (Some(broker), true) if !broker.is_full() => {
                let ticket = broker.ticket(Ticket::Question { worker, question });
                broker.order(Order::Ask { topic, ticket });
            }
            _ => entries.push(Entry::Answer {
                topic,
                worker,
                question,
            }),
        }
    }

    /// Tells a worker what has become of an item.
    fn answer(&mut self, origin: Origin, outcome: Result<u64, NotPublished>) {
        if let Some(peer) = self.peers.get_mut(&origin.worker) {
            peer.answer(origin, outcome);
            self.wake();
        }
    }

    fn release(&mut self, origin: Origin, bytes: usize) {
        if let Some(peer) = self.peers.get_mut(&origin.worker) {
            let (items, all) = peer.unnumbered;
            peer.unnumbered = (items.saturating_sub(1), all.saturating_sub(bytes));
        }
    }
}
