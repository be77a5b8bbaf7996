//! Tests of cancellation: what ends when the caller no longer waits, and what continues.

use std::future::pending;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use antiphon::{CallFuture, Context, Dispatcher, Limits, Method, Router};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::support::counter::Counter;
use crate::support::{ask, batch, call, code, codes};

/// `hold` never ends. `token` sends its cancellation token to the test and never ends either.
fn router(dropped: &Counter, tokens: mpsc::Sender<CancellationToken>) -> Router {
    let (held, given) = (dropped.clone(), dropped.clone());
    let blocking_tokens = tokens.clone();
    let block = Method::new("block", move |call| {
        let ctx = call.context();
        let token = ctx.cancellation();
        blocking_tokens.send(token.clone()).unwrap();
        CallFuture::blocking(&ctx, move || {
            for _ in 0..2_000 {
                if token.is_cancelled() {
                    break;
                }
                std::thread::sleep(Duration::from_millis(5));
            }
            call.answer(Ok(token.is_cancelled()))
        })
    });
    Router::new()
        .method_fn("hold", move || {
            let guard = held.guard();
            async move {
                pending::<()>().await;
                drop(guard);
            }
        })
        .method_fn("token", move |ctx: Context| {
            let guard = given.guard();
            tokens.send(ctx.cancellation()).unwrap();
            async move {
                pending::<()>().await;
                drop(guard);
            }
        })
        .method(block)
        .method_fn("cancelled", |ctx: Context| {
            ctx.cancellation().is_cancelled()
        })
        .method_fn("now", || 1)
}

async fn polled(dispatcher: &Dispatcher, message: String) {
    let brief = Duration::from_millis(1);
    let answer = timeout(brief, dispatcher.handle(message)).await;
    assert!(answer.is_err(), "it does not wait: {answer:?}");
}

#[tokio::test(start_paused = true)]
async fn dropping_the_response_future_drops_the_methods() {
    let dropped = Counter::default();
    let dispatcher = router(&dropped, mpsc::channel().0).build().unwrap();
    polled(&dispatcher, call("1", "hold", "[]")).await;
    assert_eq!(dropped.get(), 1);
    let message = batch((0..20).map(|id| call(&format!("{id}"), "hold", "[]")));
    polled(&dispatcher, message).await;
    assert_eq!(dropped.get(), 9, "eight of a batch run at a time");
    assert_eq!(dispatcher.in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn only_the_method_whose_caller_has_gone_is_cancelled() {
    let (send, tokens) = mpsc::channel();
    let dispatcher = router(&Counter::default(), send).build().unwrap();
    let other = tokio::spawn({
        let dispatcher = dispatcher.clone();
        async move { dispatcher.handle(call("1", "token", "[]")).await }
    });
    tokio::task::yield_now().await;
    let others = tokens.recv().unwrap();

    polled(&dispatcher, call("1", "token", "[]")).await;
    assert!(tokens.recv().unwrap().is_cancelled());
    assert!(!others.is_cancelled(), "that call still has a caller");
    let answer = ask(&dispatcher, call("1", "cancelled", "[]")).await;
    assert_eq!(answer["result"], false, "this one as well");
    other.abort();
    assert!(other.await.is_err());
    assert!(others.is_cancelled());
}

#[tokio::test(start_paused = true)]
async fn a_method_is_cancelled_at_its_deadline() {
    let (send, tokens) = mpsc::channel();
    let limits = Limits::default().batch_timeout(Duration::from_secs(10));
    let dispatcher = router(&Counter::default(), send)
        .build_with(limits)
        .unwrap();
    let brief = r#"{"jsonrpc":"2.0","id":1,"method":"token","timeout":50}"#;
    let answer = ask(&dispatcher, brief).await;
    assert_eq!(code(&answer), -32001);
    assert!(tokens.recv().unwrap().is_cancelled());

    // In a batch each call has its own deadline.
    let message = batch([brief.to_owned(), call("2", "token", "[]")]);
    let asking = tokio::spawn({
        let dispatcher = dispatcher.clone();
        async move { ask(&dispatcher, message).await }
    });
    sleep(Duration::from_millis(60)).await;
    let [first, second] = [tokens.recv().unwrap(), tokens.recv().unwrap()];
    assert!(first.is_cancelled());
    assert!(!second.is_cancelled());
    assert_eq!(codes(&asking.await.unwrap()), [-32001, -32001]);
    assert!(second.is_cancelled());
}

#[tokio::test]
async fn a_blocking_method_can_stop_early_when_it_is_cancelled() {
    let (send, tokens) = mpsc::channel();
    let dispatcher = router(&Counter::default(), send).build().unwrap();
    polled(&dispatcher, call("1", "block", "[]")).await;
    assert!(tokens.recv().unwrap().is_cancelled());
    for _ in 0..2_000 {
        if dispatcher.in_flight() == 0 {
            return;
        }
        sleep(Duration::from_millis(5)).await;
    }
    panic!("the thread was not told");
}

#[test]
fn a_blocking_method_that_has_not_begun_does_not_begin_when_it_is_cancelled() {
    let (go, wait) = mpsc::channel::<()>();
    let (began, ran) = (Counter::default(), Counter::default());
    let (wait, begins, runs) = (Arc::new(Mutex::new(wait)), began.clone(), ran.clone());
    let router = Router::new()
        .method(Method::new("first", move |call| {
            let (wait, begins) = (Arc::clone(&wait), begins.clone());
            CallFuture::blocking(&call.context(), move || {
                begins.add();
                wait.lock().unwrap().recv().unwrap();
                call.answer(Ok(1))
            })
        }))
        .method(Method::new("second", move |call| {
            let runs = runs.clone();
            CallFuture::blocking(&call.context(), move || {
                runs.add();
                call.answer(Ok(2))
            })
        }));
    let dispatcher = router.build().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .max_blocking_threads(1)
        .build()
        .unwrap();
    runtime.block_on(async {
        let first = ask(&dispatcher, call("1", "first", "[]"));
        let others = async {
            began.reach(1).await;
            polled(&dispatcher, call("2", "second", "[]")).await;
            assert_eq!(dispatcher.in_flight(), 2);
            go.send(()).unwrap();
            assert_eq!(code(&ask(&dispatcher, call("3", "second", "[]")).await), 0);
        };
        tokio::join!(first, others);
    });
    assert_eq!(ran.get(), 1);
    assert_eq!(dispatcher.in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn work_that_a_method_starts_continues_after_the_response() {
    let (done, ended) = (Counter::default(), Counter::default());
    let (works, ends) = (done.clone(), ended.clone());
    let dispatcher = Router::new()
        .method_fn("start", move |ctx: Context| {
            let (works, end) = (works.clone(), ends.guard());
            ctx.spawn(async move {
                sleep(Duration::from_secs(3600)).await;
                works.add();
                drop(end);
            });
        })
        .build()
        .unwrap();
    assert_eq!(code(&ask(&dispatcher, call("1", "start", "[]")).await), 0);
    assert_eq!((done.get(), ended.get()), (0, 0));
    sleep(Duration::from_secs(3601)).await;
    assert_eq!((done.get(), ended.get()), (1, 1));

    // The work ends with the connection. In process, the dispatcher is the connection.
    ask(&dispatcher, call("1", "start", "[]")).await;
    drop(dispatcher);
    ended.reach(2).await;
    assert_eq!(done.get(), 1);
}
