//! Tests with servers that send without end, or more than was asked for.

use antiphon::call;
use antiphon::client::{Client, ErrorKind};

use super::super::raw::{RawPeer, TEST_TIMEOUT, result};
use super::{Outcome, client, listener, outcome};

/// More than any test may send.
const MOST: usize = 256 * 1024 * 1024;

#[tokio::test]
async fn an_endless_flood_ends_the_connection_and_is_told_as_misbehaviour() {
    let white = "more than 65536 bytes of white space without a message";
    let table = [
        ("newline", "\n", white),
        ("newline", "\r\n", white),
        ("newline", " ", white),
        ("newline", " \t\n", white),
        ("newline", "[", "message longer than 26218496 bytes"),
        ("newline", "{}[]", "message longer than 26218496 bytes"),
        ("newline", "x", "message begins with neither `{` nor `[`"),
        (
            "content-length",
            "A: b\r\n",
            "bad message header: more than 16 lines",
        ),
        (
            "content-length",
            "\r\n",
            "bad message header: no Content-Length",
        ),
        (
            "content-length",
            "A",
            "bad message header: line longer than 1 KiB",
        ),
        (
            "content-length",
            " ",
            "bad message header: line is not `name: value`",
        ),
    ];
    for (framing, piece, reason) in table {
        let (listener, address) = listener().await;
        let acting = tokio::spawn(async move {
            let mut peer = RawPeer::accept(&listener).await;
            peer.line().await.unwrap();
            let piece = piece.repeat(16_384 / piece.len() + 1);
            let mut sent = 0;
            use tokio::io::AsyncWriteExt as _;
            while peer.stream.write_all(piece.as_bytes()).await.is_ok() {
                sent += piece.len();
                assert!(sent < MOST, "the client reads without end");
            }
        });
        let url = format!("tcp://{address}?framing={framing}");
        let client = Client::builder(url).timeout(TEST_TIMEOUT).build().unwrap();
        let error = call!(client.m()).await.map(|_: i64| ()).unwrap_err();
        let shown = format!("{framing}, {piece:?}: {error}");
        assert!(matches!(error.kind(), ErrorKind::Unknown), "{shown}");
        assert!(error.is_closed() && error.is_invalid_answer(), "{shown}");
        assert_eq!(
            error.to_string(),
            format!(
                "`m` was sent and may have run: the peer misbehaves, so the connection has \
                 ended: {reason}"
            )
        );
        drop(client);
        acting.await.unwrap();
    }
}

/// The results of a batch have the same room as over HTTP, however many messages they come in.
#[tokio::test]
async fn responses_to_a_batch_share_their_limit() {
    let (listener, address) = listener().await;
    let acting = tokio::spawn(async move {
        let mut peer = RawPeer::accept(&listener).await;
        let calls = peer.next().await;
        // Large, small with a lot of white space, and too much.
        let padding = " ".repeat(100_000);
        let texts = [
            format!("\"{}\"", "x".repeat(900)),
            format!("{padding}2"),
            format!("\"{}\"", "x".repeat(200)),
        ];
        for (at, text) in texts.iter().enumerate().rev() {
            peer.say([result(&calls[at]["id"].to_string(), text)]).await;
        }
        super::behave(&mut peer).await;
    });
    let client = client(address).max_batch_response(1_000).build().unwrap();
    let mut batch = client.batch();
    let (large, small, last) = (
        batch.call::<String>("m", ()),
        batch.call::<i64>("m", ()),
        batch.call::<String>("m", ()),
    );
    let mut responses = batch.send().await.unwrap();
    assert_eq!(responses.take(last).unwrap().len(), 200);
    assert_eq!(outcome(responses.take(small)), Outcome::Is(2));
    let error = responses.take(large).unwrap_err();
    assert!(error.is_invalid_answer(), "{error}");
    assert_eq!(
        error.to_string(),
        "`m` was sent and may have run: the answer is longer than 1000 bytes"
    );
    assert_eq!(outcome(call!(client.m()).await), Outcome::Is(7));
    drop(client);
    acting.await.unwrap();
}
