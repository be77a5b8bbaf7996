//! Tests of request smuggling: HTTP/1 heads and bodies that two readers may parse differently.
//!
//! Each request contains a second, hidden request, which only one of the two readings would find.
//! The server either refuses the request and closes the connection, or reads it as RFC 9112
//! requires. The hidden request never runs.

use crate::support::call;
use crate::support::http1::{chunked, head, post};
use crate::support::test_server::TestServer;

/// The request that must not run.
fn hidden() -> String {
    post("", &call("66", "count", "[]"))
}

/// The chunked body of a call that may run.
fn in_chunks() -> String {
    chunked(&call("1", "add", "[1,2]"), 1000)
}

/// A request with these headers and this body. `{n}` in the headers is replaced by the length of
/// the hidden request.
fn framed(headers: &str, body: &str) -> String {
    let length = (body.len() + hidden().len()).to_string();
    head(&headers.replace("{n}", &length)) + body + &hidden()
}

/// Requests that the server refuses with a 4xx status, or by closing the connection at once.
fn refused() -> Vec<(&'static str, String)> {
    let te = "Transfer-Encoding: chunked\r\n";
    let zero = "0\r\n\r\n";
    let own = call("1", "add", "[1,2]");
    let size = format!("{:x}", own.len());
    let with_size = |size: &str| framed(te, &format!("{size}\r\n{own}\r\n{zero}"));
    let body = post("", &own);
    let line = |from: &str, to: &str| body.replacen(from, to, 1) + &hidden();
    vec![
        ("a length with a plus", framed("Content-Length: +0\r\n", "")),
        ("a negative length", framed("Content-Length: -1\r\n", "")),
        (
            "a hexadecimal length",
            framed("Content-Length: 0x0\r\n", ""),
        ),
        (
            "a length with a fraction",
            framed("Content-Length: 0.0\r\n", ""),
        ),
        ("an empty length", framed("Content-Length:\r\n", "")),
        (
            "a length with a space in it",
            framed("Content-Length: 0 {n}\r\n", ""),
        ),
        (
            "a length with a letter",
            framed("Content-Length: 0x\r\n", ""),
        ),
        (
            "a length beyond 64 bits",
            framed("Content-Length: 18446744073709551616\r\n", ""),
        ),
        (
            "a length just below 2^64",
            framed("Content-Length: 18446744073709551615\r\n", ""),
        ),
        (
            "two lengths that differ",
            framed("Content-Length: 0\r\nContent-Length: {n}\r\n", ""),
        ),
        (
            "two that differ, the other way",
            framed("Content-Length: {n}\r\nContent-Length: 0\r\n", ""),
        ),
        (
            "two lengths in one field",
            framed("Content-Length: 0, {n}\r\n", ""),
        ),
        (
            "chunked, but not last",
            framed("Transfer-Encoding: chunked, identity\r\n", zero),
        ),
        (
            "an unknown encoding",
            framed("Transfer-Encoding: cow\r\n", zero),
        ),
        (
            "identity",
            framed("Transfer-Encoding: identity\r\nContent-Length: 0\r\n", ""),
        ),
        (
            "chunked with a prefix",
            framed("Transfer-Encoding: xchunked\r\n", zero),
        ),
        (
            "chunked with a vertical tab",
            framed("Transfer-Encoding: \x0bchunked\r\n", zero),
        ),
        (
            "chunked, then something else",
            framed(
                "Transfer-Encoding: chunked\r\nTransfer-Encoding: cow\r\n",
                zero,
            ),
        ),
        (
            "chunked twice",
            framed(&format!("{te}{te}"), &(in_chunks() + zero)),
        ),
        (
            "chunked twice in one field",
            framed("Transfer-Encoding: chunked, chunked\r\n", &in_chunks()),
        ),
        (
            "compressed, then chunked",
            framed("Transfer-Encoding: gzip, chunked\r\n", &in_chunks()),
        ),
        (
            "chunked with a parameter",
            framed("Transfer-Encoding: chunked;q=1\r\n", &in_chunks()),
        ),
        (
            "chunked behind a comma",
            framed("Transfer-Encoding: ,chunked\r\n", &in_chunks()),
        ),
        (
            "an empty encoding",
            framed("Transfer-Encoding:\r\nContent-Length: 0\r\n", ""),
        ),
        (
            "a space before the colon",
            framed(
                "Transfer-Encoding : chunked\r\nContent-Length: {n}\r\n",
                zero,
            ),
        ),
        (
            "a tab before the colon",
            framed("Content-Length\t: 0\r\n", ""),
        ),
        (
            "a folded line",
            framed(
                "X: y\r\n Transfer-Encoding: chunked\r\nContent-Length: 0\r\n",
                "",
            ),
        ),
        ("a folded length", framed("Content-Length:\r\n 0\r\n", "")),
        ("a line that begins with a space", line("Host:", " Host:")),
        ("a line without a colon", framed("Content-Length 0\r\n", "")),
        (
            "a name with a zero in it",
            framed("Content\0-Length: 0\r\n", ""),
        ),
        (
            "a zero in a value",
            framed("X: a\0b\r\nContent-Length: 0\r\n", ""),
        ),
        (
            "a return in a value",
            framed("X: a\rContent-Length: 0\r\n", ""),
        ),
        (
            "chunked in HTTP/1.0",
            framed(te, zero).replacen("HTTP/1.1", "HTTP/1.0", 1),
        ),
        ("a chunk size with a plus", with_size(&format!("+{size}"))),
        ("a chunk size with a minus", with_size(&format!("-{size}"))),
        (
            "a chunk size with a prefix",
            with_size(&format!("0x{size}")),
        ),
        (
            "a chunk size with a space before it",
            with_size(&format!(" {size}")),
        ),
        (
            "a chunk size with a word behind it",
            with_size(&format!("{size} x")),
        ),
        ("no chunk size", with_size("")),
        ("a chunk size of no hexadecimal digits", with_size("zz")),
        (
            "a chunk size of 2^64",
            with_size(&format!("1{:016x}", own.len())),
        ),
        ("a chunk size of 2^64-1", with_size("ffffffffffffffff")),
        (
            "a chunk that is longer than it says",
            framed(te, &format!("1\r\n{own}\r\n{zero}")),
        ),
        (
            "a chunk without its line break",
            framed(te, &format!("{size}\r\n{own}{zero}")),
        ),
        (
            "a chunk extension of a megabyte",
            with_size(&format!("{size};{}", "x".repeat(1 << 20))),
        ),
        (
            "a line feed in a chunk extension",
            with_size(&format!("{size};a\nb")),
        ),
        (
            "trailers without end",
            framed(te, &format!("0\r\n{}\r\n", "X: y\r\n".repeat(100_000))),
        ),
        ("another version", line("HTTP/1.1", "HTTP/1.2")),
        ("version two in words", line("HTTP/1.1", "HTTP/2.0")),
        ("no version", line(" HTTP/1.1", "")),
        ("two spaces in the request line", line("POST /", "POST  /")),
        ("a tab in the request line", line("POST /", "POST\t/")),
        ("a method with a bracket", line("POST", "PO(ST")),
        (
            "a control character in the target",
            line("POST /", "POST /\x01"),
        ),
        (
            "a handshake of TLS",
            "\x16\x03\x01\x02\0\x01\0\x01\x7f\x03\x03\r\n\r\n".to_owned(),
        ),
        ("no HTTP", call("1", "count", "[]") + "\r\n\r\n"),
    ]
}

#[tokio::test]
async fn an_ambiguous_request_is_refused_and_ends_the_connection() {
    let server = TestServer::new().await;
    for (name, request) in refused() {
        let mut http1 = server.connect().await;
        let _ = http1.try_send(&request).await;
        // The end of the stream, in case the server waits for more of a body.
        let _ = tokio::io::AsyncWriteExt::shutdown(&mut http1.stream).await;
        let said = http1.rest().await;
        let said = String::from_utf8_lossy(&said);
        assert!(
            said.is_empty() || said.starts_with("HTTP/1.1 4") || said.starts_with("HTTP/1.0 4"),
            "{name}: {said}"
        );
        let answers = said.matches("HTTP/1.").count();
        assert!(answers <= 1, "{name}: {said}");
        assert_eq!(server.log.counted.get(), 0, "{name}");
    }
    server.answers_others().await;
}

/// A request with both `Content-Length` and `Transfer-Encoding`. A server may refuse it or use the
/// chunks, and has to close the connection afterwards (RFC 9112, section 6.1). hyper uses the
/// chunks, whatever the order of the two headers, removes the length and closes. So nothing after
/// the last chunk is read.
#[tokio::test]
async fn a_request_with_a_length_and_chunks_is_the_last_on_its_connection() {
    let server = TestServer::new().await;
    let te = "Transfer-Encoding: chunked\r\n";
    for (name, headers) in [
        ("length first", format!("Content-Length: {{n}}\r\n{te}")),
        ("chunks first", format!("{te}Content-Length: {{n}}\r\n")),
        (
            "a length that fits",
            format!("{te}Content-Length: {}\r\n", in_chunks().len()),
        ),
        ("a length of nothing", format!("Content-Length: 0\r\n{te}")),
        (
            "in other letters",
            "content-length: {n}\r\ntransfer-encoding: CHUNKED\r\n".to_owned(),
        ),
        (
            "kept alive by name",
            format!("Connection: keep-alive\r\nContent-Length: {{n}}\r\n{te}"),
        ),
    ] {
        let mut http1 = server.connect().await;
        http1.send(framed(&headers, &in_chunks())).await;
        let answer = http1.answer().await;
        match answer.status {
            200 => assert_eq!(answer.json()["result"], 3, "{name}"),
            status => assert_eq!(status, 400, "{name}"),
        }
        assert!(answer.closes(), "{name}");
        http1.closed().await;
        assert_eq!(server.log.counted.get(), 0, "{name}");
    }
}

/// Unusual but unambiguous requests. The request after each is a regular second request.
#[tokio::test]
async fn an_unambiguous_request_is_served() {
    let server = TestServer::new().await;
    let own = call("1", "add", "[1,2]");
    let length = own.len();
    let te = "Transfer-Encoding: chunked\r\n";
    for (name, request) in [
        (
            "the same length twice",
            head(&format!(
                "Content-Length: {length}\r\nContent-Length: {length}\r\n"
            )) + &own,
        ),
        (
            "a length with zeros before it",
            head(&format!("Content-Length: 000{length}\r\n")) + &own,
        ),
        (
            "space around a length",
            head(&format!("Content-Length: \t {length} \t\r\n")) + &own,
        ),
        (
            "chunked in capitals",
            head("TRANSFER-ENCODING: Chunked\r\n") + &in_chunks(),
        ),
        (
            "a chunk extension",
            head(te) + &in_chunks().replacen("\r\n", ";a=b\r\n", 1),
        ),
        // What follows is against the standard, and hyper hides it. SECURITY.md names it.
        (
            "a space behind a chunk size",
            head(te) + &in_chunks().replacen("\r\n", " \r\n", 1),
        ),
        (
            "a bare line feed behind a header line",
            post("X: y\n", &own),
        ),
        (
            "a fragment in the target",
            post("", &own).replacen("POST /", "POST /#x", 1),
        ),
        ("empty lines before", format!("\r\n\r\n{}", post("", &own))),
        ("an empty value", post("X:\r\n", &own)),
    ] {
        let mut http1 = server.connect().await;
        let before = server.log.counted.get();
        http1.send(request + &hidden()).await;
        assert_eq!(http1.answer().await.json()["result"], 3, "{name}");
        assert_eq!(http1.answer().await.json()["id"], 66, "{name}");
        assert_eq!(server.log.counted.get(), before + 1, "{name}");
    }
}

#[tokio::test]
async fn bare_line_feeds_are_never_ambiguous() {
    // A reader may accept a bare line feed as the end of a line (RFC 9112, section 2.2). In either
    // case the head ends at one position, and the rest is at most a second request.
    let server = TestServer::new().await;
    let own = post("", &call("1", "add", "[1,2]"));
    let (head, body) = own.split_once("\r\n\r\n").unwrap();
    for request in [
        format!("{}\n\n{body}", head.replace("\r\n", "\n")),
        format!("{head}\n\n{body}"),
        format!("{head}\n\r\n{body}"),
    ] {
        let mut http1 = server.connect().await;
        http1.send(&request).await;
        let answer = http1.answer().await;
        assert!([200, 400].contains(&answer.status), "{answer:?}");
        if answer.status == 200 {
            assert_eq!(answer.json()["result"], 3);
            assert_eq!(http1.call("2", "add", "[3,4]").await["result"], 7);
        }
    }
}

#[tokio::test]
async fn after_a_refusal_that_closes_nothing_is_read() {
    let server = TestServer::with(|settings| settings.max_request = 1000).await;
    for refused in [
        "BAD\r\n\r\n".to_owned(),
        "POST / HTTP/1.1\r\n\r\n".to_owned(),
        post("Host: localhost\r\n", "{}"),
        post("", &" ".repeat(1001)),
        head("Transfer-Encoding: chunked\r\n") + &chunked(&" ".repeat(1001), 500),
    ] {
        let mut http1 = server.connect().await;
        http1.send(refused.clone() + &hidden()).await;
        let answer = http1.answer().await;
        assert!((400..500).contains(&answer.status), "{answer:?}");
        assert!(answer.closes(), "{refused:.40}");
        http1.closed().await;
        assert_eq!(server.log.counted.get(), 0, "{refused:.40}");
    }
}
