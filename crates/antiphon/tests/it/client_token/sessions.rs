//! Tokens on sessions: before the first call, after a reconnection, and before they end.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use antiphon::client::{Client, ErrorKind, Reconnect};
use antiphon::{ErrorCode, Router, Server};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{sleep, timeout};

use super::{Good, Issuer, LONG, Serving, start};
use crate::client_support::listen;
use crate::support::counter::Counter;

async fn who(client: &Client) -> String {
    match client.call::<String>("who", ()).idempotent().await {
        Ok(token) => token,
        Err(error) => error.to_string(),
    }
}

/// Addresses to bind for each kind of session.
fn addresses() -> (PathBuf, [String; 4]) {
    let name = format!("antiphon-token-{}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&folder).unwrap();
    let unix = format!("unix:{}/a.sock", folder.display());
    let web = format!("http+unix:{}/b.sock", folder.display());
    let sessions = [
        "http://127.0.0.1:0".to_owned(),
        "tcp://127.0.0.1:0".to_owned(),
        unix,
        web,
    ];
    (folder, sessions)
}

#[tokio::test]
async fn a_session_is_authenticated_before_its_first_call() {
    let (folder, addresses) = addresses();
    for bind in addresses {
        let good = Good::of(&["t1"]);
        let (url, serving) = start(&good, LONG, &bind).await;
        let url = url.replacen("http", "ws", 1);
        let client = Client::builder(&url).bearer("t1").build().unwrap();
        assert_eq!(who(&client).await, "t1", "{url}");

        // Refused twice: one request to the provider for each token.
        let issuer = Issuer::default();
        issuer.asked.add();
        let client = issuer.give(Client::builder(&url)).build().unwrap();
        let error = client.call::<Value>("who", ()).await.unwrap_err();
        assert!(error.is_unauthenticated(), "{url}: {error}");
        assert!(error.code().is_some() || error.status().is_some());
        assert_eq!(issuer.asked.get(), 3, "{url}");

        // The second one is accepted.
        good.set(&["t2"]);
        let issuer = Issuer::default();
        let client = issuer.give(Client::builder(&url)).build().unwrap();
        let calls = (0..50).map(|_| who(&client));
        for token in futures_util::future::join_all(calls).await {
            assert_eq!(token, "t2", "{url}");
        }
        assert_eq!(issuer.asked.get(), 2, "{url}");

        // A fixed one is not tried again, and is no reason to reconnect.
        let builder = Client::builder(&url).bearer("wrong");
        let client = builder.reconnect(Reconnect::default()).build().unwrap();
        for _ in 0..2 {
            let failed = client.call::<Value>("who", ()).await.unwrap_err();
            assert!(failed.is_unauthenticated(), "{url}: {failed}");
        }

        let issuer = Issuer::default();
        issuer.fail(true);
        let client = issuer.give(Client::builder(&url)).build().unwrap();
        let error = client.call::<Value>("who", ()).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::NotSent), "{error}");
        assert!(error.to_string().contains("the issuer sleeps"), "{error}");
        drop(serving);
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn a_server_that_asks_nobody_needs_no_token() {
    let router = || Router::new().method_fn("who", || "anybody");
    for bind in ["http://127.0.0.1:0", "tcp://127.0.0.1:0"] {
        let listening = Server::new(router()).bind(bind).listen().await.unwrap();
        let url = listening.url().replacen("http", "ws", 1);
        let serving = tokio::spawn(async move { listening.serve().await.unwrap() });
        let client = Client::builder(&url).bearer("t1").build().unwrap();
        assert_eq!(who(&client).await, "anybody");
        serving.abort();
    }
    let dispatcher = router().build().unwrap();
    let builder = Client::builder("").in_process(&dispatcher).bearer("t1");
    assert_eq!(who(&builder.build().unwrap()).await, "anybody");
}

#[tokio::test]
async fn a_session_is_authenticated_again_after_a_reconnection() {
    for bind in ["http://127.0.0.1:0", "tcp://127.0.0.1:0"] {
        let good = Good::of(&["t1"]);
        let (address, serving) = start(&good, LONG, bind).await;
        let url = address.replacen("http", "ws", 1);
        let issuer = Issuer::default();
        let reconnect = Reconnect::default().first_pause(Duration::from_millis(10));
        let builder = issuer.give(Client::builder(&url)).reconnect(reconnect);
        let client = builder.build().unwrap();
        assert_eq!(who(&client).await, "t1");
        let serving = restart(serving, &good, &address).await;
        assert_eq!(who(&client).await, "t1");
        assert_eq!(issuer.asked.get(), 1);
        // Meanwhile the token is taken back.
        good.set(&["t2"]);
        let serving = restart(serving, &good, &address).await;
        assert_eq!(who(&client).await, "t2");
        assert_eq!(issuer.asked.get(), 2);
        drop(serving);
    }
}

async fn restart(serving: Serving, good: &Good, address: &str) -> Serving {
    serving.end().await;
    let (again, serving) = start(good, LONG, address).await;
    assert_eq!(again, address);
    serving
}

#[tokio::test]
async fn a_session_that_lives_is_told_the_next_token() {
    for bind in ["http://127.0.0.1:0", "tcp://127.0.0.1:0"] {
        let good = Good::of(&["t1", "t2", "t3", "t4", "t5", "t6", "t7", "t8", "t9"]);
        let lifetime = Duration::from_secs(2);
        let (url, serving) = start(&good, lifetime, bind).await;
        let url = url.replacen("http", "ws", 1);
        // Both sides agree about the lifetime.
        let issuer = Issuer {
            lifetime: Some(lifetime),
            ..Issuer::default()
        };
        let client = issuer.give(Client::builder(&url)).build().unwrap();
        assert_eq!(who(&client).await, "t1");
        let started = SystemTime::now();
        // No call asks for a token; the session does.
        let fetched = timeout(Duration::from_secs(20), issuer.asked.reach(2));
        fetched.await.unwrap();
        assert!(started.elapsed().unwrap() < lifetime, "{url}");
        while who(&client).await == "t1" {
            sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(who(&client).await, "t2");
        drop(serving);
    }
}

#[tokio::test]
async fn a_call_whose_token_has_ended_is_sent_again_once() {
    for bind in ["http://127.0.0.1:0", "tcp://127.0.0.1:0"] {
        for calls in [1, 50] {
            let good = Good::of(&["t1", "t2"]);
            let (url, serving) = start(&good, Duration::from_millis(700), bind).await;
            let url = url.replacen("http", "ws", 1);
            // The issuer does not tell when a token ends.
            let issuer = Issuer::default();
            let client = issuer.give(Client::builder(&url)).build().unwrap();
            assert_eq!(who(&client).await, "t1");
            sleep(Duration::from_millis(900)).await;
            let calls = (0..calls).map(|_| who(&client));
            for token in futures_util::future::join_all(calls).await {
                assert_eq!(token, "t2", "{url}");
            }
            assert_eq!(issuer.asked.get(), 2, "{url}");
            sleep(Duration::from_millis(900)).await;
            // The server does not know the third one.
            let error = client.call::<Value>("who", ()).await.unwrap_err();
            assert_eq!(error.code(), Some(ErrorCode::UNAUTHENTICATED), "{error}");
            assert_eq!(issuer.asked.get(), 3, "{url}");
            // A batch, too.
            good.set(&["t4"]);
            let mut batch = client.batch();
            let subject = batch.call::<String>("who", ());
            let mut responses = batch.send().await.unwrap();
            assert_eq!(responses.take(subject).unwrap(), "t4");
            drop(serving);
        }
    }
}

#[tokio::test]
async fn a_server_that_cannot_check_now_is_asked_again() {
    let (url, serving) = start(&Good::default(), LONG, "tcp://127.0.0.1:0").await;
    let builder = || Client::builder(&url).bearer("busy");
    let client = builder().build().unwrap();
    let error = client.call::<Value>("who", ()).await.unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::OVERLOADED), "{error}");
    let builder = builder().reconnect(Reconnect::default());
    let client = builder.build().unwrap();
    let call = client.call::<Value>("who", ());
    let error = call.timeout(Duration::from_millis(500)).await.unwrap_err();
    assert!(error.is_timeout(), "{error}");
    assert!(matches!(error.kind(), ErrorKind::NotSent));
    drop(serving);
}

#[tokio::test]
async fn a_server_that_has_refused_too_many_from_this_address_is_asked_again() {
    let asked = Counter::default();
    let counted = asked.clone();
    let address = listen(move |mut stream| {
        counted.add();
        let is_limited = counted.get() < 3;
        async move {
            let mut request = [0; 1024];
            let length = stream.read(&mut request).await?;
            let id = serde_json::from_slice::<Value>(request.get(..length).unwrap()).unwrap();
            let (id, data) = (&id["id"], json!({"retryAfterMs": 1}));
            let error = json!({"code": -32005, "message": "Limit exceeded", "data": data});
            let answer = match is_limited {
                true => json!({"jsonrpc": "2.0", "id": id, "error": error}),
                false => json!({"jsonrpc": "2.0", "id": id, "result": {}}),
            };
            stream.write_all(format!("{answer}\n").as_bytes()).await?;
            stream.read(&mut request).await.map(drop)
        }
    })
    .await;
    let builder = || Client::builder(format!("tcp://{address}")).bearer("t1");
    let client = builder().build().unwrap();
    let error = client.call::<Value>("who", ()).await.unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::LIMIT_EXCEEDED), "{error}");
    assert_eq!(error.retry_after(), Some(Duration::from_millis(1)));
    let soon = Reconnect::default().first_pause(Duration::from_millis(1));
    let client = builder().reconnect(soon).build().unwrap();
    client.ready().await.unwrap();
    assert_eq!(asked.get(), 3);
}

#[tokio::test]
async fn a_token_alone_is_no_reason_to_reconnect() {
    let connections = Counter::default();
    let counted = connections.clone();
    let address = listen(move |mut stream| {
        counted.add();
        async move {
            let mut request = [0; 1024];
            let length = stream.read(&mut request).await?;
            let request: Value = serde_json::from_slice(request.get(..length).unwrap()).unwrap();
            assert_eq!(request["method"], "rpc.authenticate");
            assert_eq!(request["params"], json!(["t1"]));
            let answer = json!({"jsonrpc": "2.0", "id": request["id"], "result": {}});
            stream.write_all(format!("{answer}\n").as_bytes()).await?;
            sleep(Duration::from_millis(5)).await;
            stream.shutdown().await
        }
    })
    .await;
    let soon = Reconnect::default().first_pause(Duration::from_millis(1));
    let builder = Client::builder(format!("tcp://{address}")).bearer("t1");
    let client = builder.reconnect(soon).build().unwrap();
    client.ready().await.unwrap();
    connections.reach(2).await;
    sleep(Duration::from_millis(300)).await;
    assert_eq!(connections.get(), 2);
}

#[tokio::test]
async fn nothing_is_sent_before_the_token_is_accepted() {
    let address = listen(move |mut stream| async move {
        let mut request = [0; 1024];
        let length = stream.read(&mut request).await?;
        let id = serde_json::from_slice::<Value>(request.get(..length).unwrap()).unwrap();
        // Whatever came behind it would come now.
        let more = timeout(Duration::from_millis(100), stream.read(&mut request)).await;
        let result = json!({"jsonrpc": "2.0", "id": id["id"], "result": {}});
        stream.write_all(format!("{result}\n").as_bytes()).await?;
        let length = stream.read(&mut request).await?;
        let id = serde_json::from_slice::<Value>(request.get(..length).unwrap()).unwrap();
        let result = json!({"jsonrpc": "2.0", "id": id["id"], "result": more.is_err()});
        stream.write_all(format!("{result}\n").as_bytes()).await?;
        stream.read(&mut request).await.map(drop)
    })
    .await;
    let builder = Client::builder(format!("tcp://{address}")).bearer("t1");
    let client = builder.build().unwrap();
    let alone: bool = client.call("m", ()).await.unwrap();
    assert!(alone);
}
