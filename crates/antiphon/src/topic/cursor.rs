//! Cursors: places in a topic from which a subscriber can go on.

use std::fmt;
use std::hash::{BuildHasher as _, RandomState};

use serde::{Deserialize, Serialize};

/// The longest text of a [`Place`]: three numbers of 16 digits.
pub(super) const MAX_PLACE: usize = 50;

/// Bits of an epoch: enough to tell starts apart, and few digits in each cursor.
const EPOCH: u64 = (1 << 48) - 1;

/// An epoch for a topic of this name.
pub(super) fn new_epoch(name: &str) -> u64 {
    RandomState::new().hash_one(name) & EPOCH
}

/// A place in a [`Topic`](crate::Topic): the member `cursor` of an item that has been seen.
///
/// It is an opaque text. Whoever subscribes again with it, in the member `after` of the request, gets
/// what has come since, as far as the topic has kept it.
///
/// ```
/// use antiphon::Cursor;
///
/// let cursor = Cursor::from("5f0c9a1b27de-3-1a");
/// assert_eq!(cursor.as_str(), "5f0c9a1b27de-3-1a");
/// ```
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Hash, Debug)]
#[serde(transparent)]
pub struct Cursor(Box<str>);

impl Cursor {
    /// The text of the cursor.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<T: Into<Box<str>>> From<T> for Cursor {
    fn from(text: T) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a cursor says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    /// A random number of the topic: it has another one after each start.
    pub(super) epoch: u64,
    /// The number of the key within the topic; 0 stands for all keys.
    pub(super) channel: u64,
    /// The number of the item within its key, or within the topic.
    pub(super) number: u64,
}

impl Place {
    /// Reads a cursor; `None` for any other text.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.len() > MAX_PLACE {
            return None;
        }
        let mut parts = text.split('-').map(|digits| {
            let plain = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
            u64::from_str_radix(digits, 16).ok().filter(|_| plain)
        });
        let place = Self {
            epoch: parts.next()??,
            channel: parts.next()??,
            number: parts.next()??,
        };
        parts.next().is_none().then_some(place)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}-{:x}-{:x}", self.epoch, self.channel, self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_three_numbers() {
        let max = u64::MAX;
        for (text, expected) in [
            ("5f0c-3-1a", Some((0x5f0c, 3, 26))),
            ("0-0-0", Some((0, 0, 0))),
            (
                "ffffffffffffffff-ffffffffffffffff-ffffffffffffffff",
                Some((max, max, max)),
            ),
            ("", None),
            ("7", None),
            ("1-2", None),
            ("1-2-", None),
            ("1-2-3-4", None),
            ("1--3", None),
            ("+1-2-3", None),
            ("1-2-3 ", None),
            ("g-2-3", None),
            ("10000000000000000-2-3", None),
            (
                "0000000000000000000000000000000000000000000000001-2-3",
                None,
            ),
        ] {
            let place = Place::parse(text);
            let found = place.map(|place| (place.epoch, place.channel, place.number));
            assert_eq!(found, expected, "{text:?}");
            if let Some(place) = place {
                assert_eq!(place.to_string(), text);
                assert!(text.len() <= MAX_PLACE);
            }
        }
    }
}
