//! Event streams: their frames, their silence, and their end.

use super::*;
use std::future::poll_fn;

use antiphon_proto::ErrorObject;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::current_call::CurrentCall;
use crate::memory_budget::account::Accounts;
use crate::subscription::{Options, Room, erase};
use crate::topic::Overflow;

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
        EventReader::Program,
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
            overflow: Some(overflow),
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
