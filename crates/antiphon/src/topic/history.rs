//! Histories of the keys of a topic: the last items of each, for those who resume.

use std::sync::Arc;

use super::cursor::Place;
use super::gaps::Missed;
use super::item::Item;
use super::keys::{Channel, Keys, Upkeep};
use super::members::Audience;

/// More items in `order` than this, and than twice those that are there, are too many.
const SPARE: usize = 64;

impl<M: Audience> Keys<M> {
    /// Keeps an item for those who resume.
    pub(super) fn remember(&mut self, key: &str, item: &Arc<Item>) {
        // One that there was no room for has a number of its own.
        let is_of = |channel: &Channel<M>| channel.id == item.place.channel;
        let known = self.table.get_key_value(key);
        let Some((name, _)) = known.filter(|(_, channel)| is_of(channel)) else {
            return;
        };
        if self.limits.items == 0 || item.bytes() > self.limits.bytes {
            // What came before would not be complete without it.
            self.note_lost(item.serial);
            self.forget_all(key);
            return self.vanish(key);
        }
        let name = Arc::clone(name);
        item.held.keep();
        self.kept += 1;
        if let Some(channel) = self.table.get_mut(key) {
            if let Some(last) = channel.history.back() {
                self.lasts.remove(&last.serial);
            }
            if !channel.is_followed() {
                self.lasts.insert(item.serial, Arc::clone(&name));
            }
            channel.history.push_back(Arc::clone(item));
        }
        self.order.push_back((item.serial, name));
        let most = self.limits.items;
        let is_over = |channel: &Channel<M>| channel.history.len() > most;
        while self.table.get(key).is_some_and(is_over) {
            self.forget_first(key);
        }
        while self.memory.kept() > self.limits.bytes && self.forget_oldest().is_some() {}
        if self.order.len() > 2 * self.kept + SPARE {
            self.tidy();
        }
    }

    /// The items of one key, or of all, behind a place and up to a number; and how many are missing
    /// between. A place that is not known is before all of them.
    pub(super) fn after(
        &self,
        place: Option<Place>,
        key: Option<&str>,
        until: u64,
    ) -> (Vec<Arc<Item>>, Option<Missed>) {
        let known = place.filter(|place| self.knows(place, key));
        let from = known.map_or(0, |place| place.number);
        let items = match key {
            Some(key) => {
                let history = self.table.get(key).map(|channel| &channel.history);
                let later = history.into_iter().flat_map(|history| {
                    let start = history.partition_point(|item| item.place.number <= from);
                    history.range(start..)
                });
                let within = |item: &&Arc<Item>| item.place.number <= until;
                later.take_while(within).cloned().collect()
            }
            None => self.all_after(from, until),
        };
        let missed = match known {
            None => Some(Missed::Unknown),
            Some(_) => match until.saturating_sub(from) - items.len() as u64 {
                0 => None,
                count => Some(Missed::Some(count)),
            },
        };
        (items, missed)
    }

    /// Whether it is sure what has come behind a place.
    fn knows(&self, place: &Place, key: Option<&str>) -> bool {
        match key.map(|key| self.table.get(key)) {
            None => place.channel == 0 && place.number <= self.serial,
            // The supervisor has not said which one it is.
            Some(None | Some(Channel { id: 0, .. })) => false,
            Some(Some(channel)) if place.channel == channel.id => place.number <= channel.number,
            // The key has vanished before it had an item, and has come again. No key that had some has
            // vanished since, so all its items came after that; without a history some went unnoticed. Of
            // the keys of a supervisor a worker does not know which ones had items when they vanished.
            Some(Some(channel)) => {
                let is_empty = place.number == 0 && self.limits.items > 0;
                let is_sure = is_empty && self.upkeep == Upkeep::Own;
                is_sure && (self.lost + 1..channel.id).contains(&place.channel)
            }
        }
    }

    /// The items of all keys behind a number and up to another one, in their order.
    pub(super) fn all_after(&self, from: u64, until: u64) -> Vec<Arc<Item>> {
        let start = self.order.partition_point(|(serial, _)| *serial <= from);
        let later = self.order.range(start..);
        later
            .take_while(|(serial, _)| *serial <= until)
            .filter_map(|(serial, key)| {
                let history = &self.table.get(key)?.history;
                let at = history.binary_search_by_key(serial, |item| item.serial);
                history.get(at.ok()?).cloned()
            })
            .collect()
    }

    /// Forgets the first item of a key.
    fn forget_first(&mut self, key: &str) {
        let Some(channel) = self.table.get_mut(key) else {
            return;
        };
        if let Some(item) = channel.history.pop_front() {
            item.held.forget();
            self.kept -= 1;
            if channel.history.is_empty() {
                self.lasts.remove(&item.serial);
            }
            if channel.history.len() < channel.history.capacity() / 4 {
                channel.history.shrink_to(2 * channel.history.len());
            }
        }
    }

    /// Forgets the history of a key.
    pub(super) fn forget_all(&mut self, key: &str) {
        let last = self.get(key).and_then(|channel| channel.history.back());
        if let Some(serial) = last.map(|last| last.serial) {
            self.note_lost(serial);
        }
        while self
            .get(key)
            .is_some_and(|channel| !channel.history.is_empty())
        {
            self.forget_first(key);
        }
    }

    /// Forgets the oldest item of all, and its key if it was the last of it. `None` if there is none.
    fn forget_oldest(&mut self) -> Option<()> {
        loop {
            let (serial, key) = self.order.pop_front()?;
            let first = self.get(&key).and_then(|channel| channel.history.front());
            if first.is_some_and(|first| first.serial == serial) {
                self.note_lost(serial);
                self.forget_first(&key);
                self.vanish(&key);
                return Some(());
            }
        }
    }

    /// Removes the items from `order` that are not there any more.
    fn tidy(&mut self) {
        let table = &self.table;
        self.order.retain(|(serial, key)| {
            let first = table.get(key).and_then(|channel| channel.history.front());
            first.is_some_and(|first| first.serial <= *serial)
        });
        self.order.shrink_to(2 * self.kept + SPARE);
    }
}
