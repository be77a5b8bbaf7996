//! Sessions that say who they are: when they begin, and later.

use std::sync::Arc;
use std::time::Duration;

use antiphon::client::{Client, ErrorKind};
use antiphon::{Context, ErrorCode, Method, Router, Server, call};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::{EXPECTED, Tokens, router, server};
use crate::support::counter::Counter;

/// A server on one address, and the address for its clients.
async fn start(ran: &Counter, bind: &str) -> (String, JoinHandle<()>) {
    let listening = server(ran).bind(bind).listen().await.unwrap();
    let url = listening.url();
    (
        url,
        tokio::spawn(async move { listening.serve().await.unwrap() }),
    )
}

async fn code_of(client: &Client, method: &str) -> i64 {
    match client.call::<Value>(method, json!([])).await {
        Ok(_) => 0,
        Err(error) => error.code().map_or(1, |code| code.0),
    }
}

#[tokio::test]
async fn a_session_is_anonymous_until_it_authenticates_itself() {
    let folder = std::env::temp_dir().join(format!("antiphon-id-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let unix = format!("unix:{}/a.sock", folder.display());
    for bind in ["http://127.0.0.1:0", "tcp://127.0.0.1:0", &unix] {
        let ran = Counter::default();
        let (url, serving) = start(&ran, bind).await;
        let url = url.replacen("http", "ws", 1);
        for token in ["", "reader", "writer"] {
            let client = Client::builder(&*url).build().unwrap();
            if !token.is_empty() {
                let answer: Value = call!(client.rpc.authenticate(token)).await.unwrap();
                assert_eq!(answer["subject"], token);
            }
            for (of, method, expected) in EXPECTED {
                if of == token {
                    assert_eq!(
                        code_of(&client, method).await,
                        expected,
                        "{url} {of} {method}"
                    );
                }
            }
        }
        serving.abort();
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn a_token_in_the_handshake_holds_for_the_session() {
    let ran = Counter::default();
    let (url, serving) = start(&ran, "127.0.0.1:0").await;
    let url = url.replacen("http", "ws", 1);
    let client = Client::builder(&*url)
        .header("authorization", "Bearer writer")
        .build()
        .unwrap();
    let who: Option<String> = call!(client.write()).await.unwrap();
    assert_eq!(who.as_deref(), Some("writer"));
    // Another token takes the place of the first one, and a wrong one changes nothing.
    let _: Value = call!(client.rpc.authenticate("reader")).await.unwrap();
    assert_eq!(code_of(&client, "write").await, -32007);
    let error = call!(client.rpc.authenticate("wrong"))
        .await
        .map(|_: Value| ())
        .unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::UNAUTHENTICATED));
    assert_eq!(code_of(&client, "known").await, 0);

    let client = Client::builder(&*url)
        .header("authorization", "Bearer wrong")
        .build()
        .unwrap();
    assert_eq!(
        code_of(&client, "free").await,
        1,
        "the handshake is refused"
    );
    serving.abort();
}

#[tokio::test]
async fn an_identity_ends_with_its_token() {
    let ran = Counter::default();
    let (url, serving) = start(&ran, "tcp://127.0.0.1:0").await;
    let client = Client::builder(&*url).build().unwrap();
    let answer: Value = call!(client.rpc.authenticate("brief")).await.unwrap();
    assert!(answer["expiresIn"].as_u64().unwrap() <= 1, "{answer}");
    assert_eq!(code_of(&client, "write").await, 0);
    while code_of(&client, "write").await == 0 {
        sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(code_of(&client, "write").await, -32006);
    assert_eq!(code_of(&client, "free").await, 0);
    let _: Value = call!(client.rpc.authenticate("brief")).await.unwrap();
    assert_eq!(code_of(&client, "write").await, 0);
    serving.abort();
}

#[tokio::test]
async fn whoever_guesses_tokens_is_cut() {
    let ran = Counter::default();
    let (url, serving) = start(&ran, "tcp://127.0.0.1:0").await;
    let client = Client::builder(&*url).build().unwrap();
    for attempt in 1..=5 {
        let error = call!(client.rpc.authenticate(format!("guess {attempt}")))
            .await
            .map(|_: Value| ())
            .unwrap_err();
        assert_eq!(error.code(), Some(ErrorCode::UNAUTHENTICATED), "{attempt}");
    }
    let ended = timeout(Duration::from_secs(20), async {
        loop {
            let answer = client.call::<Value>("free", json!([])).await;
            match answer {
                Err(error) if matches!(error.kind(), ErrorKind::NotSent | ErrorKind::Unknown) => {
                    break;
                }
                _ => sleep(Duration::from_millis(10)).await,
            }
        }
    });
    ended.await.expect("the session goes on");
    serving.abort();
}

#[tokio::test]
async fn guesses_at_the_same_time_count_one_by_one() {
    let (ran, tokens) = (Counter::default(), Tokens::default());
    let server = Server::new(router(&ran)).authenticate(tokens.clone());
    let listening = server.bind("tcp://127.0.0.1:0").listen().await.unwrap();
    let client = Client::builder(listening.url()).build().unwrap();
    let serving = tokio::spawn(listening.serve());
    let guesses: Vec<_> = (0..50)
        .map(|guess| {
            let client = client.clone();
            let token = format!("guess {guess}");
            tokio::spawn(async move {
                call!(client.rpc.authenticate(token))
                    .await
                    .map(|_: Value| ())
            })
        })
        .collect();
    for guess in guesses {
        assert!(guess.await.unwrap().is_err());
    }
    assert_eq!(tokens.asked.get(), 5);
    serving.abort();
}

#[tokio::test]
async fn a_call_keeps_the_identity_with_which_it_began() {
    let gate = Arc::new(Semaphore::new(0));
    let (opens, entered) = (Arc::clone(&gate), Counter::default());
    let enters = entered.clone();
    let later = Method::function("later", move |ctx: Context| {
        let gate = Arc::clone(&gate);
        enters.add();
        async move {
            let _ = gate.acquire().await;
            ctx.identity().map(|identity| identity.subject().to_owned())
        }
    });
    let server = Server::new(Router::new().method(later)).authenticate(Tokens::default());
    let listening = server.bind("tcp://127.0.0.1:0").listen().await.unwrap();
    let client = Client::builder(listening.url()).build().unwrap();
    let serving = tokio::spawn(listening.serve());
    let _: Value = call!(client.rpc.authenticate("writer")).await.unwrap();
    let caller = client.clone();
    let calling = tokio::spawn(async move { call!(caller.later()).await });
    entered.reach(1).await;
    let _: Value = call!(client.rpc.authenticate("reader")).await.unwrap();
    opens.add_permits(1);
    let who: Option<String> = calling.await.unwrap().unwrap();
    assert_eq!(who.as_deref(), Some("writer"));
    serving.abort();
}

#[tokio::test]
async fn what_a_session_asks_for_is_checked() {
    let ran = Counter::default();
    let (url, serving) = start(&ran, "tcp://127.0.0.1:0").await;
    let client = Client::builder(&*url).build().unwrap();
    for (params, expected) in [
        (json!([]), -32602),
        (json!([1]), -32602),
        (json!(["reader", 1]), -32602),
        (json!({"token": 1}), -32602),
        (json!({"token": "reader", "more": 1}), -32602),
        (json!(["busy"]), -32000),
        (json!({"token": "reader"}), 0),
    ] {
        let answer = client
            .call::<Value>("rpc.authenticate", params.clone())
            .await;
        let code = answer.map_or_else(|error| error.code().unwrap().0, |_| 0);
        assert_eq!(code, expected, "{params}");
    }
    let client = Client::builder(&*url).build().unwrap();
    let subscribed = client.subscribe::<u64>("count", json!([])).await;
    assert_eq!(
        subscribed.unwrap_err().code(),
        Some(ErrorCode::UNAUTHENTICATED)
    );
    let _: Value = call!(client.rpc.authenticate("writer")).await.unwrap();
    assert!(client.subscribe::<u64>("count", json!([])).await.is_ok());
    serving.abort();
}
