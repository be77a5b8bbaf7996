//! Keys behind a URL.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::time::{advance, pause, resume, sleep};

use super::*;

/// A server of a document, which counts the requests.
#[derive(Clone)]
struct Endpoint {
    url: String,
    answer: Arc<Mutex<Vec<u8>>>,
    asked: Arc<AtomicUsize>,
    delay: Arc<Mutex<Duration>>,
}

pub(super) fn response(status: &str, more: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n{more}\r\n{body}").into_bytes()
}

impl Endpoint {
    async fn start(document: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = Self {
            url: format!("http://{}/keys?v=1", listener.local_addr().unwrap()),
            answer: Arc::new(Mutex::new(response("200 OK", "", document))),
            asked: Arc::default(),
            delay: Arc::default(),
        };
        let this = endpoint.clone();
        tokio::spawn(async move {
            loop {
                let (mut socket, _) = listener.accept().await.unwrap();
                let this = this.clone();
                tokio::spawn(async move {
                    let mut request = vec![0; 4096];
                    let read = socket.read(&mut request).await.unwrap();
                    let head = String::from_utf8_lossy(&request[..read]).into_owned();
                    assert!(head.starts_with("GET /keys?v=1 HTTP/1.1\r\n"), "{head}");
                    this.asked.fetch_add(1, Ordering::SeqCst);
                    let delay = *this.delay.lock().unwrap();
                    sleep(delay).await;
                    let answer = this.answer.lock().unwrap().clone();
                    let _ = socket.write_all(&answer).await;
                    let _ = socket.read(&mut request).await;
                });
            }
        });
        endpoint
    }

    fn jwt(&self) -> Jwt {
        jwt(JwtKeys::url(&self.url).unwrap())
    }

    fn serve(&self, answer: Vec<u8>) {
        *self.answer.lock().unwrap() = answer;
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// Waits for a fetch on the side.
    async fn wait_for(&self, asked: usize) {
        while self.asked() < asked {
            sleep(Duration::from_millis(5)).await;
        }
        sleep(Duration::from_millis(100)).await;
    }
}

/// Lets time pass, without what waits for sockets being overdue.
async fn pass(time: Duration) {
    pause();
    advance(time).await;
    resume();
}

fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(60 * minutes)
}

fn named(issuer: &Issuer, kid: &str) -> String {
    issuer.token_with(&json!({"alg": "EdDSA", "kid": kid}), &claims())
}

const UNKNOWN: &str = "a token whose key is not known";

#[tokio::test]
async fn unknown_names_cause_one_fetch_a_minute() {
    let (one, two) = (Issuer::ed(), Issuer::ed());
    let endpoint = Endpoint::start(&jwks(&[one.jwk("one")])).await;
    let jwt = endpoint.jwt();
    let good = named(&one, "one");
    assert_eq!(outcome(&jwt, &good).await, "alice");
    assert_eq!(endpoint.asked(), 1);
    // The issuer has a new key, which is fetched when the minute is over.
    endpoint.serve(response(
        "200 OK",
        "",
        &jwks(&[one.jwk("one"), two.jwk("two")]),
    ));
    let new = named(&two, "two");
    assert_eq!(outcome(&jwt, &new).await, UNKNOWN);
    assert_eq!(endpoint.asked(), 1);
    pass(Duration::from_secs(61)).await;
    assert_eq!(outcome(&jwt, &new).await, "alice");
    assert_eq!(outcome(&jwt, &good).await, "alice");
    assert_eq!(endpoint.asked(), 2);
    pass(Duration::from_secs(61)).await;
    *endpoint.delay.lock().unwrap() = Duration::from_millis(200);
    let mut asking = Vec::new();
    for number in 0..10_000 {
        let (jwt, token) = (jwt.clone(), named(&two, &format!("unknown {number}")));
        asking.push(tokio::spawn(async move { outcome(&jwt, &token).await }));
    }
    // Who has a good token does not wait for that.
    assert_eq!(outcome(&jwt, &good).await, "alice");
    for asked in asking {
        assert_eq!(asked.await.unwrap(), UNKNOWN);
    }
    assert_eq!(endpoint.asked(), 3);
}

#[tokio::test]
async fn keys_are_fetched_again_on_the_side_and_changed_ones_count() {
    let (one, two) = (Issuer::ed(), Issuer::ed());
    let endpoint = Endpoint::start(&jwks(&[one.jwk("one")])).await;
    let jwt = endpoint.jwt();
    let good = named(&one, "one");
    assert_eq!(outcome(&jwt, &good).await, "alice");
    pass(minutes(9)).await;
    assert_eq!(outcome(&jwt, &good).await, "alice");
    assert_eq!(endpoint.asked(), 1);
    pass(minutes(2)).await;
    *endpoint.delay.lock().unwrap() = Duration::from_millis(100);
    endpoint.serve(response("200 OK", "", &jwks(&[two.jwk("two")])));
    // It is verified with the keys that are there, and remembered tokens end with their keys.
    assert_eq!(outcome(&jwt, &good).await, "alice");
    endpoint.wait_for(2).await;
    sleep(Duration::from_millis(100)).await;
    assert_eq!(outcome(&jwt, &good).await, UNKNOWN);
    assert_eq!(outcome(&jwt, &named(&two, "two")).await, "alice");
    assert_eq!(endpoint.asked(), 2);
}

#[tokio::test]
async fn keys_are_used_for_an_hour_if_the_url_fails() {
    let one = Issuer::ed();
    let endpoint = Endpoint::start(&jwks(&[one.jwk("one")])).await;
    let jwt = endpoint.jwt();
    let good = named(&one, "one");
    assert_eq!(outcome(&jwt, &good).await, "alice");
    endpoint.serve(response("500 Oh", "", ""));
    for (at, expected) in [(11, 2), (22, 3), (33, 4), (44, 5), (55, 6)] {
        pass(minutes(11)).await;
        assert_eq!(outcome(&jwt, &good).await, "alice", "{at}");
        endpoint.wait_for(expected).await;
    }
    pass(minutes(6)).await;
    assert_eq!(outcome(&jwt, &good).await, "unavailable");
    assert_eq!(endpoint.asked(), 7);
    // Without keys it is tried again after a few seconds, not with every token.
    endpoint.serve(response("200 OK", "", &jwks(&[one.jwk("one")])));
    assert_eq!(outcome(&jwt, &good).await, "unavailable");
    pass(Duration::from_secs(6)).await;
    assert_eq!(outcome(&jwt, &good).await, "alice");
    assert_eq!(endpoint.asked(), 8);
}

#[tokio::test]
async fn a_hostile_url_leads_to_no_keys() {
    let one = Issuer::ed();
    let document = jwks(&[one.jwk("one")]);
    let huge = format!("{document}{}", " ".repeat(1024 * 1024));
    let chunked = format!(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{huge}\r\n0\r\n\r\n",
        huge.len()
    );
    let head = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "x".repeat(100_000));
    let cut = response("200 OK", "", &document);
    let many: Vec<_> = vec![one.jwk("one"); 101];
    let target = Endpoint::start(&document).await;
    let elsewhere = format!("location: {}\r\n", target.url);
    let mut asking = Vec::new();
    for answer in [
        response("200 OK", "", "<html>"),
        response("200 OK", "", "{\"keys\": []}"),
        response("404 Not Found", "", &document),
        response("302 Found", &elsewhere, ""),
        response("200 OK", "", &huge),
        response("200 OK", "", &jwks(&many)),
        response("200 OK", "", &"[".repeat(100_000)),
        chunked.into_bytes(),
        head.into_bytes(),
        cut[..cut.len() - 1].to_vec(),
        b"SSH-2.0-x\r\n".to_vec(),
        "HTTP/1.1 103 Early Hints\r\n\r\n"
            .repeat(100_000)
            .into_bytes(),
    ] {
        let shown = String::from_utf8_lossy(&answer[..answer.len().min(60)]).into_owned();
        let endpoint = Endpoint::start("").await;
        endpoint.serve(answer);
        let token = named(&one, "one");
        asking.push(tokio::spawn(async move {
            let found = outcome(&endpoint.jwt(), &token).await;
            assert_eq!(found, "unavailable", "{shown}");
        }));
    }
    for asked in asking {
        asked.await.unwrap();
    }
    assert_eq!(target.asked(), 0);
    // Nobody listens there.
    let gone = JwtKeys::url("http://127.0.0.1:1/keys").unwrap();
    assert_eq!(
        outcome(&jwt(gone), &named(&one, "one")).await,
        "unavailable"
    );
}

#[tokio::test]
async fn a_slow_url_is_given_up_and_a_caller_that_leaves_stops_nothing() {
    let one = Issuer::ed();
    let endpoint = Endpoint::start(&jwks(&[one.jwk("one")])).await;
    *endpoint.delay.lock().unwrap() = Duration::from_millis(300);
    let jwt = endpoint.jwt();
    let good = named(&one, "one");
    let impatient = tokio::time::timeout(Duration::from_millis(100), outcome(&jwt, &good));
    assert!(impatient.await.is_err());
    // The fetch goes on, and the next caller waits for it.
    assert_eq!(outcome(&jwt, &good).await, "alice");
    assert_eq!(endpoint.asked(), 1);
    *endpoint.delay.lock().unwrap() = minutes(10);
    let slow = endpoint.jwt();
    let started = std::time::Instant::now();
    assert_eq!(outcome(&slow, &good).await, "unavailable");
    assert!(
        started.elapsed() < Duration::from_secs(8),
        "{:?}",
        started.elapsed()
    );
}
