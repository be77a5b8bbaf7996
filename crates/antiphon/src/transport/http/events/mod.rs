//! Event streams: a subscription as the body of one response (`text/event-stream`).
//!
//! The first event is the response to the call. One event follows for each message of the
//! subscription, and the body ends with the subscription. Messages wait in the queue of the
//! session, where the method's overflow policy applies: the body fetches messages only when it is
//! polled.
//!
//! | file | what it does |
//! |---|---|
//! | `mod.rs` | [`Events`]: the body |
//! | `text.rs` | the text of events |

#[cfg(test)]
mod tests;
mod text;

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::memory_budget::{Account, Direction, Exhausted, Payload, Reservation};
use crate::session_state::{Arrivals, End, Outgoing, SessionHandle};
use crate::subscription::Opening;
use crate::transport::http::open_calls::Unanswered;

use text::{AROUND, write_event};
pub(crate) use text::{LAST_ID, event, last_event, response_event};

/// The media type that a request has to list in `Accept` to get an event stream.
pub(crate) const MEDIA_TYPE: &str = "text/event-stream";

/// After this much silence a comment is sent as keep-alive.
const SILENCE: Duration = Duration::from_secs(15);

/// A comment, which clients ignore. It shows clients and proxies that the connection is alive.
const COMMENT: &[u8] = b":\n\n";

/// From this many bytes of messages on a body frame is full; a message that is as long is one by
/// itself.
const MAX_FRAME: usize = 16 * 1024;

/// What is reserved before a frame is made of shorter messages.
const ROOM: usize = 2 * MAX_FRAME + AROUND;

/// If the budget has no room for a frame, it is asked again after this time. Until then messages
/// wait in the queue.
const PAUSE: Duration = Duration::from_secs(1);

/// Who reads an event stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum EventReader {
    /// A program, which has sent a call by POST.
    Program,
    /// An `EventSource`, which comes back whenever its stream ends.
    EventSource,
}

/// The response to a call and the messages of the subscription that the call has opened.
///
/// Dropping this ends the subscription.
pub(crate) struct Events {
    handle: SessionHandle,
    /// What is held for the peer.
    account: Arc<Account>,
    /// The first event, until it has been sent.
    answer: Option<Payload>,
    /// Messages for the next frames, each with what is reserved for it.
    fetched: VecDeque<Outgoing>,
    /// Whether more are queued.
    more: bool,
    /// Runs while the budget has no room.
    pause: Option<Pin<Box<Sleep>>>,
    /// Resolves when the server stops; `None` after that has been handled.
    stopping: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    speak_by: Instant,
    timer: Option<Pin<Box<Sleep>>>,
    /// Whether the reader is to be told that the stream has come to its end.
    tells_end: bool,
    /// The call whose answer is the last event, if it is not the first.
    call: Option<Box<Unanswered>>,
    /// That answer.
    last: Option<Payload>,
}

impl Events {
    /// Starts the subscriptions behind the response to the call. `handle` must belong to this call alone. The subscription ends when
    /// `stopping` is cancelled.
    pub(crate) fn new(
        answer: Payload,
        streams: Vec<Opening>,
        handle: SessionHandle,
        account: &Arc<Account>,
        stopping: &CancellationToken,
        reader: EventReader,
    ) -> Self {
        let answer = match reader {
            EventReader::Program => event(answer, None),
            EventReader::EventSource => {
                let start = streams.first().and_then(|opening| opening.start.as_deref());
                response_event(answer, Duration::ZERO, start)
            }
        };
        handle.open(streams);
        Self {
            handle,
            account: Arc::clone(account),
            answer: Some(answer),
            fetched: VecDeque::new(),
            more: false,
            pause: None,
            stopping: Some(Box::pin(stopping.clone().cancelled_owned())),
            speak_by: Instant::now() + SILENCE,
            timer: None,
            tells_end: reader == EventReader::EventSource,
            call: None,
            last: None,
        }
    }

    /// What a call says before its answer, and the answer. Dropping it cancels the call.
    pub(super) fn of_call(
        call: Unanswered,
        answer: Option<Payload>,
        handle: SessionHandle,
        account: &Arc<Account>,
        stopping: &CancellationToken,
    ) -> Self {
        Self {
            handle,
            account: Arc::clone(account),
            answer: None,
            fetched: VecDeque::new(),
            more: false,
            pause: None,
            stopping: Some(Box::pin(stopping.clone().cancelled_owned())),
            speak_by: Instant::now() + SILENCE,
            timer: None,
            tells_end: false,
            call: Some(Box::new(call)),
            last: answer,
        }
    }

    /// Begins the subscriptions that the call has opened: from here on they are what follows.
    fn open_streams(&mut self) {
        if let Some(call) = self.call.take_if(|call| !call.streams.is_empty()) {
            self.handle.open(call.streams);
        }
    }

    /// Whether the call has an answer by now, or had none to wait for.
    fn poll_call(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(work) = self.call.as_mut().and_then(|call| call.work.as_mut()) else {
            return true;
        };
        let Poll::Ready(answered) = Pin::new(work).poll(cx) else {
            return false;
        };
        if let Some(call) = &mut self.call {
            call.work = None;
            call.streams = answered.streams;
        }
        self.last = answered.text;
        true
    }

    /// Returns the next events; `None` when the subscription has ended and all its messages have
    /// been sent. All of them are reserved, until the connection has sent them.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Payload>> {
        if let Some(answer) = self.answer.take() {
            return self.speak(answer);
        }
        // A new poll means that the previous frame has been taken.
        self.handle.wrote(0);
        self.check_stopping(cx);
        self.handle.listen(cx.waker());
        let is_answered = self.poll_call(cx);
        loop {
            match self.frame() {
                Ok(Some(frame)) => return self.speak(frame),
                Ok(None) => {}
                Err(Exhausted) => {
                    let pause = || Box::pin(sleep_until(Instant::now() + PAUSE));
                    ready!(self.pause.get_or_insert_with(pause).as_mut().poll(cx));
                    self.pause = None;
                    continue;
                }
            }
            if !is_answered {
                return self.poll_silence(cx);
            }
            if let Some(last) = self.last.take() {
                self.open_streams();
                return self.speak(event(last, None));
            }
            if self.call.is_none() && self.handle.is_busy() {
                return self.poll_silence(cx);
            }
            // The last message may have arrived since then.
            if !self.handle.has_mail() {
                let tells_end = std::mem::take(&mut self.tells_end);
                let is_last = tells_end && self.handle.has_completed();
                return Poll::Ready(is_last.then(|| last_event().into()));
            }
        }
    }

    fn check_stopping(&mut self, cx: &mut Context<'_>) {
        if let Some(stopping) = &mut self.stopping
            && stopping.as_mut().poll(cx).is_ready()
        {
            self.stopping = None;
            self.handle.end_subscriptions();
        }
    }

    /// The next messages as events; `None` if there are none.
    ///
    /// # Errors
    ///
    /// If there is no memory for them. Then they wait where they are.
    fn frame(&mut self) -> Result<Option<Payload>, Exhausted> {
        if self.fetched.is_empty() && !self.more && !self.handle.has_mail() {
            return Ok(None);
        }
        let mut held = Reservation::new(&self.account, Direction::Response);
        held.set(ROOM)?;
        if self.fetched.is_empty() {
            // Its streams have tasks of their own.
            let arrivals = &mut Arrivals::default();
            self.more = self.handle.fetch(MAX_FRAME, &mut self.fetched, arrivals);
        }
        let is_short = |next: &Outgoing| next.payload.len() < MAX_FRAME;
        if !self.fetched.front().is_some_and(is_short) {
            let next = self.fetched.pop_front();
            return Ok(next.map(|mut next| {
                let payload = std::mem::take(&mut next.payload);
                event(payload, next.event_id())
            }));
        }
        let sizes = self.fetched.iter().map(|next| next.payload.len() + AROUND);
        let mut text = Vec::with_capacity(sizes.sum::<usize>().min(ROOM));
        while text.len() < MAX_FRAME
            && self.fetched.front().is_some_and(is_short)
            && let Some(next) = self.fetched.pop_front()
        {
            write_event(&mut text, &next.payload.text, next.event_id());
        }
        held.set(text.capacity())?;
        let held = Some(Box::new(held));
        Ok(Some(Payload { text, held }))
    }

    fn speak(&mut self, text: Payload) -> Poll<Option<Payload>> {
        self.speak_by = Instant::now() + SILENCE;
        Poll::Ready(Some(text))
    }

    /// Returns a comment after [`SILENCE`]. A busy stream does not touch the timer: when it fires
    /// too early it is reset.
    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<Option<Payload>> {
        let by = self.speak_by;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(by)));
        loop {
            ready!(timer.as_mut().poll(cx));
            if Instant::now() >= by {
                return self.speak(COMMENT.to_vec().into());
            }
            timer.as_mut().reset(by);
        }
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.handle.close(End {
            reason: "the event stream is closed".into(),
            ours: false,
            misbehaved: false,
            drained: false,
        });
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events")
            .field("handle", &self.handle)
            .finish_non_exhaustive()
    }
}
