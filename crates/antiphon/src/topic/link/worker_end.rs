//! Worker's end of the channel of topics: what is to be sent, and what has come.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::task::{Context, Waker};
use std::time::Duration;

use tokio::sync::Notify;

use super::super::item::{Item, Text};
use super::super::kept::Kept;
use super::super::published::{NotPublished, PublishError, Published, log};
use super::buffer::{MAX_TEXT, Malformed};
use super::fields::ItemPlace;
use super::frame::{ToHub, ToWorker};
use super::pending::{Named, Pending, Sent, Wrote};

/// About how many bytes are written at once.
const BATCH: usize = 64 * 1024;

/// A topic that follows its supervisor.
pub(in crate::topic) trait Replica: Send + Sync {
    /// The number of subscribers of a key here; `None` for those of all keys.
    fn count(&self, key: Option<&str>) -> usize;
    /// The history and the keys follow.
    fn begin(&self, epoch: u64, fresh: bool, kept: Option<Kept>);
    /// An item, as another worker has published it, or as it was kept.
    fn item(&self, place: ItemPlace, known: bool, key: &str, text: Text);
    /// An item that was published here has its number. With `delivers` its turn is now.
    fn own(&self, delivers: Option<(ItemPlace, bool)>, key: &str, text: Text);
    fn key(&self, key: &str, id: u64, number: u64, total: u32);
    fn all(&self, total: u32);
    /// The history and the keys are complete. The last item came this long ago.
    fn live(&self, serial: u64, quiet: Duration);
    fn vanished(&self, key: &str, id: u64);
    /// To start, or to stop, what publishes a key.
    fn produce(&self, key: &str, starts: bool);
    /// There are too many keys for this one.
    fn refused(&self, key: &str);
    /// A question is answered: what was published before it was asked has come.
    fn answer(&self, question: u64);
    /// Nothing comes any more.
    fn cut_off(&self);
}

/// The worker's end. Whoever has the socket writes what it wants to send, and tells it what has come.
pub(crate) struct Link {
    state: Mutex<State>,
    /// Whether topics that are dropped are to stay at the supervisor. Until this is set, they are.
    keeps_topics: OnceLock<Box<dyn Fn() -> bool + Send + Sync>>,
    /// Told when topics have become complete, when all items have numbers, and at the end.
    changed: Notify,
}

#[derive(Default)]
struct State {
    /// By the number that they have here.
    topics: BTreeMap<u32, Linked>,
    last: u32,
    /// Keys whose number of subscribers is to be told, of registered topics.
    counts: BTreeSet<(u32, Option<Arc<str>>)>,
    /// The last question about each topic that is to be asked. Who asks has the history.
    questions: BTreeMap<u32, u64>,
    pending: Pending,
    is_gone: bool,
    /// The task that writes, if it had nothing to write.
    task: Option<Waker>,
}

struct Linked {
    replica: Weak<dyn Replica>,
    is_registered: bool,
    /// As [`State::counts`], until the topic is registered.
    counts: BTreeSet<Option<Arc<str>>>,
    is_live: bool,
}

impl State {
    /// The supervisor knows a topic: it can be told who has subscribed.
    fn registered(&mut self, topic: u32) {
        if let Some(linked) = self.topics.get_mut(&topic) {
            linked.is_registered = true;
            let counts = std::mem::take(&mut linked.counts);
            let counts = counts.into_iter().map(|key| (topic, key));
            self.counts.extend(counts);
        }
    }

    fn wake(&mut self) {
        if let Some(task) = self.task.take() {
            task.wake();
        }
    }
}

impl Link {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::default(),
            keeps_topics: OnceLock::new(),
            changed: Notify::new(),
        })
    }

    /// No topic is locked, and no code of the program's runs, under this lock.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Registers a topic; returns its number.
    pub(in crate::topic) fn attach(&self, replica: Weak<dyn Replica>, named: Named) -> u32 {
        let mut state = self.lock();
        state.last += 1;
        let topic = state.last;
        if state.is_gone {
            return topic;
        }
        let linked = Linked {
            replica,
            is_registered: false,
            counts: BTreeSet::new(),
            is_live: false,
        };
        state.topics.insert(topic, linked);
        state.pending.register(topic, named);
        state.wake();
        topic
    }

    /// The program has dropped a topic. A worker that stops, or does not come to serve, drops all of
    /// them, and the history stays.
    pub(in crate::topic) fn detach(&self, topic: u32) {
        let keeps = self.keeps_topics.get().is_none_or(|keeps| keeps());
        let mut state = self.lock();
        state.topics.remove(&topic);
        state.questions.remove(&topic);
        if !state.is_gone {
            state.pending.unregister(topic, keeps);
            state.wake();
        }
        drop(state);
        self.changed.notify_waiters();
    }

    /// Sends an item to the supervisor, unless too many are on their way.
    pub(in crate::topic) fn publish(&self, topic: u32, key: &str, text: Text) -> Published {
        if Item::bytes_of(key, &text) > MAX_TEXT {
            // It was published before the topic had this bound.
            return Published::failed(PublishError::TooLarge);
        }
        let mut state = self.lock();
        if state.is_gone {
            return Published::failed(PublishError::Disconnected);
        }
        let published = state.pending.add(topic, key, text);
        state.wake();
        published
    }

    /// Sends an item that was published before there was a supervisor, and which the history keeps. There is
    /// room for all of them: their memory is that of the history, which has them no more.
    pub(in crate::topic) fn publish_kept(&self, topic: u32, key: &str, text: Text) {
        let mut state = self.lock();
        if !state.is_gone && Item::bytes_of(key, &text) <= MAX_TEXT {
            drop(state.pending.add_kept(topic, key, text));
            state.wake();
        }
    }

    /// The number of subscribers of a key has changed; `None` for those of all keys.
    pub(in crate::topic) fn count_changed(&self, topic: u32, key: Option<&Arc<str>>) {
        let mut state = self.lock();
        if state.is_gone {
            return;
        }
        match state.topics.get_mut(&topic) {
            None => {}
            Some(linked) if !linked.is_registered => drop(linked.counts.insert(key.cloned())),
            Some(_) => {
                state.counts.insert((topic, key.cloned()));
                state.wake();
            }
        }
    }

    /// Asks when all has come that was published up to now.
    pub(in crate::topic) fn ask(&self, topic: u32, question: u64) {
        let mut state = self.lock();
        if !state.is_gone && state.topics.contains_key(&topic) {
            state.questions.insert(topic, question);
            state.wake();
        }
    }

    /// Writes what is to be sent, or wakes the task when there is something.
    pub(crate) fn poll_write(&self, cx: &Context<'_>, out: &mut Vec<u8>) {
        let start = out.len();
        let mut state = self.lock();
        while out.len() < start + BATCH {
            if let Some((topic, key)) = state.counts.pop_first() {
                let Some(linked) = state.topics.get(&topic) else {
                    continue;
                };
                let replica = Weak::clone(&linked.replica);
                drop(state);
                if let Some(replica) = replica.upgrade() {
                    let count = replica.count(key.as_deref());
                    ToHub::Subscribers {
                        topic,
                        count: u32::try_from(count).unwrap_or(u32::MAX),
                        key: key.as_deref(),
                    }
                    .write(out);
                }
                state = self.lock();
            } else if let Some((topic, question)) = state.questions.pop_first() {
                ToHub::Ask { topic, question }.write(out);
            } else {
                match state.pending.write(out) {
                    None => break,
                    Some(Wrote::Register(topic)) => state.registered(topic),
                    Some(Wrote::Another) => {}
                }
            }
        }
        if out.len() == start {
            state.task = Some(cx.waker().clone());
        }
    }

    /// Takes note of a message.
    ///
    /// # Errors
    ///
    /// If it is none, or answers what was not asked.
    pub(crate) fn receive(&self, frame: &[u8]) -> Result<(), Malformed> {
        let message = ToWorker::read(frame)?;
        let topic = match message {
            ToWorker::Own {
                topic,
                nth,
                known,
                place,
            } => return self.answer((topic, nth), Ok(place.number), Some((place, known))),
            ToWorker::Passed { topic, nth, number } => {
                return self.answer((topic, nth), Ok(number), None);
            }
            ToWorker::Failed { topic, nth, why } => {
                return self.answer((topic, nth), Err(why), None);
            }
            ToWorker::Begin { topic, .. }
            | ToWorker::Item { topic, .. }
            | ToWorker::Key { topic, .. }
            | ToWorker::All { topic, .. }
            | ToWorker::Live { topic, .. }
            | ToWorker::Vanished { topic, .. }
            | ToWorker::Produce { topic, .. }
            | ToWorker::Answer { topic, .. }
            | ToWorker::Refused { topic, .. } => topic,
        };
        // It may have been dropped meanwhile.
        let Some(replica) = self.replica(topic) else {
            return Ok(());
        };
        match message {
            ToWorker::Own { .. } | ToWorker::Passed { .. } | ToWorker::Failed { .. } => {}
            ToWorker::Begin {
                epoch, fresh, kept, ..
            } => replica.begin(epoch, fresh, kept),
            ToWorker::Item {
                known,
                place,
                key,
                text,
                ..
            } => replica.item(place, known, key, Text::of_raw(text)?),
            ToWorker::Key {
                total,
                id,
                number,
                key,
                ..
            } => replica.key(key, id, number, total),
            ToWorker::All { total, .. } => replica.all(total),
            ToWorker::Live { serial, quiet, .. } => {
                replica.live(serial, Duration::from_micros(quiet));
                if let Some(linked) = self.lock().topics.get_mut(&topic) {
                    linked.is_live = true;
                }
                self.changed.notify_waiters();
            }
            ToWorker::Vanished { id, key, .. } => replica.vanished(key, id),
            ToWorker::Produce { starts, key, .. } => {
                replica.produce(key, starts);
                let mut state = self.lock();
                let is_there = !state.is_gone && state.topics.contains_key(&topic);
                if !starts && is_there {
                    state.pending.stopped(topic, key.into());
                    state.wake();
                }
            }
            ToWorker::Refused { key, .. } => replica.refused(key),
            ToWorker::Answer { question, .. } => replica.answer(question),
        }
        Ok(())
    }

    fn replica(&self, topic: u32) -> Option<Arc<dyn Replica>> {
        let replica = Weak::clone(&self.lock().topics.get(&topic)?.replica);
        replica.upgrade()
    }

    /// It is known what has become of an item, of which topic and number are given.
    fn answer(
        &self,
        (topic, nth): (u32, u64),
        outcome: Result<u64, NotPublished>,
        delivers: Option<(ItemPlace, bool)>,
    ) -> Result<(), Malformed> {
        let item = self.lock().pending.answered(topic, nth).ok_or(Malformed)?;
        let (topic, key, text, answer) = item.into_parts();
        if outcome.is_ok()
            && let Some(replica) = self.replica(topic)
        {
            replica.own(delivers, &key, text);
        }
        if let Some(unheard) = Sent::tell(answer, outcome.map_err(PublishError::from)) {
            log(&unheard);
        }
        if self.lock().pending.is_empty() {
            self.changed.notify_waiters();
        }
        Ok(())
    }

    /// Topics that the program drops stay at the supervisor, for other workers, if this is so then.
    pub(crate) fn keep_topics_if(&self, keeps: impl Fn() -> bool + Send + Sync + 'static) {
        let _ = self.keeps_topics.set(Box::new(keeps));
    }

    /// The channel has ended: what has no number will not get one, and subscribers go on elsewhere.
    pub(crate) fn end(&self) {
        let mut state = self.lock();
        state.is_gone = true;
        state.counts.clear();
        let pending = std::mem::take(&mut state.pending);
        let topics = std::mem::take(&mut state.topics);
        drop(state);
        pending.give_up();
        for linked in topics.into_values() {
            if let Some(replica) = linked.replica.upgrade() {
                replica.cut_off();
            }
        }
        self.changed.notify_waiters();
    }

    /// Whether the channel has ended.
    pub(in crate::topic) fn is_gone(&self) -> bool {
        self.lock().is_gone
    }

    /// Waits until all topics have their history, or the channel has ended.
    pub(crate) async fn live(&self) {
        self.until(|state| state.topics.values().all(|topic| topic.is_live))
            .await;
    }

    /// Waits until all items have their numbers, or the channel has ended.
    pub(crate) async fn quiet(&self) {
        self.until(|state| state.pending.is_empty()).await;
    }

    async fn until(&self, is_so: impl Fn(&State) -> bool) {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            let is_over = {
                let state = self.lock();
                state.is_gone || is_so(&state)
            };
            if is_over {
                return;
            }
            changed.await;
        }
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").finish_non_exhaustive()
    }
}
