//! Subscribers that go on behind an item that they have seen.
//!
//! In a worker that item may not have come yet: the subscriber has got it from another worker. Then it
//! waits until the supervisor has answered a question, because what was published before comes before
//! the answer.

use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};

use super::core::{Core, Joined};
use super::cursor::Place;
use super::held::Held;
use super::item::Item;
use super::keys::Keys;
use super::queue::{Behind, Members, Missed, Subscriber};

/// Whether a cursor is of the topic as it is, but of an item that has not come yet.
fn is_ahead(keys: &Keys<Members>, key: Option<&str>, place: Option<Place>) -> bool {
    let Some(place) = place.filter(|place| place.epoch == keys.epoch) else {
        return false;
    };
    match key.map(|key| keys.get(key)) {
        None => place.channel == 0 && place.number > keys.serial,
        Some(Some(channel)) if channel.id == place.channel => place.number > channel.number,
        // A key that has come again has a higher number.
        Some(known) => place.channel > known.map_or(0, |channel| channel.id),
    }
}

impl Core {
    /// Puts what has come behind a cursor before all that waits for a subscriber.
    pub(super) fn resume(&self, joined: &Joined, cursor: &str) {
        let keys = self.lock();
        let (key, place) = (joined.key.as_deref(), Place::parse(cursor));
        let is_held = match keys.live {
            false => true,
            true => self.link.get().is_some() && is_ahead(&keys, key, place),
        };
        let mut held = self.held();
        held.1
            .retain(|other| !std::ptr::eq(other.subscriber.as_ptr(), &*joined.subscriber));
        if !is_held {
            drop(held);
            return replay(&keys, &joined.subscriber, key, place);
        }
        joined.subscriber.hold();
        let question = if keys.live { self.ask(&mut held.0) } else { 0 };
        held.1.push(Held {
            subscriber: Arc::downgrade(&joined.subscriber),
            key: joined.key.clone(),
            place,
            question,
        });
    }

    fn held(&self) -> MutexGuard<'_, (u64, Vec<Held>)> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the supervisor to say when everything has come that was published before.
    fn ask(&self, last: &mut u64) -> u64 {
        *last += 1;
        if let Some((link, topic)) = self.link.get() {
            link.ask(*topic, *last);
        }
        *last
    }

    /// The supervisor has answered a question: who waits for that goes on in any case.
    pub(super) fn answered(&self, keys: &Keys<Members>, question: u64) {
        let mut held = self.held();
        let (ready, others) = std::mem::take(&mut held.1)
            .into_iter()
            .partition(|held| (1..=question).contains(&held.question));
        held.1 = others;
        drop(held);
        release(keys, ready);
    }

    /// The topic has its history. Who waits for an item that is not there, asks.
    pub(super) fn has_history(&self, keys: &Keys<Members>) {
        let mut held = self.held();
        let (ahead, ready): (Vec<_>, Vec<_>) = std::mem::take(&mut held.1)
            .into_iter()
            .partition(|held| is_ahead(keys, held.key.as_deref(), held.place));
        if !ahead.is_empty() {
            let question = self.ask(&mut held.0);
            let ahead = ahead.into_iter();
            held.1 = ahead.map(|held| Held { question, ..held }).collect();
        }
        drop(held);
        release(keys, ready);
    }
}

fn release(keys: &Keys<Members>, ready: Vec<Held>) {
    for held in ready {
        if let Some(subscriber) = held.subscriber.upgrade() {
            replay(keys, &subscriber, held.key.as_deref(), held.place);
        }
    }
}

fn replay(keys: &Keys<Members>, subscriber: &Subscriber, key: Option<&str>, place: Option<Place>) {
    let from = subscriber.from.load(Ordering::Relaxed);
    let place = place.filter(|place| place.epoch == keys.epoch);
    let (items, missed) = keys.after(place, key, from);
    // Whoever has seen what came since it has begun does not get it again.
    let seen = match missed {
        Some(Missed::Unknown) => 0,
        _ => place.map_or(0, |place| place.number),
    };
    let number: fn(&Item) -> u64 = match key {
        Some(_) => |item| item.place.number,
        None => |item| item.serial,
    };
    let last = match key {
        Some(key) => keys.get(key).map_or(0, |channel| channel.number),
        None => keys.serial,
    };
    let behind = Behind {
        number,
        // Nor comes twice what an earlier call of this has put there.
        seen: seen.max(from),
        last,
    };
    subscriber.replay(items, missed, &behind);
}
