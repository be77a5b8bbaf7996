//! Tests of outages of another server, as a caller of the router that forwards to it sees them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::Remote;
use crate::client::balance::Balanced;
use crate::client::memory_net::Net;
use crate::dispatch::{Dispatcher, Limits};
use crate::router::{Method, Router};

/// How often each call has run at each server, by its number.
type Runs = Arc<Mutex<HashMap<(&'static str, u64), u32>>>;

fn server(name: &'static str, runs: &Runs) -> Net {
    let slow = |method: &'static str| {
        let runs = Arc::clone(runs);
        Method::function(method, move |number: u64, millis: u64| {
            *runs.lock().unwrap().entry((name, number)).or_default() += 1;
            async move {
                sleep(Duration::from_millis(millis)).await;
                name
            }
        })
    };
    let router = Router::new()
        .method(slow("any"))
        .method(slow("again").idempotent())
        .method(slow("look").read_only());
    Net::new(router)
}

/// Two servers, and a router that forwards to them and watches over them.
struct Gateway {
    nets: [Net; 2],
    runs: Runs,
    router: Dispatcher,
}

impl Gateway {
    fn new(check: Option<Duration>) -> Self {
        let runs = Runs::default();
        let nets = ["a", "b"].map(|name| server(name, &runs));
        let clients = nets.iter().map(|net| net.client(None));
        let remote = Remote::of(Balanced::of(clients).build().unwrap()).check(check);
        let router = Router::new().nest("r", remote);
        let limits = Limits::default().call_timeout(Duration::from_secs(30));
        Self {
            nets,
            runs,
            router: router.build_with(limits).unwrap(),
        }
    }

    /// What a call is answered with: the name of a server, or the code of the error and whether the call
    /// may have run.
    async fn call(&self, method: &str, number: u64, millis: u64) -> String {
        let text = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"r.{method}","params":[{number},{millis}]}}"#
        );
        let answer = self.router.handle(text).await.unwrap();
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        match &answer["error"] {
            Value::Null => answer["result"].as_str().unwrap().to_owned(),
            error => format!("{} {}", error["code"], error["data"]["mayHaveRun"]),
        }
    }

    fn runs(&self, number: u64) -> [u32; 2] {
        let runs = self.runs.lock().unwrap();
        ["a", "b"].map(|name| runs.get(&(name, number)).copied().unwrap_or_default())
    }
}

/// What happens to a server while it runs a call.
#[derive(Clone, Copy, Debug)]
enum Outage {
    None,
    Cut,
    Frozen,
}

#[tokio::test(start_paused = true)]
async fn what_a_caller_gets_when_the_server_of_its_call_fails() {
    use Outage::{Cut, Frozen, None};
    let often = Some(Duration::from_secs(2));
    // The answer, how often it has run at the two, and after how many seconds at most.
    for (outage, check, method, expected, runs, most) in [
        (None, often, "any", "a", [1, 0], 1),
        (Cut, often, "any", "-32000 true", [1, 0], 1),
        (Cut, often, "again", "b", [1, 1], 1),
        (Cut, often, "look", "b", [1, 1], 1),
        // Nobody can tell whether it is only slow, so the call has its time.
        (Frozen, often, "any", "-32001 null", [1, 0], 30),
        (Frozen, often, "again", "b", [1, 1], 8),
        (Frozen, often, "look", "b", [1, 1], 8),
        (Frozen, Option::None, "again", "-32001 null", [1, 0], 30),
    ] {
        let what = format!("{outage:?} {check:?} {method}");
        let gateway = Gateway::new(check);
        // They take turns, beginning with the first one, which is asked for its document.
        assert_eq!(gateway.call("any", 1, 0).await, "b", "{what}");
        let began = Instant::now();
        let calling = gateway.call(method, 2, 500);
        let failing = async {
            while gateway.runs(2) == [0, 0] {
                sleep(Duration::from_millis(1)).await;
            }
            match outage {
                None => {}
                Cut => gateway.nets[0].cut(),
                Frozen => gateway.nets[0].freeze(true),
            }
        };
        let (answer, ()) = tokio::join!(calling, failing);
        assert_eq!(answer, expected, "{what}");
        assert_eq!(gateway.runs(2), runs, "{what}");
        let took = began.elapsed();
        assert!(took <= Duration::from_secs(most + 1), "{what}: {took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_stands_still_gets_no_calls_until_it_goes_on() {
    let gateway = Gateway::new(Some(Duration::from_secs(2)));
    for _ in 0..4 {
        gateway.call("any", 1, 0).await;
    }
    gateway.nets[0].freeze(true);
    // Two checks that are not answered.
    sleep(Duration::from_secs(8)).await;
    for number in 10..30 {
        let began = Instant::now();
        assert_eq!(gateway.call("any", number, 1).await, "b");
        assert!(began.elapsed() < Duration::from_secs(1));
    }
    gateway.nets[0].freeze(false);
    sleep(Duration::from_secs(8)).await;
    let mut answers = Vec::new();
    for number in 30..50 {
        answers.push(gateway.call("any", number, 1).await);
        assert_eq!(gateway.runs(number).iter().sum::<u32>(), 1);
    }
    assert!(answers.contains(&"a".to_owned()), "it is back");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_gone_is_found_without_a_call_and_so_is_its_return() {
    let gateway = Gateway::new(Some(Duration::from_secs(2)));
    for _ in 0..4 {
        gateway.call("any", 1, 0).await;
    }
    for is_up in [false, true, false] {
        gateway.nets[0].set_up(is_up);
        gateway.nets[0].cut();
        sleep(Duration::from_secs(5)).await;
        let mut answers = Vec::new();
        for number in 0..20 {
            answers.push(gateway.call("any", number, 0).await);
        }
        assert_eq!(answers.contains(&"a".to_owned()), is_up);
        assert!(answers.contains(&"b".to_owned()));
    }
    // Without any server the answer comes at once.
    gateway.nets[1].set_up(false);
    gateway.nets[1].cut();
    sleep(Duration::from_secs(5)).await;
    let began = Instant::now();
    assert_eq!(gateway.call("any", 99, 0).await, "-32000 false");
    assert!(began.elapsed() < Duration::from_secs(1));
    assert_eq!(json!(gateway.runs(99)), json!([0, 0]));
}
