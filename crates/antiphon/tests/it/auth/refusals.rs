//! Tokens that are no good: refused over every transport, and shown nowhere.

use std::io;
use std::sync::{Arc, Mutex};

use antiphon::client::Client;
use antiphon::{BearerTokens, NewToken, Server, call};
use serde_json::{Value, json};

use super::*;
use crate::support::call as request;
use crate::support::folder::Folder;
use crate::support::http1::post;
use crate::support::test_server::{Log, TestServer};

/// Lines of a log at level `trace`.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn server(ran: &Counter, tokens: &BearerTokens, issuer: &Issuer) -> Server {
    Server::new(router(ran))
        .authenticate(tokens.clone())
        .authenticate(issuer.authenticator())
}

/// Tokens that are refused, each with another fault.
fn bad(good: &NewToken, removed: &NewToken, issuer: &Issuer) -> Vec<String> {
    let other = Issuer::new();
    let jwt = issuer.token(&json!({}));
    let [header, claims, signature] = jwt.split('.').collect::<Vec<_>>()[..] else {
        unreachable!()
    };
    let none = base64url(br#"{"alg":"none"}"#);
    let hs256 = base64url(br#"{"alg":"HS256"}"#);
    let hash = good.line().split(' ').nth(1).unwrap();
    let mut bad = vec![
        "wrong-S3CR3T".to_owned(),
        removed.token().to_owned(),
        good.token()[..good.token().len() - 1].to_owned(),
        format!("{}x", good.token()),
        hash.to_owned(),
        other.token(&json!({})),
        format!("{header}.{claims}."),
        format!("{none}.{claims}."),
        format!("{hs256}.{claims}.{signature}"),
        jwt[..jwt.len() - 2].to_owned(),
        "eyJhbGciOiJFZERTQSJ9.S3CR3T.S3CR3T".to_owned(),
        "S3CR3T.S3CR3T.S3CR3T".to_owned(),
    ];
    for changes in [
        json!({"exp": now() - 60}),
        json!({"exp": null}),
        json!({"aud": "other"}),
        json!({"aud": null}),
        json!({"iss": "https://other.example/"}),
        json!({"iss": null}),
        json!({"nbf": now() + 60}),
        json!({"sub": null}),
    ] {
        bad.push(issuer.token(&changes));
    }
    for alg in ["RS256", "ES256", "PS256", "HS512"] {
        bad.push(issuer.token_with(&json!({"alg": alg}), &json!({})));
    }
    bad
}

#[tokio::test]
async fn a_bad_token_is_refused_everywhere_and_shown_nowhere() {
    let log = Lines::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    // The test has one thread, on which the server's tasks run, too.
    let _guard = tracing::subscriber::set_default(subscriber);

    let ran = Counter::default();
    let (good, removed) = (
        NewToken::generate("bob", ["c"]).unwrap(),
        NewToken::generate("carol", ["c"]).unwrap(),
    );
    let folder = Folder::new();
    let lines = format!("{}\n{}\n", removed.line(), good.line());
    let file = folder.file("tokens", &lines);
    let tokens = BearerTokens::load(&file).unwrap();
    std::fs::write(&file, good.line()).unwrap();
    tokens.reload().unwrap();
    let issuer = Issuer::new();
    let http = TestServer::of(server(&ran, &tokens, &issuer), Log::default()).await;
    let raw = server(&ran, &tokens, &issuer).bind("tcp://127.0.0.1:0");
    let raw = raw.listen().await.unwrap();
    let url = raw.url();
    let serving = tokio::spawn(raw.serve());

    let mut secrets = Vec::new();
    for token in bad(&good, &removed, &issuer) {
        let header = format!("Authorization: Bearer {token}\r\n");
        let answer = http
            .connect()
            .await
            .ask(post(&header, &request("1", "who", "[]")))
            .await;
        assert_eq!(answer.status, 401, "{token}");
        assert_eq!(
            answer.header("www-authenticate"),
            Some("Bearer error=\"invalid_token\"")
        );
        assert!(!answer.text().contains(&token));
        let upgrade = format!(
            "GET / HTTP/1.1\r\nHost: localhost\r\n{header}Connection: Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        assert_eq!(http.connect().await.ask(upgrade).await.status, 401);
        let client = Client::builder(&*url).build().unwrap();
        let answer = call!(client.rpc.authenticate(&*token))
            .await
            .map(|_: Value| ());
        let error = answer.unwrap_err();
        assert_eq!(error.code().map(|code| code.0), Some(-32006));
        assert!(!format!("{error} {error:?}").contains(&token));
        secrets.push(token);
    }
    // Long ones, which fit into no header.
    for token in [
        format!("S3CR3T{}", "x".repeat(1024 * 1024)),
        "S3CR3T.".repeat(150_000),
    ] {
        let client = Client::builder(&*url).build().unwrap();
        let answer = call!(client.rpc.authenticate(&*token))
            .await
            .map(|_: Value| ());
        assert_eq!(answer.unwrap_err().code().map(|code| code.0), Some(-32006));
    }
    assert_eq!(ran.get(), 0);

    for (token, expected) in [
        (good.token().to_owned(), json!(["bob", ["c"]])),
        (issuer.token(&json!({})), json!(["alice", ["a", "b"]])),
    ] {
        let header = format!("Authorization: Bearer {token}\r\n");
        let answer = http
            .connect()
            .await
            .ask(post(&header, &request("1", "who", "[]")))
            .await;
        assert_eq!(answer.json()["result"], expected);
        secrets.push(token);
    }
    assert_eq!(ran.get(), 2);
    serving.abort();

    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(
        text.contains("a token that has expired"),
        "the reasons are told"
    );
    for secret in secrets.iter().map(String::as_str).chain(["S3CR3T"]) {
        assert!(!text.contains(secret), "{secret} in {text}");
        // No part of a token either: its signature, its claims.
        for part in secret.split('.').filter(|part| part.len() > 40) {
            assert!(!text.contains(part), "{part} in {text}");
        }
    }
}
