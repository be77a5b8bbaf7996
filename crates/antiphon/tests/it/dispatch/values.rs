//! Tests of the limit of JSON values in a message, over every way in and back.

use std::time::Duration;

use antiphon::client::{Client, ErrorKind};
use antiphon::{Limits, Router, Server};
use serde_json::Value;

use crate::support::counter::Counter;
use crate::support::{PARSE_ERROR, ask, batch, call, code};

/// A router, and the counter of its calls of `take`.
fn router() -> (Router, Counter) {
    let taken = Counter::default();
    let takes = taken.clone();
    let router = Router::new()
        .method_fn("take", move |_anything: Value| takes.add())
        .method_fn("many", |count: usize| vec![0; count]);
    (router, taken)
}

/// A call with this number of values: itself, its four members, and an array of numbers.
fn takes(values: usize) -> String {
    let numbers = vec!["0"; values - 6].join(",");
    call("1", "take", &format!("[[{numbers}]]"))
}

#[tokio::test]
async fn a_message_with_too_many_values_is_a_parse_error_and_runs_nothing() {
    let (router, taken) = router();
    let limits = Limits::default().max_values(50);
    let dispatcher = router.build_with(limits).unwrap();
    for (message, allowed) in [
        (takes(49), true),
        (takes(50), true),
        (takes(51), false),
        (takes(5_000), false),
        // The batch is a value, too.
        (batch([takes(9), takes(40)]), true),
        (batch([takes(9), takes(41)]), false),
    ] {
        let before = taken.get();
        let answer = dispatcher.handle(message.clone()).await.unwrap();
        assert_eq!(answer == PARSE_ERROR, !allowed, "{message}");
        assert_eq!(taken.get() > before, allowed, "{message}");
    }
    let same = dispatcher.with_limits(Limits::default());
    assert_eq!(code(&ask(&same, takes(51)).await), 0);
}

#[tokio::test]
async fn a_server_and_a_client_have_the_limit_over_every_transport() {
    let (router, taken) = router();
    let server = Server::new(router)
        .configure(|settings| settings.calls.max_values = 50)
        .bind("tcp://127.0.0.1:0")
        .bind("127.0.0.1:0");
    let listening = server.listen().await.unwrap();
    let mut urls = listening.urls();
    tokio::spawn(listening.serve());
    urls.push(urls[1].replacen("http", "ws", 1));
    for url in urls {
        let client = Client::builder(url.as_str())
            .max_values(100)
            .timeout(Duration::from_millis(500));
        let client = client.build().unwrap();
        for (count, allowed) in [(90, true), (200, false)] {
            let many = client.call::<Vec<u8>>("many", (count,)).await;
            assert_eq!(many.is_ok(), allowed, "{url}: {many:?}");
            if let Err(error) = many {
                assert!(matches!(error.kind(), ErrorKind::Unknown), "{url}: {error}");
            }
        }
        let before = taken.get();
        let few = client.call::<()>("take", (vec![0; 40],)).await;
        assert!(few.is_ok(), "{url}: {few:?}");
        // Over HTTP the error is the answer; on a session it has the id null and belongs to no call.
        let much = client.call::<()>("take", (vec![0; 60],)).await;
        assert!(much.is_err(), "{url}");
        assert_eq!(taken.get(), before + 1);
    }
}
