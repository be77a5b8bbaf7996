//! Tests of incidents in the log: one line for each failure or panic, with method and caller.

use std::io;
use std::task::Poll;

use antiphon::client::{Error, ErrorKind, StreamError};
use antiphon::{Call, CallFuture, Client, ErrorObject, Failure, Method, Router, Server};
use futures_util::{StreamExt as _, stream};
use serde_json::Value;
use tower::util::MapRequestLayer;

use crate::dispatch::panics::quiet;
use crate::support::log;

/// Part of the message of every panic. Other tests hide panics with this text from the output.
const PANIC: &str = "S3CR3T";

fn fails() -> Result<bool, Failure> {
    Err(io::Error::other("no more paper"))?
}

/// Methods that fail in every way that is not a declared error.
fn router() -> Router {
    quiet();
    log::keep();
    let blocking = |name: &str, work: fn() -> Result<bool, ErrorObject>| {
        Method::new(name, move |call: Call| {
            CallFuture::blocking(&call.context(), move || {
                let outcome = work();
                call.answer(outcome)
            })
        })
    };
    Router::new()
        .method_fn("panics_at_once", || -> bool { panic!("{PANIC}") })
        .method_fn("panics_later", || async {
            tokio::task::yield_now().await;
            panic!("{PANIC}");
            #[allow(unreachable_code)] // it gives the future its type
            true
        })
        .method(blocking("panics_blocking", || panic!("{PANIC}")))
        .method_fn("fails_at_once", fails)
        .method_fn("fails_later", || async {
            tokio::task::yield_now().await;
            fails()
        })
        .method(blocking("fails_blocking", || Ok(fails()?)))
}

const METHODS: [&str; 6] = [
    "panics_at_once",
    "panics_later",
    "panics_blocking",
    "fails_at_once",
    "fails_later",
    "fails_blocking",
];

fn object(error: &Error) -> &ErrorObject {
    match error.kind() {
        ErrorKind::Refused(object) => object,
        kind => panic!("{kind:?}"),
    }
}

/// Checks that the log has one line with this incident, which names the method and the caller.
fn check(error: &ErrorObject, method: &str, caller: &str) {
    assert_eq!(error.code().0, -32603, "{error}");
    assert!(!error.to_json().contains("paper"), "{error}");
    let data: Value = serde_json::from_str(error.data().unwrap()).unwrap();
    let lines = log::lines(data["incident"].as_str().unwrap());
    let [line] = &lines[..] else {
        panic!("{method}: {lines:?}");
    };
    assert!(line.contains(&format!("method={method} ")), "{line}");
    assert!(line.contains(&format!("caller={caller}")), "{line}");
    assert!(!line.contains(PANIC), "{line}");
    assert_eq!(
        line.contains("no more paper"),
        method.contains("fails"),
        "{line}"
    );
}

async fn check_all(client: &Client, prefix: &str, caller: &str) {
    for method in METHODS {
        let method = format!("{prefix}{method}");
        let error = client.call::<bool>(&method, ()).await.unwrap_err();
        check(object(&error), &method, caller);
    }
    let mut batch = client.batch();
    let tickets = METHODS.map(|method| batch.call::<bool>(&format!("{prefix}{method}"), ()));
    let mut responses = batch.send().await.unwrap();
    for (ticket, method) in tickets.into_iter().zip(METHODS) {
        let error = responses.take(ticket).unwrap_err();
        check(object(&error), &format!("{prefix}{method}"), caller);
    }
}

#[tokio::test]
async fn a_line_names_the_method_and_a_caller_over_http() {
    let server = Server::new(Router::new().nest("a.b", router())).bind("127.0.0.1:0");
    let listening = server.listen().await.unwrap();
    let client = Client::connect(listening.url()).unwrap();
    tokio::spawn(listening.serve());
    check_all(&client, "a.b.", "http connection ").await;
    let error = client
        .call::<bool>("a.b.fails_at_once", ())
        .await
        .unwrap_err();
    check(object(&error), "a.b.fails_at_once", "http connection ");
    let data: Value = serde_json::from_str(object(&error).data().unwrap()).unwrap();
    let lines = log::lines(data["incident"].as_str().unwrap());
    assert!(lines[0].contains(" from 127.0.0.1:"), "{lines:?}");
}

#[tokio::test]
async fn a_line_names_the_method_and_a_caller_on_a_session() {
    let server = router().build().unwrap();
    let client = Client::builder("").in_process(&server).build().unwrap();
    check_all(&client, "", "in-process connection ").await;
}

#[tokio::test]
async fn a_line_names_a_method_behind_a_layer() {
    let layered = router().layer(MapRequestLayer::new(|call: Call| call));
    let client = Client::builder("").in_process(&layered.build().unwrap());
    check_all(&client.build().unwrap(), "", "in-process connection ").await;
}

/// A method may call a router in the same process. The lines name the inner method.
#[tokio::test]
async fn a_call_within_a_call_has_its_own_line() {
    let inner = router().build().unwrap();
    let outer = Router::new().method_fn("outer", move || {
        let inner = inner.clone();
        async move {
            let call = r#"{"jsonrpc":"2.0","id":1,"method":"fails_at_once"}"#;
            let answer = inner.handle(call).await.unwrap_or_default();
            let answer: Value = serde_json::from_slice(&answer)?;
            Err::<bool, Failure>(io::Error::other(answer["error"].to_string()).into())
        }
    });
    log::keep();
    let client = Client::builder("").in_process(&outer.build().unwrap());
    let error = client.build().unwrap().call::<bool>("outer", ()).await;
    let error = error.unwrap_err();
    let data: Value = serde_json::from_str(object(&error).data().unwrap()).unwrap();
    let lines = log::lines(data["incident"].as_str().unwrap());
    assert!(lines[0].contains("method=outer "), "{lines:?}");
    let inner = lines[0].split("incident\":\"").nth(1).unwrap();
    let inner = log::lines(inner.split('"').next().unwrap());
    assert!(inner[0].contains("method=fails_at_once "), "{inner:?}");
}

#[tokio::test]
async fn a_line_names_the_method_of_a_stream() {
    quiet();
    log::keep();
    let server = Router::new()
        .method_fn("panics_stream", || {
            stream::poll_fn(|_| -> Poll<Option<u8>> { panic!("{PANIC}") })
        })
        .method_fn("fails_stream", || {
            stream::iter([1])
                .map(|_| -> Result<u8, Failure> { Err(io::Error::other("no more paper"))? })
        });
    let server = server.build().unwrap();
    let client = Client::builder("").in_process(&server).build().unwrap();
    for method in ["panics_stream", "fails_stream"] {
        let mut items = client.subscribe::<u8>(method, ()).await.unwrap();
        let error = items.next().await.unwrap().unwrap_err();
        let StreamError::Failed(error) = error else {
            panic!("{error:?}");
        };
        check(&error, method, "in-process connection ");
    }
}
