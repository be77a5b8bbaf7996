//! Tests of outages of upstreams, on a network in memory and a paused clock.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use antiphon_proto::ErrorObject;
use tokio::time::{Instant, sleep};

use super::Balanced;
use crate::client::error::{Error, ErrorKind};
use crate::client::handle::Client;
use crate::client::memory_net::Net;
use crate::client::subscription::{StreamError, Subscription};
use crate::router::Router;
use crate::topic::{Cursor, Topic};

/// How often each call has run, by its number.
type Runs = Arc<Mutex<HashMap<u64, u32>>>;

/// A server with a name, and what has run there.
struct Upstream {
    net: Net,
    runs: Runs,
}

impl Upstream {
    fn new(name: &'static str, topic: &Topic<u64>, runs: &Runs) -> Self {
        let (told, topic) = (Arc::clone(runs), topic.clone());
        let run = move |number: u64| {
            *told.lock().unwrap().entry(number).or_default() += 1;
        };
        let slow = run.clone();
        let router = Router::new()
            .method_fn("name", move |number: u64| {
                run(number);
                name
            })
            .method_fn("slow", move |number: u64, millis: u64| {
                slow(number);
                async move {
                    sleep(Duration::from_millis(millis)).await;
                    name
                }
            })
            .method_fn("fail", || Err::<(), _>(ErrorObject::new(7, "no")))
            .method_fn("numbers", move || topic.subscribe("k"));
        Self {
            net: Net::new(router),
            runs: Arc::clone(runs),
        }
    }

    fn runs(&self) -> usize {
        self.runs
            .lock()
            .unwrap()
            .values()
            .map(|n| *n as usize)
            .sum()
    }
}

/// Two upstreams that count for themselves, and their client.
fn two() -> ([Upstream; 2], Client) {
    let topic = Topic::builder("numbers").history(100).build();
    let upstreams = ["a", "b"].map(|name| Upstream::new(name, &topic, &Runs::default()));
    let client = balanced(&upstreams);
    (upstreams, client)
}

fn balanced(upstreams: &[Upstream; 2]) -> Client {
    let clients = upstreams.iter().map(|upstream| upstream.net.client(None));
    Balanced::of(clients).build().unwrap()
}

/// An outcome in a few words.
fn word(outcome: Result<String, Error>) -> String {
    match outcome {
        Ok(name) => name,
        Err(error) if error.is_timeout() => "late".to_owned(),
        Err(error) => match error.kind() {
            ErrorKind::NotSent => "not sent".to_owned(),
            ErrorKind::Unknown => "unknown".to_owned(),
            ErrorKind::Refused(error) => error.code().0.to_string(),
            _ => error.to_string(),
        },
    }
}

/// What happens to the upstreams, the first of which gets the call.
#[derive(Clone, Copy, Debug)]
enum Outage {
    None,
    /// The first one cannot be reached.
    Down,
    BothDown,
    /// The first one is cut off while the call runs there.
    Cut,
    BothCut,
}

#[tokio::test(start_paused = true)]
async fn what_a_caller_gets_when_upstreams_fail() {
    use Outage::{BothCut, BothDown, Cut, Down, None};
    for (outage, method, idempotent, expected, runs) in [
        (None, "name", false, "a", [1, 0]),
        (None, "slow", false, "a", [1, 0]),
        (None, "fail", true, "7", [0, 0]),
        (Down, "name", false, "b", [0, 1]),
        (Down, "slow", true, "b", [0, 1]),
        (BothDown, "name", false, "not sent", [0, 0]),
        (BothDown, "name", true, "not sent", [0, 0]),
        (Cut, "slow", false, "unknown", [1, 0]),
        (Cut, "slow", true, "b", [1, 1]),
        (BothCut, "slow", false, "unknown", [1, 0]),
        (BothCut, "slow", true, "unknown", [1, 1]),
    ] {
        let what = format!("{outage:?} {method} {idempotent}");
        let ([a, b], client) = two();
        a.net.set_up(!matches!(outage, Down | BothDown));
        b.net.set_up(!matches!(outage, BothDown));
        if matches!(outage, Cut | BothCut) {
            let net = a.net.clone();
            let other = b.net.clone();
            tokio::spawn(async move {
                sleep(Duration::from_millis(50)).await;
                net.cut();
                if matches!(outage, BothCut) {
                    sleep(Duration::from_millis(50)).await;
                    other.cut();
                }
            });
        }
        let call = match method {
            "slow" => client.call::<String>(method, (1, 100)),
            "name" => client.call(method, (1,)),
            _ => client.call(method, ()),
        };
        let call = if idempotent { call.idempotent() } else { call };
        assert_eq!(word(call.await), expected, "{what}");
        assert_eq!([a.runs(), b.runs()], runs, "{what}");
        assert!(
            client
                .upstreams()
                .iter()
                .all(|upstream| upstream.in_flight == 0),
            "{what}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn all_attempts_end_at_the_deadline_of_the_call() {
    let ([a, b], client) = two();
    let net = a.net.clone();
    tokio::spawn(async move {
        sleep(Duration::from_millis(600)).await;
        net.cut();
    });
    let began = Instant::now();
    let call = client.call::<String>("slow", (1, 60_000)).idempotent();
    let call = call.timeout(Duration::from_secs(1));
    assert_eq!(word(call.await), "late");
    assert_eq!(began.elapsed().as_millis(), 1000);
    assert_eq!([a.runs(), b.runs()], [1, 1]);
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_is_down_is_asked_by_one_call_after_each_pause() {
    let ([a, b], client) = two();
    a.net.set_up(false);
    for _ in 0..20 {
        assert_eq!(word(client.call("name", (1,)).await), "b");
    }
    let up = || {
        client
            .upstreams()
            .iter()
            .map(|status| status.is_up)
            .collect::<Vec<_>>()
    };
    assert_eq!((up(), a.net.accepted()), (vec![false, true], 0));
    a.net.set_up(true);
    // The first pause is at most half a second.
    sleep(Duration::from_millis(500)).await;
    let mut names = Vec::new();
    for _ in 0..4 {
        names.push(word(client.call("name", (1,)).await));
    }
    assert_eq!((names[0].as_str(), up()), ("a", vec![true, true]));
    assert!(names.contains(&"b".to_owned()), "{names:?}");
    assert_eq!(b.net.accepted(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_ended_meanwhile_fails_no_call() {
    let ([a, b], client) = two();
    for round in 0..10 {
        for _ in 0..2 {
            let outcome = word(client.call("name", (round,)).await);
            assert!(["a", "b"].contains(&outcome.as_str()), "{round}: {outcome}");
        }
        a.net.cut();
        b.net.cut();
        sleep(Duration::from_secs(60)).await;
    }
    assert!(client.upstreams().iter().all(|upstream| upstream.is_up));
}

#[tokio::test(start_paused = true)]
async fn a_batch_goes_to_one_upstream_as_a_whole() {
    for (down, expected) in [(false, "a"), (true, "b")] {
        let ([a, b], client) = two();
        a.net.set_up(!down);
        let mut batch = client.batch();
        let tickets: Vec<_> = (0..5).map(|n| batch.call::<String>("name", (n,))).collect();
        batch.notify("name", (9,));
        let mut responses = batch.send().await.unwrap();
        for ticket in tickets {
            assert_eq!(responses.take(ticket).unwrap(), expected);
        }
        let runs = if down { [0, 6] } else { [6, 0] };
        assert_eq!([a.runs(), b.runs()], runs);
    }
}

async fn next(items: &mut Subscription<u64>) -> String {
    match items.next().await {
        Some(Ok(n)) => n.to_string(),
        Some(Err(StreamError::Gap { missed })) => format!("gap {missed:?}"),
        Some(Err(error)) => format!("{error:?}"),
        None => "end".to_owned(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_subscription_goes_on_at_another_upstream() {
    for (what, shared, expected) in [
        ("the other one has the same topic", true, &["2", "3"][..]),
        (
            "the other one does not know the cursor",
            false,
            &["gap None", "20", "3"],
        ),
    ] {
        let first = Topic::builder("numbers").history(100).build();
        let second = match shared {
            true => first.clone(),
            false => Topic::builder("numbers").history(100).build(),
        };
        let runs = Runs::default();
        let upstreams = [
            Upstream::new("a", &first, &runs),
            Upstream::new("b", &second, &runs),
        ];
        let client = balanced(&upstreams);
        let mut items = client.subscribe::<u64>("numbers", ()).await.unwrap();
        first.publish("k", &1);
        assert_eq!(next(&mut items).await, "1", "{what}");
        upstreams[0].net.set_up(false);
        upstreams[0].net.cut();
        first.publish("k", &2);
        if !shared {
            second.publish("k", &20);
        }
        let later = second.clone();
        tokio::spawn(async move {
            sleep(Duration::from_secs(5)).await;
            later.publish("k", &3);
        });
        for expected in expected {
            assert_eq!(next(&mut items).await, *expected, "{what}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_stops_is_left_while_its_calls_end() {
    let topic = Topic::builder("numbers").history(100).build();
    let upstreams = ["a", "b"].map(|name| Upstream::new(name, &topic, &Runs::default()));
    let client = balanced(&upstreams);
    let mut items = client.subscribe::<u64>("numbers", ()).await.unwrap();
    topic.publish("k", &1);
    assert_eq!(next(&mut items).await, "1");
    let calls = [1, 2].map(|number| {
        let call = client.call::<String>("slow", (number, 3_600_000));
        tokio::spawn(call.timeout(None).into_future())
    });
    sleep(Duration::from_millis(1)).await;
    upstreams.iter().for_each(|upstream| upstream.net.stop());
    let began = Instant::now();
    sleep(Duration::from_millis(1)).await;
    for item in 2..5 {
        topic.publish("k", &item);
        assert_eq!(next(&mut items).await, item.to_string());
    }
    assert!(began.elapsed() < Duration::from_secs(2));
    for call in calls {
        assert!(call.await.unwrap().is_ok());
    }
}

#[tokio::test(start_paused = true)]
async fn a_subscription_waits_for_as_long_as_no_upstream_is_there() {
    let topic = Topic::builder("numbers").history(100).build();
    let upstreams = ["a", "b"].map(|name| Upstream::new(name, &topic, &Runs::default()));
    let client = balanced(&upstreams);
    let mut items = client
        .subscribe::<u64>("numbers", ())
        .after(Cursor::from("x"));
    items = items.buffer(8);
    let mut items = items.await.unwrap();
    topic.publish("k", &1);
    assert_eq!(next(&mut items).await, "gap None");
    assert_eq!(next(&mut items).await, "1");
    for upstream in &upstreams {
        upstream.net.set_up(false);
        upstream.net.cut();
    }
    topic.publish("k", &2);
    let again = upstreams[1].net.clone();
    tokio::spawn(async move {
        sleep(Duration::from_secs(3600)).await;
        again.set_up(true);
    });
    assert_eq!(next(&mut items).await, "2");
}

/// A small generator of numbers, so that a failure can be repeated.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, max: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % max
    }
}

/// Whatever happens to the upstreams: a call that was answered ran once, one that was not sent never,
/// and one whose outcome is unknown at most once.
#[tokio::test(start_paused = true)]
async fn every_call_has_one_honest_outcome() {
    for seed in 0..20 {
        let topic = Topic::builder("numbers").build();
        let runs = Runs::default();
        let upstreams = ["a", "b"].map(|name| Upstream::new(name, &topic, &runs));
        let client = balanced(&upstreams);
        let nets = upstreams.each_ref().map(|upstream| upstream.net.clone());
        let mut numbers = Numbers(seed);
        let chaos = tokio::spawn(async move {
            let mut numbers = Numbers(seed + 1000);
            loop {
                sleep(Duration::from_millis(numbers.below(60))).await;
                let net = &nets[numbers.below(2) as usize];
                match numbers.below(4) {
                    0 => net.set_up(false),
                    1 => net.cut(),
                    _ => net.set_up(true),
                }
            }
        });
        let mut calls = Vec::new();
        for number in 0..200 {
            let call = client.call::<String>("slow", (number, numbers.below(30)));
            let call = call.timeout(Duration::from_millis(20 + numbers.below(40)));
            calls.push(tokio::spawn(call.into_future()));
            sleep(Duration::from_millis(numbers.below(8))).await;
        }
        let mut seen = HashMap::<String, u32>::new();
        for (number, call) in (0..).zip(calls) {
            let outcome = call.await.unwrap();
            let ran = runs
                .lock()
                .unwrap()
                .get(&number)
                .copied()
                .unwrap_or_default();
            let kind = match &outcome {
                Ok(_) => "answered",
                Err(error) => match error.kind() {
                    ErrorKind::NotSent => "not sent",
                    ErrorKind::Unknown => "unknown",
                    // The server's own deadline for the call.
                    ErrorKind::Refused(_) => "refused",
                    kind => panic!("{seed} {number}: {kind:?}"),
                },
            };
            let is_honest = match kind {
                "answered" => ran == 1,
                "not sent" => ran == 0,
                _ => ran <= 1,
            };
            assert!(is_honest, "{seed} {number}: {kind}, and it ran {ran} times");
            *seen.entry(kind.to_owned()).or_default() += 1;
        }
        chaos.abort();
        assert!(
            seen.get("answered").is_some_and(|count| *count > 0),
            "{seed}: {seen:?}"
        );
        assert!(
            client
                .upstreams()
                .iter()
                .all(|upstream| upstream.in_flight == 0),
            "{seed}"
        );
    }
}
