//! Subscribers that go on behind an item that they have seen.
//!
//! In a worker that item may not have come yet: the subscriber has got it from another worker. Then it
//! waits until the supervisor has answered a question, because what was published before comes before
//! the answer.

use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};

use super::core::{Core, Joined};
use super::cursor::Place;
use super::gaps::{Behind, Missed};
use super::item::Item;
use super::keys::Keys;
use super::lock::Editing;
use super::members::Members;
use super::memory::HeldQueue;
use super::paused::{Paused, Waiting};
use super::queue::{ENTRY, Subscriber};
use crate::memory_budget::FREE;

/// Whether a cursor is of the topic as it is, but of an item that has not come yet.
fn is_ahead(keys: &Keys<Members>, key: Option<&str>, place: Option<Place>) -> bool {
    let Some(place) = place.filter(|place| place.epoch == keys.epoch) else {
        return false;
    };
    match key.map(|key| keys.get(key)) {
        Some(known) if keys.by_broker.is_some() => {
            let is_new = known.is_none_or(|channel| channel.id == 0);
            place.channel == 0 && (is_new || place.number > keys.serial)
        }
        None => place.channel == 0 && place.number > keys.serial,
        Some(Some(channel)) if channel.id == place.channel => place.number > channel.number,
        // A key that has come again has a higher number.
        Some(known) => place.channel > known.map_or(0, |channel| channel.id),
    }
}

/// There is no memory for so long a queue.
struct NoMemory;

impl Core {
    /// Puts what has come behind a cursor before all that waits for a subscriber. Returns `false` if
    /// there is no memory for so long a queue.
    #[must_use]
    pub(super) fn resume(&self, joined: &Joined, cursor: &str) -> bool {
        let (subscriber, key) = (&joined.subscriber, joined.key.as_deref());
        let place = Place::parse(cursor);
        let editing = Editing::begin(subscriber);
        let keys = self.lock_for(&editing);
        let waits = match keys.live {
            false => true,
            true => self.link.get().is_some() && is_ahead(&keys, key, place),
        };
        let mut paused = self.paused();
        paused.remove(subscriber);
        if !waits {
            drop((paused, keys));
            return self.replay(&editing, subscriber, key, place).is_ok();
        }
        if !subscriber.pause() {
            // Nobody would ever say where it goes on.
            return true;
        }
        let question = if keys.live { self.ask(&mut paused) } else { 0 };
        paused.waiting.push(Waiting {
            subscriber: Arc::downgrade(subscriber),
            key: joined.key.clone(),
            place,
            question,
        });
        true
    }

    fn paused(&self) -> MutexGuard<'_, Paused> {
        self.paused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the supervisor to say when everything has come that was published before.
    fn ask(&self, paused: &mut Paused) -> u64 {
        paused.asked += 1;
        if let Some((link, topic)) = self.link.get() {
            link.ask(*topic, paused.asked);
        }
        paused.asked
    }

    /// The supervisor has answered a question: who waits for that goes on in any case.
    pub(super) fn answered(&self, question: u64) {
        let is_answered = |waiting: &Waiting| (1..=question).contains(&waiting.question);
        let ready = self.paused().those(is_answered);
        self.release(ready);
    }

    /// The topic has its history. Who waits for an item that is not there, asks.
    pub(super) fn has_history(&self) {
        let keys = self.lock();
        let mut paused = self.paused();
        let is_ahead = |waiting: &Waiting| is_ahead(&keys, waiting.key.as_deref(), waiting.place);
        let ready = paused.those(|waiting| !is_ahead(waiting));
        if paused.waiting.iter().any(is_ahead) {
            let question = self.ask(&mut paused);
            let ahead = paused.waiting.iter_mut();
            ahead
                .filter(|waiting| is_ahead(waiting))
                .for_each(|waiting| waiting.question = question);
        }
        drop((paused, keys));
        self.release(ready);
    }

    /// Lets subscribers go on that wait for the answer to this question.
    fn release(&self, ready: Vec<(Arc<Subscriber>, u64)>) {
        for (subscriber, question) in ready {
            let editing = Editing::begin(&subscriber);
            let mut paused = self.paused();
            let Some(waiting) = paused.remove(&subscriber) else {
                continue;
            };
            if waiting.question != question {
                // It was told to go on elsewhere.
                paused.waiting.push(waiting);
                continue;
            }
            drop(paused);
            let (key, place) = (waiting.key.as_deref(), waiting.place);
            if let Err(NoMemory) = self.replay(&editing, &subscriber, key, place) {
                subscriber.give_up();
            }
        }
    }

    fn replay(
        &self,
        editing: &Editing<'_>,
        subscriber: &Subscriber,
        key: Option<&str>,
        place: Option<Place>,
    ) -> Result<(), NoMemory> {
        let keys = self.lock_for(editing);
        let from = subscriber.from.load(Ordering::Relaxed);
        let place = place.filter(|place| place.epoch == keys.epoch);
        let by_broker = place.filter(|place| keys.is_number_of_broker(place));
        let place = place.and_then(|place| keys.localize(place, key));
        let (mut items, missed) = keys.after(place, key, from);
        if let Some(place) = by_broker {
            // Also if something between is missing.
            items.retain(|item| item.serial > place.number);
        }
        // What comes from now on is queued behind these. Filters may take their time.
        drop(keys);
        let bytes = items.len() * ENTRY;
        let held = match bytes <= FREE {
            true => None,
            false => match HeldQueue::new(&self.memory, bytes, self.limits.waiting) {
                None => return Err(NoMemory),
                held => held,
            },
        };
        let items = subscriber.passing(items);
        let keys = self.lock_for(editing);
        let missed = match subscriber.from.load(Ordering::Relaxed) == from {
            true => missed,
            // The key has vanished and come again meanwhile.
            false => Some(Missed::Unknown),
        };
        // Whoever has seen what came since it has begun does not get it again.
        let is_unknown = missed == Some(Missed::Unknown);
        let seen = place
            .filter(|_| !is_unknown)
            .map_or(0, |place| place.number);
        let by_serial: fn(&Item) -> u64 = |item| item.serial;
        // Nor comes twice what an earlier call of this has put there.
        let behind = match (key, by_broker) {
            // The numbers within the key may have begun anew meanwhile.
            (Some(key), Some(place)) => {
                let from = keys.globalize(key, from).map_or(0, |from| from.number);
                Behind {
                    number: by_serial,
                    seen: place.number.max(from),
                    last: keys.serial,
                    counts: false,
                }
            }
            (Some(key), _) => Behind {
                number: |item| item.place.number,
                seen: seen.max(from),
                last: keys.get(key).map_or(0, |channel| channel.number),
                counts: true,
            },
            (None, _) => Behind {
                number: by_serial,
                seen: seen.max(from),
                last: keys.serial,
                counts: true,
            },
        };
        subscriber.replay(items, missed, held, &behind);
        Ok(())
    }
}
