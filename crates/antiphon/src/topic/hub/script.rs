//! Histories and keys, as a worker is told of them before the log.

use std::sync::Arc;

use tokio::time::Instant;

use super::super::item::Item;
use super::super::kept::Kept;
use super::super::link::fields::ItemPlace;
use super::super::link::frame::ToWorker;
use super::attached::Attached;
use super::shared_topic::SharedTopic;

/// A part of what a worker is told before it is told of the log.
pub(super) enum Part {
    Begin {
        topic: u32,
        fresh: bool,
        epoch: u64,
        kept: Option<Kept>,
    },
    Item(u32, Arc<Item>),
    Key {
        topic: u32,
        key: Arc<str>,
        id: u64,
        number: u64,
        total: u32,
    },
    All(u32, u32),
    Live {
        topic: u32,
        serial: u64,
        /// When the last item came.
        last: Option<Instant>,
    },
}

/// What a worker is told of a topic that is to have this number there.
pub(super) fn history(number: u32, topic: &SharedTopic, attached: &Attached) -> Vec<Part> {
    let keys = &topic.keys;
    let mut parts = vec![Part::Begin {
        topic: number,
        fresh: !attached.is_live,
        epoch: keys.epoch,
        kept: keys.by_broker,
    }];
    let items = keys.all_after(attached.serial, keys.serial);
    parts.extend(items.into_iter().map(|item| Part::Item(number, item)));
    let (totals, all) = topic.totals();
    parts.extend(totals.map(|(key, id, last, total)| Part::Key {
        topic: number,
        key: Arc::clone(key),
        id,
        number: last,
        total,
    }));
    parts.push(Part::All(number, all));
    parts.push(Part::Live {
        topic: number,
        serial: keys.serial,
        last: topic.last_item,
    });
    parts
}

impl Part {
    /// The topic, by its number at the worker.
    pub(super) fn topic(&self) -> u32 {
        match self {
            Self::Begin { topic, .. }
            | Self::Item(topic, _)
            | Self::Key { topic, .. }
            | Self::All(topic, _)
            | Self::Live { topic, .. } => *topic,
        }
    }

    /// Writes it, and notes what the worker has then.
    pub(super) fn write(&self, attached: &mut Attached, out: &mut Vec<u8>) {
        match self {
            Self::Begin {
                topic,
                fresh,
                epoch,
                kept,
            } => ToWorker::Begin {
                topic: *topic,
                fresh: *fresh,
                epoch: *epoch,
                kept: *kept,
            }
            .write(out),
            Self::Item(topic, item) => {
                attached.serial = item.serial;
                write_item(*topic, item, true, out);
            }
            Self::Key {
                topic,
                key,
                id,
                number,
                total,
            } => ToWorker::Key {
                topic: *topic,
                total: *total,
                id: *id,
                number: *number,
                key,
            }
            .write(out),
            Self::All(topic, total) => ToWorker::All {
                topic: *topic,
                total: *total,
            }
            .write(out),
            Self::Live {
                topic,
                serial,
                last,
            } => {
                attached.is_live = true;
                attached.serial = *serial;
                ToWorker::Live {
                    topic: *topic,
                    serial: *serial,
                    quiet: last.map_or(u64::MAX, micros),
                }
                .write(out);
            }
        }
    }
}

/// The microseconds since then.
fn micros(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}

pub(super) fn place(item: &Item) -> ItemPlace {
    ItemPlace {
        channel: item.place.channel,
        number: item.place.number,
        serial: item.serial,
    }
}

pub(super) fn write_item(topic: u32, item: &Item, known: bool, out: &mut Vec<u8>) {
    ToWorker::Item {
        topic,
        known,
        place: place(item),
        key: &item.key,
        text: item.text().raw(),
    }
    .write(out);
}
