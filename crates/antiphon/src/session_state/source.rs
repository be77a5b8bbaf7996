//! Source of a subscription: its stream, and how it wakes the session's task.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker, ready};

use super::bell::Bell;
use crate::current_call::CurrentCall;
use crate::error::{IncidentScope, guard};
use crate::memory_budget::Payload;
use crate::subscription::{Ending, Items, MessageFormat, Opening, Room};

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
        }
    }

    pub(crate) fn key(&self) -> u64 {
        self.key
    }

    /// The sequence number of the last item.
    pub(crate) fn made(&self) -> u64 {
        self.made
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
        let Self {
            items: Some(items),
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
                Ok(())
            }
            Some(Err(error)) => Err(Ending::Error(error)),
            None => Err(Ending::Complete),
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
