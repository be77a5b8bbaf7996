//! Item of a topic: its text, written once and shared by all subscribers.

use std::fmt::Write as _;
use std::sync::Arc;

use bytes::Bytes;

use super::cursor::{MAX_PLACE, Place};
use super::link::buffer::Malformed;
use super::memory::{Held, Memory};

/// What stands before and behind the JSON text of an item.
const BEFORE: &[u8] = b",\"result\":";
const BEHIND: &[u8] = b"}}";

/// What an item takes beside its text.
const OVERHEAD: usize = 64 + size_of::<Item>();

/// The end of an item's message, from the comma before `result` on.
#[derive(Clone, Debug)]
pub(super) struct Text(Bytes);

impl Text {
    /// A buffer for the JSON text of an item.
    pub(super) fn begin() -> Vec<u8> {
        let mut text = Vec::with_capacity(160);
        text.extend_from_slice(BEFORE);
        text
    }

    /// Completes what is in such a buffer.
    pub(super) fn end(mut text: Vec<u8>) -> Self {
        text.extend_from_slice(BEHIND);
        Self(text.into_boxed_slice().into())
    }

    /// With what stands around it, as it goes from process to process.
    pub(super) fn raw(&self) -> &[u8] {
        &self.0
    }

    /// The text of an item that is written as JSON already.
    pub(super) fn of_json(json: &[u8]) -> Self {
        let mut text = Vec::with_capacity(BEFORE.len() + json.len() + BEHIND.len());
        text.extend_from_slice(BEFORE);
        text.extend_from_slice(json);
        Self::end(text)
    }

    /// A copy of such a text.
    ///
    /// # Errors
    ///
    /// If it is none.
    pub(super) fn of_raw(raw: &[u8]) -> Result<Self, Malformed> {
        let is_text = raw.starts_with(BEFORE) && raw.ends_with(BEHIND);
        match is_text && raw.len() >= BEFORE.len() + BEHIND.len() {
            true => Ok(Self(Bytes::copy_from_slice(raw))),
            false => Err(Malformed),
        }
    }

    /// The JSON text alone, in the same memory.
    pub(super) fn json_bytes(&self) -> Bytes {
        let end = self.0.len() - BEHIND.len();
        self.0.slice(BEFORE.len()..end)
    }

    /// The JSON text alone.
    pub(super) fn json(&self) -> &[u8] {
        let end = self.0.len() - BEHIND.len();
        self.0.get(BEFORE.len()..end).unwrap_or_default()
    }
}

/// An item with its place.
#[derive(Debug)]
pub(crate) struct Item {
    pub(super) key: Arc<str>,
    pub(super) place: Place,
    /// Its number within the topic.
    pub(super) serial: u64,
    /// The bytes that the topic had published when it came, itself included.
    pub(super) stamp: u64,
    text: Text,
    cursor: CursorText,
    /// Whether its number within the topic is its cursor, also for subscribers of its key.
    by_serial: bool,
    pub(super) held: Held,
}

impl Item {
    pub(super) fn new(
        key: Arc<str>,
        place: Place,
        serial: u64,
        stamp: u64,
        text: Text,
        memory: &Arc<Memory>,
        by_serial: bool,
    ) -> Self {
        let overall = Place {
            channel: 0,
            number: serial,
            ..place
        };
        Self {
            place,
            serial,
            stamp,
            cursor: CursorText::new(if by_serial { overall } else { place }),
            by_serial,
            held: Held::new(memory, Self::bytes_of(&key, &text)),
            text,
            key,
        }
    }

    /// What it takes of the memory.
    pub(super) fn bytes(&self) -> usize {
        self.held.bytes
    }

    /// The bytes that an item with this text takes.
    pub(super) fn bytes_of(key: &str, text: &Text) -> usize {
        key.len() + text.0.len() + OVERHEAD
    }

    pub(super) fn json(&self) -> &[u8] {
        self.text.json()
    }

    pub(super) fn text(&self) -> &Text {
        &self.text
    }

    /// The end of its message without a cursor.
    pub(crate) fn plain(&self) -> &[u8] {
        &self.text.0
    }

    /// The end of its message before [`plain`](Self::plain): the cursor, and for a subscriber of `all`
    /// keys the key.
    pub(crate) fn write_place(&self, all: bool, out: &mut Vec<u8>) {
        if !all {
            return out.extend_from_slice(self.cursor.as_bytes());
        }
        out.extend_from_slice(CursorText::new(self.overall()).as_bytes());
        out.extend_from_slice(b",\"key\":");
        // Serializing a string to memory does not fail.
        let _ = serde_json::to_writer(&mut *out, &*self.key);
    }

    /// The most bytes that the key takes in a message to a subscriber of `all` keys.
    pub(crate) fn key_room(&self, all: bool) -> usize {
        match all {
            false => 0,
            // Each byte may be written as `\u0000`.
            true => 9 + 6 * self.key.len(),
        }
    }

    /// The text of its cursor alone.
    pub(crate) fn cursor(&self, all: bool) -> Box<str> {
        let place = match all || self.by_serial {
            true => self.overall(),
            false => self.place,
        };
        place.to_string().into()
    }

    fn overall(&self) -> Place {
        Place {
            channel: 0,
            number: self.serial,
            ..self.place
        }
    }
}

/// The member `cursor` of a message, without memory of its own.
#[derive(Clone, Copy, Debug)]
struct CursorText {
    bytes: [u8; Self::MAX],
    length: u8,
}

impl CursorText {
    const MAX: usize = MAX_PLACE + 12;

    fn new(place: Place) -> Self {
        let mut text = Self {
            bytes: [0; Self::MAX],
            length: 0,
        };
        // It has room for three numbers of any length.
        let _ = write!(text, ",\"cursor\":\"{place}\"");
        text
    }

    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length.into()).unwrap_or_default()
    }
}

impl std::fmt::Write for CursorText {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let start = usize::from(self.length);
        let end = start + text.len();
        let room = self.bytes.get_mut(start..end).ok_or(std::fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.length = u8::try_from(end).map_err(|_| std::fmt::Error)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_message() {
        let memory = Arc::new(Memory::default());
        for (number, serial, one, all) in [
            (1, 10, "7-3-1", "7-0-a"),
            (
                u64::MAX,
                u64::MAX,
                "7-3-ffffffffffffffff",
                "7-0-ffffffffffffffff",
            ),
        ] {
            let key = "k\"\u{1}";
            let mut json = Text::begin();
            json.extend_from_slice(b"[1]");
            let place = Place {
                epoch: 7,
                channel: 3,
                number,
            };
            let text = Text::end(json);
            let item = Item::new(key.into(), place, serial, 0, text.clone(), &memory, false);
            assert_eq!(
                (item.json(), item.plain()),
                (&b"[1]"[..], &b",\"result\":[1]}}"[..])
            );
            for (overall, cursor, rest) in [(false, one, ""), (true, all, r#","key":"k\"\u0001""#)]
            {
                let mut text = Vec::new();
                item.write_place(overall, &mut text);
                let expected = format!(",\"cursor\":\"{cursor}\"{rest}");
                assert_eq!(String::from_utf8_lossy(&text), expected);
                assert!(rest.len() <= item.key_room(overall));
                assert_eq!(&*item.cursor(overall), cursor);
            }
            assert_eq!(memory.waiting(), item.bytes());
            let kept = Item::new(key.into(), place, serial, 0, text, &memory, true);
            let mut written = Vec::new();
            kept.write_place(false, &mut written);
            assert_eq!(written, format!(",\"cursor\":\"{all}\"").into_bytes());
            assert_eq!((&*kept.cursor(false), &*kept.cursor(true)), (all, all));
        }
        assert_eq!(memory.waiting(), 0);
    }
}
