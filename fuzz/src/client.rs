//! Fuzz target for a client's session with a hostile server: all calls end, with their own
//! responses.
//!
//! The client makes the same calls each time. The server reads all of them, and then sends what the
//! script says. `expected.rs` computes the expected outcomes.

use antiphon::client::{Client, Error, ErrorKind, StreamError};
use antiphon::{Id, Router};
use bytes::Bytes;
use serde_json::value::RawValue;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::expected::{CallOutcome, Expected};
use crate::ledger::{ECHO, Ledger, read};
use crate::peer::{PATIENCE, Peer, Script, address, framing};

thread_local! {
    static FIXTURE: Fixture = Fixture::new();
}

struct Fixture {
    runtime: Runtime,
    listener: TcpListener,
}

impl Fixture {
    fn new() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"));
        Self {
            runtime,
            listener: listener.expect("a listener"),
        }
    }
}

/// The id of the call that opens a subscription.
pub(crate) const SUBSCRIBE: &str = "1";
/// The id of a call that is dropped before the server sends anything.
const GIVEN_UP: u64 = 4;
/// The number of messages from the client: four calls, a subscription, a batch, and a cancellation.
const MESSAGES: usize = 7;

/// Buffer sizes of the subscription: large enough, and too small.
const BUFFERS: [usize; 2] = [1024, 2];

type Raw = Box<RawValue>;
type Call = JoinHandle<Result<Raw, Error>>;

/// All calls of the client.
struct Calls {
    single: Vec<(&'static str, Call)>,
    batch: JoinHandle<Vec<(&'static str, Result<Raw, Error>)>>,
    items: JoinHandle<Result<Vec<Result<Raw, StreamError>>, Error>>,
}

impl Calls {
    /// Makes all calls, and drops one of them.
    async fn new(client: &Client, peer: &mut Peer, buffer: usize) -> (Self, Vec<Bytes>) {
        let call = |id: Id| {
            let call = client.call::<Raw>("m", ()).id(id).on_progress(|_: Raw| {});
            tokio::spawn(call.into_future())
        };
        let subscription = client.subscribe::<Raw>("items", ()).buffer(buffer);
        let items = tokio::spawn(async move {
            let mut subscription = subscription.await?;
            let mut items = Vec::new();
            while let Some(item) = subscription.next().await {
                items.push(item);
            }
            assert!(subscription.next().await.is_none(), "it goes on");
            Ok(items)
        });
        let single = vec![
            ("2", call(Id::from(2_u64))),
            ("3", call(Id::from(3_u64))),
            ("\"s\"", call(Id::from("s"))),
        ];
        let given_up = call(Id::from(GIVEN_UP));
        let mut batch = client.batch();
        let tickets = [
            ("5", batch.call_with_id::<Raw>(5_u64, "m", ())),
            ("6", batch.call_with_id(6_u64, "m", ())),
            ("\"5\"", batch.call_with_id("5", "m", ())),
        ];
        batch.notify("m", ());
        let batch = tokio::spawn(async move {
            let mut responses = batch.send().await.expect("a batch that can be sent");
            let take = |(id, ticket)| (id, responses.take(ticket));
            tickets.map(take).into()
        });
        let mut received = Vec::new();
        while received.len() < MESSAGES {
            if received.len() == MESSAGES - 1 {
                given_up.abort();
            }
            received.push(peer.next(&"the client's calls").await.expect("a call"));
        }
        let calls = Self {
            single,
            batch,
            items,
        };
        (calls, received)
    }
}

/// Waits for the result of a task.
async fn done<T>(task: JoinHandle<T>) -> T {
    let done = timeout(PATIENCE, task).await;
    done.expect("it has not ended").expect("it has panicked")
}

/// Sends the script to a client. The lowest bit of the first byte selects the framing, its other
/// bits the end of the connection and the buffer size of the subscription. The second byte selects
/// the sizes of the pieces. Returns whether the connection was still open after the script.
///
/// # Panics
///
/// If a call does not end, or has an unexpected outcome, or if a response of the client is missing.
pub fn check(input: &[u8]) -> bool {
    let Some((&[flags, pieces], text)) = input.split_first_chunk() else {
        return false;
    };
    FIXTURE.with(|fixture| {
        let visit = fixture.visit(flags, pieces, text);
        fixture.runtime.block_on(visit)
    })
}

impl Fixture {
    async fn visit(&self, flags: u8, pieces: u8, text: &[u8]) -> bool {
        let framing = framing(flags);
        let (cuts, answered) = (flags & 2 != 0, flags & 4 != 0);
        let buffer = BUFFERS[usize::from(flags >> 3 & 1)];

        let port = self.listener.local_addr().expect("an address").port();
        let offered = Router::new().method_fn(ECHO, |value: Raw| value).method_fn(
            "later",
            async |text: Option<String>| {
                tokio::task::yield_now().await;
                text
            },
        );
        let client = Client::builder(address(port, framing)).router(offered);
        let client = client.timeout(PATIENCE * 2).build().expect("a client");
        let (ready, accepted) = tokio::join!(client.ready(), self.listener.accept());
        ready.expect("a connection");
        let (stream, _) = accepted.expect("a connection");
        let mut peer = Peer::new(stream, framing);

        let (calls, received) = Calls::new(&client, &mut peer, buffer).await;
        let script = Script::new(framing, text);
        let (messages, end) = script.received();
        let mut ledger = Ledger::default();
        let mut expected = Expected::of(&received);
        for message in &messages {
            let message = read(message);
            ledger.send(&message);
            expected.take(message);
        }
        if let Err(error) = end
            && error.is_answered()
        {
            ledger.owe_parse_error();
        }
        let stays = end.is_ok() && !expected.is_closed();

        peer.play(&script, pieces).await;
        if cuts {
            peer.cut();
        } else {
            while stays && answered && !ledger.is_settled() {
                let Some(message) = peer.next(&ledger).await else {
                    panic!("it has closed; no answer to {ledger}");
                };
                ledger.receive(&message);
            }
            if stays {
                peer.finish().await;
            }
            // Otherwise the client closes the connection.
            while let Some(message) = peer.next(&ledger).await {
                ledger.receive(&message);
            }
        }

        for (id, call) in calls.single {
            compare(&expected, id, &done(call).await, cuts);
        }
        for (id, outcome) in done(calls.batch).await {
            compare(&expected, id, &outcome, cuts);
        }
        compare_items(&expected, done(calls.items).await, cuts, buffer);
        stays
    }
}

/// Compares the outcome of a call. If the connection was cut, the response may have been lost.
fn compare(expected: &Expected, id: &str, outcome: &Result<Raw, Error>, cuts: bool) {
    let came = match outcome {
        Ok(result) => CallOutcome::Result(result.get().to_owned()),
        Err(error) => told(error),
    };
    let expected = expected.told(id);
    let lost = cuts && came == CallOutcome::Lost;
    assert!(came == expected || lost, "{id}: {came:?}, not {expected:?}");
}

fn told(error: &Error) -> CallOutcome {
    match error.kind() {
        ErrorKind::Refused(error) => CallOutcome::Error(error.to_json()),
        ErrorKind::Unknown if error.is_closed() => CallOutcome::Lost,
        ErrorKind::Unknown if error.is_invalid_answer() => CallOutcome::Malformed,
        _ => panic!("{error}"),
    }
}

fn compare_items(
    expected: &Expected,
    came: Result<Vec<Result<Raw, StreamError>>, Error>,
    cuts: bool,
    buffer: usize,
) {
    let came = match came {
        Ok(came) => came,
        Err(error) => {
            let (came, said) = (told(&error), expected.told(SUBSCRIBE));
            let no_id = came == CallOutcome::Malformed && matches!(said, CallOutcome::Result(_));
            let lost = cuts && came == CallOutcome::Lost;
            assert!(expected.subscription().is_none() || lost, "{error}");
            assert!(came == said || no_id || lost, "{error}, not {said:?}");
            return;
        }
    };
    assert!(
        expected.subscription().is_some(),
        "there is no subscription"
    );
    let came: Vec<&str> = came.iter().flatten().map(|item| item.get()).collect();
    let items = expected.items();
    if buffer == BUFFERS[0] && !cuts && expected.is_exact() {
        assert_eq!(came, items);
    } else {
        let mut rest = items.iter();
        let all = came.iter().all(|item| rest.any(|sent| sent == item));
        assert!(all || !expected.is_exact(), "{came:?} of {items:?}");
    }
}
