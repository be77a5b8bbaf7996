//! Tests with a greedy client: floods, idle connections, responses that are not read.

use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use antiphon::{Context, ErrorObject, Router, Server, Settings};
use futures_core::Stream;
use tokio::io::AsyncWriteExt as _;
use tokio::time::sleep;

use super::raw::RawWebSocket;
use super::raw::{MethodCounters, RawPeer, SessionServer, cancel, result, router};
use crate::support::counter::Counter;
use crate::support::{call, code};

const OVERLOADED: i64 = -32000;
const CANCELLED: i64 = -32800;

async fn serve(seen: &MethodCounters, change: impl FnOnce(&mut Settings)) -> SessionServer {
    SessionServer::raw(Server::new(router(seen)).configure(change)).await
}

fn holds(ids: std::ops::Range<u32>) -> Vec<String> {
    ids.map(|id| call(&id.to_string(), "hold", "[]")).collect()
}

#[tokio::test]
async fn only_128_of_a_thousand_slow_calls_run() {
    let seen = MethodCounters::default();
    let server = serve(&seen, |_| {}).await;
    let mut peer = server.connect().await;
    let calls: Vec<_> = (0..1_000)
        .map(|id: u32| call(&id.to_string(), "sleep", "[10]"))
        .collect();
    peer.say(calls).await;
    seen.slept.reach(128).await;
    server.connect().await.answers("another connection").await;
    let mut ids = std::collections::HashSet::new();
    for _ in 0..1_000 {
        let answer = peer.next().await;
        assert_eq!(answer["result"], 10, "{answer}");
        assert!(ids.insert(answer["id"].as_u64()), "{answer}");
    }
    assert_eq!(seen.busy.peak(), 128);
    peer.answers("afterwards").await;
}

#[tokio::test]
async fn a_cancellation_overtakes_waiting_calls() {
    let seen = MethodCounters::default();
    let server = serve(&seen, |_| {}).await;
    let mut peer = server.connect().await;
    peer.say(holds(0..200)).await;
    seen.held.reach(128).await;
    peer.say([cancel("150")]).await;
    let answer = peer.next().await;
    assert_eq!((&answer["id"], code(&answer)), (&150.into(), CANCELLED));
    assert_eq!((seen.held.get(), seen.dropped.get()), (128, 0));
    peer.say([cancel("5")]).await;
    let answer = peer.next().await;
    assert_eq!((&answer["id"], code(&answer)), (&5.into(), CANCELLED));
    // The next waiting call starts in its place.
    seen.held.reach(129).await;
    // A cancelled call is dropped shortly after its permit is free.
    assert!(seen.busy.peak() <= 129);
    drop(peer);
    seen.dropped.reach(129).await;
    server.until_open(0).await;
    assert_eq!(seen.held.get(), 129);
}

/// A cancelled call frees its permit at once, but the number of cancelled calls is bounded, too.
#[tokio::test]
async fn calls_that_are_cancelled_at_once_do_not_accumulate() {
    const CALLS: u32 = 5_000;
    let seen = MethodCounters::default();
    let server = serve(&seen, |_| {}).await;
    let peer = server.connect().await;
    let text: String = (0..CALLS)
        .map(|id| {
            format!(
                "{}\n{}\n",
                call(&id.to_string(), "hold", "[]"),
                cancel(&id.to_string())
            )
        })
        .collect();
    let (mut reading, mut writing) = peer.stream.into_split();
    let sending = tokio::spawn(async move {
        writing.write_all(text.as_bytes()).await.unwrap();
        writing
    });
    let mut answers = Vec::new();
    while answers.iter().filter(|byte| **byte == b'\n').count() < CALLS as usize {
        let read = tokio::io::AsyncReadExt::read_buf(&mut reading, &mut answers);
        let read = tokio::time::timeout(super::raw::TEST_TIMEOUT, read).await;
        assert!(read.expect("nothing comes").unwrap() > 0);
    }
    drop(sending.await.unwrap());
    seen.dropped.reach(seen.held.get()).await;
    let peak = seen.busy.peak();
    assert!(peak <= 3 * 128, "{peak} at a time");
}

/// A server that does not read at the moment still notices that its peer has gone. Running calls
/// end before their deadline, and waiting calls do not start.
#[tokio::test]
async fn a_disconnected_peer_is_noticed_while_nothing_is_read() {
    let seen = MethodCounters::default();
    let server = serve(&seen, |settings| {
        settings.sessions.max_running = 4;
        settings.sessions.max_parked = 4;
    })
    .await;
    let mut peer = server.connect().await;
    peer.say(holds(0..1_000)).await;
    seen.held.reach(4).await;
    drop(peer);
    seen.dropped.reach(4).await;
    server.until_open(0).await;
    assert_eq!(seen.dropped.get(), seen.held.get());
}

/// While the server waits for no response, it stops reading during a flood. While it waits for
/// one, it reads on and refuses the calls beyond the limit, so that the response gets through.
#[tokio::test]
async fn calls_are_refused_only_while_a_response_is_awaited() {
    async fn ask(ctx: Context) -> Result<u64, ErrorObject> {
        let answer = ctx.peer()?.call::<u64>("question", ()).await;
        answer.map_err(|_| ErrorObject::new(1, "no answer"))
    }
    let seen = MethodCounters::default();
    let server = Server::new(router(&seen).method_fn("ask", ask)).configure(|settings| {
        settings.sessions.max_running = 4;
        settings.sessions.max_parked = 8;
    });
    let server = SessionServer::raw(server).await;

    let mut patient = server.connect().await;
    let calls = (0..60).map(|id: u32| call(&id.to_string(), "sleep", "[5]"));
    patient.say(calls).await;
    for _ in 0..60 {
        assert_eq!(patient.next().await["result"], 5);
    }
    assert_eq!(seen.busy.peak(), 4);

    let mut asked = server.connect().await;
    asked.say([call("\"a\"", "ask", "[]")]).await;
    let question = asked.next().await;
    assert_eq!(question["method"], "question");
    // Three calls run, eight wait, and the others are refused.
    asked.say(holds(0..40)).await;
    for id in 11..40 {
        let answer = asked.next().await;
        assert_eq!((&answer["id"], code(&answer)), (&id.into(), OVERLOADED));
    }
    asked.say([result(&question["id"].to_string(), "42")]).await;
    assert_eq!(asked.next().await["result"], 42);
    asked
        .say((0..11).map(|id: u32| cancel(&id.to_string())))
        .await;
    for _ in 0..11 {
        assert_eq!(code(&asked.next().await), CANCELLED);
    }
    asked.answers("afterwards").await;
}

/// Sends repeatedly, as long as the server reads.
fn flood(mut peer: RawPeer, text: String) -> tokio::task::JoinHandle<RawPeer> {
    tokio::spawn(async move {
        let _ = peer.stream.write_all(text.as_bytes()).await;
        peer
    })
}

#[tokio::test]
async fn the_number_of_unread_responses_is_limited() {
    const CALLS: usize = 4_000;
    let seen = MethodCounters::default();
    let made = Counter::default();
    let making = made.clone();
    let router = router(&seen).method_fn("make", move || {
        making.add();
        "x".repeat(64 * 1024)
    });
    let server = Server::new(router).configure(|settings| {
        settings.sessions.max_unwritten = 256 * 1024;
        settings.sessions.write_timeout = Some(Duration::from_millis(300));
    });
    let server = SessionServer::raw(server).await;
    let text: String = (0..CALLS)
        .map(|id| call(&id.to_string(), "make", "[]") + "\n")
        .collect();
    let flooding = flood(server.connect().await, text);
    made.reach(1).await;
    server.connect().await.answers("another connection").await;
    server.until_open(0).await;
    // The buffers of the system at both ends hold a few MiB.
    assert!(made.get() < CALLS / 4, "{} answers were made", made.get());
    drop(flooding.await.unwrap());
}

/// An endless stream of numbers. It counts the items it produces.
struct Endless(u64, Counter);

impl Stream for Endless {
    type Item = String;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut TaskContext<'_>) -> Poll<Option<String>> {
        self.0 += 1;
        self.1.add();
        Poll::Ready(Some("x".repeat(16 * 1024)))
    }
}

/// A stream without items. It counts its end.
struct Quiet(#[allow(dead_code)] crate::support::counter::Guard); // kept, not looked at

impl Stream for Quiet {
    type Item = u64;

    fn poll_next(self: Pin<&mut Self>, _: &mut TaskContext<'_>) -> Poll<Option<u64>> {
        Poll::Pending
    }
}

#[tokio::test]
async fn the_number_of_unread_items_is_limited() {
    for overflow in [antiphon::Overflow::Block, antiphon::Overflow::Disconnect] {
        let made = Counter::default();
        let making = made.clone();
        let endless = move || Endless(0, making.clone());
        let method = antiphon::Method::function("endless", endless).overflow(overflow);
        let server = Server::new(Router::new().method(method)).configure(|settings| {
            settings.sessions.max_queued = 16;
            settings.sessions.max_unwritten = 256 * 1024;
            settings.sessions.write_timeout = Some(Duration::from_millis(300));
        });
        let server = SessionServer::raw(server).await;
        let mut peer = server.connect().await;
        peer.say([call("1", "endless", "[]")]).await;
        assert!(peer.next().await["result"].is_string());
        if overflow == antiphon::Overflow::Block {
            server.until_open(0).await;
            assert!(made.get() < 2_000, "{} items were made", made.get());
        } else {
            // The stream is ended, and the queued items can still be read.
            let last = loop {
                sleep(Duration::from_millis(1)).await;
                let message = peer.next().await;
                if message["params"].get("end").is_some() {
                    break message;
                }
            };
            assert_eq!(last["params"]["end"], "lagged");
        }
    }
}

#[tokio::test]
async fn subscriptions_are_counted_and_end_with_their_session() {
    let ended = Counter::default();
    let ending = ended.clone();
    let router = Router::new()
        .method_fn("add", |a: i64, b: i64| a + b)
        .method_fn("quiet", move || Quiet(ending.guard()));
    let server = Server::new(router).configure(|settings| settings.sessions.max_subscriptions = 3);
    let server = SessionServer::raw(server).await;
    let mut peer = server.connect().await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(peer.call("1", "quiet", "[]").await["result"].to_string());
    }
    assert_eq!(code(&peer.call("1", "quiet", "[]").await), OVERLOADED);
    let many = crate::support::batch([call("1", "quiet", "[]"), call("2", "add", "[1,2]")]);
    peer.say([many]).await;
    assert_eq!(crate::support::codes(&peer.next().await), [OVERLOADED, 0]);

    // A client cannot end a subscription of another session, or one that does not exist.
    let mut other = server.connect().await;
    for (params, expected) in [
        (format!("[{}]", ids[0]), false),
        ("[\"x\"]".to_owned(), false),
    ] {
        let answer = other.call("1", "rpc.unsubscribe", &params).await;
        assert_eq!(answer["result"], expected, "{params}");
    }
    for params in ["[]", "[7]", r#"["a","b"]"#, "[null]"] {
        let answer = other.call("1", "rpc.unsubscribe", params).await;
        assert!(answer["result"] != true, "{params}: {answer}");
    }
    let first = format!("[{}]", ids[0]);
    peer.say([call("1", "rpc.unsubscribe", &first)]).await;
    let mut answers = [peer.next().await, peer.next().await];
    answers.sort_by_key(|answer| answer.get("method").is_some());
    assert_eq!(answers[0]["result"], true);
    assert_eq!(answers[1]["params"]["end"], "unsubscribed");
    ended.reach(1).await;
    assert_eq!(
        peer.call("1", "rpc.unsubscribe", &first).await["result"],
        false
    );
    // A new subscription is possible again.
    assert!(peer.call("1", "quiet", "[]").await["result"].is_string());
    drop(peer);
    ended.reach(4).await;
}

/// A batch with more subscriptions than allowed.
#[tokio::test]
async fn subscriptions_in_a_batch_are_limited() {
    let ended = Counter::default();
    let ending = ended.clone();
    let router = Router::new().method_fn("quiet", move || Quiet(ending.guard()));
    let server = Server::new(router).configure(|settings| settings.sessions.max_subscriptions = 3);
    let server = SessionServer::raw(server).await;
    let mut peer = server.connect().await;
    let calls = (0..10).map(|id: u32| call(&id.to_string(), "quiet", "[]"));
    peer.say([crate::support::batch(calls)]).await;
    let codes = crate::support::codes(&peer.next().await);
    assert_eq!(
        codes.iter().filter(|code| **code == 0).count(),
        3,
        "{codes:?}"
    );
    drop(peer);
    server.until_open(0).await;
}

#[tokio::test]
async fn an_idle_connection_without_calls_ends() {
    let short = Some(Duration::from_millis(50));
    let hour = Some(Duration::from_secs(3600));
    for ping_interval in [None, short, hour] {
        let seen = MethodCounters::default();
        let server = serve(&seen, |settings| {
            settings.idle_timeout = short;
            settings.sessions.ping_interval = ping_interval;
        })
        .await;
        let mut busy = server.connect().await;
        busy.say([call("1", "hold", "[]")]).await;
        seen.held.reach(1).await;
        let idle = server.connect().await;
        assert_eq!(idle.rest().await, [""; 0], "{ping_interval:?}");
        sleep(Duration::from_millis(200)).await;
        busy.say([cancel("1")]).await;
        assert_eq!(code(&busy.next().await), CANCELLED, "{ping_interval:?}");
        assert_eq!(busy.rest().await, [""; 0], "{ping_interval:?}");
    }
}

#[tokio::test]
async fn a_connection_without_a_first_message_ends() {
    let short = Some(Duration::from_millis(100));
    let seen = MethodCounters::default();
    let server = serve(&seen, |settings| settings.header_timeout = short).await;
    let mut used = server.connect().await;
    used.answers("before").await;
    let silent = server.connect().await;
    let mut blank = server.connect().await;
    let blanks = async {
        // Blanks are no message, and so no sign of life.
        for _ in 0..400 {
            if blank.stream.write_all(b" \r\n").await.is_err() {
                return;
            }
            sleep(Duration::from_millis(10)).await;
        }
        panic!("it is not cut off");
    };
    let (rest, ()) = tokio::join!(silent.rest(), blanks);
    assert_eq!(rest, [""; 0]);
    used.answers("afterwards").await;
    assert_eq!(server.handle.connections(), 1);
}

/// In process there are no pings. A call or a subscription keeps the connection open.
#[tokio::test(start_paused = true)]
async fn an_in_process_client_works_after_silence() {
    let seen = MethodCounters::default();
    let limits = antiphon::Limits::default().call_timeout(None);
    let server = router(&seen).build_with(limits).unwrap();
    let client = antiphon::Client::builder("")
        .in_process(&server)
        .build()
        .unwrap();
    client.ready().await.unwrap();
    sleep(Duration::from_secs(100_000)).await;
    let sum = client.call::<i64>("add", (3, 4)).await;
    assert_eq!(sum.ok(), Some(7));
    let slept = client.call::<u64>("sleep", (100_000_000,)).timeout(None);
    assert_eq!(slept.await.ok(), Some(100_000_000));
}

/// Pings are enabled by default, but a raw stream has no pings.
#[tokio::test]
async fn a_silent_raw_stream_is_not_disconnected() {
    let seen = MethodCounters::default();
    let server = serve(&seen, |settings| {
        settings.sessions.ping_interval = Some(Duration::from_millis(20));
        settings.sessions.ping_timeout = Duration::from_millis(20);
    })
    .await;
    let mut busy = server.connect().await;
    let mut idle = server.connect().await;
    busy.say([call("1", "hold", "[]")]).await;
    seen.held.reach(1).await;
    sleep(Duration::from_millis(300)).await;
    idle.answers("idle").await;
    busy.answers("busy").await;
}

async fn pinging(seen: &MethodCounters) -> SessionServer {
    let server = Server::new(router(seen)).bind("127.0.0.1:0");
    let server = server.configure(|settings| {
        settings.sessions.ping_interval = Some(Duration::from_millis(50));
        settings.sessions.ping_timeout = Duration::from_millis(500);
    });
    SessionServer::bound(server).await
}

#[tokio::test]
async fn a_pong_keeps_a_web_socket_open() {
    let seen = MethodCounters::default();
    let server = pinging(&seen).await;
    let mut peer = RawWebSocket::connect(server.address).await;
    for _ in 0..20 {
        let (opcode, payload) = peer.frame().await.unwrap();
        assert_eq!(opcode, RawWebSocket::PING);
        peer.send(RawWebSocket::PONG, &payload).await;
    }
    peer.send(RawWebSocket::TEXT, call("1", "add", "[3,4]").as_bytes())
        .await;
    assert_eq!(peer.next().await["result"], 7);
    assert_eq!(server.handle.connections(), 1);
}

#[tokio::test]
async fn without_a_pong_a_web_socket_is_closed_and_its_calls_end() {
    let seen = MethodCounters::default();
    let server = pinging(&seen).await;
    let mut peer = RawWebSocket::connect(server.address).await;
    peer.send(RawWebSocket::TEXT, call("1", "hold", "[]").as_bytes())
        .await;
    seen.held.reach(1).await;
    let mut pings = 0;
    while let Some((opcode, _)) = peer.frame().await {
        assert_eq!(opcode, RawWebSocket::PING);
        pings += 1;
    }
    // On a busy machine one may leave before the call arrives, which is a sign of life.
    assert!((1..=2).contains(&pings), "{pings}");
    seen.dropped.reach(1).await;
    server.until_open(0).await;
}

/// Close frames are answered, and calls end with the connection.
#[tokio::test]
async fn a_closed_web_socket_ends_its_calls() {
    let seen = MethodCounters::default();
    let server = Server::new(router(&seen)).bind("127.0.0.1:0");
    let server = SessionServer::bound(server).await;
    let mut peer = RawWebSocket::connect(server.address).await;
    peer.send(RawWebSocket::TEXT, call("1", "hold", "[]").as_bytes())
        .await;
    seen.held.reach(1).await;
    peer.send(RawWebSocket::CLOSE, &1000_u16.to_be_bytes())
        .await;
    assert_eq!(
        peer.frame().await,
        Some((RawWebSocket::CLOSE, 1000_u16.to_be_bytes().to_vec()))
    );
    seen.dropped.reach(1).await;
    server.until_open(0).await;
}
