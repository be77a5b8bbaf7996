//! To which method a call belongs, and what cannot be forwarded.

use std::sync::Arc;

use antiphon::client::{Body, Client, ErrorKind};
use antiphon::{Context, Method, Router, Server};
use serde_json::Value;
use tokio::sync::mpsc;

use super::{Clients, NO_CALLER, Tokens, behind, call_blocking, call_in, caller, code_of, serve};
use crate::support::counter::Counter;

/// Does something with a client, and tells the code of a call of `write`.
fn place(name: &str, clients: Clients) -> Method {
    let client = clients.forwarding;
    let (tell, told) = mpsc::unbounded_channel();
    let told = Arc::new(tokio::sync::Mutex::new(told));
    let kept = name.to_owned();
    // It blocks no thread of the runtime that would have to answer it.
    let blocking = clients.blocking;
    let method = Method::function(name, move |ctx: Context| {
        let (client, blocking) = (client.clone(), blocking.clone());
        let (tell, told, name) = (tell.clone(), Arc::clone(&told), kept.clone());
        // A plain `fn` does not count as running.
        let at_once = (name == "plain").then(|| call_blocking(&blocking, "call", "write"));
        async move {
            match &*name {
                "plain" => return at_once,
                "method" => return Some(call_in(&client, "call", "write").await),
                "context" => ctx.spawn(async move {
                    let _ = tell.send(call_in(&client, "call", "write").await);
                }),
                "task" => drop(tokio::spawn(async move {
                    let _ = tell.send(call_in(&client, "call", "write").await);
                })),
                "thread" => drop(tokio::task::spawn_blocking(move || {
                    let _ = tell.send(call_blocking(&blocking, "call", "write"));
                })),
                "batch in a task" => drop(tokio::spawn(async move {
                    let _ = tell.send(call_in(&client, "batch", "write").await);
                })),
                "subscription in a task" => drop(tokio::spawn(async move {
                    let _ = tell.send(call_in(&client, "subscribe", "count").await);
                })),
                "notification in a task" => drop(tokio::spawn(async move {
                    let _ = tell.send(call_in(&client, "notify", "write").await);
                })),
                // The method has made the call, and another task only waits for it.
                "made here" => {
                    let call = client.call::<Value>("write", ());
                    drop(tokio::spawn(async move {
                        let _ = tell.send(code_of(call.await));
                    }));
                }
                other => panic!("{other}"),
            }
            told.lock().await.recv().await
        }
    });
    method.public()
}

#[tokio::test]
async fn without_a_running_method_nothing_is_sent() {
    let ran = Counter::default();
    let clients = Clients::of(behind(&ran));
    let table = [
        ("plain", NO_CALLER),
        ("method", 0),
        ("context", 0),
        ("made here", 0),
        ("task", NO_CALLER),
        ("thread", NO_CALLER),
        ("batch in a task", NO_CALLER),
        ("subscription in a task", NO_CALLER),
        ("notification in a task", NO_CALLER),
    ];
    let methods = table.map(|(name, _)| place(name, clients.clone()));
    let front = methods.into_iter().fold(Router::new(), Router::method);
    let (url, serving) = serve(Server::new(front).authenticate(Tokens::default())).await;
    for (name, expected) in table {
        let before = ran.get();
        let client = caller(&url, "writer", false);
        let found: Option<i64> = client.call(name, ()).await.unwrap();
        assert_eq!(found, Some(expected), "{name}");
        assert_eq!(ran.get() - before, usize::from(expected == 0), "{name}");
    }
    serving.abort();

    let outside = clients
        .forwarding
        .call::<Value>("free", ())
        .await
        .unwrap_err();
    assert!(matches!(outside.kind(), ErrorKind::Local) && outside.has_no_caller());
    assert!(outside.to_string().contains("Context::spawn"), "{outside}");
    // That a connection can be opened says nothing about calls.
    clients.forwarding.ready().await.unwrap();
    assert_eq!(call_in(&clients.plain, "call", "write").await, 0);
}

#[tokio::test]
async fn a_call_that_was_made_outside_belongs_to_the_method_that_awaits_it() {
    let clients = Clients::of(behind(&Counter::default()));
    let calls = Arc::new(std::sync::Mutex::new(Vec::new()));
    for _ in 0..2 {
        calls
            .lock()
            .unwrap()
            .push(clients.forwarding.call::<Value>("write", ()));
    }
    let method = Method::function("take", move || {
        let call = calls.lock().unwrap().pop().unwrap();
        async move { code_of(call.await) }
    });
    let front = Router::new().method(method.public());
    let (url, serving) = serve(Server::new(front).authenticate(Tokens::default())).await;
    for (token, expected) in [("reader", -32007), ("writer", 0)] {
        let found: i64 = caller(&url, token, false).call("take", ()).await.unwrap();
        assert_eq!(found, expected, "{token}");
    }
    serving.abort();
}

#[tokio::test]
async fn nothing_is_forwarded_to_another_process() {
    let behind = behind(&Counter::default()).build().unwrap();
    let service = tower::service_fn(|_: http::Request<Body>| async {
        Ok::<_, std::io::Error>(http::Response::new(Body::default()))
    });
    let refused = |name: &str, builder: antiphon::client::ClientBuilder| {
        let error = builder.forward_identity().build().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Local), "{name}");
        assert!(
            error.to_string().contains("inside of this process"),
            "{name}: {error}"
        );
    };
    for url in [
        "http://127.0.0.1:1",
        "https://calc.example",
        "ws://127.0.0.1:1",
        "wss://calc.example",
        "tcp://127.0.0.1:1",
        "tls://calc.example:1",
        "stdio:true",
        "unix:/a.sock",
        "http+unix:/a.sock",
        "",
    ] {
        refused(url, Client::builder(url));
        refused(
            url,
            Client::builder(url).bearer("7f3a").allow_plaintext_token(),
        );
    }
    refused(
        "a service",
        Client::builder("http://localhost").service(service),
    );
    let client = Client::builder("").in_process(&behind).forward_identity();
    assert!(client.build().is_ok());
}
