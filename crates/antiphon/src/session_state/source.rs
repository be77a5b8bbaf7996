//! Source of a subscription: its stream, and how it wakes the session's task.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker, ready};

use antiphon_proto::ErrorObject;

use super::bell::Bell;
use crate::current_call::CurrentCall;
use crate::error::{IncidentScope, guard};
use crate::memory_budget::{FREE, Payload};
use crate::subscription::{Ending, Items, MessageFormat, Opening, Room};
use crate::topic::{Item, Missed, Next, Over};

/// The log message for a panic in a stream.
const PANICKED: &str = "a stream panicked";

/// The stream of one subscription.
pub(crate) struct Source {
    key: u64,
    /// The sequence number of the last item.
    made: u64,
    format: MessageFormat,
    /// `None` only while it is dropped.
    items: Option<Items>,
    /// What one item may take.
    room: Room,
    current: CurrentCall,
    /// Method and caller, for the log.
    method: String,
    caller: String,
    alarm: Arc<Alarm>,
    waker: Waker,
    /// Whether the topic knows the waker.
    listens: bool,
    /// The cursor of the place where it begins, if its subscriber has asked for it and was not told yet.
    start: Option<Box<str>>,
    /// The cursor of the item of a topic that was made last, for the id of its event.
    cursor: Option<Box<str>>,
    /// What is missing behind the last item of a topic that has come to its end.
    missed: Option<Missed>,
}

/// What a topic had for a subscriber.
#[derive(Debug)]
pub(crate) enum Taken {
    /// An item, whose message is written, and whether more wait.
    Item {
        item: Arc<Item>,
        more: bool,
    },
    /// A message that says where the subscription begins.
    Start,
    /// There was no memory for the item, and the subscription goes on without it.
    Dropped,
    /// Nothing; it rings when something comes.
    None,
    Over(Ending),
}

impl Source {
    pub(super) fn new(key: u64, opening: Opening, bell: &Arc<Bell>) -> Self {
        let Opening {
            format,
            items,
            room,
            current,
            method,
            caller,
            start,
            ..
        } = opening;
        let alarm = Arc::new(Alarm {
            key,
            bell: Arc::clone(bell),
            rings: AtomicBool::new(true),
        });
        Self {
            key,
            made: 0,
            format,
            items: Some(items),
            room,
            current,
            method,
            caller,
            waker: Waker::from(Arc::clone(&alarm)),
            alarm,
            listens: false,
            start,
            cursor: None,
            missed: None,
        }
    }

    pub(crate) fn key(&self) -> u64 {
        self.key
    }

    /// The sequence number of the last item.
    pub(crate) fn made(&self) -> u64 {
        self.made
    }

    /// What the last message has to tell as missing.
    pub(super) fn missed(&self) -> Option<Missed> {
        self.missed
    }

    /// The cursor of the last item, if it is of a topic.
    pub(super) fn take_cursor(&mut self) -> Option<Box<str>> {
        self.cursor.take()
    }

    /// Polls the stream; if it is pending, it rings the session's bell with its key.
    pub(crate) fn poll_alarmed(&mut self, message: &mut Payload) -> Poll<Result<(), Ending>> {
        // Before the poll, so that no wake-up during it is lost.
        self.alarm.rings.store(false, Ordering::Release);
        let waker = self.waker.clone();
        self.poll(&mut Context::from_waker(&waker), message)
    }

    /// Says that the stream will be polled again anyway, so that it need not ring.
    pub(crate) fn is_awake(&self) {
        self.alarm.rings.store(true, Ordering::Release);
    }

    /// The topic that it follows, if it does.
    pub(crate) fn is_of_topic(&self) -> bool {
        matches!(self.items, Some(Items::Topic(_)))
    }

    /// Makes the message of the next item of its topic; nothing of the program runs for it.
    ///
    /// # Errors
    ///
    /// How the subscription ends.
    pub(crate) fn take(&mut self, message: &mut Payload) -> Taken {
        let Some(Items::Topic(feed)) = &self.items else {
            return Taken::Over(Ending::Complete);
        };
        // Before it is asked, so that no wake-up during it is lost.
        self.alarm.rings.store(false, Ordering::Release);
        if !self.listens {
            feed.listen(&self.waker);
            self.listens = true;
        }
        if self.start.is_some()
            && let Some(start) = self.start.take()
        {
            message.text.clear();
            if self.format.start(&start, &mut message.text) {
                self.is_awake();
                return Taken::Start;
            }
        }
        let next = feed.next();
        self.write(next, message)
    }

    /// Writes what a topic had.
    fn write(&mut self, next: Next, message: &mut Payload) -> Taken {
        let (seq, item, missed, more) = match next {
            Next::Empty => return Taken::None,
            Next::Over { why, seq, missed } => {
                (self.made, self.missed) = (seq, missed);
                return Taken::Over(match why {
                    Over::Lagged => Ending::Lagged,
                    Over::Closed => Ending::Complete,
                    // Whoever reconnects goes on at another worker.
                    Over::CutOff => Ending::Shutdown,
                });
            }
            Next::Item {
                seq,
                item,
                missed,
                more,
            } => (seq, item, missed, more),
        };
        self.made = seq;
        let Some(Items::Topic(feed)) = &self.items else {
            return Taken::None;
        };
        message.text.clear();
        let all = feed.is_of_all();
        let size = item.plain().len();
        if size > self.room.max {
            self.missed = missed;
            return Taken::Over(Ending::Error(ErrorObject::response_too_large(
                self.room.max,
            )));
        }
        let whole = size + item.key_room(all) + self.format.around();
        if whole > message.text.capacity().max(FREE) {
            if message.reserve(whole, &self.room.account).is_err() {
                if feed.left_out(missed) {
                    return Taken::Dropped;
                }
                self.missed = missed;
                return Taken::Over(Ending::Lagged);
            }
            message.text.reserve_exact(whole);
        }
        self.format
            .shared(seq, &item, all, missed, &mut message.text);
        Taken::Item { item, more }
    }

    /// Makes the message of the next item.
    ///
    /// # Errors
    ///
    /// How the subscription ends, with this stream.
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        message: &mut Payload,
    ) -> Poll<Result<(), Ending>> {
        message.text.clear();
        self.format.begin(self.made + 1, &mut message.text);
        if let Some(Items::Topic(feed)) = &self.items {
            let next = feed.poll(cx);
            let all = feed.is_of_all();
            return match self.write(next, message) {
                Taken::None => Poll::Pending,
                Taken::Over(ending) => Poll::Ready(Err(ending)),
                Taken::Item { item, .. } => {
                    self.cursor = Some(item.cursor(all));
                    Poll::Ready(Ok(()))
                }
                Taken::Dropped | Taken::Start => {
                    cx.waker().wake_by_ref();
                    Poll::Pending
                }
            };
        }
        let Self {
            items: Some(Items::Stream(items)),
            current,
            room,
            method,
            caller,
            ..
        } = self
        else {
            return Poll::Ready(Err(Ending::Complete));
        };
        let polled = current.enter(|| {
            let scope = IncidentScope::enter();
            let polled = guard(PANICKED, || items.as_mut().poll_write(cx, message, room));
            scope.log(|| (method.clone(), &*caller));
            polled
        });
        let item = match polled {
            Ok(poll) => ready!(poll),
            Err(panicked) => Some(Err(panicked)),
        };
        Poll::Ready(match item {
            Some(Ok(())) => {
                message.extend_anyway(MessageFormat::TAIL);
                self.made += 1;
                if let Some(place) = items.as_mut().take_place() {
                    self.format
                        .insert_place(self.made, &place, &mut message.text);
                    self.cursor = place.cursor;
                }
                Ok(())
            }
            ended => {
                // What is missing before the end is told with it.
                let place = items.as_mut().take_place();
                let missed = place.and_then(|place| place.missed);
                self.missed = missed.map(|count| count.map_or(Missed::Unknown, Missed::Some));
                match ended {
                    Some(Err(error)) => Err(Ending::Error(error)),
                    _ => Err(Ending::Complete),
                }
            }
        })
    }
}

impl Drop for Source {
    /// A stream that panics in its `Drop` must not take anything else down.
    fn drop(&mut self) {
        let scope = IncidentScope::enter();
        let items = self.items.take();
        let _ = guard(PANICKED, || drop(items));
        let method = &self.method;
        scope.log(|| (method.clone(), &self.caller));
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

/// What a stream that is pending wakes.
struct Alarm {
    key: u64,
    bell: Arc<Bell>,
    /// Whether it has rung since the stream was polled.
    rings: AtomicBool,
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.rings.swap(true, Ordering::AcqRel) {
            self.bell.ring(self.key);
        }
    }
}
