//! Messages between a worker and the topics of its supervisor.
//!
//! A message is a length of four bytes, a byte for its kind, and its fields. The texts of items pass as
//! they are.

use super::super::kept::Kept;
use super::super::keys::HistoryLimits;
use super::super::published::NotPublished;
use super::buffer::Malformed;
use super::fields::{Fields, ItemPlace, Writer};

/// The version of these messages. A worker whose supervisor has another one has topics of its own.
pub(crate) const VERSION: u32 = 2;

/// What a worker says. Topics have the numbers that the worker has given them.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(in crate::topic) enum ToHub<'a> {
    /// There is a topic: the first, second… of this name.
    Register {
        topic: u32,
        nth: u32,
        limits: HistoryLimits,
        keys: u64,
        name: &'a str,
    },
    /// This worker has it no more. With `keeps` it may come again at another worker.
    Unregister { topic: u32, keeps: bool },
    /// The number of subscribers of a key in this worker; `None` for those of all keys.
    Subscribers {
        topic: u32,
        count: u32,
        key: Option<&'a str>,
    },
    Publish {
        topic: u32,
        key: &'a str,
        text: &'a [u8],
    },
    /// This worker has stopped what publishes a key, as it was told to.
    Stopped { topic: u32, key: &'a str },
    /// To be answered when this worker has been told of all that was published before.
    Ask { topic: u32, question: u64 },
}

/// What the supervisor says.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(in crate::topic) enum ToWorker<'a> {
    /// The history of a topic follows, then its keys. With `fresh` nothing that is known of it counts. If
    /// a broker numbers the items, `kept` says what it has.
    Begin {
        topic: u32,
        fresh: bool,
        epoch: u64,
        kept: Option<Kept>,
    },
    /// An item, as it was published by another worker, or was kept. `known` says whether its key is in
    /// the table.
    Item {
        topic: u32,
        known: bool,
        place: ItemPlace,
        key: &'a str,
        text: &'a [u8],
    },
    /// An item of this worker, before which it had published `nth` others in this topic, has these numbers,
    /// and its turn is now.
    Own {
        topic: u32,
        nth: u64,
        known: bool,
        place: ItemPlace,
    },
    /// The same, but the item comes as those of others do, or not at all.
    Passed {
        topic: u32,
        nth: u64,
        number: u64,
    },
    /// Nobody gets that item, or this is not known.
    Failed {
        topic: u32,
        nth: u64,
        why: NotPublished,
    },
    /// A key, the number of its last item and its subscribers in all workers.
    Key {
        topic: u32,
        total: u32,
        id: u64,
        number: u64,
        key: &'a str,
    },
    /// The subscribers of all keys in all workers.
    All {
        topic: u32,
        total: u32,
    },
    /// The history and the keys are complete. The last item came this many microseconds ago; the
    /// highest number stands for never.
    Live {
        topic: u32,
        serial: u64,
        quiet: u64,
    },
    /// A key does not exist any more.
    Vanished {
        topic: u32,
        id: u64,
        key: &'a str,
    },
    /// This worker has to start, or to stop, what publishes a key.
    Produce {
        topic: u32,
        starts: bool,
        key: &'a str,
    },
    /// There are too many keys for this one.
    Refused {
        topic: u32,
        key: &'a str,
    },
    Answer {
        topic: u32,
        question: u64,
    },
}

fn size(value: usize) -> u64 {
    value as u64
}

fn size_of_field(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

impl<'a> ToHub<'a> {
    pub(in crate::topic) fn write(self, out: &mut Vec<u8>) {
        match self {
            Self::Register {
                topic,
                nth,
                limits,
                keys,
                name,
            } => Writer::begin(out, 0)
                .short(topic)
                .short(nth)
                .long(size(limits.items))
                .long(size(limits.bytes))
                .long(keys)
                .rest(name.as_bytes()),
            Self::Unregister { topic, keeps } => Writer::begin(out, 1).short(topic).byte(keeps),
            Self::Subscribers { topic, count, key } => {
                let message = Writer::begin(out, 2).short(topic).short(count);
                match key {
                    Some(key) => message.byte(true).key(key),
                    None => message.byte(false),
                }
            }
            Self::Publish { topic, key, text } => {
                Writer::begin(out, 3).short(topic).key(key).rest(text)
            }
            Self::Stopped { topic, key } => Writer::begin(out, 4).short(topic).key(key),
            Self::Ask { topic, question } => Writer::begin(out, 5).short(topic).long(question),
        }
        .end();
    }

    /// # Errors
    ///
    /// If it is no such message.
    pub(in crate::topic) fn read(frame: &'a [u8]) -> Result<Self, Malformed> {
        let (kind, fields) = frame.split_first().ok_or(Malformed)?;
        let mut fields = Fields(fields);
        Ok(match kind {
            0 => Self::Register {
                topic: fields.short()?,
                nth: fields.short()?,
                limits: HistoryLimits {
                    items: size_of_field(fields.long()?),
                    bytes: size_of_field(fields.long()?),
                },
                keys: fields.long()?,
                name: fields.text()?,
            },
            1 => Self::Unregister {
                topic: fields.short()?,
                keeps: fields.byte()?,
            },
            2 => Self::Subscribers {
                topic: fields.short()?,
                count: fields.short()?,
                key: match fields.byte()? {
                    true => Some(fields.key()?),
                    false => None,
                },
            },
            3 => Self::Publish {
                topic: fields.short()?,
                key: fields.key()?,
                text: fields.rest(),
            },
            4 => Self::Stopped {
                topic: fields.short()?,
                key: fields.key()?,
            },
            5 => Self::Ask {
                topic: fields.short()?,
                question: fields.long()?,
            },
            _ => return Err(Malformed),
        })
    }
}

impl<'a> ToWorker<'a> {
    pub(in crate::topic) fn write(self, out: &mut Vec<u8>) {
        match self {
            Self::Begin {
                topic,
                fresh,
                epoch,
                kept,
            } => {
                let message = Writer::begin(out, 0).short(topic).byte(fresh).long(epoch);
                match kept {
                    None => message.byte(false),
                    Some(kept) => message
                        .byte(true)
                        .long(kept.lost)
                        .long(size(kept.of_each_key)),
                }
            }
            Self::Item {
                topic,
                known,
                place,
                key,
                text,
            } => Writer::begin(out, 1)
                .short(topic)
                .byte(known)
                .place(place)
                .key(key)
                .rest(text),
            Self::Own {
                topic,
                nth,
                known,
                place,
            } => Writer::begin(out, 2)
                .short(topic)
                .long(nth)
                .byte(known)
                .place(place),
            Self::Passed { topic, nth, number } => {
                Writer::begin(out, 3).short(topic).long(nth).long(number)
            }
            Self::Key {
                topic,
                total,
                id,
                number,
                key,
            } => Writer::begin(out, 4)
                .short(topic)
                .short(total)
                .long(id)
                .long(number)
                .key(key),
            Self::All { topic, total } => Writer::begin(out, 5).short(topic).short(total),
            Self::Live {
                topic,
                serial,
                quiet,
            } => Writer::begin(out, 6).short(topic).long(serial).long(quiet),
            Self::Vanished { topic, id, key } => {
                Writer::begin(out, 7).short(topic).long(id).key(key)
            }
            Self::Produce { topic, starts, key } => {
                Writer::begin(out, 8).short(topic).byte(starts).key(key)
            }
            Self::Refused { topic, key } => Writer::begin(out, 9).short(topic).key(key),
            Self::Answer { topic, question } => Writer::begin(out, 10).short(topic).long(question),
            Self::Failed { topic, nth, why } => Writer::begin(out, 11)
                .short(topic)
                .long(nth)
                .short(why.code()),
        }
        .end();
    }

    /// # Errors
    ///
    /// If it is no such message.
    pub(in crate::topic) fn read(frame: &'a [u8]) -> Result<Self, Malformed> {
        let (kind, fields) = frame.split_first().ok_or(Malformed)?;
        let mut fields = Fields(fields);
        Ok(match kind {
            0 => Self::Begin {
                topic: fields.short()?,
                fresh: fields.byte()?,
                epoch: fields.long()?,
                kept: match fields.byte()? {
                    false => None,
                    true => Some(Kept {
                        lost: fields.long()?,
                        of_each_key: size_of_field(fields.long()?),
                    }),
                },
            },
            1 => Self::Item {
                topic: fields.short()?,
                known: fields.byte()?,
                place: fields.place()?,
                key: fields.key()?,
                text: fields.rest(),
            },
            2 => Self::Own {
                topic: fields.short()?,
                nth: fields.long()?,
                known: fields.byte()?,
                place: fields.place()?,
            },
            3 => Self::Passed {
                topic: fields.short()?,
                nth: fields.long()?,
                number: fields.long()?,
            },
            4 => Self::Key {
                topic: fields.short()?,
                total: fields.short()?,
                id: fields.long()?,
                number: fields.long()?,
                key: fields.key()?,
            },
            5 => Self::All {
                topic: fields.short()?,
                total: fields.short()?,
            },
            6 => Self::Live {
                topic: fields.short()?,
                serial: fields.long()?,
                quiet: fields.long()?,
            },
            7 => Self::Vanished {
                topic: fields.short()?,
                id: fields.long()?,
                key: fields.key()?,
            },
            8 => Self::Produce {
                topic: fields.short()?,
                starts: fields.byte()?,
                key: fields.key()?,
            },
            9 => Self::Refused {
                topic: fields.short()?,
                key: fields.key()?,
            },
            10 => Self::Answer {
                topic: fields.short()?,
                question: fields.long()?,
            },
            11 => Self::Failed {
                topic: fields.short()?,
                nth: fields.long()?,
                why: NotPublished::of_code(fields.short()?).ok_or(Malformed)?,
            },
            _ => return Err(Malformed),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::buffer::Frames;
    use super::*;

    const PLACE: ItemPlace = ItemPlace {
        channel: 1,
        number: u64::MAX,
        serial: 3,
    };

    const TO_HUB: [ToHub<'_>; 8] = [
        ToHub::Ask {
            topic: 3,
            question: 9,
        },
        ToHub::Stopped { topic: 3, key: "k" },
        ToHub::Register {
            topic: 7,
            nth: 1,
            limits: HistoryLimits {
                items: 9,
                bytes: usize::MAX,
            },
            keys: 10,
            name: "market.ticks",
        },
        ToHub::Unregister {
            topic: u32::MAX,
            keeps: true,
        },
        ToHub::Subscribers {
            topic: 1,
            count: 2,
            key: Some("é"),
        },
        ToHub::Subscribers {
            topic: 1,
            count: 0,
            key: None,
        },
        ToHub::Publish {
            topic: 1,
            key: "",
            text: b"[1]",
        },
        ToHub::Publish {
            topic: 1,
            key: "k",
            text: b"",
        },
    ];

    const TO_WORKER: [ToWorker<'_>; 14] = [
        ToWorker::Answer {
            topic: 1,
            question: u64::MAX,
        },
        ToWorker::Begin {
            topic: 1,
            fresh: true,
            epoch: 5,
            kept: None,
        },
        ToWorker::Begin {
            topic: 1,
            fresh: false,
            epoch: 5,
            kept: Some(Kept {
                lost: 7,
                of_each_key: usize::MAX,
            }),
        },
        ToWorker::Failed {
            topic: 1,
            nth: 5,
            why: NotPublished::QueueFull,
        },
        ToWorker::Failed {
            topic: 2,
            nth: u64::MAX,
            why: NotPublished::Unknown,
        },
        ToWorker::Item {
            topic: 1,
            known: false,
            place: PLACE,
            key: "k",
            text: b"{}",
        },
        ToWorker::Own {
            topic: 1,
            nth: 6,
            known: true,
            place: PLACE,
        },
        ToWorker::Passed {
            topic: 1,
            nth: 7,
            number: 8,
        },
        ToWorker::Key {
            topic: 1,
            total: 2,
            id: 3,
            number: 4,
            key: "k",
        },
        ToWorker::All { topic: 1, total: 9 },
        ToWorker::Live {
            topic: 1,
            serial: 6,
            quiet: 7,
        },
        ToWorker::Vanished {
            topic: 1,
            id: 2,
            key: "k",
        },
        ToWorker::Produce {
            topic: 1,
            starts: true,
            key: "k",
        },
        ToWorker::Refused { topic: 1, key: "k" },
    ];

    /// Also in pieces of any size, and without a panic when something is missing.
    #[test]
    fn what_is_written_is_read() {
        let (mut to_hub, mut to_worker) = (Vec::new(), Vec::new());
        TO_HUB.iter().for_each(|message| message.write(&mut to_hub));
        TO_WORKER
            .iter()
            .for_each(|message| message.write(&mut to_worker));
        for step in [1, 3, 7, 1000] {
            let (mut frames, mut found) = (Frames::default(), 0);
            for piece in to_hub.chunks(step) {
                frames.add(piece);
                while let Some(frame) = frames.next().unwrap() {
                    assert_eq!(ToHub::read(frame), Ok(TO_HUB[found]));
                    found += 1;
                }
            }
            assert_eq!(found, TO_HUB.len());
            let (mut frames, mut found) = (Frames::default(), 0);
            for piece in to_worker.chunks(step) {
                frames.add(piece);
                while let Some(frame) = frames.next().unwrap() {
                    assert_eq!(ToWorker::read(frame), Ok(TO_WORKER[found]));
                    found += 1;
                }
            }
            assert_eq!(found, TO_WORKER.len());
        }
        for kind in 0..12 {
            for length in 0..40 {
                let frame = [&[kind][..], &vec![0xff; length]].concat();
                let _ = (ToHub::read(&frame), ToWorker::read(&frame));
            }
        }
        assert_eq!(ToHub::read(&[]), Err(Malformed));
    }
}
