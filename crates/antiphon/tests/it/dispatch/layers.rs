//! Tests of call layers: they see every call once, also in batches, and may answer or refuse it.

use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use antiphon::{BoxError, Call, Endpoint, ErrorObject, Reply, Router};
use serde_json::{Value, json};
use tokio::time::sleep;
use tower::layer::layer_fn;
use tower::limit::ConcurrencyLimitLayer;
use tower::load_shed::LoadShedLayer;
use tower::timeout::TimeoutLayer;
use tower::{Layer, Service, ServiceBuilder, service_fn};

use crate::support::counter::Gauge;
use crate::support::{ask, batch, call, code, codes, notification};

/// A layer that records the names of all calls.
#[derive(Clone, Default)]
struct RecordingLayer(Arc<Mutex<Vec<String>>>);

impl RecordingLayer {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl<S> Layer<S> for RecordingLayer {
    type Service = RecordingService<S>;

    fn layer(&self, inside: S) -> RecordingService<S> {
        RecordingService {
            inside,
            seen: self.clone(),
        }
    }
}

#[derive(Clone)]
struct RecordingService<S> {
    inside: S,
    seen: RecordingLayer,
}

impl<S: Service<Call>> Service<Call> for RecordingService<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inside.poll_ready(cx)
    }

    fn call(&mut self, call: Call) -> S::Future {
        let kind = if call.is_notification() { "!" } else { "" };
        let text = format!("{}{kind}", call.method());
        self.seen.0.lock().unwrap().push(text);
        self.inside.call(call)
    }
}

fn router() -> Router {
    Router::new()
        .method_fn("add", |a: i64, b: i64| a + b)
        .method_fn("sleep", |ms: u64| async move {
            sleep(Duration::from_millis(ms)).await;
            ms
        })
}

#[tokio::test]
async fn a_layer_sees_every_entry_of_a_batch_exactly_once() {
    let seen = RecordingLayer::default();
    let dispatcher = router().layer(seen.clone()).build().unwrap();
    let message = batch([
        call("1", "add", "[1,2]"),
        notification("add", "[1,2]"),
        "7".to_owned(),
        call("2", "none", "[]"),
        call("3", "sleep", "[1]"),
        call("4", "add", "[\"x\",2]"),
    ]);
    let answers = ask(&dispatcher, message).await;
    assert_eq!(codes(&answers), [0, -32600, -32601, 0, -32602]);
    assert_eq!(seen.take(), ["add", "add!", "none", "sleep", "add"]);

    let single = ask(&dispatcher, call("1", "add", "[3,4]")).await;
    assert_eq!(single["result"], 7);
    assert_eq!(seen.take(), ["add"]);
}

#[tokio::test]
async fn a_nested_routers_layer_sees_its_own_methods_only() {
    let [outer, inner, merged] = [
        RecordingLayer::default(),
        RecordingLayer::default(),
        RecordingLayer::default(),
    ];
    let dispatcher = router()
        .nest("calc", router().layer(inner.clone()))
        .merge(Router::new().method_fn("extra", || 1).layer(merged.clone()))
        .layer(outer.clone())
        .build()
        .unwrap();
    for (method, code_expected, in_inner, in_merged) in [
        ("add", 0, 0, 0),
        ("calc.add", 0, 1, 0),
        ("calc.none", -32601, 0, 0),
        ("none", -32601, 0, 0),
        ("extra", 0, 0, 1),
    ] {
        let params = if method == "extra" { "[]" } else { "[1,2]" };
        let answer = ask(&dispatcher, call("1", method, params)).await;
        assert_eq!(code(&answer), code_expected, "{method}: {answer}");
        assert_eq!(outer.take(), [method]);
        assert_eq!(inner.take().len(), in_inner, "{method}");
        assert_eq!(merged.take().len(), in_merged, "{method}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_layers_of_tower_work_and_their_errors_have_codes() {
    let gauge = Gauge::default();
    let inside = gauge.clone();
    let watched = || {
        let inside = inside.clone();
        router().method_fn("watched", move |ms: u64| {
            let entered = inside.enter();
            async move {
                sleep(Duration::from_millis(ms)).await;
                drop(entered);
            }
        })
    };
    let five = |ms| batch((0..5).map(|id| call(&format!("{id}"), "watched", &format!("[{ms}]"))));

    let limited = watched().layer(ConcurrencyLimitLayer::new(2)).build();
    let answers = ask(&limited.unwrap(), five(10)).await;
    assert_eq!(codes(&answers), [0; 5]);
    assert_eq!(gauge.peak(), 2);

    let timed = watched()
        .layer(TimeoutLayer::new(Duration::from_millis(50)))
        .build()
        .unwrap();
    let message = batch([
        call("1", "sleep", "[49]"),
        call("2", "sleep", "[51]"),
        call("3", "add", "[1,2]"),
    ]);
    assert_eq!(codes(&ask(&timed, message).await), [0, -32001, 0]);

    let shed = ServiceBuilder::new()
        .layer(LoadShedLayer::new())
        .layer(ConcurrencyLimitLayer::new(2))
        .into_inner();
    let shedding = watched().layer(shed).build().unwrap();
    let answers = ask(&shedding, five(10)).await;
    assert_eq!(codes(&answers), [0, 0, -32000, -32000, -32000]);
}

#[tokio::test]
async fn a_layer_may_answer_itself_or_refuse() {
    let layer = layer_fn(|inside: Endpoint| {
        service_fn(move |call: Call| {
            let mut inside = inside.clone();
            async move {
                match call.method() {
                    "cached" => Ok(Reply::ok(&json!({"from": "layer"}))),
                    "forbidden" => Err(BoxError::from(ErrorObject::new(403, "not today"))),
                    "refused" => Ok(Reply::error(ErrorObject::new(7, "no"))),
                    "broken" => Err(BoxError::from("a secret")),
                    _ => Ok(inside.call(call).await?),
                }
            }
        })
    });
    let dispatcher = router().layer(layer).build().unwrap();
    for (method, expected) in [
        ("cached", json!({"result": {"from": "layer"}})),
        ("forbidden", json!({"code": 403, "message": "not today"})),
        ("refused", json!({"code": 7, "message": "no"})),
    ] {
        let answer = ask(&dispatcher, call("\"id\"", method, "[]")).await;
        assert_eq!(answer["id"], "id");
        let got = match answer.get("error") {
            Some(error) => error.clone(),
            None => json!({"result": answer["result"]}),
        };
        assert_eq!(got, expected, "{method}");
        let silent = notification(method, "[]");
        assert_eq!(ask(&dispatcher, silent).await, Value::Null, "{method}");
    }
    let broken = ask(&dispatcher, call("1", "broken", "[]")).await;
    assert_eq!(code(&broken), -32603);
    assert!(!broken.to_string().contains("secret"));
    let passed = ask(&dispatcher, call("1", "add", "[1,2]")).await;
    assert_eq!(passed["result"], 3);
}

#[tokio::test]
async fn a_cloned_response_has_the_id_of_its_call() {
    let kept = Arc::new(Mutex::new(None::<Reply>));
    let layer = layer_fn(move |inside: Endpoint| {
        let kept = Arc::clone(&kept);
        service_fn(move |call: Call| {
            let (mut inside, kept) = (inside.clone(), Arc::clone(&kept));
            async move {
                let known = kept.lock().unwrap().clone();
                if let Some(reply) = known {
                    return Ok(reply);
                }
                let reply = inside.call(call).await?;
                *kept.lock().unwrap() = Some(reply.clone());
                Ok::<_, BoxError>(reply)
            }
        })
    });
    let dispatcher = router().layer(layer).build().unwrap();
    for id in ["1", "\"a longer id than the first one was\"", "null", "2"] {
        let answer = dispatcher.handle(call(id, "add", "[1,2]")).await.unwrap();
        let expected = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":3}}"#);
        assert_eq!(answer, expected);
    }
}

#[tokio::test]
async fn a_reply_to_a_notification_is_not_a_result() {
    let kept = Arc::new(Mutex::new(None::<Reply>));
    let layer = layer_fn(move |inside: Endpoint| {
        let kept = Arc::clone(&kept);
        service_fn(move |call: Call| {
            let (mut inside, kept) = (inside.clone(), Arc::clone(&kept));
            async move {
                if call.is_notification() {
                    let reply = inside.call(call).await?;
                    *kept.lock().unwrap() = Some(reply);
                    return Ok(Reply::ok(&()));
                }
                let taken = kept.lock().unwrap().take();
                Ok::<_, BoxError>(taken.unwrap())
            }
        })
    });
    let dispatcher = router().layer(layer).build().unwrap();
    let silent = notification("add", "[1,2]");
    assert_eq!(ask(&dispatcher, silent).await, Value::Null);
    let answer = ask(&dispatcher, call("5", "add", "[1,2]")).await;
    assert_eq!((code(&answer), &answer["id"]), (-32603, &json!(5)));
}

#[tokio::test]
async fn a_method_can_read_the_extensions_of_a_layer() {
    let layer = layer_fn(|inside: Endpoint| {
        service_fn(move |mut call: Call| {
            call.insert::<u32>(42);
            inside.clone().call(call)
        })
    });
    let dispatcher = Router::new()
        .method_fn("read", |ctx: antiphon::Context| ctx.get::<u32>().copied())
        .layer(layer)
        .build()
        .unwrap();
    let answers = ask(&dispatcher, batch([call("1", "read", "[]")])).await;
    assert_eq!(answers[0]["result"], 42);
}
