//! How often a forwarded call runs: what may run twice, and what is run once for several.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use antiphon::client::{Balanced, Client, Remote};
use antiphon::{Dispatcher, ErrorObject, Method, Router};
use serde_json::json;
use tokio::time::{advance, sleep, timeout};

use super::LIMIT;
use crate::client_support::{json as response, scripted};
use crate::support::counter::Counter;
use crate::support::{ask, call, until};

/// An HTTP status of 502 does not tell whether the call has run.
#[tokio::test]
async fn only_what_is_marked_goes_to_another_server_when_it_may_have_run() {
    type Change = fn(Remote) -> Remote;
    let plain: Change = |remote| remote;
    let declared: Change = |remote| remote.idempotent("set*").read_only("look");
    let ran = json!({"code": -32000, "message": "Unavailable", "data": {"mayHaveRun": true}});
    for (change, described, method, expected) in [
        (plain, "", "set", None),
        (plain, r#""x-idempotent":true"#, "set", Some("b")),
        (plain, r#""x-read-only":true"#, "set", Some("b")),
        (plain, r#""x-idempotent":false"#, "set", None),
        (declared, "", "set", Some("b")),
        (declared, "", "settle", Some("b")),
        (declared, "", "look", Some("b")),
        (declared, "", "looks", None),
    ] {
        let comma = if described.is_empty() { "" } else { "," };
        let document = format!(r#"{{"methods":[{{"name":"set"{comma}{described}}}]}}"#);
        let runs = Counter::default();
        let upstreams = [("a", 502), ("b", 200)].map(|(name, status)| {
            let (document, runs) = (document.clone(), runs.clone());
            let (builder, _) = scripted(move |request| match request.json()["method"].as_str() {
                Some("rpc.discover") => request.answer(&document),
                _ => {
                    runs.add();
                    match status {
                        200 => request.answer(&format!("\"{name}\"")),
                        status => response(status, "no"),
                    }
                }
            });
            builder
        });
        let client = Balanced::of(upstreams).build().unwrap();
        let remote = change(Remote::of(client)).share(false);
        let router = Router::new().merge(remote).build().unwrap();
        // They take turns: the first one has been asked for the document.
        let first = ask(&router, call("1", method, "[1]")).await;
        assert_eq!((&first["result"], runs.get()), (&json!("b"), 1), "{method}");
        let second = ask(&router, call("2", method, "[1]")).await;
        match expected {
            None => assert_eq!(
                (&second["error"], runs.get()),
                (&ran, 2),
                "{method} {described}"
            ),
            Some(name) => assert_eq!(
                (&second["result"], runs.get()),
                (&json!(name), 3),
                "{method} {described}"
            ),
        }
    }
}

/// A server whose methods count how often they have run, and wait.
fn counting(runs: &Counter) -> Router {
    let slow = |name: &'static str| {
        let runs = runs.clone();
        let handler = move |number: u64| {
            runs.add();
            async move {
                sleep(Duration::from_secs(1)).await;
                match number {
                    13 => Err(ErrorObject::new(13, "no")),
                    number => Ok(number),
                }
            }
        };
        Method::function(name, handler)
    };
    Router::new()
        .method(slow("any"))
        .method(slow("again").idempotent())
        .method(slow("look").read_only())
}

/// A router that forwards to that server.
fn forwarding(runs: &Counter, change: impl FnOnce(Remote) -> Remote) -> Dispatcher {
    let upstream = Client::in_process(counting(runs)).unwrap();
    let router = Router::new().nest("r", change(Remote::of(upstream)));
    router.build().unwrap()
}

/// Makes these calls at the same time; how often something has run.
async fn runs_of(router: &Dispatcher, runs: &Counter, calls: &[(&str, &str)]) -> usize {
    let before = runs.get();
    let all = calls.iter().map(|(method, params)| {
        let (router, text) = (router.clone(), call("1", method, params));
        tokio::spawn(async move { ask(&router, text).await })
    });
    let all: Vec<_> = all.collect();
    for (one, (method, params)) in all.into_iter().zip(calls) {
        let answer = timeout(LIMIT * 10, one).await.unwrap().unwrap();
        match *params {
            "[13]" => assert_eq!(answer["error"]["code"], 13, "{method}"),
            _ => assert_eq!(json!([answer["result"]]).to_string(), *params, "{method}"),
        }
    }
    runs.get() - before
}

#[tokio::test(start_paused = true)]
async fn equal_calls_of_what_changes_nothing_run_once() {
    for (share, calls, expected) in [
        (true, &[("r.look", "[1]"); 5][..], 1),
        (true, &[("r.look", "[13]"); 5], 1),
        (true, &[("r.again", "[1]"); 5], 5),
        (true, &[("r.any", "[1]"); 5], 5),
        (
            true,
            &[("r.look", "[1]"), ("r.look", "[2]"), ("r.look", "[1]")],
            2,
        ),
        (false, &[("r.look", "[1]"); 5], 5),
    ] {
        let runs = Counter::default();
        let router = forwarding(&runs, |remote| remote.share(share));
        assert_eq!(
            runs_of(&router, &runs, calls).await,
            expected,
            "{share} {calls:?}"
        );
        // Nothing is kept.
        assert_eq!(
            runs_of(&router, &runs, calls).await,
            expected,
            "{share} {calls:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn one_caller_that_goes_away_takes_nothing_from_the_others() {
    let runs = Counter::default();
    let router = forwarding(&runs, |remote| remote);
    let text = call("1", "r.look", "[1]");
    // The first one has less time than the call takes.
    let hasty = r#"{"jsonrpc":"2.0","id":1,"method":"r.look","params":[1],"timeout":100}"#;
    let first = tokio::spawn({
        let router = router.clone();
        async move { ask(&router, hasty).await }
    });
    runs.reach(1).await;
    let second = tokio::spawn(async move { ask(&router, text).await });
    assert_eq!(first.await.unwrap()["error"]["code"], -32001);
    assert_eq!(second.await.unwrap()["result"], 1);
    assert_eq!(runs.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn results_are_kept_for_as_long_as_was_said() {
    let seconds = Duration::from_secs;
    for (method, params, expected) in [
        ("r.look", "[1]", [1, 0, 1]),
        ("r.look", "[13]", [1, 1, 1]),
        ("r.again", "[1]", [1, 1, 1]),
        ("r.any", "[1]", [1, 1, 1]),
    ] {
        for share in [true, false] {
            let runs = Counter::default();
            let router = forwarding(&runs, |remote| remote.share(share).cache("*", seconds(10)));
            for (wait, expected) in [0, 9, 2].into_iter().zip(expected) {
                advance(seconds(wait)).await;
                let found = runs_of(&router, &runs, &[(method, params)]).await;
                assert_eq!(found, expected, "{method} {params} {wait}");
            }
        }
    }
}

#[tokio::test]
async fn what_a_caller_gets_in_its_own_name_is_nobody_elses() {
    let runs = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&runs);
    let look = Method::function("look", move || counted.fetch_add(1, Ordering::Relaxed));
    let there = Router::new().method(look.read_only().public());
    let there = there.build().unwrap();
    let upstream = || Client::builder("").in_process(&there);
    for (upstream, expected) in [
        (upstream().build().unwrap(), [0, 0]),
        (upstream().forward_identity().build().unwrap(), [1, 2]),
    ] {
        let remote = Remote::of(upstream).cache("*", Duration::from_secs(3600));
        let router = Router::new().nest("r", remote).build().unwrap();
        for expected in expected {
            let answer = ask(&router, call("1", "r.look", "[]")).await;
            assert_eq!(answer["result"], expected);
        }
    }
    until(|| runs.load(Ordering::Relaxed) == 3, "three have run").await;
}
