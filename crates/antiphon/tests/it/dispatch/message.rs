//! Tests of single messages: ids, invalid requests, notifications, depth and size.

use antiphon::{Call, CallFuture, Dispatcher, Limits, Method, Router};
use serde_json::{Value, json};

use crate::support::counter::Counter;
use crate::support::{INVALID_REQUEST, PARSE_ERROR, ask, call, code, notification};

fn dispatcher(ran: &Counter) -> Dispatcher {
    let counted = ran.clone();
    let shout = ran.clone();
    Router::new()
        .method_fn("count", move || counted.add())
        .method_fn("fails", move || -> Result<(), antiphon::ErrorObject> {
            shout.add();
            Err(antiphon::ErrorObject::new(1, "no"))
        })
        .method_fn("take", |_anything: Value| true)
        .build()
        .unwrap()
}

#[tokio::test]
async fn every_valid_id_comes_back_byte_for_byte() {
    let ran = Counter::default();
    let dispatcher = dispatcher(&ran);
    let long = format!("\"{}\"", "x".repeat(254));
    let ids = [
        "0",
        "-0",
        "-1",
        "-9223372036854775808",
        "18446744073709551616",
        "1.5",
        "1.0",
        "1e400",
        "1E+2",
        "123456789012345678901234567890",
        r#""""#,
        r#""x""#,
        r#""\ud800""#,
        r#""\u0041\/""#,
        "\"\u{1f600}\u{2028}\"",
        "null",
        &long,
    ];
    for (n, id) in ids.iter().enumerate() {
        let answer = dispatcher.handle(call(id, "count", "[]")).await.unwrap();
        let expected = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":null}}"#);
        assert_eq!(answer, expected, "{id}");
        assert_eq!(ran.get(), n + 1, "{id}");

        let answer = dispatcher.handle(call(id, "none", "[]")).await.unwrap();
        let begin = format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-32601,"#);
        assert!(answer.starts_with(begin.as_bytes()), "{answer:?}");
    }
}

#[tokio::test]
async fn an_id_of_another_kind_or_too_long_is_refused_and_nothing_runs() {
    let ran = Counter::default();
    let dispatcher = dispatcher(&ran);
    let too_long = format!("\"{}\"", "x".repeat(255));
    let mebibyte = format!("\"{}\"", "x".repeat(1 << 20));
    let digits = "9".repeat(257);
    for id in [
        "true", "false", "[]", "{}", "[1]", &too_long, &mebibyte, &digits,
    ] {
        let answer = dispatcher.handle(call(id, "count", "[]")).await.unwrap();
        assert_eq!(answer, INVALID_REQUEST, "{id:.40}");
    }
    assert_eq!(ran.get(), 0);
}

#[tokio::test]
async fn an_invalid_request_gets_an_error_and_never_runs() {
    let ran = Counter::default();
    let dispatcher = dispatcher(&ran);
    let cases = [
        // A duplicate member, also if one of the two names has escapes.
        (
            r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"count"}"#,
            json!(null),
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"i\u0064":1,"method":"count"}"#,
            json!(null),
        ),
        (
            r#"{"jsonrpc":"2.0","i\u0064":1,"method":"count","\u0069d":2}"#,
            json!(null),
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"count","method":"fails"}"#,
            json!(1),
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"count","m\u0065thod":"count"}"#,
            json!(1),
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"count","params":[],"params":[]}"#,
            json!(1),
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"count","params":[],"p\u0061rams":[]}"#,
            json!(1),
        ),
        (
            r#"{"jsonrpc":"2.0","jsonrpc":"2.0","id":1,"method":"count"}"#,
            json!(1),
        ),
        (
            r#"{"jsonrpc":"2.0","json\u0072pc":"1.0","id":1,"method":"count"}"#,
            json!(1),
        ),
        (
            r#"{"jsonrpc":"2.0","method":"count","method":"count"}"#,
            json!(null),
        ),
        // The version.
        (r#"{"id":1,"method":"count"}"#, json!(1)),
        (r#"{"jsonrpc":2.0,"id":1,"method":"count"}"#, json!(1)),
        (r#"{"jsonrpc":"1.0","id":1,"method":"count"}"#, json!(1)),
        (r#"{"jsonrpc":"2.00","id":1,"method":"count"}"#, json!(1)),
        (r#"{"jsonrpc":null,"method":"count"}"#, json!(null)),
        // The method.
        (r#"{"jsonrpc":"2.0","id":1}"#, json!(1)),
        (r#"{"jsonrpc":"2.0","id":1,"method":null}"#, json!(1)),
        (
            r#"{"jsonrpc":"2.0","id":"x","method":["count"]}"#,
            json!("x"),
        ),
        // The parameters.
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"take","params":5}"#,
            json!(1),
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"take","params":"x"}"#,
            json!(1),
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"take","params":true}"#,
            json!(1),
        ),
        (
            r#"{"jsonrpc":"2.0","method":"count","params":5}"#,
            json!(null),
        ),
        // JSON values that are not objects.
        ("{}", json!(null)),
        (r#"{"id":7}"#, json!(7)),
        ("1", json!(null)),
        ("null", json!(null)),
        (r#""count""#, json!(null)),
        ("[]", json!(null)),
    ];
    for (message, id) in cases {
        let answer = ask(&dispatcher, message).await;
        assert_eq!((code(&answer), &answer["id"]), (-32600, &id), "{message}");
        assert_eq!(answer["error"]["message"], "Invalid Request", "{message}");
        assert_eq!(answer["error"].get("data"), None, "{message}");
    }
    assert_eq!(ran.get(), 0);
}

#[tokio::test]
async fn the_version_and_the_names_may_be_spelled_with_escapes() {
    let ran = Counter::default();
    let dispatcher = dispatcher(&ran);
    let message = r#"{"json\u0072pc":"2\u002e0","i\u0064":1,"m\u0065thod":"\u0063ount"}"#;
    let answer = ask(&dispatcher, message).await;
    assert_eq!(answer, json!({"jsonrpc": "2.0", "id": 1, "result": null}));
    assert_eq!(ran.get(), 1);
}

#[tokio::test]
async fn no_parameters_are_written_in_four_ways() {
    let ran = Counter::default();
    let raw = Method::new("raw", |call: Call| {
        let text = call.params().map(str::to_owned);
        CallFuture::ready(call.answer(Ok(text)))
    });
    let router = Router::new()
        .method_fn("count", {
            let ran = ran.clone();
            move || ran.add()
        })
        .method_fn("maybe", |a: Option<u32>| a)
        .method_fn("needs", |_a: u32| ())
        .method(raw);
    let dispatcher = router.build().unwrap();
    for (n, params) in [
        "",
        r#","params":null"#,
        r#","params": [ ]"#,
        r#","params":{}"#,
    ]
    .into_iter()
    .enumerate()
    {
        let one = |method: &str, id: &str| {
            format!(r#"{{"jsonrpc":"2.0","method":"{method}"{params}{id}}}"#)
        };
        let answer = ask(&dispatcher, one("count", r#","id":1"#)).await;
        assert_eq!(answer, json!({"jsonrpc": "2.0", "id": 1, "result": null}));
        assert_eq!(ask(&dispatcher, one("count", "")).await, Value::Null);
        let batch = format!("[{},{}]", one("count", r#","id":2"#), one("count", ""));
        let answers = ask(&dispatcher, batch).await;
        assert_eq!(answers.as_array().map(Vec::len), Some(1), "{params}");
        assert_eq!(ran.get(), 4 * (n + 1), "{params}");
        let answer = ask(&dispatcher, one("maybe", r#","id":1"#)).await;
        assert_eq!(answer["result"], Value::Null, "{params}");
        let answer = ask(&dispatcher, one("needs", r#","id":1"#)).await;
        assert_eq!(answer["error"]["data"]["reason"], "missing", "{params}");
        let seen = ask(&dispatcher, one("raw", r#","id":1"#)).await;
        let expected = (n > 1).then(|| params.trim_start_matches(r#","params":"#).trim());
        assert_eq!(seen["result"], json!(expected), "{params}");
    }
    let twice = r#"{"jsonrpc":"2.0","id":1,"method":"count","params":null,"params":[]}"#;
    assert_eq!(code(&ask(&dispatcher, twice).await), -32600);
    assert_eq!(ran.get(), 16);
}

#[tokio::test]
async fn a_notification_runs_once_and_is_never_answered() {
    let ran = Counter::default();
    let dispatcher = dispatcher(&ran);
    for (method, params, runs) in [
        ("count", "[]", 1),
        ("fails", "[]", 1),
        ("count", "[1]", 0),
        ("none", "[]", 0),
        ("rpc.none", "{}", 0),
    ] {
        let before = ran.get();
        let message = notification(method, params);
        assert_eq!(ask(&dispatcher, message).await, Value::Null, "{method}");
        assert_eq!(ran.get() - before, runs, "{method}({params})");
    }
}

#[tokio::test]
async fn any_amount_of_white_space_surrounds_a_message() {
    let dispatcher = dispatcher(&Counter::default());
    for (before, after) in [(129, 0), (0, 129), (100_000, 100_000)] {
        let space = |count: usize| " \t\r\n".repeat(count / 4) + " ";
        let message = space(before) + &call("1", "count", "[]") + &space(after);
        assert_eq!(code(&ask(&dispatcher, message).await), 0);
    }
    let with_mark = format!("\u{feff}{}", call("1", "count", "[]"));
    let answer = dispatcher.handle(with_mark).await.unwrap();
    assert_eq!(answer, PARSE_ERROR);
}

#[tokio::test]
async fn a_number_or_string_out_of_range_is_refused_by_the_type_that_cannot_hold_it() {
    let dispatcher = Router::new()
        .method_fn("small", |n: u8| n)
        .method_fn("float", |n: f64| n)
        .method_fn("text", |text: String| text)
        .build()
        .unwrap();
    for (method, params) in [
        ("small", "[256]"),
        ("small", "[1e400]"),
        ("float", "[1e400]"),
        ("text", r#"["\ud800"]"#),
    ] {
        let answer = ask(&dispatcher, call("1", method, params)).await;
        assert_eq!(code(&answer), -32602, "{method}({params}): {answer}");
    }
}

/// Sends a parameter with this nesting depth, on a thread with a small stack.
fn at_depth(depth: usize, in_batch: bool) -> Option<Vec<u8>> {
    let work = move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        // The request object and the array of parameters are two levels, a batch is a third.
        let inner = depth - 2 - usize::from(in_batch);
        let params = format!("[{}{}]", "[".repeat(inner), "]".repeat(inner));
        let params = if inner == 0 { "[0]".into() } else { params };
        let mut message = call("1", "take", &params);
        if in_batch {
            message = format!("[{message}]");
        }
        let dispatcher = dispatcher(&Counter::default());
        runtime.block_on(dispatcher.handle(message))
    };
    let thread = std::thread::Builder::new().stack_size(512 * 1024);
    let answer = thread.spawn(work).unwrap().join().unwrap();
    answer.map(|answer| answer.to_vec())
}

#[test]
fn the_depth_limit_holds_on_a_small_stack() {
    for in_batch in [false, true] {
        for depth in [3, 127, 128] {
            let answer = String::from_utf8(at_depth(depth, in_batch).unwrap()).unwrap();
            assert!(answer.contains(r#""result":true"#), "{depth}: {answer}");
        }
        for depth in [129, 500, 100_000] {
            let answer = at_depth(depth, in_batch).unwrap();
            assert_eq!(answer, PARSE_ERROR.as_bytes(), "{depth}");
        }
    }
}

#[tokio::test]
async fn a_result_may_be_as_long_as_the_limit_and_no_longer() {
    let router = || {
        Router::new()
            .method_fn("now", |size: usize| "x".repeat(size))
            .method_fn("later", |size: usize| async move {
                tokio::task::yield_now().await;
                "x".repeat(size)
            })
    };
    let mebibytes = 10 * 1024 * 1024;
    let small = router().build_with(Limits::default().max_response(100));
    let default = router().build();
    for (dispatcher, limit) in [(small, 100), (default, mebibytes)] {
        let dispatcher = dispatcher.unwrap();
        for method in ["now", "later"] {
            // The quotation marks count towards the size of the result.
            let fits = format!("[{}]", limit - 2);
            let answer = ask(&dispatcher, call("7", method, &fits)).await;
            assert_eq!(answer["result"].as_str().unwrap().len(), limit - 2);
            let exceeds = format!("[{}]", limit - 1);
            let answer = ask(&dispatcher, call("7", method, &exceeds)).await;
            assert_eq!(code(&answer), -32003, "{method}");
            assert_eq!(answer["error"]["data"]["maxBytes"], limit, "{method}");
            assert_eq!(answer["id"], 7);
        }
    }
}
