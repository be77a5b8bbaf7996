//! Places in topics whose items a broker keeps: the broker numbers them, for all servers alike.
//!
//! Each server follows the broker and has a copy of what it keeps. Within a key the items have numbers of
//! that server; a cursor holds the broker's number, which is good everywhere.

use super::cursor::Place;
use super::keys::Keys;
use super::members::Audience;

impl<M: Audience> Keys<M> {
    /// What is up to this number may be missing from now on.
    pub(super) fn note_lost(&mut self, serial: u64) {
        if let Some(kept) = &mut self.by_broker {
            kept.lost = kept.lost.max(serial);
        }
    }

    /// Whether this is the number of an item that the broker has given, as far as it is known here.
    pub(super) fn is_number_of_broker(&self, place: &Place) -> bool {
        self.by_broker.is_some() && place.channel == 0 && place.number <= self.serial
    }

    /// The place in a key that a cursor means; `None` if it means none, or something may be missing behind
    /// it.
    pub(super) fn localize(&self, place: Place, key: Option<&str>) -> Option<Place> {
        let (Some(kept), Some(key)) = (&self.by_broker, key) else {
            return Some(place);
        };
        let channel = self.table.get(key).filter(|channel| channel.id > 0)?;
        let history = &channel.history;
        let is_full = history.len() >= kept.of_each_key.min(self.limits.items);
        let first = history.front().filter(|_| is_full);
        let before_first = first.map_or(0, |first| first.serial.saturating_sub(1));
        let from = kept.lost.max(before_first);
        if place.channel != 0 || !(from..=self.serial).contains(&place.number) {
            return None;
        }
        let seen = history.partition_point(|item| item.serial <= place.number);
        let next = history.get(seen);
        Some(Place {
            channel: channel.id,
            number: next.map_or(channel.number, |next| next.place.number.saturating_sub(1)),
            ..place
        })
    }

    /// The place for a cursor of a subscriber of a key that has begun behind this number of the key; `None`
    /// if nobody knows it any more.
    pub(super) fn globalize(&self, key: &str, number: u64) -> Option<Place> {
        let channel = self.table.get(key)?;
        let history = &channel.history;
        let seen = history.partition_point(|item| item.place.number <= number);
        let last = seen.checked_sub(1).and_then(|last| history.get(last));
        let serial = match (last, history.get(seen)) {
            (Some(last), _) if last.place.number == number => last.serial,
            (_, Some(next)) if next.place.number == number + 1 => next.serial.saturating_sub(1),
            (_, None) if channel.number == number => self.serial,
            _ => return None,
        };
        Some(Place {
            epoch: self.epoch,
            channel: 0,
            number: serial,
        })
    }
}
