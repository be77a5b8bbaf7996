//! Topic of a worker: it follows the numbers, keys and histories of its supervisor.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::core::Core;
use super::counts::Counts;
use super::gaps::Missed;
use super::hooks::Change;
use super::item::Text;
use super::kept::Kept;
use super::keys::{Channel, Keys, Numbered, max_shared_keys};
use super::link::buffer::MAX_NAME;
use super::link::fields::ItemPlace;
use super::link::pending::Named;
use super::link::worker_end::{Link, Replica};
use super::members::{Audience as _, Members};
use super::queue::Over;

impl Core {
    /// Follows a supervisor from now on. What was published before is sent there, as far as it was kept.
    pub(super) fn follow(self: &Arc<Self>, link: &Arc<Link>, name: &str, nth: u32) {
        let mut keys = self.lock();
        if self.link.get().is_some() || keys.closed {
            return;
        }
        if name.len() > MAX_NAME {
            drop(keys);
            tracing::error!(
                "the name of a topic is too long for workers to share it: {MAX_NAME} bytes"
            );
            return;
        }
        let replica: Weak<Self> = Arc::downgrade(self);
        let named = Named {
            name: name.into(),
            nth,
            limits: self.limits.history,
            keys: self.limits.keys,
        };
        let topic = link.attach(replica, named);
        let _ = self.link.set((Arc::clone(link), topic));
        let before = keys.all_after(0, keys.serial);
        let subscribed = keys
            .iter()
            .filter(|(_, channel)| !channel.members.is_empty());
        let subscribed: Vec<_> = subscribed.map(|(key, _)| Arc::clone(key)).collect();
        keys.set_limits(max_shared_keys(self.limits.keys), self.limits.history);
        keys.restart(0);
        let all = (!keys.all.is_empty()).then_some(None);
        let counted = before.len() as u64;
        self.counts.published.fetch_sub(counted, Ordering::Relaxed);
        // Before what others publish from now on.
        for item in before {
            link.publish_kept(topic, &item.key, item.text().clone());
        }
        drop(keys);
        for key in all.into_iter().chain(subscribed.iter().map(Some)) {
            if let Some(key) = key {
                // Which worker starts the producer is the supervisor's decision now.
                self.hooks.note(Change::Last, key);
            }
            link.count_changed(topic, key);
        }
        self.hooks.tell();
    }
}

/// The key with this number, whose last item had this number. Tells its subscribers what they have
/// missed.
fn meet<'a>(
    keys: &'a mut Keys<Members>,
    key: &str,
    id: u64,
    number: u64,
) -> (Arc<str>, &'a mut Channel<Members>) {
    let round = keys.round;
    let known = keys.get(key).map(|channel| (channel.id, channel.number));
    let missed = match known {
        None => None,
        // It was new to all when they came.
        Some((0, _)) if keys.live && number > 0 => Some(Missed::Some(number)),
        Some((0, _)) => None,
        Some((known, _)) if known != id => {
            // It had vanished, and has come again.
            keys.note_lost(keys.serial);
            keys.forget_all(key);
            Some(Missed::Unknown)
        }
        Some((_, last)) => match number.saturating_sub(last) {
            0 => None,
            count => {
                // What was before would not be complete.
                keys.note_lost(keys.serial);
                keys.forget_all(key);
                Some(Missed::Some(count))
            }
        },
    };
    let (key, channel) = keys.insert(key);
    for one in channel.members.iter() {
        if channel.id != id {
            // Nothing has come for it yet that has such numbers.
            one.from.store(0, Ordering::Relaxed);
        }
        if let Some(missed) = missed {
            one.miss(missed);
        }
    }
    (channel.id, channel.number, channel.round) = (id, number, round);
    (key, channel)
}

/// The numbers of an item that has come.
fn accept(keys: &mut Keys<Members>, place: ItemPlace, known: bool, key: &str) -> Numbered {
    if keys.live {
        miss_serials(keys, place.serial.saturating_sub(1));
    }
    keys.serial = place.serial;
    let key = match known {
        true => {
            let last = place.number.saturating_sub(1);
            let (key, channel) = meet(keys, key, place.channel, last);
            channel.number = place.number;
            key
        }
        false => key.into(),
    };
    Numbered {
        key,
        channel: place.channel,
        number: place.number,
        serial: place.serial,
    }
}

/// Tells the subscribers of all keys what they have missed up to this number.
fn miss_serials(keys: &mut Keys<Members>, serial: u64) {
    let count = serial.saturating_sub(keys.serial);
    if count > 0 {
        let missed = Missed::Some(count);
        keys.all.iter().for_each(|one| one.miss(missed));
        keys.serial = serial;
    }
}

impl Core {
    fn arrived(&self, place: ItemPlace, known: bool, key: &str, text: Text) {
        let mut keys = self.lock();
        let numbered = accept(&mut keys, place, known, key);
        let is_new = keys.broken.is_some_and(|seen| place.serial > seen);
        if keys.live || is_new {
            return self.deliver(&mut keys, numbered, text, None);
        }
        if keys.broken.is_some() {
            let own = keys.get(key).map(|channel| &channel.members);
            for one in own.into_iter().flat_map(Members::iter) {
                one.from.store(place.number, Ordering::Relaxed);
            }
            for one in keys.all.iter() {
                one.from.store(place.serial, Ordering::Relaxed);
            }
        }
        self.keep(&mut keys, numbered, text);
    }

    fn count_everywhere(&self, keys: &Keys<Members>) {
        let everywhere = keys.everywhere();
        self.counts.everywhere.store(everywhere, Ordering::Relaxed);
    }

    /// The supervisor does not know a key any more.
    fn forget(keys: &mut Keys<Members>, key: &str) {
        keys.set_total(key, 0);
        match keys.get_mut(key) {
            None => {}
            Some(channel) if channel.members.is_empty() => keys.remove(key),
            // That it has subscribers again is on its way.
            Some(channel) => {
                (channel.id, channel.number) = (0, 0);
                keys.forget_all(key);
            }
        }
    }
}

impl Replica for Core {
    fn count(&self, key: Option<&str>) -> usize {
        let keys = self.lock();
        match key {
            None => keys.all.len(),
            Some(key) => keys.get(key).map_or(0, |channel| channel.members.len()),
        }
    }

    fn begin(&self, epoch: u64, fresh: bool, kept: Option<Kept>) {
        let mut keys = self.lock();
        keys.round = keys.round.wrapping_add(1);
        if fresh {
            let is_same = keys.epoch == epoch;
            let had = keys.broken.unwrap_or_default().max(keys.serial);
            if keys.live || keys.broken.is_some() {
                keys.broken = Some(if is_same { had } else { 0 });
                let members = keys.members().flat_map(Members::iter);
                members.for_each(|one| {
                    one.from.store(0, Ordering::Relaxed);
                    one.miss(Missed::Unknown);
                });
            }
            keys.restart(epoch);
        }
        let lost = keys.by_broker.map_or(0, |kept| kept.lost);
        keys.by_broker = kept;
        keys.note_lost(lost);
    }

    fn item(&self, place: ItemPlace, known: bool, key: &str, text: Text) {
        self.arrived(place, known, key, text);
    }

    fn own(&self, delivers: Option<(ItemPlace, bool)>, key: &str, text: Text) {
        Counts::add(&self.counts.published, 1);
        if let Some((place, known)) = delivers {
            self.arrived(place, known, key, text);
        }
    }

    fn key(&self, key: &str, id: u64, number: u64, total: u32) {
        let mut keys = self.lock();
        meet(&mut keys, key, id, number);
        keys.set_total(key, total);
        self.count_everywhere(&keys);
    }

    fn all(&self, total: u32) {
        let mut keys = self.lock();
        keys.all_total = total;
        self.count_everywhere(&keys);
    }

    fn live(&self, serial: u64, quiet: Duration) {
        let mut keys = self.lock();
        let round = keys.round;
        let is_gone = |channel: &Channel<Members>| channel.id > 0 && channel.round != round;
        let gone = keys.iter().filter(|(_, channel)| is_gone(channel));
        let gone: Vec<_> = gone.map(|(key, _)| Arc::clone(key)).collect();
        for key in &gone {
            if let Some(channel) = keys.get(key) {
                let members = channel.members.iter();
                members.for_each(|one| one.miss(Missed::Unknown));
            }
            Self::forget(&mut keys, key);
        }
        self.count_everywhere(&keys);
        if keys.live {
            miss_serials(&mut keys, serial);
            drop(keys);
            return self.has_history();
        }
        (keys.live, keys.serial) = (true, serial);
        if keys.broken.take().is_some() {
            drop(keys);
            return self.has_history();
        }
        // Others may have published since the first subscriber here has begun, before the supervisor had
        // heard of this worker's topic.
        let is_sure = self.made.elapsed() < quiet;
        let all = keys.all.iter().map(|one| (keys.serial, one));
        let others = keys.iter().flat_map(|(_, channel)| {
            let members = channel.members.iter();
            members.map(|one| (channel.number, one))
        });
        for (number, subscriber) in all.chain(others) {
            // Nothing has come for it yet.
            subscriber.from.store(number, Ordering::Relaxed);
            if number > 0 && !is_sure {
                subscriber.miss_at_start();
            }
        }
        drop(keys);
        self.has_history();
    }

    fn answer(&self, question: u64) {
        self.answered(question);
    }

    fn cut_off(&self) {
        let mut keys = self.lock();
        for subscriber in keys.members().flat_map(Members::iter) {
            subscriber.end(Over::CutOff);
        }
        // Another worker produces them now.
        for key in std::mem::take(&mut keys.produced) {
            self.hooks.note(Change::Last, &key);
        }
        drop(keys);
        self.hooks.tell();
    }

    fn vanished(&self, key: &str, id: u64) {
        let mut keys = self.lock();
        if keys.get(key).is_some_and(|channel| channel.id == id) {
            Self::forget(&mut keys, key);
            self.count_everywhere(&keys);
        }
    }

    fn produce(&self, key: &str, starts: bool) {
        let mut keys = self.lock();
        let key: Arc<str> = key.into();
        match starts {
            // Its supervisor has not heard that it was dropped.
            true if keys.closed => {}
            true if keys.produced.insert(Arc::clone(&key)) => self.hooks.note(Change::First, &key),
            false if keys.produced.remove(&key) => self.hooks.note(Change::Last, &key),
            _ => {}
        }
        drop(keys);
        self.hooks.tell();
    }

    fn refused(&self, key: &str) {
        let keys = self.lock();
        let channel = keys.get(key).filter(|channel| channel.id == 0);
        if let Some(channel) = channel {
            channel.members.iter().for_each(|one| one.end(Over::Lagged));
        }
        drop(keys);
        // A program may publish its log.
        tracing::warn!("a topic has too many keys for another one");
    }
}
