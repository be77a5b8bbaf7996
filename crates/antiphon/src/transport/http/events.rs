//! Event streams: a subscription as the body of one response (`text/event-stream`).
//!
//! The first event is the response to the call. One event follows for each message of the
//! subscription, and the body ends with the subscription. Messages wait in the queue of the
//! session, where the method's overflow policy applies: the body fetches messages only when it is
//! polled.

use std::collections::VecDeque;
use std::fmt;
use std::io::Write as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::memory_budget::{Account, Exhausted, Payload};
use crate::session_state::{End, Outgoing, SessionHandle};
use crate::subscription::Opening;

/// The media type that a request has to list in `Accept` to get an event stream.
pub(crate) const MEDIA_TYPE: &str = "text/event-stream";

/// After this much silence a comment is sent as keep-alive.
const SILENCE: Duration = Duration::from_secs(15);

/// A comment, which clients ignore. It shows clients and proxies that the connection is alive.
const COMMENT: &[u8] = b":\n\n";

/// The most bytes of messages in one body frame; a single message may be longer.
const MAX_FRAME: usize = 16 * 1024;

/// The response to a call and the messages of the subscription that the call has opened.
///
/// Dropping this ends the subscription.
pub(crate) struct Events {
    handle: SessionHandle,
    /// The first event, until it has been sent.
    answer: Option<Payload>,
    fetched: VecDeque<Outgoing>,
    /// Resolves when the server stops; `None` after that has been handled.
    stopping: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    speak_by: Instant,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Events {
    /// Starts the subscription. `handle` must belong to this call alone. The subscription ends when
    /// `stopping` is cancelled.
    pub(crate) fn new(
        answer: Payload,
        streams: Vec<Opening>,
        handle: SessionHandle,
        stopping: &CancellationToken,
    ) -> Self {
        handle.open(streams);
        Self {
            handle,
            answer: Some(answer),
            fetched: VecDeque::new(),
            stopping: Some(Box::pin(stopping.clone().cancelled_owned())),
            speak_by: Instant::now() + SILENCE,
            timer: None,
        }
    }

    /// Returns the next events; `None` when the subscription has ended and all its messages have
    /// been sent.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if let Some(answer) = self.answer.take() {
            return self.speak(Bytes::from(answer.text));
        }
        // A new poll means that the previous frame has been taken.
        self.handle.wrote(0);
        self.check_stopping(cx);
        self.handle.listen(cx.waker());
        loop {
            let text = self.fetch();
            if !text.is_empty() {
                return self.speak(Bytes::from(text));
            }
            if self.handle.is_busy() {
                return self.poll_silence(cx);
            }
            // The last message may have arrived since `fetch`.
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

    /// Formats the waiting messages as events, up to about [`MAX_FRAME`] bytes.
    fn fetch(&mut self) -> Vec<u8> {
        self.handle.fetch(MAX_FRAME, &mut self.fetched);
        let mut text = Vec::new();
        for Outgoing { payload, seq } in self.fetched.drain(..) {
            write_event(&mut text, &payload.text, seq);
        }
        text
    }

    fn speak(&mut self, text: Bytes) -> Poll<Option<Bytes>> {
        self.speak_by = Instant::now() + SILENCE;
        Poll::Ready(Some(text))
    }

    /// Returns a comment after [`SILENCE`]. A busy stream does not touch the timer: when it fires
    /// too early it is reset.
    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let by = self.speak_by;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(by)));
        loop {
            ready!(timer.as_mut().poll(cx));
            if Instant::now() >= by {
                return self.speak(Bytes::from_static(COMMENT));
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

/// Formats a response as an event without an id.
///
/// # Errors
///
/// If there is no memory for it.
pub(crate) fn event(answer: &Payload, account: &Arc<Account>) -> Result<Payload, Exhausted> {
    let mut event = Payload::default();
    event.reserve(answer.len() + 40, account)?;
    write_event(&mut event.text, &answer.text, None);
    event.settle(account)?;
    Ok(event)
}

/// Appends an event. A message that contains line breaks becomes several `data` lines. JSON that a
/// method has formatted itself may have some, and a line break between tokens does not change its
/// meaning.
fn write_event(text: &mut Vec<u8>, message: &[u8], seq: Option<u64>) {
    text.reserve(message.len() + 40);
    if let Some(seq) = seq {
        // Writing to a `Vec` does not fail.
        let _ = writeln!(text, "id: {seq}");
    }
    for line in message.split(|byte| matches!(byte, b'\n' | b'\r')) {
        text.extend_from_slice(b"data: ");
        text.extend_from_slice(line);
        text.push(b'\n');
    }
    text.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;

    use antiphon_proto::ErrorObject;
    use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

    use crate::current_call::CurrentCall;
    use crate::subscription::{Options, Overflow, Room, erase};

    /// A stream of the items of a channel.
    struct Channel(UnboundedReceiver<Result<u64, ErrorObject>>);

    impl futures_core::Stream for Channel {
        type Item = Result<u64, ErrorObject>;

        fn poll_next(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
        ) -> Poll<Option<Result<u64, ErrorObject>>> {
            self.0.poll_recv(cx)
        }
    }

    type Feed = UnboundedSender<Result<u64, ErrorObject>>;

    /// An event stream, the sender of its items, and the token that stops it.
    fn events(options: &Options) -> (Events, Feed, CancellationToken) {
        let (feed, items) = unbounded_channel();
        let items = erase(Channel(items), |item| item);
        let opening = Opening::new(
            "n",
            options,
            items,
            Room {
                max: 1000,
                account: Account::unlimited(),
            },
            CurrentCall::default(),
            Box::new(()),
            String::new(),
        );
        let handle = SessionHandle::new(Arc::default(), &Account::unlimited(), false);
        let stopping = CancellationToken::new();
        let events = Events::new(
            b"data: {}\n\n".to_vec().into(),
            vec![opening],
            handle,
            &stopping,
        );
        (events, feed, stopping)
    }

    async fn next(events: &mut Events) -> Option<String> {
        let next = poll_fn(|cx| events.poll_next(cx)).await;
        next.map(|text| String::from_utf8(text.to_vec()).unwrap())
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
    fn a_message_is_as_many_lines_of_data_as_it_has() {
        for (message, seq, expected) in [
            ("{}", None, "data: {}\n\n"),
            ("{}", Some(7), "id: 7\ndata: {}\n\n"),
            ("[1,\n2]", Some(1), "id: 1\ndata: [1,\ndata: 2]\n\n"),
            (
                "[\r\n1,\r2]",
                None,
                "data: [\ndata: \ndata: 1,\ndata: 2]\n\n",
            ),
        ] {
            let mut text = Vec::new();
            write_event(&mut text, message.as_bytes(), seq);
            assert_eq!(String::from_utf8(text).unwrap(), expected, "{message:?}");
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
