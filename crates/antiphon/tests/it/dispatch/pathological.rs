//! Messages that are made to cost much: the work grows with their length, and not with its square.

use std::hint::black_box;
use std::time::Duration;

use antiphon::{Dispatcher, Limits, Router};
use serde_json::Value;
use tokio::runtime::Builder;
use tokio::task::spawn_blocking;

use crate::support::call;

/// Repetitions of a piece in the short message, and how much longer the long one is.
const SHORT: usize = 2_000;
const LONGER: usize = 16;
/// How much longer the long message may take. Linear work gives about 16, quadratic work 256; in
/// between is room for caches that a busy machine has to share.
const SLOWER: f64 = 90.0;
/// The short message is handled this many times, and the shortest time counts.
const ROUNDS: usize = 5;
/// The long one is handled until it was quick enough, at most this many times.
const ATTEMPTS: usize = 30;

fn dispatcher() -> Dispatcher {
    Router::new()
        .method_fn("value", |value: Value| value.is_null())
        .method_fn("texts", |texts: Vec<String>| texts.len())
        .method_fn("echo", |value: Value| value)
        .build_with(Limits::default().max_batch(usize::MAX))
        .unwrap()
}

/// The processor time of this thread. Other processes and other tests take no part in it.
#[cfg(unix)]
fn thread_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap()
}

/// The time that has passed, where there is no such clock.
#[cfg(not(unix))]
fn thread_time() -> Duration {
    static BEGIN: std::sync::LazyLock<std::time::Instant> =
        std::sync::LazyLock::new(std::time::Instant::now);
    BEGIN.elapsed()
}

/// The processor time of the only two threads of the runtime: large messages are handled on that for
/// blocking work.
async fn processor_time() -> Duration {
    thread_time() + spawn_blocking(thread_time).await.unwrap()
}

async fn time(dispatcher: &Dispatcher, message: &str) -> Duration {
    let begin = processor_time().await;
    black_box(dispatcher.handle(message.to_owned()).await);
    processor_time().await - begin
}

/// Compares messages of two lengths; `of` makes one with this many repetitions.
async fn check(name: &str, of: impl Fn(usize) -> String) {
    let dispatcher = dispatcher();
    let (message, mut short) = (of(SHORT), Duration::MAX);
    for _ in 0..ROUNDS {
        short = short.min(time(&dispatcher, &message).await);
    }
    let (message, mut slower) = (of(SHORT * LONGER), f64::MAX);
    for _ in 0..ATTEMPTS {
        let long = time(&dispatcher, &message).await;
        slower = slower.min(long.as_secs_f64() / short.as_secs_f64());
        if slower < SLOWER {
            break;
        }
    }
    assert!(slower < SLOWER, "{name}: {slower:.0} times as long");
}

/// Different members, numbered.
fn members(count: usize, value: &str) -> String {
    let members: Vec<_> = (0..count).map(|n| format!("\"m{n}\":{value}")).collect();
    members.join(",")
}

#[test]
fn the_work_for_a_message_grows_with_its_length_only() {
    let mut builder = Builder::new_current_thread();
    builder.enable_all().max_blocking_threads(1);
    // A new thread would count from 0.
    builder.thread_keep_alive(Duration::from_secs(24 * 60 * 60));
    builder.build().unwrap().block_on(check_all());
}

async fn check_all() {
    let value = |param: String| call("1", "value", &format!("[{param}]"));
    check("white space before", |n| {
        " ".repeat(n * 50) + &value("1".to_owned())
    })
    .await;
    check("white space inside", |n| {
        value(" \n\t\r".repeat(n * 10) + "1")
    })
    .await;
    check("white space and no end", |n| {
        "[".to_owned() + &" ".repeat(n * 50)
    })
    .await;
    check("brackets that open", |n| "[".repeat(n * 50)).await;
    check("brackets that close", |n| "]".repeat(n * 50)).await;
    check("nesting to and fro", |n| {
        value(format!("[{}1]", "[[[[[[[[]]]]]]]],".repeat(n)))
    })
    .await;
    check("a long text", |n| {
        value(format!("\"{}\"", "x".repeat(n * 50)))
    })
    .await;
    check("a text of escapes", |n| {
        value(format!("\"{}\"", "\\\\\\\"".repeat(n * 10)))
    })
    .await;
    check("a text of \\u escapes", |n| {
        value(format!("\"{}\"", "\\ud83d\\ude00".repeat(n * 5)))
    })
    .await;
    check("a text without an end", |n| {
        value(format!("\"{}", "\\\"".repeat(n * 20)))
    })
    .await;
    check("a text of several bytes", |n| {
        value(format!("\"{}\"", "😀ü".repeat(n * 10)))
    })
    .await;
    check("a long number", |n| value("9".repeat(n * 50))).await;
    check("a long fraction", |n| {
        value(format!("0.{}e-9", "1".repeat(n * 50)))
    })
    .await;
    check("a long exponent", |n| {
        value(format!("1e{}", "9".repeat(n * 50)))
    })
    .await;
    check("many numbers", |n| {
        value(format!("[{}0]", "1e9,".repeat(n * 5)))
    })
    .await;
    check("many texts", |n| {
        call("1", "texts", &format!("[[{}\"\"]]", "\"a\",".repeat(n)))
    })
    .await;
    check("many members", |n| {
        value(format!("{{{}}}", members(n, "0")))
    })
    .await;
    check("equal members", |n| {
        value(format!("{{{}\"a\":0}}", "\"a\":0,".repeat(n)))
    })
    .await;
    check("many parameters", |n| {
        call("1", "value", &format!("{{{}}}", members(n, "0")))
    })
    .await;
    check("many positional parameters", |n| {
        call("1", "value", &format!("[{}0]", "0,".repeat(n * 5)))
    })
    .await;
    check("unknown members of the message", |n| {
        format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"value\",{}}}",
            members(n, "[]")
        )
    })
    .await;
    check("members in escapes", |n| {
        let params = "\"\\u0061\":0,".repeat(n);
        value(format!("{{{params}\"b\":0}}"))
    })
    .await;
    check("a long method name", |n| {
        call("1", &"m".repeat(n * 50), "[]")
    })
    .await;
    check("a long id", |n| {
        call(&format!("\"{}\"", "i".repeat(n * 50)), "value", "[1]")
    })
    .await;
    check("a batch of empty objects", |n| {
        format!("[{}{{}}]", "{},".repeat(n))
    })
    .await;
    check("a batch of calls", |n| {
        let calls: Vec<_> = (0..n / 8)
            .map(|id| call(&id.to_string(), "value", "[1]"))
            .collect();
        format!("[{}]", calls.join(","))
    })
    .await;
    check("a batch of calls with one id", |n| {
        format!("[{}{{}}]", (call("1", "value", "[1]") + ",").repeat(n / 8))
    })
    .await;
    check("a result of escapes", |n| {
        call(
            "1",
            "echo",
            &format!("[\"{}\"]", "\\u0000\\n".repeat(n * 5)),
        )
    })
    .await;
}
