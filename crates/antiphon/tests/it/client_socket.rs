//! Tests of the client over sockets: connections that are reused, cut, refused and closed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use antiphon::client::{Client, ErrorKind};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::client_support::{answers_with, listen, read_request, wire};

const RIGHT: &str = r#"{"jsonrpc":"2.0","id":1,"result":"right"}"#;

fn client(address: std::net::SocketAddr) -> Client {
    Client::connect(address.to_string()).unwrap()
}

#[tokio::test]
async fn one_connection_serves_many_calls() {
    let connections = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&connections);
    let address = listen(move |mut stream: TcpStream| {
        count.fetch_add(1, Ordering::SeqCst);
        async move {
            for id in 1.. {
                let request = read_request(&mut stream).await?;
                assert!(request.starts_with("POST /rpc?x HTTP/1.1\r\n"), "{request}");
                let body = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{id}}}"#);
                stream.write_all(wire("200 OK", &body).as_bytes()).await?;
            }
            Ok(())
        }
    })
    .await;
    let client = Client::connect(format!("http://{address}/rpc?x")).unwrap();
    for id in 1..=5 {
        assert_eq!(client.call::<u8>("m", ()).await.unwrap(), id);
    }
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn without_a_server_a_call_is_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let client = Client::connect(format!("http://{address}/secret?token=secret")).unwrap();
    let error = client.call::<u8>("m", ()).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::NotSent), "{error}");
    assert!(error.is_connect() && !error.is_timeout());
    let story = format!("`m` was not sent: cannot connect to {address}: Connection refused");
    assert!(error.to_string().starts_with(&story), "{error}");
    assert!(!format!("{error:?}").contains("secret"));
    assert!(std::error::Error::source(&error).is_some());
    assert!(
        client
            .call_full::<u8>("m", ())
            .await
            .unwrap_err()
            .is_connect()
    );
    let mut batch = client.batch();
    let _ = batch.call::<u8>("m", ());
    assert!(batch.send().await.unwrap_err().is_connect());
}

#[tokio::test]
async fn a_call_with_a_truncated_response_is_unknown() {
    let whole = wire("200 OK", RIGHT).into_bytes();
    for end in 0..=whole.len() {
        let address = answers_with(&whole[..end]).await;
        let outcome = client(address).call::<String>("m", ()).await;
        if end == whole.len() {
            assert_eq!(outcome.unwrap(), "right");
        } else {
            let error = outcome.unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Unknown), "{end}: {error}");
        }
    }
}

#[tokio::test]
async fn a_call_with_a_truncated_request_is_unknown_or_not_sent() {
    for end in [0, 1, 16, 100, 200, 250] {
        let address = listen(move |mut stream: TcpStream| async move {
            let mut some = vec![0; end];
            stream.read_exact(&mut some).await?;
            Ok(())
        })
        .await;
        let error = client(address)
            .call::<String>("m", ("x".repeat(1000),))
            .await
            .unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::Unknown | ErrorKind::NotSent),
            "{end}: {error}"
        );
        assert!(!error.is_connect());
    }
}

#[tokio::test]
async fn a_call_with_a_response_that_is_not_http_is_unknown() {
    for bytes in [
        "garbage\r\n\r\n".to_owned(),
        "HTTP/1.1 2OO OK\r\n\r\n".to_owned(),
        format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(100_000)),
        format!("HTTP/1.1 200 OK\r\nContent-Length: 41\r\nContent-Length: 5\r\n\r\n{RIGHT}"),
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n".to_owned(),
    ] {
        let error = client(answers_with(bytes.clone()).await)
            .call::<String>("m", ())
            .await;
        let error = error.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Unknown), "{error}");
    }
}

#[tokio::test]
async fn a_body_in_any_framing_is_read() {
    let (one, two) = RIGHT.split_at(10);
    let chunked = format!(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{one}\r\n{:x};x=1\r\n{two}\r\n0\r\nA: b\r\n\r\n",
        one.len(),
        two.len()
    );
    let until_close = format!("HTTP/1.1 200 OK\r\n\r\n{RIGHT}");
    let early_hints = format!(
        "HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n{}",
        wire("200 OK", RIGHT)
    );
    for bytes in [chunked, until_close, early_hints] {
        let outcome = client(answers_with(bytes).await)
            .call::<String>("m", ())
            .await;
        assert_eq!(outcome.unwrap(), "right");
    }
}

#[tokio::test]
async fn a_response_with_an_excessive_length_is_refused_before_it_is_read() {
    // The server announces a body, sends none of it, and keeps the connection open. So only a
    // client that does not wait for the body returns before its timeout.
    let address = listen(|mut stream: TcpStream| async move {
        read_request(&mut stream).await?;
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 11534336\r\n\r\n")
            .await?;
        std::future::pending().await
    })
    .await;
    let client = Client::builder(address.to_string())
        .timeout(None)
        .build()
        .unwrap();
    let error = client.call::<Value>("m", ()).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Unknown) && error.is_invalid_answer());
    assert!(
        error.to_string().ends_with("longer than 10485760 bytes"),
        "{error}"
    );
    client.notify("m", ()).await.unwrap();
}

#[tokio::test]
async fn an_endless_response_is_refused_while_it_is_read() {
    let (told, hears) = tokio::sync::oneshot::channel();
    let told = Arc::new(std::sync::Mutex::new(Some(told)));
    let address = listen(move |mut stream: TcpStream| {
        let told = told.lock().unwrap().take();
        async move {
            read_request(&mut stream).await?;
            stream
                .write_all(b"HTTP/1.1 200 OK\r\n\r\n{\"jsonrpc\":\"2.0\",\"x\":\"")
                .await?;
            // An endless body. The loop ends when the client has closed the connection.
            while stream.write_all(&[b'x'; 65_536]).await.is_ok() {}
            told.unwrap().send(()).unwrap();
            Ok(())
        }
    })
    .await;
    let client = Client::builder(address.to_string())
        .timeout(None)
        .build()
        .unwrap();
    let error = client.call::<Value>("m", ()).await.unwrap_err();
    assert!(
        error.to_string().ends_with("longer than 10485760 bytes"),
        "{error}"
    );
    hears.await.unwrap();
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let other = listen(move |mut stream: TcpStream| {
        count.fetch_add(1, Ordering::SeqCst);
        async move { stream.write_all(wire("200 OK", RIGHT).as_bytes()).await }
    })
    .await;
    for status in ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"] {
        let head = format!("HTTP/1.1 {status}\r\nLocation: http://{other}/\r\n");
        let address = answers_with(head + "Content-Length: 0\r\n\r\n").await;
        let error = client(address).call::<String>("m", ()).await.unwrap_err();
        let rejected =
            matches!(error.kind(), ErrorKind::Rejected { status, .. } if status.is_redirection());
        assert!(rejected, "{error}");
        assert!(
            error.to_string().ends_with("(redirects are not followed)"),
            "{error}"
        );
    }
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_dropped_call_closes_its_connection() {
    let (asked, asks) = tokio::sync::oneshot::channel();
    let (closed, closes) = tokio::sync::oneshot::channel();
    let ends = Arc::new(std::sync::Mutex::new(Some((asked, closed))));
    let address = listen(move |mut stream: TcpStream| {
        let (asked, closed) = ends.lock().unwrap().take().unwrap();
        async move {
            read_request(&mut stream).await?;
            asked.send(()).unwrap();
            let end = stream.read(&mut [0; 1]).await;
            closed.send(end.unwrap_or(0)).unwrap();
            Ok(())
        }
    })
    .await;
    let client = client(address);
    tokio::select! {
        outcome = client.call::<Value>("m", ()).into_future() => panic!("{outcome:?}"),
        asked = asks => asked.unwrap(),
    }
    assert_eq!(closes.await.unwrap(), 0);
}

#[tokio::test]
async fn http_2_is_used_for_a_server_that_is_known_to_support_it() {
    use hyper_util::rt::{TokioExecutor, TokioIo};

    let connections = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&connections);
    let address = listen(move |stream: TcpStream| {
        count.fetch_add(1, Ordering::SeqCst);
        async move {
            let service = hyper::service::service_fn(|request: http::Request<_>| async move {
                let _: hyper::body::Incoming = request.into_body();
                let body = antiphon::client::Body::from(RIGHT);
                Ok::<_, std::convert::Infallible>(http::Response::new(body))
            });
            let serving = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), service);
            serving.await.map_err(std::io::Error::other)
        }
    })
    .await;
    let builder = Client::builder(address.to_string()).http2_prior_knowledge(true);
    let client = builder.id_generator(|| 1.into()).build().unwrap();
    let calls: Vec<_> = (0..20)
        .map(|_| tokio::spawn(client.call::<String>("m", ()).into_future()))
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap(), "right");
    }
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[cfg(unix)]
#[tokio::test]
async fn http_works_over_a_unix_socket() {
    let folder = std::env::temp_dir().join(format!("antiphon-client-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("socket");
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    let serving = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = vec![0; 4096];
        let count = stream.read(&mut request).await.unwrap();
        let request = String::from_utf8_lossy(&request[..count]).to_lowercase();
        assert!(request.starts_with("post / http/1.1\r\n"), "{request}");
        assert!(request.contains("\r\nhost: localhost\r\n"), "{request}");
        stream
            .write_all(wire("200 OK", RIGHT).as_bytes())
            .await
            .unwrap();
    });
    let url = format!("http+unix:{}", path.display());
    let client = Client::connect(&url).unwrap();
    assert_eq!(client.call::<String>("m", ()).await.unwrap(), "right");
    serving.await.unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    let error = Client::connect(&url)
        .unwrap()
        .call::<u8>("m", ())
        .await
        .unwrap_err();
    assert!(
        error.is_connect() && error.to_string().contains(&url),
        "{error}"
    );
}
