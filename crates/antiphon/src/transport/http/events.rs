//! Event streams: a subscription as the body of one response (`text/event-stream`).
//!
//! The first event is the response to the call. One event follows for each message of the
//! subscription, and the body ends with the subscription. Messages wait in the queue of the
//! session, where the method's overflow policy applies: the body fetches messages only when it is
//! polled.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::memory_budget::{Account, Direction, Exhausted, Payload, Reservation};
use crate::session_state::{End, Outgoing, SessionHandle};
use crate::subscription::Opening;

/// The media type that a request has to list in `Accept` to get an event stream.
pub(crate) const MEDIA_TYPE: &str = "text/event-stream";

/// After this much silence a comment is sent as keep-alive.
const SILENCE: Duration = Duration::from_secs(15);

/// A comment, which clients ignore. It shows clients and proxies that the connection is alive.
const COMMENT: &[u8] = b":\n\n";

/// From this many bytes of messages on a body frame is full; a message that is as long is one by
/// itself.
const MAX_FRAME: usize = 16 * 1024;

/// The most bytes that an event has around its message.
const AROUND: usize = 40;

/// What is reserved before a frame is made of shorter messages.
const ROOM: usize = 2 * MAX_FRAME + AROUND;

/// If the budget has no room for a frame, it is asked again after this time. Until then messages
/// wait in the queue.
const PAUSE: Duration = Duration::from_secs(1);

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
    ) -> Self {
        handle.open(streams);
        Self {
            handle,
            account: Arc::clone(account),
            answer: Some(event(answer, None)),
            fetched: VecDeque::new(),
            more: false,
            pause: None,
            stopping: Some(Box::pin(stopping.clone().cancelled_owned())),
            speak_by: Instant::now() + SILENCE,
            timer: None,
        }
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
            if self.handle.is_busy() {
                return self.poll_silence(cx);
            }
            // The last message may have arrived since then.
            if !self.handle.has_mail() {
                return Poll::Ready(None);
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
            self.more = self.handle.fetch(MAX_FRAME, &mut self.fetched);
        }
        let is_short = |next: &Outgoing| next.payload.len() < MAX_FRAME;
        if !self.fetched.front().is_some_and(is_short) {
            let next = self.fetched.pop_front();
            return Ok(next.map(|Outgoing { payload, seq }| event(payload, seq)));
        }
        let sizes = self.fetched.iter().map(|next| next.payload.len() + AROUND);
        let mut text = Vec::with_capacity(sizes.sum::<usize>().min(ROOM));
        while text.len() < MAX_FRAME
            && self.fetched.front().is_some_and(is_short)
            && let Some(Outgoing { payload, seq }) = self.fetched.pop_front()
        {
            write_event(&mut text, &payload.text, seq);
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

/// Turns a message into an event, in its own memory.
pub(crate) fn event(mut message: Payload, seq: Option<u64>) -> Payload {
    let mut head = Vec::new();
    write_head(&mut head, seq);
    join_lines(&mut message.text);
    message.text.reserve_exact(head.len() + END.len());
    message.text.extend_from_slice(END);
    message.text.splice(..0, head);
    message
}

/// The end of an event.
const END: &[u8] = b"\n\n";

/// Appends an event.
fn write_event(text: &mut Vec<u8>, message: &[u8], seq: Option<u64>) {
    write_head(text, seq);
    let start = text.len();
    text.extend_from_slice(message);
    join_lines(text.get_mut(start..).unwrap_or_default());
    text.extend_from_slice(END);
}

fn write_head(text: &mut Vec<u8>, seq: Option<u64>) {
    if let Some(seq) = seq {
        text.extend_from_slice(format!("id: {seq}\n").as_bytes());
    }
    text.extend_from_slice(b"data: ");
}

/// Replaces line breaks, which would end the data of an event. JSON that a method has formatted itself
/// may have some; between tokens a space means the same.
fn join_lines(message: &mut [u8]) {
    for byte in message {
        if matches!(byte, b'\n' | b'\r') {
            *byte = b' ';
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;

    use antiphon_proto::ErrorObject;
    use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

    use crate::current_call::CurrentCall;
    use crate::memory_budget::account::Accounts;
    use crate::subscription::{Options, Overflow, Room, erase};

    /// A stream of the items of a channel.
    struct Channel<T>(UnboundedReceiver<Result<T, ErrorObject>>);

    impl<T> futures_core::Stream for Channel<T> {
        type Item = Result<T, ErrorObject>;

        fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
            self.0.poll_recv(cx)
        }
    }

    type Feed<T> = UnboundedSender<Result<T, ErrorObject>>;

    /// An event stream, the sender of its items, and the token that stops it.
    fn events(options: &Options) -> (Events, Feed<u64>, CancellationToken) {
        events_of(options, &Account::unlimited())
    }

    fn events_of<T: serde::Serialize + Send + 'static>(
        options: &Options,
        account: &Arc<Account>,
    ) -> (Events, Feed<T>, CancellationToken) {
        let (feed, items) = unbounded_channel();
        let items = erase(Channel(items), |item| item);
        let opening = Opening::new(
            "n",
            options,
            items,
            Room {
                max: 100_000,
                account: Arc::clone(account),
            },
            CurrentCall::default(),
            Box::new(()),
            String::new(),
        );
        let handle = SessionHandle::new(Arc::default(), account, false);
        let stopping = CancellationToken::new();
        let events = Events::new(
            b"{}".to_vec().into(),
            vec![opening],
            handle,
            account,
            &stopping,
        );
        (events, feed, stopping)
    }

    async fn next(events: &mut Events) -> Option<String> {
        let next = poll_fn(|cx| events.poll_next(cx)).await;
        next.map(|text| String::from_utf8(text.text).unwrap())
    }

    /// All remaining events: their ids and the part of each message after `seq`.
    async fn rest(events: &mut Events) -> Vec<String> {
        let mut all = String::new();
        while let Some(text) = next(events).await {
            all.push_str(&text);
        }
        let brief = |event: &str| {
            let (id, message) = event.split_once("\ndata: ").unwrap();
            let (_, tail) = message.split_once("\"seq\":").unwrap();
            format!("{id} {tail}")
        };
        all.split_terminator("\n\n").map(brief).collect()
    }

    /// Lets the subscription's task run until it is idle.
    async fn settle() {
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }

    #[test]
    fn an_event_is_one_line_of_data() {
        for (message, seq, expected) in [
            ("{}", None, "data: {}\n\n"),
            ("{}", Some(7), "id: 7\ndata: {}\n\n"),
            ("[1,\n2]", Some(1), "id: 1\ndata: [1, 2]\n\n"),
            ("[\r\n1,\r2]", None, "data: [  1, 2]\n\n"),
        ] {
            let mut text = Vec::new();
            write_event(&mut text, message.as_bytes(), seq);
            assert_eq!(String::from_utf8(text).unwrap(), expected, "{message:?}");
            let event = event(message.as_bytes().to_vec().into(), seq);
            assert_eq!(String::from_utf8(event.text).unwrap(), expected);
        }
    }

    /// Whatever the size of the items: what is not taken yet is reserved, and when there is no room
    /// the items wait.
    #[tokio::test(start_paused = true)]
    async fn frames_are_reserved_until_they_are_taken() {
        let budget = 4_000_000;
        for (size, items) in [(10, 200), (3_000, 40), (15_000, 10), (50_000, 3)] {
            let accounts = Accounts::new(0, budget);
            let account = accounts.open();
            let used = || accounts.budgets.responses.used();
            let (mut events, feed, _stopping) = events_of::<String>(&Options::default(), &account);
            drop(poll_fn(|cx| events.poll_next(cx)).await);
            for _ in 0..items {
                feed.send(Ok("x".repeat(size))).unwrap();
            }
            drop(feed);
            settle().await;
            let mut frames = Vec::new();
            let mut taken = 0;
            while let Some(frame) = poll_fn(|cx| events.poll_next(cx)).await {
                taken += frame.len();
                let held = frame.held.as_ref().map_or(0, |held| held.bytes());
                assert!(
                    held + 100 >= frame.text.capacity(),
                    "{held} of {}",
                    frame.len()
                );
                frames.push(frame);
                let all: usize = frames.iter().map(Payload::len).sum();
                assert!(used() + 100 * frames.len() >= all, "{} of {all}", used());
            }
            assert!(taken > size * items, "{taken}");
            frames.clear();
            assert_eq!(used(), 0);
            // Somebody else has taken all.
            let (mut events, feed, _stopping) = events_of::<String>(&Options::default(), &account);
            drop(poll_fn(|cx| events.poll_next(cx)).await);
            feed.send(Ok("x".into())).unwrap();
            let other = accounts.of_host();
            let full = Reservation::of(&other, Direction::Response, budget - 1000).unwrap();
            settle().await;
            let mut next = Box::pin(poll_fn(|cx| events.poll_next(cx)));
            let waits = tokio::time::timeout(PAUSE * 10, next.as_mut()).await;
            assert!(waits.is_err());
            drop(full);
            let frame = tokio::time::timeout(PAUSE * 2, next).await.unwrap();
            assert!(frame.is_some());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_broken_every_fifteen_seconds() {
        let (mut events, feed, _stopping) = events(&Options::default());
        let began = Instant::now();
        let seconds = || began.elapsed().as_secs();
        assert_eq!(next(&mut events).await.as_deref(), Some("data: {}\n\n"));
        for expected in [15, 30] {
            assert_eq!(next(&mut events).await.as_deref(), Some(":\n\n"));
            assert_eq!(seconds(), expected);
        }
        // An item also resets the keep-alive timer.
        tokio::time::sleep(Duration::from_secs(10)).await;
        feed.send(Ok(1)).unwrap();
        assert!(next(&mut events).await.unwrap().starts_with("id: 1\n"));
        assert_eq!(seconds(), 40);
        assert_eq!(next(&mut events).await.as_deref(), Some(":\n\n"));
        assert_eq!(seconds(), 55);
        drop(feed);
        assert_eq!(rest(&mut events).await, ["id: 2 2,\"end\":\"complete\"}}"]);
        assert_eq!(seconds(), 55);
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_stops_ends_it_behind_what_waits() {
        let (mut events, feed, stopping) = events(&Options::default());
        assert!(next(&mut events).await.is_some());
        let stop = async {
            tokio::time::sleep(Duration::from_secs(5)).await;
            feed.send(Ok(7)).unwrap();
            settle().await;
            stopping.cancel();
        };
        let (rest, ()) = tokio::join!(rest(&mut events), stop);
        assert_eq!(
            rest,
            ["id: 1 1,\"result\":7}}", "id: 2 2,\"end\":\"shutdown\"}}"]
        );
        // The method's stream is dropped as well.
        feed.closed().await;
    }

    #[tokio::test]
    async fn a_server_that_has_stopped_already_says_so_behind_the_answer() {
        let (mut events, feed, stopping) = events(&Options::default());
        stopping.cancel();
        assert!(next(&mut events).await.is_some());
        let rest = rest(&mut events).await;
        assert_eq!(rest, ["id: 1 1,\"end\":\"shutdown\"}}"]);
        feed.closed().await;
    }

    #[tokio::test]
    async fn a_plain_subscription_ends_without_a_word() {
        let plain = Options {
            plain: true,
            ..Options::default()
        };
        for stops in [false, true] {
            let (mut events, feed, stopping) = events(&plain);
            assert!(next(&mut events).await.is_some());
            feed.send(Ok(1)).unwrap();
            let item = next(&mut events).await.unwrap();
            assert!(item.starts_with("id: 1\ndata: "), "{item}");
            match stops {
                true => stopping.cancel(),
                false => drop(feed),
            }
            assert_eq!(next(&mut events).await, None);
        }
    }

    #[tokio::test]
    async fn an_error_is_the_last_message() {
        let (mut events, feed, _stopping) = events(&Options::default());
        assert!(next(&mut events).await.is_some());
        feed.send(Ok(1)).unwrap();
        feed.send(Err(ErrorObject::new(7, "no"))).unwrap();
        assert_eq!(
            rest(&mut events).await,
            [
                "id: 1 1,\"result\":1}}",
                "id: 2 2,\"error\":{\"code\":7,\"message\":\"no\"}}}"
            ]
        );
    }

    #[tokio::test]
    async fn nothing_is_fetched_before_it_is_asked_for() {
        for (overflow, expected) in [
            (
                Overflow::DropOldest,
                "id: 45 … id: 300 301,\"end\":\"complete\"}}",
            ),
            (
                Overflow::LatestOnly,
                "id: 300 … id: 300 301,\"end\":\"complete\"}}",
            ),
            (
                Overflow::Disconnect,
                "id: 1 … id: 256 258,\"end\":\"lagged\"}}",
            ),
            (
                Overflow::Block,
                "id: 1 … id: 300 301,\"end\":\"complete\"}}",
            ),
        ] {
            let options = Options {
                overflow,
                ..Options::default()
            };
            let (mut events, feed, _stopping) = events(&options);
            assert!(next(&mut events).await.is_some());
            for item in 1..=300 {
                // A subscription that has ended has dropped its stream.
                let _ = feed.send(Ok(item));
                settle().await;
            }
            drop(feed);
            settle().await;
            let rest = rest(&mut events).await;
            let id = |event: &String| event.split(' ').take(2).collect::<Vec<_>>().join(" ");
            let (last, items) = rest.split_last().unwrap();
            let (_, last) = last.rsplit_once(' ').unwrap();
            let (first, newest) = (id(items.first().unwrap()), id(items.last().unwrap()));
            assert_eq!(
                format!("{first} … {newest} {last}"),
                expected,
                "{overflow:?}"
            );
        }
    }

    #[tokio::test]
    async fn dropping_it_drops_the_stream() {
        let (events, feed, _stopping) = events(&Options::default());
        drop(events);
        feed.closed().await;
    }
}
