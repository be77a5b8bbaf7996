//! Tests of HTTP/2: concurrent calls, floods, and invalid frames.

use tokio::io::AsyncWriteExt;

use crate::support::call;
use crate::support::http1::Http1;
use crate::support::http2::{Http2, read};
use crate::support::test_server::TestServer;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A frame with this type on this stream.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A connection after the exchange of settings.
async fn greeted(server: &TestServer) -> Http1 {
    let mut http1 = server.connect().await;
    http1.send([PREFACE, &frame(4, 0, 0, &[])].concat()).await;
    http1
}

#[tokio::test]
async fn calls_on_one_connection_run_concurrently() {
    let server = TestServer::new().await;
    let mut http2 = server.http2().await;
    let mut responses = Vec::new();
    for id in 0..50 {
        let body = call(&id.to_string(), "sleep", &format!("[{}]", 300 - id));
        responses.push(http2.post(&body).await);
    }
    for (id, response) in responses.into_iter().enumerate() {
        let (status, text) = read(response).await;
        let answer: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((status, &answer["id"]), (200, &id.into()));
    }
    assert_eq!(server.log.sleeping.peak(), 50);
}

#[tokio::test]
async fn a_response_over_http2_has_no_connection_headers() {
    let server = TestServer::with(|settings| settings.max_request = 100).await;
    let mut http2 = server.http2().await;
    for body in [call("1", "add", "[1,2]"), " ".repeat(101), "{".to_owned()] {
        let response = http2.post(&body).await;
        let head = crate::support::http2::begin(response).await;
        for name in ["connection", "keep-alive", "transfer-encoding", "upgrade"] {
            assert_eq!(head.headers().get(name), None, "{body:.20}");
        }
    }
    assert_eq!(http2.call("1", "add", "[1,2]").await["result"], 3);
}

#[tokio::test]
async fn a_flood_of_frames_ends_only_its_own_connection() {
    let server = TestServer::new().await;
    let headers = |stream: u32| {
        // `POST`, `http` and `/` from the static table, `:authority` and `content-type`.
        let fields = [
            &[0x83, 0x86, 0x84, 0x41, 9][..],
            b"localhost",
            &[0x0f, 0x10, 16],
            b"application/json",
        ];
        frame(1, 4, stream, &fields.concat())
    };
    let mut other = server.http2().await;
    for name in ["resets", "continuations", "settings", "pings", "empty data"] {
        let mut http1 = greeted(&server).await;
        if name == "continuations" {
            http1.send(frame(1, 0, 1, &[0x83])).await;
        }
        if name == "empty data" {
            http1.send(headers(1)).await;
        }
        for n in 0..20_000_u32 {
            let stream = 2 * n + 1;
            let flood = match name {
                "resets" => [headers(stream), frame(3, 0, stream, &[0, 0, 0, 8])].concat(),
                "continuations" => frame(9, 0, 1, &[0x84; 100]),
                "settings" => frame(4, 0, 0, &[0, 3, 0, 0, 0, 100]),
                "pings" => frame(6, 0, 0, &[0; 8]),
                _ => frame(0, 0, 1, &[]),
            };
            if http1.try_send(flood).await.is_err() {
                break;
            }
        }
        assert_eq!(other.call("1", "add", "[1,2]").await["result"], 3, "{name}");
        // A flood of frames that cost no more than their response need not be ended.
        match name {
            "settings" | "pings" => drop(http1),
            _ => drop(http1.rest().await),
        }
        server.until_open(1).await;
    }
}

#[tokio::test]
async fn invalid_frames_end_the_connection() {
    let server = TestServer::new().await;
    for (name, bytes) in [
        ("data on no stream", frame(0, 0, 0, b"x")),
        (
            "a stream of the server's",
            frame(1, 5, 2, &[0x83, 0x86, 0x84]),
        ),
        ("a frame that is too long", frame(0, 0, 1, &vec![0; 20_000])),
        ("a window of nothing", frame(8, 0, 0, &[0; 4])),
        ("a head that is none", frame(1, 5, 1, &[0xff; 40])),
        ("a push", frame(5, 4, 1, &[0, 0, 0, 2, 0x82])),
        ("settings of an odd length", frame(4, 0, 0, &[0; 5])),
    ] {
        let mut http1 = greeted(&server).await;
        let _ = http1.try_send(bytes).await;
        let _said = http1.rest().await;
        server.until_open(0).await;
        let _ = name;
    }
    server.answers_others().await;
}

#[tokio::test]
async fn a_head_with_fields_of_http1_is_refused() {
    let server = TestServer::new().await;
    let field = |name: &[u8], value: &[u8]| {
        let length = |text: &[u8]| [u8::try_from(text.len()).unwrap()];
        [&[0][..], &length(name), name, &length(value), value].concat()
    };
    let body = call("1", "count", "[]");
    for (name, value) in [
        // To show that the others are refused for what they are.
        ("x", "y"),
        ("transfer-encoding", "chunked"),
        ("connection", "close"),
        ("keep-alive", "1"),
        ("proxy-connection", "close"),
        ("upgrade", "websocket"),
        ("te", "gzip"),
        ("Content-Type", "application/json"),
        ("content-length", "1"),
        ("content-length", "+1"),
        ("content-length", ""),
        ("bad name", "x"),
        ("x", "a\nb"),
        ("x", "a\0b"),
        (":method", "GET"),
        (":unknown", "x"),
    ] {
        let mut http1 = greeted(&server).await;
        // `POST`, `http` and `/` from the static table.
        let head = [
            &[0x83, 0x86, 0x84][..],
            &field(b":authority", b"localhost"),
            &field(b"content-type", b"application/json"),
            &field(name.as_bytes(), value.as_bytes()),
        ];
        let request = [
            frame(1, 4, 1, &head.concat()),
            frame(0, 1, 1, body.as_bytes()),
        ];
        // The server answers the ping after it has read the request.
        let ping = frame(6, 0, 0, b"the last");
        let before = server.log.counted.get();
        let _ = http1.try_send([request.concat(), ping].concat()).await;
        let _ = AsyncWriteExt::shutdown(&mut http1.stream).await;
        http1.rest().await;
        server.until_open(0).await;
        let ran = server.log.counted.get() - before;
        assert_eq!(
            ran,
            usize::from(name == "x" && value == "y"),
            "{name}: {value:?}"
        );
    }
    server.answers_others().await;
}

#[tokio::test]
async fn after_the_preface_only_frames_are_accepted() {
    let server = TestServer::new().await;
    for rest in ["", "POST / HTTP/1.1\r\nHost: localhost\r\n\r\n"] {
        let mut http1 = server.connect().await;
        // The preface is recognised also if it arrives byte by byte.
        for byte in PREFACE {
            http1.send([*byte]).await;
            tokio::task::yield_now().await;
        }
        http1.send(rest).await;
        if rest.is_empty() {
            http1.send(frame(4, 0, 0, &[])).await;
            drop(http1);
        } else {
            let said = http1.rest().await;
            assert!(!said.starts_with(b"HTTP/1"));
        }
        server.until_open(0).await;
    }
    let _ = Http2::connect(server.address)
        .await
        .call("1", "add", "[1,2]")
        .await;
}
