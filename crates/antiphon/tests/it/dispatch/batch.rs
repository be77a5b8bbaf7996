//! Tests of batches: which entries run, their order and concurrency, the size of the response.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use antiphon::{Dispatcher, Limits, Router};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::support::counter::{Counter, Gauge};
use crate::support::{INVALID_REQUEST, ask, batch, call, code, codes, notification};

/// `sleep(ms)` returns its parameter after that time, `count` returns at once.
fn dispatcher(ran: &Counter, gauge: &Gauge, limits: Limits) -> Dispatcher {
    let (counted, slept, gauge) = (ran.clone(), ran.clone(), gauge.clone());
    Router::new()
        .method_fn("count", move || counted.add())
        .method_fn("sleep", move |ms: u64| {
            let (slept, gauge) = (slept.clone(), gauge.clone());
            async move {
                let _entered = gauge.enter();
                slept.add();
                sleep(Duration::from_millis(ms)).await;
                ms
            }
        })
        .build_with(limits)
        .unwrap()
}

fn calls(count: usize, method: &str, params: &str) -> String {
    batch((0..count).map(|id| call(&id.to_string(), method, params)))
}

#[tokio::test]
async fn a_batch_may_have_as_many_entries_as_the_limit_and_no_more() {
    let ran = Counter::default();
    let dispatcher = dispatcher(&ran, &Gauge::default(), Limits::default());
    for (count, answers) in [(1, 1), (99, 99), (100, 100)] {
        let before = ran.get();
        let answer = ask(&dispatcher, calls(count, "count", "[]")).await;
        assert_eq!(answer.as_array().unwrap().len(), answers);
        assert_eq!(ran.get() - before, count);
    }
    let before = ran.get();
    for count in [101, 1_000, 100_000] {
        let answer = dispatcher.handle(calls(count, "count", "[]")).await;
        assert_eq!(answer.unwrap(), INVALID_REQUEST, "{count}");
        let junk = format!("[{}1]", "1,".repeat(count - 1));
        let answer = dispatcher.handle(junk).await.unwrap();
        assert_eq!(answer, INVALID_REQUEST, "{count}");
    }
    assert_eq!(
        ran.get(),
        before,
        "nothing of a batch that is too long runs"
    );
}

#[tokio::test]
async fn a_syntax_error_takes_precedence_over_the_batch_limit() {
    let dispatcher = dispatcher(&Counter::default(), &Gauge::default(), Limits::default());
    let broken = format!("[{}1", "1,".repeat(500));
    let answer = ask(&dispatcher, broken).await;
    assert_eq!((code(&answer), &answer["id"]), (-32700, &Value::Null));
}

#[tokio::test]
async fn each_invalid_entry_gets_an_error_of_its_own() {
    let ran = Counter::default();
    let dispatcher = dispatcher(&ran, &Gauge::default(), Limits::default());
    let cases: [(&str, &[i64]); 5] = [
        ("[1]", &[-32600]),
        ("[[]]", &[-32600]),
        ("[{},null]", &[-32600, -32600]),
        (r#"[{"jsonrpc":"2.0","result":1,"id":3}]"#, &[-32600]),
        (
            r#"[{"jsonrpc":"2.0","method":"count"},7,{"jsonrpc":"2.0","method":"count","id":null}]"#,
            &[-32600, 0],
        ),
    ];
    for (message, expected) in cases {
        assert_eq!(
            codes(&ask(&dispatcher, message).await),
            expected,
            "{message}"
        );
    }
    assert_eq!(ran.get(), 2);
}

#[tokio::test]
async fn a_batch_of_notifications_runs_them_all_and_gets_no_response() {
    let ran = Counter::default();
    let dispatcher = dispatcher(&ran, &Gauge::default(), Limits::default());
    let message = batch([
        notification("count", "[]"),
        notification("none", "[]"),
        notification("count", "[5]"),
        notification("sleep", "[5]"),
    ]);
    assert_eq!(dispatcher.handle(message).await, None);
    assert_eq!(ran.get(), 2);
}

#[tokio::test(start_paused = true)]
async fn responses_are_in_the_order_of_the_requests() {
    let dispatcher = dispatcher(&Counter::default(), &Gauge::default(), Limits::default());
    let delays = [70, 0, 30, 90, 0, 1, 50, 10, 20, 80, 0, 60, 40, 5, 2, 3];
    let entries = (0..).zip(delays).map(|(id, ms)| match ms {
        0 => call(&format!("{id}"), "count", "[]"),
        1 => notification("sleep", "[100]"),
        2 => "[]".to_owned(),
        _ => call(&format!("{id}"), "sleep", &format!("[{ms}]")),
    });
    let answers = ask(&dispatcher, batch(entries)).await;
    let expected: Vec<_> = (0..)
        .zip(delays)
        .filter(|&(_, ms)| ms != 1)
        .map(|(id, ms)| match ms {
            0 => json!({"jsonrpc": "2.0", "id": id, "result": null}),
            2 => serde_json::from_str(INVALID_REQUEST).unwrap(),
            _ => json!({"jsonrpc": "2.0", "id": id, "result": ms}),
        })
        .collect();
    assert_eq!(answers, Value::from(expected));
}

#[tokio::test(start_paused = true)]
async fn entries_start_in_order() {
    let started = Arc::<Mutex<Vec<u64>>>::default();
    let log = Arc::clone(&started);
    let dispatcher = Router::new()
        .method_fn("start", move |n: u64| {
            log.lock().unwrap().push(n);
            sleep(Duration::from_millis(100 - n))
        })
        .build()
        .unwrap();
    let entries = (0..50).map(|n| call("1", "start", &format!("[{n}]")));
    ask(&dispatcher, batch(entries)).await;
    assert_eq!(*started.lock().unwrap(), (0..50).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn the_number_of_concurrent_calls_of_a_batch_is_limited() {
    for (limit, rounds) in [(1, 10), (3, 4), (8, 2), (100, 1)] {
        let gauge = Gauge::default();
        let limits = Limits::default().batch_concurrency(limit);
        let dispatcher = dispatcher(&Counter::default(), &gauge, limits);
        let began = Instant::now();
        let answers = ask(&dispatcher, calls(10, "sleep", "[200]")).await;
        assert_eq!(codes(&answers), [0; 10]);
        assert_eq!(gauge.peak(), limit.min(10));
        assert_eq!(began.elapsed().as_millis() / 200, rounds, "limit {limit}");
    }
    assert_eq!(Limits::default().batch_concurrency, 8);
}

#[tokio::test(start_paused = true)]
async fn with_a_limit_of_zero_concurrent_calls_every_call_is_answered() {
    let mut limits = Limits::default();
    limits.batch_concurrency = 0;
    let dispatcher = dispatcher(&Counter::default(), &Gauge::default(), limits);
    let answers = ask(&dispatcher, calls(3, "sleep", "[5]")).await;
    assert_eq!(codes(&answers), [0; 3]);
}

#[tokio::test]
async fn beyond_the_size_limit_of_a_response_every_call_gets_an_error() {
    let ran = Counter::default();
    let (now, later) = (ran.clone(), ran.clone());
    let text = |size: usize| "x".repeat(size);
    let dispatcher = Router::new()
        .method_fn("now", move |size: usize| {
            now.add();
            text(size)
        })
        .method_fn("later", move |size: usize| {
            later.add();
            async move {
                tokio::task::yield_now().await;
                text(size)
            }
        })
        .build()
        .unwrap();
    let (kibibyte, mebibyte) = (1 << 10, 1 << 20);
    let small = dispatcher.with_limits(Limits::default().max_batch_response(25 * kibibyte));
    for (method, size, dispatcher) in [
        ("now", kibibyte, &small),
        ("later", kibibyte, &small),
        ("now", mebibyte, &dispatcher),
    ] {
        let message = calls(28, method, &format!("[{size}]"));
        let answer = dispatcher.handle(message).await.unwrap();
        assert!(answer.len() <= 25 * size + 28 * 200, "{}", answer.len());
        let answers: Value = serde_json::from_slice(&answer).unwrap();
        let answers = answers.as_array().unwrap();
        let ids: Vec<_> = answers.iter().map(|a| a["id"].as_u64().unwrap()).collect();
        assert_eq!(ids, (0..28).collect::<Vec<_>>(), "{method}");
        let fitting = answers.iter().filter(|a| code(a) == 0).count();
        assert_eq!(fitting, 24, "{method}");
        let refused = answers.iter().filter(|a| code(a) == -32003).count();
        assert_eq!(refused, 28 - fitting, "{method}");
    }

    let before = ran.get();
    let mut entries: Vec<_> = (0..3)
        .map(|_| call("1", "now", &format!("[{}]", 9 * kibibyte)))
        .collect();
    entries.push(notification("now", "[1]"));
    entries.push(call("2", "now", "[1]"));
    let answers = ask(&small, batch(entries)).await;
    assert_eq!(codes(&answers), [0, 0, -32003, 0]);
    assert_eq!(ran.get() - before, 5, "what is small still fits");
}
