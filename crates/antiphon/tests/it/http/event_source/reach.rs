//! What a GET reaches: methods that open subscriptions, for pages that may read them, and nothing else.

use std::time::Duration;

use antiphon::{AuthenticationError, Authenticator, Credentials, Identity, RateLimit, Server};
use http::Method as Verb;
use serde_json::{Value, json};

use super::{Answer, Event, get, news, request, router, service};
use crate::support::folder::Folder;
use crate::support::http1::Http1;
use crate::support::test_server::{Log, TestServer};

const GOLD: &str = "method=news.subscribe&params=[%22gold%22]";

/// The status of the response, and the code of the error in its body, or 0 for an event stream.
async fn check(verb: &Verb, accept: &str, query: &str) -> (u16, i64) {
    let news = news(0);
    let target = match query {
        "" => "http://localhost/".to_owned(),
        query => format!("http://localhost/?{query}"),
    };
    let request = request(verb, &target, &[("accept", accept)]);
    let mut answer = Answer::of(&service(&news), request).await;
    let first = answer.piece().await.unwrap_or_default();
    let code = match answer.header("content-type") {
        Some("text/event-stream") => {
            assert!(first.contains("event: response\n"), "{first}");
            assert_eq!(answer.header("cache-control"), Some("no-store"));
            0
        }
        Some("application/json") => {
            let body: Value = serde_json::from_str(&first).unwrap();
            assert_eq!(body["jsonrpc"], "2.0", "{body}");
            body["error"]["code"].as_i64().unwrap()
        }
        // A refusal, or nothing.
        _ => -1,
    };
    assert!(!first.contains("S3CR3T"));
    assert_eq!(news.ordinary.get(), 0, "{query}");
    (answer.status(), code)
}

/// Whatever is asked for: only what opens subscriptions runs.
#[tokio::test]
async fn a_get_reaches_methods_that_open_subscriptions_and_no_others() {
    const SSE: &str = "text/event-stream";
    let deep = format!(
        "method=news.subscribe&params={}",
        "[".repeat(200) + &"]".repeat(200)
    );
    let long = format!(
        "method=news.subscribe&params=[%22{}%22]",
        "x".repeat(15_000)
    );
    let too_long = format!("{GOLD}&x={}", "x".repeat(16 * 1024));
    let name = format!("method={}", "x".repeat(10_000));
    let (get, found) = (Verb::GET, (200, 0));
    let (unknown, no_json, invalid) = ((404, -32601), (400, -32700), (400, -32600));
    let params = (400, -32602);
    for (verb, accept, query, expected) in [
        // What a browser sends.
        (&get, SSE, GOLD, found),
        (
            &get,
            SSE,
            "method=news.subscribe&params=%5B%22gold%22%5D",
            found,
        ),
        (
            &get,
            SSE,
            "method=news.subscribe&params={%22topic%22:%22gold%22}",
            found,
        ),
        (
            &get,
            SSE,
            "params=[%22a+b%22]&_=17&method=news.subscribe&after=",
            found,
        ),
        (&get, SSE, "method=news.count&params=[3]", found),
        (&get, "application/json, text/event-stream", GOLD, found),
        (&get, "Text/Event-Stream; charset=utf-8", GOLD, found),
        // Other methods of HTTP, and who does not name event streams.
        (&get, "*/*", GOLD, (405, -1)),
        (&get, "", GOLD, (405, -1)),
        (&get, "text/html", GOLD, (405, -1)),
        (&get, "text/*", GOLD, (405, -1)),
        (&get, "text/event-stream;q=0", GOLD, (405, -1)),
        (&get, SSE, "", (405, -1)),
        (&Verb::HEAD, SSE, GOLD, (405, -1)),
        (&Verb::PUT, SSE, GOLD, (405, -1)),
        (&Verb::DELETE, SSE, GOLD, (405, -1)),
        (&Verb::OPTIONS, SSE, GOLD, (204, -1)),
        (&Verb::POST, SSE, GOLD, (415, -1)),
        // Methods that are no subscriptions, hidden ones, and those of the library.
        (&get, SSE, "method=add&params=[1,2]", unknown),
        (
            &get,
            SSE,
            "method=news.publish&params=[%22gold%22,%22x%22]",
            unknown,
        ),
        (&get, SSE, "method=declared", unknown),
        (&get, SSE, "method=nothing", unknown),
        (&get, SSE, "method=", unknown),
        (&get, SSE, "method=news", unknown),
        (
            &get,
            SSE,
            "method=NEWS.SUBSCRIBE&params=[%22gold%22]",
            unknown,
        ),
        (
            &get,
            SSE,
            "method=news.subscribe%00&params=[%22gold%22]",
            unknown,
        ),
        (&get, SSE, "method=news.local&params=[%22gold%22]", unknown),
        (&get, SSE, "method=admin", unknown),
        (&get, SSE, "method=rpc.discover", unknown),
        (
            &get,
            SSE,
            "method=rpc.unsubscribe&params=[%220x1%22]",
            unknown,
        ),
        (
            &get,
            SSE,
            "method=rpc.authenticate&params=[%22x%22]",
            unknown,
        ),
        (
            &get,
            SSE,
            "method=$/cancelRequest&params={%22id%22:1}",
            unknown,
        ),
        (&get, SSE, &name, unknown),
        // Parameters that are none, and ones that try to be more.
        (&get, SSE, "method=news.subscribe", params),
        (&get, SSE, "method=news.subscribe&params=[]", params),
        (&get, SSE, "method=news.subscribe&params=[1]", params),
        (
            &get,
            SSE,
            "method=news.subscribe&params={%22x%22:1}",
            params,
        ),
        (
            &get,
            SSE,
            "method=news.subscribe&params=%22gold%22",
            invalid,
        ),
        (&get, SSE, "method=news.subscribe&params=7", invalid),
        (
            &get,
            SSE,
            "method=news.subscribe&params=[%22gold%22",
            no_json,
        ),
        (
            &get,
            SSE,
            "method=news.subscribe&params=[%22gold%22]]",
            no_json,
        ),
        (
            &get,
            SSE,
            "method=news.subscribe&params=[%22gold%22],%22method%22:%22add%22",
            no_json,
        ),
        (
            &get,
            SSE,
            "method=news.subscribe&params=[1]},{%22jsonrpc%22:%222.0%22,%22method%22:%22add%22",
            no_json,
        ),
        (
            &get,
            SSE,
            "method=news.subscribe&params=[{%22jsonrpc%22:%222.0%22,%22id%22:1,%22method%22:%22add%22,%22params%22:[1,2]}]",
            params,
        ),
        (
            &get,
            SSE,
            "method=news.subscribe%22,%22method%22:%22add&params=[1,2]",
            unknown,
        ),
        (&get, SSE, "method=add%22,%22x%22:%22&params=[1,2]", unknown),
        (
            &get,
            SSE,
            "[{%22jsonrpc%22:%222.0%22,%22method%22:%22add%22}]",
            (405, -1),
        ),
        (&get, SSE, &deep, no_json),
        // A key that is too long counts as too many keys: the browser may try again.
        (&get, SSE, &long, found),
        (&get, SSE, &too_long, (414, -32600)),
        // Queries that have no method are meant for somebody else, or wrong.
        (&get, SSE, "x", (405, -1)),
        (&get, SSE, "methods=a&api_key=method", (405, -1)),
        (&get, SSE, "params=[%22gold%22]", (405, -1)),
        (&get, SSE, "method", unknown),
        (&get, SSE, "method=news.subscribe&method=add", invalid),
        (
            &get,
            SSE,
            "method=add&method=news.subscribe&params=[%22gold%22]",
            invalid,
        ),
        (
            &get,
            SSE,
            "method=news.subscribe&params=[%22%ff%22]",
            invalid,
        ),
        (
            &get,
            SSE,
            "method=news.subscribe&params=[%22%c3%22]",
            invalid,
        ),
        (&get, SSE, "method=news.subscribe&params=[%2]", invalid),
        (&get, SSE, "method=%zz", invalid),
        // What the methods themselves refuse.
        (&get, SSE, "method=news.refuse&params=[7]", (400, 7)),
        (
            &get,
            SSE,
            "method=news.refuse&params=[-32603]",
            (500, -32603),
        ),
        (&get, SSE, "method=panic", (500, -32603)),
    ] {
        let shown = &query[..query.len().min(100)];
        assert_eq!(
            check(verb, accept, query).await,
            expected,
            "{verb} {accept} {shown}"
        );
    }
}

/// Where a page of another site could make a browser send a GET, nothing begins.
#[tokio::test]
async fn a_page_that_may_not_read_a_stream_does_not_begin_it() {
    let news = news(0);
    let service = service(&news)
        .allow_host("news.example")
        .allow_origin("https://app.example");
    let (own, app) = ("http://localhost", "https://app.example");
    for (fields, status) in [
        (&[][..], 200),
        (&[("origin", own)], 200),
        (&[("origin", app)], 200),
        (&[("origin", app), ("sec-fetch-site", "cross-site")], 200),
        (&[("sec-fetch-site", "same-origin")], 200),
        (&[("sec-fetch-site", "none")], 200),
        (&[("host", "news.example")], 200),
        (&[("content-length", "0")], 200),
        // Other sites, other ports, frames, and those who do not tell but for one header.
        (&[("origin", "https://evil.example")], 403),
        (&[("origin", "http://localhost:3000")], 403),
        (&[("origin", "https://localhost")], 403),
        (&[("origin", "null")], 403),
        (&[("origin", own), ("origin", app)], 403),
        (&[("sec-fetch-site", "cross-site")], 403),
        (&[("sec-fetch-site", "same-site")], 403),
        (&[("sec-fetch-site", "")], 403),
        (
            &[
                ("origin", "https://evil.example"),
                ("sec-fetch-site", "same-origin"),
            ],
            403,
        ),
        // A name that was made to point here.
        (&[("host", "evil.example")], 403),
        (&[("host", "127.0.0.1.evil.example")], 403),
        (
            &[("host", "evil.example"), ("origin", "http://evil.example")],
            403,
        ),
        (&[("host", "localhost"), ("host", "evil.example")], 400),
        // A body, which somebody else would take for the next request.
        (&[("content-length", "5")], 400),
        (&[("transfer-encoding", "chunked")], 400),
        (&[("content-length", "0"), ("content-length", "0")], 400),
    ] {
        let before = news.begun.get();
        let mut request = get(GOLD, fields);
        // Over HTTP/1 a target has no host of its own.
        *request.uri_mut() = format!("/?{GOLD}").parse().unwrap();
        if !fields.iter().any(|(name, _)| *name == "host") {
            let host = http::HeaderValue::from_static("localhost");
            request.headers_mut().insert("host", host);
        }
        let answer = Answer::of(&service, request).await;
        assert_eq!(answer.status(), status, "{fields:?}");
        let begun = news.begun.get() - before;
        assert_eq!(begun, usize::from(status == 200), "{fields:?}");
        let is_app = status == 200 && fields.contains(&("origin", app));
        let shared = answer.header("access-control-allow-origin");
        assert_eq!(shared, is_app.then_some(app), "{fields:?}");
    }
    // A page that may read streams may read as well why there is none.
    for query in ["method=add&params=[1,2]", "method=news.subscribe", "x"] {
        let answer = Answer::of(&service, get(query, &[("origin", app)])).await;
        assert!(answer.status() >= 400);
        assert_eq!(answer.header("access-control-allow-origin"), Some(app));
        assert_eq!(answer.header("vary"), Some("Origin"));
    }
    assert_eq!(news.ordinary.get(), 0);
}

/// Two tokens.
struct Tokens;

impl Authenticator for Tokens {
    async fn authenticate(
        &self,
        credentials: &Credentials,
    ) -> Result<Option<Identity>, AuthenticationError> {
        match credentials.bearer() {
            None => Ok(None),
            Some("reader") => Ok(Some(Identity::new("reader"))),
            Some("busy") => Err(AuthenticationError::unavailable("no")),
            Some(_) => Err(AuthenticationError::refused("no")),
        }
    }
}

#[tokio::test]
async fn callers_have_the_rights_that_they_have_by_post() {
    let folder = Folder::new();
    let path = folder.path("audit.log");
    let news = news(0);
    let router = router(&news).method(
        antiphon::Method::function("scoped", || futures_util::stream::iter([1])).scope("write"),
    );
    let router = router
        .method(antiphon::Method::function("free", || futures_util::stream::iter([1])).public());
    let server = Server::new(router).authenticate(Tokens).audit_log(&path);
    let server = TestServer::of(server, Log::default()).await;
    let mut lines = 0;
    for (token, query, status, code) in [
        ("", "method=free", 200, 0),
        ("", GOLD, 401, -32006),
        ("", "method=scoped", 401, -32006),
        ("", "method=add&params=[1,2]", 404, -32601),
        ("", "method=nothing", 404, -32601),
        ("reader", GOLD, 200, 0),
        ("reader", "method=scoped", 403, -32007),
        (
            "reader",
            "method=news.publish&params=[%22a%22,%22b%22]",
            404,
            -32601,
        ),
        // This caller is local.
        ("reader", "method=news.local&params=[%22a%22]", 200, 0),
        ("wrong", GOLD, 401, -32006),
        ("busy", GOLD, 503, 0),
    ] {
        let authorization = match token {
            "" => String::new(),
            token => format!("Authorization: Bearer {token}\r\n"),
        };
        let mut http1 = server.connect().await;
        let answer = open(&mut http1, query, &authorization).await;
        assert_eq!(answer.status, status, "{token} {query}");
        let challenge = answer.header("www-authenticate");
        assert_eq!(
            challenge.is_some(),
            [401, 403].contains(&status),
            "{token} {query}"
        );
        if [401, 403, 404].contains(&status) {
            let body = http1.bytes(answer.header("content-length").unwrap().parse().unwrap());
            let body: Value = serde_json::from_slice(&body.await).unwrap();
            assert_eq!(body["error"]["code"], code, "{token} {query}");
        }
        lines += usize::from(status != 503);
    }
    assert_eq!(news.ordinary.get(), 0);
    server.handle.stop();
    // Each of them is in the audit log as a call or as refused credentials.
    let read = || std::fs::read_to_string(&path).unwrap_or_default();
    crate::support::until(|| read().lines().count() >= lines, "the lines are written").await;
    let text = read();
    let codes: Vec<_> = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|line| line["method"].is_string())
        .map(|line| line["code"].as_i64().unwrap_or_default())
        .collect();
    assert_eq!(
        codes.iter().filter(|code| **code == -32601).count(),
        3,
        "{text}"
    );
    assert_eq!(codes.iter().filter(|code| **code == 0).count(), 3, "{text}");
}

/// Sends a GET over HTTP/1 and reads the head of the response.
async fn open(http1: &mut Http1, query: &str, fields: &str) -> crate::support::http1::HttpResponse {
    let head = "Host: localhost\r\nAccept: text/event-stream\r\n";
    http1
        .send(format!("GET /?{query} HTTP/1.1\r\n{head}{fields}\r\n"))
        .await;
    http1.head().await.unwrap()
}

/// What passes by itself is told in a stream of one event, after which the browser comes back.
#[tokio::test(start_paused = true)]
async fn a_browser_is_told_to_come_back_later() {
    let limited = service(&news(0))
        .rate_limit(RateLimit::per_hour(1))
        .authenticate(Tokens);
    let known = [("authorization", "Bearer reader")];
    let first = Answer::of(&limited, get(GOLD, &known)).await;
    assert_eq!(first.status(), 200);
    let unlimited = service(&news(0));
    let long = format!("method=news.subscribe&params=[%22{}%22]", "x".repeat(257));
    for (service, query, fields, code, least) in [
        (&limited, GOLD, &known[..], -32005, 3_600_000),
        (&unlimited, &long, &[], -32000, 1000),
        (
            &unlimited,
            "method=news.refuse&params=[-32000]",
            &[],
            -32000,
            1000,
        ),
        (&unlimited, "method=news.wait", &[], -32001, 1000),
    ] {
        let before = tokio::time::Instant::now();
        let mut answer = Answer::of(service, get(query, fields)).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.header("content-type"), Some("text/event-stream"));
        let text = answer.rest().await;
        let event = Event::of(text.strip_suffix("\n\n").unwrap());
        assert_eq!(event.kind.as_deref(), Some("response"));
        assert_eq!(event.data["error"]["code"], json!(code), "{text}");
        assert_eq!(event.id, None);
        let retry = event.retry.unwrap();
        assert!((least..=least + 4000).contains(&retry), "{text}");
        let took = before.elapsed();
        assert_eq!(
            took,
            Duration::from_secs(if code == -32001 { 30 } else { 0 })
        );
    }
}

/// Pages, WebSockets and calls at the same path are what they were.
#[tokio::test]
async fn a_get_without_these_marks_is_what_it_was() {
    let news = news(0);
    let server = Server::new(router(&news)).configure(|settings| settings.page = Some(true));
    let server = TestServer::of(server, Log::default()).await;
    for (target, fields, status, kind) in [
        (
            "/",
            "Accept: text/html\r\n",
            200,
            Some("text/html; charset=utf-8"),
        ),
        (
            "/?method=add",
            "Accept: text/html\r\n",
            200,
            Some("text/html; charset=utf-8"),
        ),
        (
            "/?method=news.count&params=[1]",
            "Accept: text/event-stream\r\n",
            200,
            Some("text/event-stream"),
        ),
        (
            "/openrpc.json?method=news.count",
            "Accept: text/event-stream\r\n",
            200,
            Some("application/json"),
        ),
        (
            "/elsewhere?method=news.count&params=[1]",
            "Accept: text/event-stream\r\n",
            404,
            None,
        ),
        (
            "/?method=news.count&params=[1]",
            "Accept: text/event-stream\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
          Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
            101,
            None,
        ),
    ] {
        let mut http1 = server.connect().await;
        http1
            .send(format!(
                "GET {target} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n"
            ))
            .await;
        let answer = http1.head().await.unwrap();
        assert_eq!(answer.status, status, "{target}");
        if kind.is_some() {
            assert_eq!(answer.header("content-type"), kind, "{target}");
        }
    }
}
