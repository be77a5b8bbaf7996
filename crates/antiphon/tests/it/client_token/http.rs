//! Tokens over HTTP: the header of each request, renewal, and calls that are sent again.

use std::time::Duration;

use antiphon::client::{Client, ClientBuilder, ErrorKind};
use antiphon::{ErrorCode, call};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, advance};

use super::{Good, Issuer, LONG, start};
use crate::client_support::{self, Log, listen, scripted, wire};
use crate::support::counter::Counter;

/// A scripted server that accepts these tokens.
fn accepting(good: &Good) -> (ClientBuilder, Log) {
    let good = good.clone();
    scripted(move |request| {
        let token = request.header("authorization").unwrap_or_default();
        let token = token.strip_prefix("Bearer ").unwrap_or("none");
        match good.has(token) {
            true => request.answer(&format!("\"{token}\"")),
            false => client_support::json(401, "{}"),
        }
    })
}

async fn who(client: &Client) -> String {
    match client.call::<String>("who", ()).await {
        Ok(token) => token,
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn every_request_has_the_token() {
    let (builder, log) = accepting(&Good::of(&["7f3a"]));
    let client = builder.bearer("7f3a").build().unwrap();
    assert_eq!(who(&client).await, "7f3a");
    client.notify("who", ()).await.unwrap();
    let mut batch = client.batch();
    let ticket = batch.call_with_id::<Value>(1, "who", ());
    // The scripted server knows no batches.
    assert!(batch.send().await.is_err());
    drop(ticket);
    let log = log.lock().unwrap();
    assert_eq!(log.len(), 3);
    for request in log.iter() {
        assert_eq!(request.header("authorization"), Some("Bearer 7f3a"));
        assert!(request.headers["authorization"].is_sensitive());
    }
}

#[tokio::test(start_paused = true)]
async fn one_call_or_fifty_at_once_ask_once() {
    for calls in [1, 50] {
        let (builder, log) = accepting(&Good::of(&["t1"]));
        let issuer = Issuer {
            takes: Duration::from_secs(1),
            ..Issuer::default()
        };
        let client = issuer.give(builder).build().unwrap();
        for _ in 0..2 {
            let waiting = (0..calls).map(|_| who(&client));
            for token in futures_util::future::join_all(waiting).await {
                assert_eq!(token, "t1");
            }
        }
        assert_eq!(issuer.asked.get(), 1);
        assert_eq!(log.lock().unwrap().len(), 2 * calls);
    }
}

#[tokio::test(start_paused = true)]
async fn the_next_token_is_fetched_before_the_old_one_ends() {
    let (builder, _) = accepting(&Good::of(&["t1", "t2", "t3", "t4"]));
    let issuer = Issuer {
        lifetime: Some(Duration::from_secs(600)),
        takes: Duration::from_secs(2),
        ..Issuer::default()
    };
    let client = issuer.give(builder).build().unwrap();
    assert_eq!(who(&client).await, "t1");
    advance(Duration::from_secs(560)).await;
    assert_eq!(who(&client).await, "t1");
    assert_eq!(issuer.asked.get(), 1);
    // Less than 30 s are left. Nobody waits for the next one.
    advance(Duration::from_secs(15)).await;
    let started = Instant::now();
    assert_eq!(who(&client).await, "t1");
    assert_eq!(started.elapsed(), Duration::ZERO);
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(issuer.asked.get(), 2);
    assert_eq!(who(&client).await, "t2");
    // A token that has ended is not sent.
    advance(Duration::from_secs(601)).await;
    assert_eq!(who(&client).await, "t3");
    // As long as the old token is good, a failure is no harm, and is not repeated at once.
    issuer.fail(true);
    advance(Duration::from_secs(575)).await;
    for _ in 0..5 {
        assert_eq!(who(&client).await, "t3");
        tokio::time::sleep(Duration::from_millis(700)).await;
    }
    assert_eq!(issuer.asked.get(), 4);
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(who(&client).await, "t3");
    tokio::time::sleep(Duration::from_secs(30)).await;
    let told = "`who` was not sent: there is no token: the issuer sleeps";
    assert_eq!(who(&client).await, told);
}

#[tokio::test(start_paused = true)]
async fn a_refused_token_is_replaced_once_for_all() {
    for calls in [1, 50] {
        let good = Good::of(&["t1"]);
        let (builder, log) = accepting(&good);
        let issuer = Issuer {
            takes: Duration::from_secs(1),
            ..Issuer::default()
        };
        let client = issuer.give(builder).build().unwrap();
        assert_eq!(who(&client).await, "t1");
        good.set(&["t2"]);
        let waiting = (0..calls).map(|_| who(&client));
        for token in futures_util::future::join_all(waiting).await {
            assert_eq!(token, "t2");
        }
        assert_eq!(issuer.asked.get(), 2, "{calls}");
        assert_eq!(log.lock().unwrap().len(), 1 + 2 * calls);

        good.set(&[]);
        let error = client.call::<String>("who", ()).await.unwrap_err();
        assert!(error.is_unauthenticated(), "{error}");
        assert!(matches!(error.kind(), ErrorKind::Rejected { .. }));
        assert_eq!(issuer.asked.get(), 3, "once for each call");
        assert_eq!(log.lock().unwrap().len(), 3 + 2 * calls);
    }
}

#[tokio::test]
async fn a_fixed_token_is_sent_once() {
    let (builder, log) = accepting(&Good::of(&[]));
    let client = builder.bearer("old").build().unwrap();
    let error = client.call::<String>("who", ()).await.unwrap_err();
    assert!(error.is_unauthenticated() && !error.is_forbidden());
    assert_eq!(log.lock().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_error_of_the_provider_means_that_nothing_was_sent() {
    let (builder, log) = accepting(&Good::of(&["t3"]));
    let issuer = Issuer {
        takes: Duration::from_secs(1),
        ..Issuer::default()
    };
    issuer.fail(true);
    let client = issuer.give(builder).build().unwrap();
    let waiting = (0..50).map(|_| client.call::<String>("who", ()).into_future());
    for answer in futures_util::future::join_all(waiting).await {
        let error = answer.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::NotSent), "{error}");
        assert!(
            error
                .to_string()
                .ends_with(": there is no token: the issuer sleeps")
        );
    }
    assert_eq!(issuer.asked.get(), 1);
    assert_eq!(
        who(&client).await,
        "`who` was not sent: there is no token: the issuer sleeps"
    );
    issuer.fail(false);
    assert_eq!(who(&client).await, "t3");
    assert_eq!(log.lock().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_hangs_is_not_waited_for_longer_than_the_call() {
    let (builder, log) = accepting(&Good::of(&["t1", "t2"]));
    let issuer = Issuer {
        takes: Duration::from_secs(20),
        ..Issuer::default()
    };
    let client = issuer.give(builder).build().unwrap();
    let call = client.call::<String>("who", ());
    let error = call.timeout(Duration::from_millis(300)).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::NotSent) && error.is_timeout());
    // The request to the provider goes on, for the next call.
    assert_eq!(who(&client).await, "t1");
    assert_eq!(issuer.asked.get(), 1);

    let (builder, _) = accepting(&Good::of(&["t1", "t2"]));
    let issuer = Issuer {
        takes: LONG,
        ..Issuer::default()
    };
    let client = issuer.give(builder).timeout(None).build().unwrap();
    let started = Instant::now();
    let told = who(&client).await;
    assert!(
        told.ends_with("the provider takes longer than 30 s"),
        "{told}"
    );
    assert_eq!(started.elapsed(), Duration::from_secs(30));
    drop(log);
}

#[tokio::test]
async fn a_provider_that_panics_or_gives_nonsense_is_an_error() {
    let (builder, _) = accepting(&Good::default());
    let panics = || async { panic!("on purpose") as Result<String, std::io::Error> };
    let client = builder.bearer_from(panics).build().unwrap();
    assert!(who(&client).await.contains("the provider has panicked"));
    let (builder, _) = accepting(&Good::default());
    let nonsense = || async { Ok::<_, std::io::Error>("a\nb") };
    let client = builder.bearer_from(nonsense).build().unwrap();
    let told = who(&client).await;
    assert!(
        told.contains("characters that a token cannot have"),
        "{told}"
    );
}

#[tokio::test]
async fn a_server_is_told_the_token_and_tells_what_is_missing() {
    let (url, serving) = start(&Good::of(&["t1"]), LONG, "http://127.0.0.1:0").await;
    let client = Client::builder(&url).bearer("t1").build().unwrap();
    assert_eq!(who(&client).await, "t1");
    let error = client.call::<i64>("write", ()).await.unwrap_err();
    assert!(error.is_forbidden() && !error.is_unauthenticated());
    assert_eq!(error.missing_scope().as_deref(), Some("write admin"));
    let mut batch = client.batch();
    let subject = batch.call::<String>("who", ());
    let mut responses = batch.send().await.unwrap();
    assert_eq!(responses.take(subject).unwrap(), "t1");

    let anonymous = Client::connect(&url).unwrap();
    let error = anonymous.call::<Value>("who", json!([])).await.unwrap_err();
    assert!(error.is_unauthenticated());
    assert_eq!(error.code(), Some(ErrorCode::UNAUTHENTICATED));

    // A batch is refused as a whole, and sent again.
    let issuer = Issuer::default();
    issuer.asked.add();
    let (again, serving_2) = start(&Good::of(&["t3"]), LONG, "http://127.0.0.1:0").await;
    let client = issuer.give(Client::builder(&again)).build().unwrap();
    let mut batch = client.batch();
    let subject = batch.call::<String>("who", ());
    let mut responses = batch.send().await.unwrap();
    assert_eq!(responses.take(subject).unwrap(), "t3");
    drop((serving, serving_2));
}

#[tokio::test]
async fn a_redirect_is_not_followed_with_a_token() {
    let (reached, refused) = (Counter::default(), Counter::default());
    let other = {
        let reached = reached.clone();
        listen(move |_| {
            reached.add();
            async { Ok(()) }
        })
        .await
    };
    let counted = refused.clone();
    let first = listen(move |mut stream| {
        counted.add();
        async move {
            let mut request = [0; 4096];
            let length = stream.read(&mut request).await?;
            assert!(length > 0);
            let answer = wire("307 Temporary Redirect", "");
            let location = format!("\r\nLocation: http://{other}/\r\n");
            let answer = answer.replacen("\r\n", &location, 1);
            stream.write_all(answer.as_bytes()).await?;
            stream.shutdown().await
        }
    })
    .await;
    for scheme in ["http", "ws"] {
        let builder = Client::builder(format!("{scheme}://{first}")).bearer("t1");
        let client = builder.build().unwrap();
        let error = client.call::<Value>("who", ()).await.unwrap_err();
        let status = error.status().map(|status| status.as_u16());
        assert_eq!(status, Some(307), "{error}");
    }
    assert_eq!((refused.get(), reached.get()), (2, 0));
}

#[tokio::test]
async fn the_blocking_client_has_tokens_too() {
    let (url, serving) = start(&Good::of(&["t2"]), LONG, "http://127.0.0.1:0").await;
    let issuer = Issuer::default();
    let builder = issuer.give(Client::builder(&url));
    let worked = tokio::task::spawn_blocking(move || {
        let client = builder.build_blocking().unwrap();
        let subject: String = call!(client.who()).unwrap();
        subject
    });
    assert_eq!(worked.await.unwrap(), "t2");
    drop(serving);
}
