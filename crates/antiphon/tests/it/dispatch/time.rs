//! Tests of deadlines and of the limit of calls in flight, mostly with paused time.

use std::future::pending;
use std::time::Duration;

use antiphon::{CallFuture, Context, Dispatcher, Limits, Method, Router};
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::support::counter::Counter;
use crate::support::{ask, batch, call, code, codes, notification};

fn router(dropped: &Counter) -> Router {
    let dropped = dropped.clone();
    Router::new()
        .method_fn("never", move || {
            let guard = dropped.guard();
            async move {
                pending::<()>().await;
                drop(guard);
            }
        })
        .method_fn("sleep", |ms: u64| async move {
            sleep(Duration::from_millis(ms)).await;
            ms
        })
        .method_fn("now", || "done")
        .method_fn("left", |ctx: Context| {
            let left = ctx.deadline().map(|at| at.duration_since(Instant::now()));
            left.map(|left| left.as_millis())
        })
}

/// A call with the member `timeout`.
fn within(timeout: &str, method: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","timeout":{timeout}}}"#)
}

#[tokio::test(start_paused = true)]
async fn the_caller_can_shorten_the_time_limit_of_the_server() {
    let dropped = Counter::default();
    let dispatcher = router(&dropped).build().unwrap();
    let cases = [
        (call("1", "never", "[]"), 30_000),
        (within("100", "never"), 100),
        (within("29999", "never"), 29_999),
        (within("60000", "never"), 30_000),
        (within("18446744073709551615", "never"), 30_000),
        (within("0", "never"), 0),
        (batch([within("100", "never")]), 100),
    ];
    for (n, (message, milliseconds)) in cases.iter().enumerate() {
        let began = Instant::now();
        let answer = ask(&dispatcher, message).await;
        let answer = answer.get(0).unwrap_or(&answer);
        assert_eq!(code(answer), -32001, "{message}");
        assert_eq!(answer["id"], 1);
        let elapsed = began.elapsed().as_millis();
        assert_eq!(elapsed, *milliseconds, "{message}");
        assert_eq!(dropped.get(), n + 1, "what is too late is dropped");
        assert_eq!(dispatcher.in_flight(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_limit_of_the_server_the_limit_of_the_caller_holds() {
    let limits = Limits::default().call_timeout(None);
    let dispatcher = router(&Counter::default()).build_with(limits).unwrap();
    let day = call("1", "sleep", "[86400000]");
    assert_eq!(ask(&dispatcher, day).await["result"], 86_400_000);
    assert_eq!(
        code(&ask(&dispatcher, within("100", "never")).await),
        -32001
    );
    let huge = within("18446744073709551615", "now");
    assert_eq!(ask(&dispatcher, huge).await["result"], "done");
    assert_eq!(
        ask(&dispatcher, call("1", "left", "[]")).await["result"],
        json!(null)
    );
}

#[tokio::test(start_paused = true)]
async fn a_result_that_is_ready_at_once_is_never_late() {
    let dispatcher = router(&Counter::default()).build().unwrap();
    assert_eq!(ask(&dispatcher, within("0", "now")).await["result"], "done");
    let answer = ask(&dispatcher, within("1500", "left")).await;
    assert_eq!(answer["result"], 1500);
}

#[tokio::test(start_paused = true)]
async fn a_batch_has_a_time_limit_and_each_unfinished_call_gets_an_error() {
    let dropped = Counter::default();
    let dispatcher = router(&dropped).build().unwrap();
    let began = Instant::now();
    let entries = (0..100).map(|id| call(&format!("{id}"), "sleep", "[29000]"));
    let answers = ask(&dispatcher, batch(entries)).await;
    assert_eq!(began.elapsed().as_secs(), 60);
    let codes = codes(&answers);
    // Eight calls run at a time, and two rounds of them fit into 60 seconds.
    assert_eq!(codes.iter().filter(|&&code| code == 0).count(), 16);
    assert_eq!(codes.iter().filter(|&&code| code == -32001).count(), 84);
    for (id, answer) in (0..).zip(answers.as_array().unwrap()) {
        assert_eq!(answer["id"], id);
    }
    assert_eq!(dispatcher.in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn no_call_of_a_batch_starts_after_its_deadline() {
    let ran = Counter::default();
    let (counted, late) = (ran.clone(), ran.clone());
    let dispatcher = router(&Counter::default())
        .method_fn("count", move || counted.add())
        .method_fn("count_later", move || {
            late.add();
            pending::<()>()
        })
        .build_with(
            Limits::default()
                .batch_concurrency(1)
                .batch_timeout(Duration::from_secs(1)),
        )
        .unwrap();
    let message = batch([
        call("1", "never", "[]"),
        call("2", "count", "[]"),
        notification("count", "[]"),
        notification("count_later", "[]"),
    ]);
    let answers = ask(&dispatcher, message).await;
    assert_eq!(codes(&answers), [-32001, -32001]);
    assert_eq!(ran.get(), 0);
}

/// Waits until this many calls are in flight.
async fn until_in_flight(dispatcher: &Dispatcher, count: usize) {
    for _ in 0..10_000 {
        if dispatcher.in_flight() == count {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("{} of {count} calls in flight", dispatcher.in_flight());
}

#[tokio::test(start_paused = true)]
async fn at_the_limit_of_calls_in_flight_those_that_wait_are_refused_until_one_ends() {
    let limits = Limits::default().max_in_flight(3);
    let dropped = Counter::default();
    let dispatcher = router(&dropped).build_with(limits).unwrap();
    let waiting: Vec<_> = (1..=3)
        .map(|seconds| {
            let dispatcher = dispatcher.clone();
            let message = call("1", "sleep", &format!("[{}]", seconds * 1000));
            tokio::spawn(async move { ask(&dispatcher, message).await })
        })
        .collect();
    until_in_flight(&dispatcher, 3).await;
    for (method, expected) in [("now", 0), ("never", -32000)] {
        let answer = ask(&dispatcher, call("8", method, "[]")).await;
        assert_eq!((code(&answer), &answer["id"]), (expected, &json!(8)));
    }
    assert_eq!(dropped.get(), 1, "it has run until it had to wait");
    let [now, never] = ["now", "never"].map(|method| call("1", method, "[]"));
    let answers = ask(&dispatcher, batch([&now, &never, &now])).await;
    assert_eq!(codes(&answers), [0, -32000, 0]);
    assert_eq!(
        ask(&dispatcher, notification("never", "[]")).await,
        json!(null)
    );
    assert_eq!(dropped.get(), 3);
    assert_eq!(dispatcher.in_flight(), 3);

    until_in_flight_after(&dispatcher, Duration::from_millis(1500), 2).await;
    let answer = ask(&dispatcher, call("8", "now", "[]")).await;
    assert_eq!(answer["result"], "done");
    for call in waiting {
        assert_eq!(code(&call.await.unwrap()), 0);
    }
    assert_eq!(dispatcher.in_flight(), 0);
}

async fn until_in_flight_after(dispatcher: &Dispatcher, pause: Duration, count: usize) {
    sleep(pause).await;
    until_in_flight(dispatcher, count).await;
}

#[tokio::test]
async fn a_blocking_call_counts_once_until_its_thread_is_free() {
    let layer = tower::limit::ConcurrencyLimitLayer::new(10);
    for layered in [false, true] {
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let wait = std::sync::Arc::new(std::sync::Mutex::new(wait));
        let begun = Counter::default();
        let begins = begun.clone();
        let method = Method::new("block", move |call| {
            let (wait, begins) = (wait.clone(), begins.clone());
            CallFuture::blocking(&call.context(), move || {
                begins.add();
                let _ = wait.lock().unwrap().recv();
                call.answer(Ok(1))
            })
        });
        let mut router = Router::new().method(method);
        if layered {
            router = router.layer(layer.clone());
        }
        let dispatcher = router.build().unwrap();
        let asking = tokio::spawn({
            let dispatcher = dispatcher.clone();
            async move { ask(&dispatcher, call("1", "block", "[]")).await }
        });
        begun.reach(1).await;
        until_in_flight(&dispatcher, 1).await;

        // The caller no longer waits, but the thread is still in use.
        asking.abort();
        assert!(asking.await.unwrap_err().is_cancelled());
        assert_eq!(dispatcher.in_flight(), 1, "layered: {layered}");
        go.send(()).unwrap();
        until_in_flight_soon(&dispatcher).await;
    }
}

#[tokio::test]
async fn a_blocking_method_does_not_run_without_a_place() {
    let layer = tower::limit::ConcurrencyLimitLayer::new(10);
    for (layered, places) in [(false, 0), (true, 0), (false, 1), (true, 1)] {
        let ran = Counter::default();
        let runs = ran.clone();
        let method = Method::new("block", move |call| {
            let runs = runs.clone();
            CallFuture::blocking(&call.context(), move || {
                runs.add();
                call.answer(Ok(1))
            })
        });
        let mut router = Router::new().method(method);
        if layered {
            router = router.layer(layer.clone());
        }
        let limits = Limits::default().max_in_flight(places);
        let dispatcher = router.build_with(limits).unwrap();
        let answer = ask(&dispatcher, call("1", "block", "[]")).await;
        let expected = [-32000, 0][places];
        assert_eq!((code(&answer), ran.get()), (expected, places), "{layered}");
        until_in_flight_soon(&dispatcher).await;
    }
}

/// The future of a call that is refused may panic when it is dropped, and that is its own affair.
#[tokio::test]
async fn a_refused_call_that_panics_when_it_is_dropped_is_refused() {
    struct Panics;
    impl Drop for Panics {
        fn drop(&mut self) {
            panic!("S3CR3T");
        }
    }
    let router = Router::new().method_fn("never", || {
        let panics = Panics;
        async move {
            pending::<()>().await;
            drop(panics);
        }
    });
    let limits = Limits::default().max_in_flight(0);
    let dispatcher = router.build_with(limits).unwrap();
    super::quiet();
    let answer = ask(&dispatcher, call("1", "never", "[]")).await;
    assert_eq!(code(&answer), -32000);
}

/// Waits, in real time, for the end of calls on other threads.
async fn until_in_flight_soon(dispatcher: &Dispatcher) {
    for _ in 0..2_000 {
        if dispatcher.in_flight() == 0 {
            return;
        }
        sleep(Duration::from_millis(5)).await;
    }
    panic!("{} calls are still in flight", dispatcher.in_flight());
}
