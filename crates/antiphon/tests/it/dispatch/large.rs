//! Tests of large parameters: they are decoded on another thread, and others go on meanwhile.

use std::collections::HashMap;
use std::future::pending;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use antiphon::client::{Client, ClientBuilder};
use antiphon::{
    CallFuture, Context, Dispatcher, HttpService, Limits, Method, Route, Router, Server,
};
use http::Request;
use serde::de::{Deserialize, Deserializer};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};
use tokio::time::{sleep, timeout};
use tower::ServiceExt as _;

use super::quiet;
use crate::support::counter::{Counter, Gauge};
use crate::support::{ask, batch, call, code, codes, notification};

/// Time limit after which a test counts as hung.
const TEST_TIMEOUT: Duration = Duration::from_secs(20);

/// Parameters that are decoded as soon as the test says so.
#[derive(Clone, Default)]
struct Gate {
    entered: Counter,
    decoding: Gauge,
    open: Arc<Mutex<Option<Receiver<()>>>>,
}

static GATES: LazyLock<Mutex<HashMap<u64, Gate>>> = LazyLock::new(Mutex::default);

/// A parameter, the number of its gate.
struct Gated(u64);

impl<'de> Deserialize<'de> for Gated {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = u64::deserialize(deserializer)?;
        let gate = GATES.lock().unwrap().get(&number).unwrap().clone();
        let _decoding = gate.decoding.enter();
        gate.entered.add();
        let open = gate.open.lock().unwrap();
        let opened = open.as_ref().unwrap().recv_timeout(TEST_TIMEOUT);
        drop(open);
        opened.expect("the gate stays closed, or nobody else runs");
        Ok(Self(number))
    }
}

/// A gate; whoever sends lets one parameter through.
fn gate() -> (u64, Gate, Sender<()>) {
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
    let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let (opens, opened) = channel();
    let gate = Gate::default();
    *gate.open.lock().unwrap() = Some(opened);
    GATES.lock().unwrap().insert(number, gate.clone());
    (number, gate, opens)
}

/// Parameters above 256 KiB whose first one is gated.
fn large(number: u64) -> String {
    format!("[{number},\"{}\"]", "x".repeat(300 * 1024))
}

fn router() -> Router {
    let block = Method::new("block", |call| {
        CallFuture::blocking(&call.context(), move || call.answer(Ok(1)))
    });
    Router::new()
        .method_fn("gate", |gate: Gated, rest: String| (gate.0, rest.len()))
        .method_fn("gate_later", |gate: Gated, _rest: String| async move {
            tokio::task::yield_now().await;
            gate.0
        })
        .method_fn("gate_never", |gate: Gated, _rest: String| async move {
            pending::<()>().await;
            gate.0
        })
        .method_fn("value", |value: Value| value.as_array().map(Vec::len))
        .method_fn("boom", |_rest: String| -> bool { panic!("S3CR3T") })
        .method_fn("left", |ctx: Context, _rest: String| {
            ctx.deadline().is_some()
        })
        .method_fn("now", || "done")
        .method(block)
}

fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn two_threads() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().unwrap()
}

/// A client, and what its calls need to go on.
struct Carrier {
    name: &'static str,
    client: Client,
}

/// Without a timeout: on a busy machine it takes long until a large message is decoded.
fn limits() -> Limits {
    Limits::default().call_timeout(None).batch_timeout(None)
}

async fn served(name: &'static str, bind: &str, scheme: Option<&str>) -> Carrier {
    let server = Server::new(router()).configure(|settings| settings.calls = limits());
    let listening = server.bind(bind).listen().await.unwrap();
    let url = listening.url();
    let url = match scheme {
        Some(scheme) => url.replacen("http", scheme, 1),
        None => url,
    };
    tokio::spawn(listening.serve());
    let client = Client::builder(url).timeout(None).build().unwrap();
    Carrier { name, client }
}

async fn carriers() -> Vec<Carrier> {
    let build = |builder: ClientBuilder| builder.timeout(None).build().unwrap();
    let dispatcher = router().build_with(limits()).unwrap();
    let mounted = HttpService::new(Route::new(dispatcher.clone()));
    let service = tower::service_fn(move |request: Request<antiphon::client::Body>| {
        mounted.clone().oneshot(request)
    });
    vec![
        Carrier {
            name: "in process",
            client: build(Client::builder("").in_process(&dispatcher)),
        },
        Carrier {
            name: "mounted",
            client: build(Client::builder("http://localhost").service(service)),
        },
        served("http", "127.0.0.1:0", None).await,
        served("websocket", "127.0.0.1:0", Some("ws")).await,
        served("tcp", "tcp://127.0.0.1:0", None).await,
    ]
}

/// While the parameters of one call are decoded, others are answered over the same carrier.
async fn check(carrier: &Carrier) {
    let (name, client) = (carrier.name, &carrier.client);
    for (method, batched) in [("gate", false), ("gate_later", false), ("gate", true)] {
        let (number, gate, opens) = gate();
        let rest = "x".repeat(300 * 1024);
        let calling = tokio::spawn({
            let client = client.clone();
            async move {
                if !batched {
                    return client.call::<Value>(method, (number, rest)).await.unwrap();
                }
                let mut batch = client.batch();
                let _now = batch.call::<Value>("now", ());
                let gate = batch.call::<Value>(method, (number, rest));
                let mut answers = batch.send().await.unwrap();
                answers.take(gate).unwrap()
            }
        });
        gate.entered.reach(1).await;
        for _ in 0..20 {
            let now = timeout(TEST_TIMEOUT, client.call::<String>("now", ()));
            assert_eq!(now.await.expect(name).unwrap(), "done", "{name}");
        }
        assert!(!calling.is_finished(), "{name}");
        opens.send(()).unwrap();
        let answer = calling.await.unwrap();
        let expected = match method {
            "gate" => json!([number, 300 * 1024]),
            _ => json!(number),
        };
        assert_eq!(answer, expected, "{name}");
    }
}

#[test]
fn others_are_answered_while_large_parameters_are_decoded() {
    for runtime in [current_thread(), two_threads()] {
        runtime.block_on(async {
            for carrier in carriers().await {
                check(&carrier).await;
            }
        });
    }
}

#[test]
fn nine_mebibytes_are_decoded_wherever_they_come_from() {
    const VALUES: usize = 900_000;
    let params = json!([vec![json!("seven!!"); VALUES]]);
    for runtime in [current_thread(), two_threads()] {
        runtime.block_on(async {
            for Carrier { name, client } in carriers().await {
                let params = params.as_array().unwrap().clone();
                let count: usize = client.call("value", params).await.expect(name);
                assert_eq!(count, VALUES, "{name}");
            }
        });
    }
}

#[test]
fn without_a_runtime_large_parameters_are_decoded_where_they_are() {
    let (number, _gate, opens) = gate();
    opens.send(()).unwrap();
    let dispatcher = router().build().unwrap();
    let mut handled = Box::pin(dispatcher.handle(call("1", "gate", &large(number))));
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    let std::task::Poll::Ready(answer) = handled.as_mut().poll(&mut cx) else {
        panic!("it waits")
    };
    let answer: Value = serde_json::from_slice(&answer.unwrap()).unwrap();
    assert_eq!(answer["result"], json!([number, 300 * 1024]));
}

/// Waits, in real time, until this many calls are in flight.
async fn until_in_flight(dispatcher: &Dispatcher, count: usize) {
    for _ in 0..4_000 {
        if dispatcher.in_flight() == count {
            return;
        }
        sleep(Duration::from_millis(5)).await;
    }
    panic!("{} of {count} calls in flight", dispatcher.in_flight());
}

#[tokio::test]
async fn a_call_with_large_parameters_has_a_place_until_they_are_decoded() {
    let limits = Limits::default().max_in_flight(1);
    let dispatcher = router().build_with(limits).unwrap();
    let (number, gate, opens) = gate();
    let handle = |message: String| {
        let dispatcher = dispatcher.clone();
        tokio::spawn(async move { ask(&dispatcher, message).await })
    };
    // Its caller goes away, or its time is over: decoding goes on, and holds the place.
    let late = format!(
        r#"{{"jsonrpc":"2.0","id":1,"timeout":1,"method":"gate","params":{}}}"#,
        large(number)
    );
    for (n, message) in [call("1", "gate", &large(number)), late].iter().enumerate() {
        let asking = handle(message.clone());
        gate.entered.reach(n + 1).await;
        match n {
            0 => {
                asking.abort();
                assert!(asking.await.unwrap_err().is_cancelled());
            }
            _ => assert_eq!(code(&asking.await.unwrap()), -32001),
        }
        assert_eq!(dispatcher.in_flight(), 1);
        let refused = ask(&dispatcher, call("2", "gate", &large(number))).await;
        assert_eq!(code(&refused), -32000);
        assert_eq!(gate.entered.get(), n + 1, "nothing is decoded for it");
        // A method that nobody has takes no place, and what is ready neither.
        let unknown = ask(&dispatcher, call("3", "unknown", &large(number))).await;
        assert_eq!(code(&unknown), -32601);
        let now = call("4", "now", "[]");
        assert_eq!(codes(&ask(&dispatcher, batch([now])).await), [0]);
        opens.send(()).unwrap();
        until_in_flight(&dispatcher, 0).await;
    }
    // It keeps its place while its method waits, and gives it to a thread where that may block.
    let never = handle(call("1", "gate_never", &large(number)));
    opens.send(()).unwrap();
    gate.entered.reach(3).await;
    assert_eq!(dispatcher.in_flight(), 1);
    never.abort();
    until_in_flight(&dispatcher, 0).await;
    for _ in 0..3 {
        let blocks = ask(&dispatcher, call("1", "block", &large(number))).await;
        assert_eq!(blocks["result"], 1);
        until_in_flight(&dispatcher, 0).await;
    }
}

#[tokio::test]
async fn what_panics_on_another_thread_is_an_internal_error() {
    quiet();
    let layer = tower::limit::ConcurrencyLimitLayer::new(10);
    let rest = format!("[\"{}\"]", "x".repeat(300 * 1024));
    for dispatcher in [
        router().build().unwrap(),
        router().layer(layer).build().unwrap(),
    ] {
        let boom = ask(&dispatcher, call("1", "boom", &rest)).await;
        assert_eq!(code(&boom), -32603);
        assert!(boom["error"]["data"]["incident"].is_string());
        let left = ask(&dispatcher, call("1", "left", &rest)).await;
        assert_eq!(left["result"], true);
        let wrong = ask(&dispatcher, call("1", "value", &format!("{rest}x"))).await;
        assert_eq!(code(&wrong), -32700);
        let wrong = ask(&dispatcher, call("1", "gate", &rest)).await;
        assert_eq!(code(&wrong), -32602);
        assert_eq!(dispatcher.in_flight(), 0);
    }
}

#[tokio::test]
async fn layers_do_not_keep_large_parameters_on_the_thread() {
    let layer = tower::limit::ConcurrencyLimitLayer::new(10);
    let (number, gate, opens) = gate();
    let dispatcher = router().layer(layer).build().unwrap();
    let asking = tokio::spawn({
        let dispatcher = dispatcher.clone();
        async move { ask(&dispatcher, call("1", "gate", &large(number))).await }
    });
    gate.entered.reach(1).await;
    let now = ask(&dispatcher, call("2", "now", "[]")).await;
    assert_eq!(now["result"], "done");
    opens.send(()).unwrap();
    assert_eq!(asking.await.unwrap()["result"][0], number);
}

#[tokio::test]
async fn no_more_are_decoded_at_the_same_time_than_there_are_cores() {
    let cores = std::thread::available_parallelism().unwrap().get();
    let (number, gate, opens) = gate();
    let dispatcher = router().build().unwrap();
    let asking: Vec<_> = (0..cores + 2)
        .map(|_| {
            let dispatcher = dispatcher.clone();
            tokio::spawn(async move { ask(&dispatcher, call("1", "gate", &large(number))).await })
        })
        .collect();
    gate.entered.reach(1).await;
    until_in_flight(&dispatcher, cores + 2).await;
    asking.iter().for_each(|_| opens.send(()).unwrap());
    for asking in asking {
        assert_eq!(code(&asking.await.unwrap()), 0);
    }
    assert!(gate.decoding.peak() <= cores, "{}", gate.decoding.peak());
}

/// A notification whose parameters are decoded on another thread holds back what follows it.
#[tokio::test]
async fn a_large_notification_comes_before_what_follows_it() {
    let order = Arc::new(Mutex::new(Vec::new()));
    let (first, second) = (Arc::clone(&order), Arc::clone(&order));
    let router = Router::new()
        .method_fn("gate", move |_gate: Gated, _rest: String| {
            first.lock().unwrap().push("gate");
        })
        .method_fn("now", move || second.lock().unwrap().push("now"));
    let (number, gate, opens) = gate();
    let listening = Server::new(router).bind("tcp://127.0.0.1:0");
    let listening = listening.listen().await.unwrap();
    let address = *listening.addresses().first().unwrap();
    tokio::spawn(listening.serve());
    let mut peer = tokio::net::TcpStream::connect(address).await.unwrap();
    let lines = [
        notification("gate", &large(number)),
        call("1", "now", "[]"),
        String::new(),
    ];
    tokio::io::AsyncWriteExt::write_all(&mut peer, lines.join("\n").as_bytes())
        .await
        .unwrap();
    gate.entered.reach(1).await;
    opens.send(()).unwrap();
    let mut answer = vec![0; 1024];
    let read = tokio::io::AsyncReadExt::read(&mut peer, &mut answer);
    assert!(timeout(TEST_TIMEOUT, read).await.unwrap().unwrap() > 0);
    assert_eq!(*order.lock().unwrap(), ["gate", "now"]);
}
