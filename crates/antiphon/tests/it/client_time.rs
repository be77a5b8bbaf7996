//! Tests of timeouts, inherited deadlines, and the limit of concurrent requests of the client.

use std::convert::Infallible;
use std::future::{pending, poll_fn};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use antiphon::client::{Body, Client, ErrorKind};
use antiphon::{ErrorObject, Router};
use http::{Request, Response};
use serde_json::Value;
use tokio::sync::Barrier;
use tokio::time::Instant;

use crate::client_support::{in_process, scripted};

/// A client of a service that never answers. `takes` says whether it reads the request.
fn silent(takes: bool) -> Client {
    let service = tower::service_fn(move |request: Request<Body>| async move {
        if takes {
            let _ = request.into_body().into_bytes();
        }
        pending::<Result<Response<Body>, Infallible>>().await
    });
    let builder = Client::builder("http://server.test").service(service);
    builder.timeout(Duration::from_secs(5)).build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_call_ends_by_its_deadline_and_tells_whether_it_may_have_run() {
    let seconds = Duration::from_secs;
    let begun = Instant::now();
    let error = silent(true).call::<u8>("m", ()).await.unwrap_err();
    assert_eq!(begun.elapsed(), seconds(5));
    assert!(matches!(error.kind(), ErrorKind::Unknown) && error.is_timeout());
    assert_eq!(
        error.to_string(),
        "`m` was sent and may have run: no answer within 5s"
    );

    let error = silent(false).call::<u8>("m", ()).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::NotSent) && error.is_timeout());
    assert_eq!(
        error.to_string(),
        "`m` was not sent: its time of 5s was over before"
    );

    let client = silent(true);
    let begun = Instant::now();
    let call = client.call::<u8>("m", ()).timeout(seconds(60));
    assert!(call.await.unwrap_err().is_timeout());
    assert_eq!(begun.elapsed(), seconds(60));
    let call = client.call::<u8>("m", ()).timeout(None).into_future();
    assert!(tokio::time::timeout(seconds(86_400), call).await.is_err());

    let begun = Instant::now();
    let mut batch = client.batch().timeout(seconds(7));
    batch.notify("m", ());
    assert!(batch.send().await.unwrap_err().is_timeout());
    assert!(client.notify("m", ()).await.unwrap_err().is_timeout());
    assert_eq!(begun.elapsed(), seconds(12));
}

#[tokio::test(start_paused = true)]
async fn a_call_with_a_stalled_body_ends_by_the_deadline() {
    struct Stops(bool);
    impl http_body::Body for Stops {
        type Data = bytes::Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: std::pin::Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<http_body::Frame<bytes::Bytes>, Infallible>>> {
            if std::mem::replace(&mut self.0, true) {
                return Poll::Pending;
            }
            let piece = bytes::Bytes::from_static(b"{\"jsonrpc\":");
            Poll::Ready(Some(Ok(http_body::Frame::data(piece))))
        }
    }
    let service = tower::service_fn(|request: Request<Body>| async {
        let _ = request.into_body().into_bytes();
        Ok::<_, Infallible>(Response::new(Stops(false)))
    });
    let client = Client::builder("http://server.test")
        .service(service)
        .build()
        .unwrap();
    let error = client.call::<u8>("m", ()).await.unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::Unknown) && error.is_timeout(),
        "{error}"
    );
}

/// A permit, or room in a service, that comes when the time of a call is over comes too late.
#[tokio::test(start_paused = true)]
async fn a_call_that_has_waited_beyond_its_deadline_is_not_sent() {
    for waits_for_permit in [true, false] {
        let sent = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&sent);
        let service = tower::service_fn(move |request: Request<Body>| {
            count.fetch_add(1, Ordering::SeqCst);
            let _ = request.into_body().into_bytes();
            pending::<Result<Response<Body>, Infallible>>()
        });
        let builder = Client::builder("http://server.test").timeout(None);
        let builder = match waits_for_permit {
            true => builder.max_in_flight(1).service(service),
            false => builder.service(tower::limit::ConcurrencyLimit::new(service, 1)),
        };
        let client = builder.build().unwrap();
        let mut first = Box::pin(client.call::<u8>("m", ()).into_future());
        assert!(futures_util::poll!(&mut first).is_pending());
        let late = client.call::<u8>("m", ()).timeout(Duration::from_secs(5));
        let mut late = Box::pin(late.into_future());
        assert!(futures_util::poll!(&mut late).is_pending());
        // The thread is busy meanwhile, so that the call sees both at once.
        tokio::time::advance(Duration::from_secs(6)).await;
        drop(first);
        let error = late.await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::NotSent), "{error}");
        assert!(error.is_timeout());
        assert_eq!(sent.load(Ordering::SeqCst), 1, "permit: {waits_for_permit}");
    }
}

/// A service may keep requests in a queue, as tower's buffer does.
#[tokio::test(start_paused = true)]
async fn a_service_cannot_send_a_request_of_which_the_caller_knows_that_it_was_not_sent() {
    let (queue, mut queued) = tokio::sync::mpsc::unbounded_channel();
    let service = tower::service_fn(move |request: Request<Body>| {
        queue.send(request.into_body()).unwrap();
        pending::<Result<Response<Body>, Infallible>>()
    });
    let builder = Client::builder("http://server.test").service(service);
    let client = builder.timeout(Duration::from_secs(5)).build().unwrap();
    for is_dropped in [false, true] {
        if is_dropped {
            let mut call = Box::pin(client.call::<u8>("m", ()).into_future());
            assert!(futures_util::poll!(&mut call).is_pending());
        } else {
            let error = client.call::<u8>("m", ()).await.unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::NotSent), "{error}");
        }
        let body = queued.recv().await.unwrap();
        let mut read = std::pin::pin!(body.clone());
        let read = poll_fn(|cx| http_body::Body::poll_frame(read.as_mut(), cx)).await;
        assert!(read.unwrap().is_err());
        assert_eq!(body.into_bytes(), "");
    }
}

#[tokio::test]
async fn after_a_failure_before_the_body_is_read_a_call_is_not_sent() {
    #[derive(Clone)]
    struct Fails;
    impl tower::Service<Request<Body>> for Fails {
        type Response = Response<Body>;
        type Error = std::io::Error;
        type Future = std::future::Ready<Result<Response<Body>, std::io::Error>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), std::io::Error>> {
            Poll::Ready(Err(std::io::Error::other("full")))
        }

        fn call(&mut self, _: Request<Body>) -> Self::Future {
            unreachable!()
        }
    }
    let client = Client::builder("http://server.test")
        .service(Fails)
        .build()
        .unwrap();
    let error = client.call::<u8>("m", ()).await.unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::NotSent) && !error.is_connect(),
        "{error}"
    );
    assert_eq!(
        error.to_string(),
        "`m` was not sent: the connection failed: full"
    );

    for takes in [false, true] {
        let service = tower::service_fn(move |request: Request<Body>| async move {
            if takes {
                let _ = request.into_body().into_bytes();
            }
            Err::<Response<Body>, _>(std::io::Error::other("broken"))
        });
        let client = Client::builder("http://server.test")
            .service(service)
            .build()
            .unwrap();
        let error = client.call::<u8>("m", ()).await.unwrap_err();
        assert_eq!(matches!(error.kind(), ErrorKind::Unknown), takes, "{error}");
        assert_eq!(
            matches!(error.kind(), ErrorKind::NotSent),
            !takes,
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_hundred_calls_run_at_the_same_time() {
    let barrier = Arc::new(Barrier::new(100));
    let meet = move |n: u32| {
        let barrier = Arc::clone(&barrier);
        async move {
            barrier.wait().await;
            n
        }
    };
    let client = in_process(Router::new().method_fn("meet", meet).build().unwrap());
    let calls: Vec<_> = (0..100_u32)
        .map(|n| tokio::spawn(client.call::<u32>("meet", (n,)).into_future()))
        .collect();
    for (n, call) in (0..).zip(calls) {
        assert_eq!(call.await.unwrap().unwrap(), n);
    }
}

#[tokio::test(start_paused = true)]
async fn the_number_of_concurrent_requests_is_limited() {
    let now = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let (running, peak) = (Arc::clone(&now), Arc::clone(&most));
    let service = tower::service_fn(move |_: Request<Body>| {
        let (running, peak) = (Arc::clone(&running), Arc::clone(&peak));
        async move {
            peak.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_secs(10)).await;
            running.fetch_sub(1, Ordering::SeqCst);
            Ok::<_, Infallible>(Response::new(Body::default()))
        }
    });
    let builder = Client::builder("http://server.test").service(service);
    let client = builder.max_in_flight(2).timeout(None).build().unwrap();
    let sending: Vec<_> = (0..5)
        .map(|_| tokio::spawn(client.notify("m", ())))
        .collect();
    let begun = Instant::now();
    for sent in sending {
        sent.await.unwrap().unwrap();
    }
    assert_eq!(begun.elapsed(), Duration::from_secs(30));
    assert_eq!(most.load(Ordering::SeqCst), 2);

    // A call that times out while it waits for its turn has sent nothing.
    let first = [(); 2].map(|()| tokio::spawn(client.notify("m", ())));
    tokio::task::yield_now().await;
    let call = client.call::<u8>("m", ()).timeout(Duration::from_secs(9));
    let error = call.await.unwrap_err();
    assert!(
        error.is_timeout() && matches!(error.kind(), ErrorKind::NotSent),
        "{error}"
    );
    drop(first);
}

#[tokio::test]
async fn dropping_a_call_drops_its_request() {
    struct Told(Arc<AtomicUsize>);
    impl Drop for Told {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let dropped = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&dropped);
    let service = tower::service_fn(move |_: Request<Body>| {
        let told = Told(Arc::clone(&count));
        async move {
            let _told = told;
            pending::<Result<Response<Body>, Infallible>>().await
        }
    });
    let client = Client::builder("http://server.test")
        .service(service)
        .build()
        .unwrap();
    let mut call = Box::pin(client.call::<u8>("m", ()).into_future());
    let waits = poll_fn(|cx| Poll::Ready(call.as_mut().poll(cx).is_pending())).await;
    assert!(waits);
    assert_eq!(dropped.load(Ordering::SeqCst), 0);
    drop(call);
    assert_eq!(dropped.load(Ordering::SeqCst), 1);
}

/// The error of an inner call, as the calling method has received it.
type Inner = Arc<Mutex<Option<antiphon::client::Error>>>;

/// A router whose method `outer` calls `inner` with the client. The call is either created before
/// the future of the method and awaited in it, or created in it and awaited in another task.
fn outer(client: Client, inner: Inner) -> antiphon::Dispatcher {
    let outer = move |elsewhere: bool| {
        let call = client.call::<Value>("inner", ());
        let (client, inner) = (client.clone(), Arc::clone(&inner));
        async move {
            let outcome = match elsewhere {
                true => {
                    let call = client.call::<Value>("inner", ());
                    tokio::spawn(call.into_future()).await.unwrap()
                }
                false => call.await,
            };
            outcome.map_err(|error| {
                let shown = ErrorObject::new(1, error.to_string());
                inner.lock().unwrap().replace(error);
                shown
            })
        }
    };
    Router::new().method_fn("outer", outer).build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_call_in_a_method_inherits_deadline_and_trace() {
    let (builder, log) = scripted(|seen| seen.answer("7"));
    // The timeout of the call itself is longer.
    let client = builder.timeout(Duration::from_secs(60)).build().unwrap();
    for elsewhere in [false, true] {
        let dispatcher = outer(client.clone(), Inner::default());
        let text = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"outer","params":[{elsewhere}],
            "timeout":1500,"traceparent":"00-1-2-01","tracestate":"a=b"}}"#
        );
        let answer = dispatcher.handle(text).await.unwrap();
        assert_eq!(answer, r#"{"jsonrpc":"2.0","id":1,"result":7}"#);
        let seen = log.lock().unwrap().pop().unwrap();
        assert_eq!(seen.header("rpc-timeout-ms"), Some("1500"));
        assert_eq!(seen.header("traceparent"), Some("00-1-2-01"));
        assert_eq!(seen.header("tracestate"), Some("a=b"));

        client.call::<Value>("m", ()).await.unwrap();
        let seen = log.lock().unwrap().pop().unwrap();
        assert_eq!(seen.header("rpc-timeout-ms"), Some("60000"));
        assert_eq!(seen.header("traceparent"), None);
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_in_a_method_ends_by_the_deadline_of_the_method() {
    let inner = Inner::default();
    let dispatcher = outer(silent(true), Arc::clone(&inner));
    let begun = Instant::now();
    let text = r#"{"jsonrpc":"2.0","id":1,"method":"outer","params":[true],"timeout":1500}"#;
    let answer = dispatcher.handle(text).await.unwrap();
    assert!(String::from_utf8_lossy(&answer).contains("\"error\""));
    assert_eq!(begun.elapsed(), Duration::from_millis(1500));
}

#[tokio::test]
async fn a_trace_that_is_not_a_valid_header_value_is_not_sent() {
    let (builder, log) = scripted(|seen| seen.answer("7"));
    let dispatcher = outer(builder.build().unwrap(), Inner::default());
    let text = r#"{"jsonrpc":"2.0","id":1,"method":"outer","params":[false],
        "traceparent":"a\r\nb: c","tracestate":"ok"}"#;
    dispatcher.handle(text).await.unwrap();
    let seen = log.lock().unwrap().pop().unwrap();
    assert_eq!(seen.header("traceparent"), None);
    assert_eq!(seen.header("tracestate"), Some("ok"));
}

#[tokio::test]
async fn a_full_response_has_status_headers_and_body() {
    let (builder, _) = scripted(|seen| {
        let mut response = seen.answer("7");
        let value = http::HeaderValue::from_static("yes");
        response.headers_mut().insert("x-more", value);
        response
    });
    let client = builder.build().unwrap();
    let full = client.call_full::<u8>("m", ()).await.unwrap();
    assert_eq!(full.result.unwrap(), 7);
    assert_eq!(
        (full.status.as_u16(), &full.headers["x-more"]),
        (200, &"yes".parse().unwrap())
    );
    assert_eq!(full.body, r#"{"jsonrpc":"2.0","id":1,"result":7}"#);

    let full = client.call::<String>("m", ()).id("x").full().await.unwrap();
    assert!(full.result.unwrap_err().is_decode());
    assert_eq!(full.body, r#"{"jsonrpc":"2.0","id":"x","result":7}"#);

    for (status, body) in [(500, "<html>"), (200, "5"), (404, "")] {
        let (builder, _) = scripted(move |_| crate::client_support::json(status, body));
        let full = builder
            .build()
            .unwrap()
            .call_full::<u8>("m", ())
            .await
            .unwrap();
        assert_eq!(
            (full.status.as_u16(), full.body.as_ref()),
            (status, body.as_bytes())
        );
        assert_eq!(full.result.unwrap_err().status().unwrap(), status);
    }
    let (builder, _) = scripted(|seen| seen.answer("7"));
    let client = builder.max_response(5).build().unwrap();
    let full = client.call_full::<u8>("m", ()).await.unwrap();
    assert!(full.body.is_empty() && full.result.unwrap_err().is_invalid_answer());
}
