//! Tests of the client with HTTP servers that send without end beside what they were asked for.

use std::io;
use std::time::Duration;

use antiphon::client::{Client, ErrorKind};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::client_pool::frames::frame;
use crate::client_support::{listen, read_request, wire};

/// The right response to the first call of a client.
const RIGHT: &str = r#"{"jsonrpc":"2.0","id":1,"result":"right"}"#;

/// What is said of a server that floods.
const TOLD: &str = "`m` was sent and may have run: the peer misbehaves, so the connection has \
                    ended: it sends too much that is no content";

/// More than any test may send.
const MOST: usize = 512 * 1024 * 1024;

/// Sends a head, and then a piece again and again, until the client has closed the connection.
/// Returns how much was sent.
async fn flood(stream: &mut TcpStream, head: &str, piece: &str) -> io::Result<usize> {
    stream.write_all(head.as_bytes()).await?;
    let piece = piece.repeat(16_384 / piece.len() + 1);
    let mut sent = 0;
    while stream.write_all(piece.as_bytes()).await.is_ok() {
        sent += piece.len();
        assert!(sent < MOST, "the client reads without end");
    }
    Ok(sent)
}

/// A client without a timeout, so only its limits can end a call.
fn patient(address: std::net::SocketAddr, http2: bool) -> Client {
    let builder = Client::builder(address.to_string()).timeout(None);
    builder.http2_prior_knowledge(http2).build().unwrap()
}

#[tokio::test]
async fn an_endless_flood_without_content_ends_the_call() {
    const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    // The name, what comes once, what comes again and again, and whether the budget ends it; hyper
    // has bounds of its own for the others.
    let table = [
        ("continue", "", "HTTP/1.1 100 Continue\r\n\r\n", true),
        (
            "early hints",
            "",
            "HTTP/1.1 103 Hints\r\nLink: </a>\r\n\r\n",
            true,
        ),
        ("zeros of a chunk size", CHUNKED, "0", true),
        (
            "spaces of a chunk size",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1",
            " ",
            true,
        ),
        ("chunks of one byte", CHUNKED, "1\r\n \r\n", true),
        ("chunk extensions", CHUNKED, "1;a=b\r\n \r\n", false),
        (
            "trailers",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
            "a: b\r\n",
            false,
        ),
        ("a header line", "HTTP/1.1 200 OK\r\nA: ", "x", false),
        ("header lines", "HTTP/1.1 200 OK\r\n", "A: b\r\n", false),
        ("a reason", "HTTP/1.1 200 ", "x", false),
        ("line breaks", "", "\r\n", false),
        ("nothing of HTTP", "", "x", false),
    ];
    for (name, head, piece, is_budget) in table {
        let address = listen(move |mut stream: TcpStream| async move {
            read_request(&mut stream).await?;
            flood(&mut stream, head, piece).await.map(drop)
        })
        .await;
        let client = patient(address, false);
        let error = client.call::<Value>("m", ()).await.unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::Unknown),
            "{name}: {error}"
        );
        if is_budget {
            assert_eq!(error.to_string(), TOLD, "{name}");
            assert!(error.is_invalid_answer() && error.is_closed(), "{name}");
        }
    }
}

#[tokio::test]
async fn an_honest_server_is_not_cut() {
    let interim = "HTTP/1.1 103 Hints\r\nLink: </a>\r\n\r\n".repeat(100);
    let result = format!("\"{}\"", "x".repeat(300_000));
    let body = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{result}}}"#);
    // Chunks of three bytes, as an encoder writes that flushes every token.
    let chunks: String = body
        .as_bytes()
        .chunks(3)
        .map(|part| format!("{}\r\n{}\r\n", part.len(), String::from_utf8_lossy(part)))
        .collect();
    let chunked = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}0\r\n\r\n");
    for answer in [interim + &wire("200 OK", &body), chunked] {
        let address = listen(move |mut stream: TcpStream| {
            let answer = answer.clone();
            async move {
                read_request(&mut stream).await?;
                stream.write_all(answer.as_bytes()).await
            }
        })
        .await;
        let outcome = patient(address, false).call::<String>("m", ()).await;
        assert_eq!(outcome.unwrap().len(), 300_000);
    }
}

/// The bytes of many calls on one connection are far more than its budget.
#[tokio::test]
async fn the_budget_is_earned_by_each_response() {
    let padding = "x".repeat(30_000);
    let address = listen(move |mut stream: TcpStream| {
        let padding = padding.clone();
        async move {
            for id in 1.. {
                read_request(&mut stream).await?;
                let body = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{id}}}"#);
                let answer = wire(&format!("200 OK\r\nX: {padding}"), &body);
                stream.write_all(answer.as_bytes()).await?;
            }
            Ok(())
        }
    })
    .await;
    let client = patient(address, false);
    for id in 1..=50 {
        assert_eq!(client.call::<u64>("m", ()).await.unwrap(), id);
    }
}

/// A second response that nobody has asked for is not that of the next call.
#[tokio::test]
async fn a_response_without_a_request_answers_no_call() {
    let address = listen(|mut stream: TcpStream| async move {
        read_request(&mut stream).await?;
        let wrong = RIGHT
            .replace("right", "wrong")
            .replace("\"id\":1", "\"id\":2");
        let both = wire("200 OK", RIGHT) + &wire("200 OK", &wrong);
        stream.write_all(both.as_bytes()).await?;
        // The call is answered if it comes on this connection at all.
        let request = read_request(&mut stream).await?;
        let id = if request.contains("\"id\":2") {
            "2"
        } else {
            "1"
        };
        let body = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":"right"}}"#);
        stream.write_all(wire("200 OK", &body).as_bytes()).await
    })
    .await;
    let client = patient(address, false);
    assert_eq!(client.call::<String>("m", ()).await.unwrap(), "right");
    // A new connection gets the same first response, whose id is not that of this call.
    if let Ok(result) = client.call::<String>("m", ()).await {
        assert_eq!(result, "right");
    }
}

#[tokio::test]
async fn an_endless_flood_of_http_2_frames_ends_the_call() {
    let table = [
        ("PING", frame(6, 0, 0, b"12345678"), true),
        ("PONG", frame(6, 1, 0, b"12345678"), true),
        ("WINDOW_UPDATE", frame(8, 0, 1, &[0, 0, 0, 0]), false),
        ("unknown", frame(0xee, 0, 0, &[0; 100]), true),
        ("PRIORITY", frame(2, 0, 1, &[0, 0, 0, 0, 1]), true),
        ("SETTINGS", frame(4, 0, 0, &[]), true),
        ("DATA without content", frame(0, 0, 1, &[]), false),
        ("PUSH_PROMISE", frame(5, 4, 1, &[0, 0, 0, 2, 0x82]), false),
        ("GOAWAY", frame(7, 0, 0, &[0, 0, 0, 1, 0, 0, 0, 0]), false),
    ];
    for (name, piece, is_budget) in table {
        let address = listen(move |mut stream: TcpStream| {
            let piece = piece.clone();
            async move {
                stream.write_all(&frame(4, 0, 0, &[])).await?;
                // The preface and the request; what follows is read aside, so that nothing waits.
                stream.read_exact(&mut [0; 64]).await?;
                let (mut reads, mut writes) = stream.into_split();
                let reading = async move {
                    let mut room = [0; 65_536];
                    while matches!(reads.read(&mut room).await, Ok(1..)) {}
                };
                let many = piece.repeat(16_384 / piece.len() + 1);
                let writing = async move {
                    let mut sent = 0;
                    while writes.write_all(&many).await.is_ok() {
                        sent += many.len();
                        assert!(sent < MOST, "the client reads without end");
                    }
                };
                tokio::join!(reading, writing);
                Ok(())
            }
        })
        .await;
        let call = patient(address, true).call::<Value>("m", ()).into_future();
        let ended = tokio::time::timeout(Duration::from_secs(60), call).await;
        let error = ended.expect(name).unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::Unknown | ErrorKind::NotSent),
            "{name}: {error}"
        );
        if is_budget {
            let told = "the peer misbehaves, so the connection has ended: it sends too much that \
                        is no content";
            assert!(error.to_string().ends_with(told), "{name}: {error}");
        }
    }
}
