//! Tests of the service without the server, as in another HTTP server, with paused time.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use antiphon::HttpService;
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body::{Body as _, Frame};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};
use tower::ServiceExt as _;

use crate::support::call;
use crate::support::test_server::{Log, router};

/// A body whose frames come from a channel.
struct Pieces(mpsc::Receiver<Bytes>);

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = self.0.poll_recv(cx);
        piece.map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
    }
}

fn service(log: &Log) -> HttpService {
    router(log).into_service().unwrap()
}

async fn send<B>(service: HttpService, body: B) -> (StatusCode, String)
where
    B: http_body::Body<Data = Bytes, Error = Infallible> + Send + 'static,
{
    let request = Request::post("http://localhost/whatever")
        .header("content-type", "application/json")
        .body(body)
        .unwrap();
    let (head, mut body) = service.oneshot(request).await.unwrap().into_parts();
    let mut text = Vec::new();
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        text.extend_from_slice(frame.unwrap().data_ref().unwrap());
    }
    (head.status, String::from_utf8(text).unwrap())
}

/// A body that sends `bytes` spaces every `pause`, as long as it is read.
fn drip(bytes: usize, pause: Duration) -> Pieces {
    let (pieces, body) = mpsc::channel(1);
    tokio::spawn(async move {
        let piece = Bytes::from(" ".repeat(bytes));
        while pieces.send(piece.clone()).await.is_ok() {
            sleep(pause).await;
        }
    });
    Pieces(body)
}

#[tokio::test(start_paused = true)]
async fn a_body_must_arrive_at_a_minimum_rate_and_in_time() {
    let log = Log::default();
    for (bytes, pause, seconds) in [
        // Nothing, or almost nothing, after the first frame: the grace period is five seconds.
        (1, 3600.0, 5),
        (1, 1.0, 5),
        // Half the minimum rate: 512 bytes per second are too slow after ten seconds.
        (512, 1.0, 10),
        // Exactly the minimum rate, without end: the time limit of the whole body is thirty
        // seconds.
        (1024, 1.0, 30),
        (4096, 1.0, 30),
    ] {
        let began = Instant::now();
        let body = drip(bytes, Duration::from_secs_f64(pause));
        let (status, text) = send(service(&log), body).await;
        assert_eq!(status, StatusCode::REQUEST_TIMEOUT, "{text}");
        let elapsed = began.elapsed().as_secs();
        assert_eq!(elapsed, seconds, "{bytes} bytes every {pause} s");
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_in_several_frames_is_reassembled() {
    let log = Log::default();
    let message = call("1", "echo", &format!("[\"{}\"]", "ü".repeat(5_000)));
    for size in [1, 7, 1000, 100_000] {
        let (pieces, body) = mpsc::channel(1);
        let bytes = message.clone().into_bytes();
        tokio::spawn(async move {
            pieces.send(Bytes::new()).await.unwrap();
            for piece in bytes.chunks(size) {
                pieces.send(Bytes::copy_from_slice(piece)).await.unwrap();
                pieces.send(Bytes::new()).await.unwrap();
            }
        });
        let (status, text) = send(service(&log), Pieces(body)).await;
        assert_eq!(status, 200);
        assert!(text.contains(&"ü".repeat(5_000)), "{size}");
    }
}

#[tokio::test]
async fn a_body_without_a_length_is_limited() {
    let log = Log::default();
    let limited = || service(&log).max_request(100);
    let message = call("1", "count", "[]");
    for (length, status) in [(100, 200), (101, 413), (100_000, 413)] {
        let body = message.clone() + &" ".repeat(length - message.len());
        for size in [1, 10, 100_000] {
            let (pieces, receiver) = mpsc::channel(100_000);
            for piece in body.as_bytes().chunks(size) {
                pieces.try_send(Bytes::copy_from_slice(piece)).unwrap();
            }
            drop(pieces);
            let answer = send(limited(), Pieces(receiver)).await;
            assert_eq!(answer.0, status, "{length} bytes, {size} at a time");
        }
    }
    assert_eq!(log.counted.get(), 3);
}

#[tokio::test]
async fn in_a_mounted_service_every_caller_is_public_and_every_path_is_served() {
    let log = Log::default();
    let body = |method| http_body_util::Full::from(call("1", method, "[]"));
    let (status, text) = send(service(&log), body("secret")).await;
    assert_eq!(status, 200);
    assert!(text.contains("-32601"), "{text}");
    let (_, text) = send(service(&log), body("whoami")).await;
    assert!(text.contains(r#""local":false"#), "{text}");
    for (host, open, status) in [
        ("localhost", false, 200),
        ("api.example", false, 200),
        ("evil.example", false, 403),
        ("evil.example", true, 200),
    ] {
        let mut service = service(&log).allow_host("api.example");
        if open {
            service = service.allow_any_host();
        }
        let request = Request::post(format!("http://{host}/"))
            .header("content-type", "application/json")
            .body(body("count"))
            .unwrap();
        let response = service.oneshot(request).await.unwrap();
        assert_eq!(response.status(), status, "{host}");
    }
}

#[tokio::test]
async fn accepting_any_host_does_not_allow_any_origin() {
    let log = Log::default();
    for (origin, status) in [
        ("http://api.example", 200),
        ("http://evil.example", 403),
        ("http://localhost", 200),
    ] {
        let request = Request::post("http://api.example/")
            .header("content-type", "application/json")
            .header("origin", origin)
            .body(http_body_util::Full::<Bytes>::from(call(
                "1", "count", "[]",
            )))
            .unwrap();
        let service = service(&log).allow_any_host();
        let response = service.oneshot(request).await.unwrap();
        assert_eq!(response.status(), status, "{origin}");
    }
    assert_eq!(log.counted.get(), 2);
}
