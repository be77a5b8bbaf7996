//! Handshake of a WebSocket client (RFC 6455, section 4.1), over any stream.
//!
//! tungstenite formats the request, parses the response and derives the accept key. The checks of
//! the response are here, since tungstenite's are stricter: a server may omit our subprotocol, and
//! `Connection` is a list.

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;
use std::{fmt, io};

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Request, StatusCode};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tungstenite::handshake::client::{Response, generate_key, generate_request};
use tungstenite::handshake::derive_accept_key;
use tungstenite::handshake::machine::TryParse as _;

use crate::transport::ws::WsWire;
use crate::transport::ws::tokens::{SUBPROTOCOL, lists, tokens};

/// Size limit of a response head, in bytes, with the interim responses before it.
const MAX_HEAD: usize = 16 * 1024;
/// How much of the body of an error response is read, in bytes, and how long to wait for it.
const MAX_REFUSAL: usize = 1024;
const REFUSAL_WAIT: Duration = Duration::from_secs(1);

/// Why there is no connection.
#[derive(Debug)]
pub(crate) enum ConnectError {
    /// The server has answered with a status other than 101.
    Refused {
        status: StatusCode,
        /// The response body if it is plain text; at most 1 KiB.
        text: String,
    },
    /// The request cannot be built, or the response is no valid WebSocket handshake.
    Handshake(&'static str),
    Io(io::Error),
}

impl ConnectError {
    /// The HTTP status and text of the response, if the server refused the handshake.
    pub(crate) fn refusal(&self) -> Option<(StatusCode, &str)> {
        match self {
            Self::Refused { status, text } => Some((*status, text)),
            _ => None,
        }
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { status, text } => {
                write!(
                    f,
                    "the server refused the WebSocket with HTTP status {status}"
                )?;
                if text.is_empty() {
                    return Ok(());
                }
                write!(f, ": {text}")
            }
            Self::Handshake(reason) => f.write_str(reason),
            Self::Io(error) => write!(f, "the WebSocket handshake failed: {error}"),
        }
    }
}

impl std::error::Error for ConnectError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl From<io::Error> for ConnectError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Opens a WebSocket: `host` is the value of the `Host` header, `path` the request target with its
/// query. `headers` are added to the request, except those that the handshake sets itself.
///
/// There is no timeout here; the caller has one for connecting as a whole.
///
/// # Errors
///
/// If the stream fails or the server does not accept the handshake.
pub(crate) async fn handshake<S>(
    mut stream: S,
    host: &str,
    path: &str,
    headers: &HeaderMap,
    max_message: usize,
) -> Result<WsWire<S>, ConnectError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (request, key) = request(host, path, headers)?;
    write_all(&mut stream, &request).await?;
    let (response, ahead) = read_head(&mut stream).await?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        let text = refusal(&mut stream, response.headers(), ahead).await;
        let status = response.status();
        return Err(ConnectError::Refused { status, text });
    }
    agree(response.headers(), &key).map_err(ConnectError::Handshake)?;
    Ok(WsWire::client(stream, ahead.into(), max_message))
}

/// Formats the request; returns it with its key.
fn request(host: &str, path: &str, headers: &HeaderMap) -> Result<(Vec<u8>, String), ConnectError> {
    const WRONG: ConnectError = ConnectError::Handshake("no request can be made of this address");
    let mut request = Request::get(path).body(()).map_err(|_| WRONG)?;
    let host = HeaderValue::try_from(host).map_err(|_| WRONG)?;
    let key = HeaderValue::try_from(generate_key()).map_err(|_| WRONG)?;
    let all = request.headers_mut();
    all.clone_from(headers);
    all.remove(header::SEC_WEBSOCKET_EXTENSIONS);
    all.insert(header::HOST, host);
    all.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    all.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    all.insert(
        header::SEC_WEBSOCKET_VERSION,
        HeaderValue::from_static("13"),
    );
    all.insert(header::SEC_WEBSOCKET_KEY, key);
    all.insert(
        header::SEC_WEBSOCKET_PROTOCOL,
        HeaderValue::from_static(SUBPROTOCOL),
    );
    // The library writes the request to the log at level `trace`: not with secrets.
    let mut secret = Vec::new();
    for (name, value) in headers {
        if value.is_sensitive() {
            request.headers_mut().remove(name);
            let line = [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"];
            secret.extend_from_slice(&line.concat());
        }
    }
    let (mut text, key) = generate_request(request).map_err(|_| WRONG)?;
    // Before the empty line at the end.
    let end = text.len().saturating_sub(2);
    text.splice(end..end, secret);
    Ok((text, key))
}

/// Reads the head of the response; returns it with the bytes that follow it. Interim responses (RFC
/// 9110, section 15.2) are skipped.
async fn read_head<S>(stream: &mut S) -> Result<(Response, Vec<u8>), ConnectError>
where
    S: AsyncRead + Unpin,
{
    const WRONG: ConnectError = ConnectError::Handshake("the server's answer is not HTTP");
    const TOO_LONG: ConnectError =
        ConnectError::Handshake("the server misbehaves: the head of its answer exceeds 16 KiB");
    let mut read = Vec::new();
    let mut skipped = 0;
    // Up to where there is no end of a head.
    let mut searched = 0;
    loop {
        // The head is parsed only when it is complete; otherwise a slow server would cause a parse
        // for every byte.
        let unseen = read.get(searched..).unwrap_or_default();
        if unseen.windows(4).any(|end| end == b"\r\n\r\n") {
            let (length, response) = Response::try_parse(&read).ok().flatten().ok_or(WRONG)?;
            let ahead = read.split_off(length.min(read.len()));
            let status = response.status();
            if !status.is_informational() || status == StatusCode::SWITCHING_PROTOCOLS {
                return Ok((response, ahead));
            }
            skipped += length;
            searched = 0;
            read = ahead;
        } else {
            searched = read.len().saturating_sub(3);
            if read_some(stream, &mut read).await? == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
        }
        if skipped + read.len() > MAX_HEAD {
            return Err(TOO_LONG);
        }
    }
}

/// Checks that a response with status 101 matches the request.
fn agree(headers: &HeaderMap, key: &str) -> Result<(), &'static str> {
    let is = |name: &HeaderName, expected: &str| {
        let mut values = headers.get_all(name).into_iter();
        values.next().is_some_and(|value| value == expected) && values.next().is_none()
    };
    if !lists(headers, &header::UPGRADE, b"websocket")
        || !lists(headers, &header::CONNECTION, b"upgrade")
    {
        return Err("the server changes to another protocol than WebSocket");
    }
    if !is(
        &header::SEC_WEBSOCKET_ACCEPT,
        &derive_accept_key(key.as_bytes()),
    ) {
        return Err("the server's answer does not belong to our WebSocket handshake");
    }
    if tokens(headers, &header::SEC_WEBSOCKET_EXTENSIONS).any(|one| !one.is_empty()) {
        return Err("the server wants a WebSocket extension that nobody asked for");
    }
    let chosen = headers.contains_key(header::SEC_WEBSOCKET_PROTOCOL);
    if chosen && !is(&header::SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL) {
        return Err("the server chose a WebSocket subprotocol that nobody offered");
    }
    Ok(())
}

/// The plain-text body of an error response, as far as it arrives in time.
async fn refusal<S>(stream: &mut S, headers: &HeaderMap, mut text: Vec<u8>) -> String
where
    S: AsyncRead + Unpin,
{
    let is_plain = headers.get(header::CONTENT_TYPE).is_some_and(|kind| {
        let essence = kind.as_bytes().get(..10).unwrap_or_default();
        essence.eq_ignore_ascii_case(b"text/plain")
    });
    // A chunked body would have chunk sizes in the text.
    if !is_plain || headers.contains_key(header::TRANSFER_ENCODING) {
        return String::new();
    }
    let length = headers.get(header::CONTENT_LENGTH);
    let length = length.and_then(|value| value.to_str().ok()?.parse().ok());
    let wanted = length.unwrap_or(MAX_REFUSAL).min(MAX_REFUSAL);
    let reading = async {
        while text.len() < wanted && matches!(read_some(stream, &mut text).await, Ok(1..)) {}
    };
    let _ = tokio::time::timeout(REFUSAL_WAIT, reading).await;
    text.truncate(wanted);
    String::from_utf8_lossy(&text).trim().to_owned()
}

/// Appends bytes from the stream to `read`; 0 means end of stream.
async fn read_some<S: AsyncRead + Unpin>(stream: &mut S, read: &mut Vec<u8>) -> io::Result<usize> {
    let mut bytes = [0; 1024];
    let mut buffer = ReadBuf::new(&mut bytes);
    poll_fn(|cx| Pin::new(&mut *stream).poll_read(cx, &mut buffer)).await?;
    read.extend_from_slice(buffer.filled());
    Ok(buffer.filled().len())
}

async fn write_all<S: AsyncWrite + Unpin>(stream: &mut S, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match poll_fn(|cx| Pin::new(&mut *stream).poll_write(cx, bytes)).await? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            count => bytes = bytes.get(count..).unwrap_or_default(),
        }
    }
    poll_fn(|cx| Pin::new(&mut *stream).poll_flush(cx)).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Wire as _;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

    /// Reads a request head; returns its text and its key.
    async fn read_request(server: &mut DuplexStream) -> (String, String) {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            head.push(char::from(server.read_u8().await.unwrap()));
        }
        let key = head.split("Sec-WebSocket-Key: ").nth(1).unwrap();
        let key = key.split("\r\n").next().unwrap().to_owned();
        (head, key)
    }

    /// Performs a handshake with a server that sends this response, in which `KEY` is replaced by
    /// the right accept key. Also returns the request.
    async fn answered_with(answer: &str) -> (Result<WsWire<DuplexStream>, ConnectError>, String) {
        let (client, mut server) = tokio::io::duplex(512);
        let answer = answer.to_owned();
        let serving = tokio::spawn(async move {
            let (head, key) = read_request(&mut server).await;
            let answer = answer.replace("KEY", &derive_accept_key(key.as_bytes()));
            let _ = server.write_all(answer.as_bytes()).await;
            head
        });
        let mut headers = HeaderMap::new();
        headers.insert("authorization", HeaderValue::from_static("Bearer x"));
        headers.insert("host", HeaderValue::from_static("elsewhere"));
        let wire = handshake(client, "example.com:80", "/rpc?a=b", &headers, 1000).await;
        (wire, serving.await.unwrap())
    }

    const HEAD: &str =
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n";

    #[tokio::test]
    async fn the_request_has_what_the_standard_asks_for() {
        let (wire, head) = answered_with(&format!("{HEAD}Sec-WebSocket-Accept: KEY\r\n\r\n")).await;
        assert!(wire.is_ok());
        assert!(head.starts_with("GET /rpc?a=b HTTP/1.1\r\n"), "{head}");
        for line in [
            "Host: example.com:80",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Protocol: jsonrpc",
            "authorization: Bearer x",
        ] {
            assert_eq!(
                head.matches(&format!("\r\n{line}\r\n")).count(),
                1,
                "{line}"
            );
        }
        assert!(!head.contains("elsewhere"));
    }

    #[tokio::test]
    async fn what_comes_right_behind_the_answer_is_the_first_message() {
        let (client, mut server) = tokio::io::duplex(512);
        let headers = HeaderMap::new();
        let connecting = handshake(client, "a", "/", &headers, 1000);
        let serving = async {
            let (_, key) = read_request(&mut server).await;
            let accept = derive_accept_key(key.as_bytes());
            let head = format!("{HEAD}Sec-WebSocket-Accept: {accept}\r\n\r\n");
            let answer = [head.as_bytes(), b"\x81\x02hi\x81\x03y"].concat();
            server.write_all(&answer).await.unwrap();
        };
        let (wire, ()) = tokio::join!(connecting, serving);
        let mut wire = wire.unwrap();
        let message = poll_fn(|cx| wire.poll_receive(cx)).await;
        assert_eq!(message.unwrap().unwrap(), "hi");
        assert!(wire.is_partial());
        server.write_all(b"ou").await.unwrap();
        let message = poll_fn(|cx| wire.poll_receive(cx)).await;
        assert_eq!(message.unwrap().unwrap(), "you");
        assert!(!wire.is_partial());
    }

    #[tokio::test]
    async fn servers_may_choose_our_subprotocol_or_none_and_list_connection() {
        for (lines, agreed) in [
            ("Sec-WebSocket-Accept: KEY", true),
            (
                "Sec-WebSocket-Accept: KEY\r\nSec-WebSocket-Protocol: jsonrpc",
                true,
            ),
            (
                "Sec-WebSocket-Accept: KEY\r\nSec-WebSocket-Protocol: chat",
                false,
            ),
            (
                "Sec-WebSocket-Accept: KEY\r\nSec-WebSocket-Extensions: permessage-deflate",
                false,
            ),
            (
                "Sec-WebSocket-Accept: KEY\r\nConnection: keep-alive, Upgrade",
                true,
            ),
            ("Sec-WebSocket-Accept: dGhlIHNhbXBsZQ==", false),
            (
                "Sec-WebSocket-Accept: KEY\r\nSec-WebSocket-Accept: KEY",
                false,
            ),
            ("X: y", false),
        ] {
            let (wire, _) = answered_with(&format!("{HEAD}{lines}\r\n\r\n")).await;
            assert_eq!(wire.is_ok(), agreed, "{lines}");
            if let Err(error) = wire {
                assert!(matches!(error, ConnectError::Handshake(_)), "{error:?}");
                assert_eq!(error.refusal(), None);
            }
        }
        let other =
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";
        assert!(answered_with(other).await.0.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_has_its_status_and_its_plain_text() {
        let long = "x".repeat(3000);
        for (answer, status, text) in [
            (
                "403 Forbidden\r\nContent-Type: text/plain\r\nContent-Length: 8\r\n\r\nNot you\nmore",
                403,
                "Not you",
            ),
            (
                "401 Unauthorized\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nWho?",
                401,
                "Who?",
            ),
            (
                "404 Not Found\r\nContent-Type: text/html\r\n\r\n<p>",
                404,
                "",
            ),
            ("200 OK\r\nContent-Length: 0\r\n\r\n", 200, ""),
            (
                "503 Busy\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx",
                503,
                "",
            ),
            (
                &format!("400 Bad Request\r\nContent-Type: text/plain\r\n\r\n{long}"),
                400,
                &long[..1024],
            ),
        ] {
            let (wire, _) = answered_with(&format!("HTTP/1.1 {answer}")).await;
            let error = wire.unwrap_err();
            assert_eq!(error.refusal().unwrap().0, status);
            let ConnectError::Refused { text: said, .. } = error else {
                panic!("not refused");
            };
            assert_eq!(said, text);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_promises_more_text_than_it_sends_is_not_waited_for() {
        let (client, mut server) = tokio::io::duplex(512);
        let headers = HeaderMap::new();
        let connecting = handshake(client, "a", "/", &headers, 1000);
        let serving = async {
            read_request(&mut server).await;
            let answer =
                "HTTP/1.1 403 No\r\nContent-Type: text/plain\r\nContent-Length: 99\r\n\r\nNot";
            server.write_all(answer.as_bytes()).await.unwrap();
        };
        let (wire, ()) = tokio::join!(connecting, serving);
        let text = wire.unwrap_err().to_string();
        assert!(text.ends_with("403 Forbidden: Not"), "{text}");
    }

    #[tokio::test]
    async fn interim_responses_are_skipped_as_long_as_there_are_few() {
        let interim = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
        let last = format!("{HEAD}Sec-WebSocket-Accept: KEY\r\n\r\n");
        for (count, agreed) in [
            (0, true),
            (1, true),
            (100, true),
            (500, false),
            (50_000, false),
        ] {
            let (wire, _) = answered_with(&(interim.repeat(count) + &last)).await;
            assert_eq!(wire.is_ok(), agreed, "{count}");
            if let Err(error) = wire {
                let told = "the server misbehaves: the head of its answer exceeds 16 KiB";
                assert_eq!(error.to_string(), told, "{count}");
            }
        }
    }

    #[tokio::test]
    async fn what_is_no_answer() {
        for answer in [
            "",
            "HTTP/1.1 101",
            "SSH-2.0-x\r\n\r\n",
            "HTTP/1.0 101 Switching Protocols\r\n\r\n",
            &format!("HTTP/1.1 101 S\r\nX: {}", "y".repeat(40_000)),
        ] {
            let (wire, _) = answered_with(answer).await;
            assert_eq!(wire.unwrap_err().refusal(), None, "{answer}");
        }
        let (client, _server) = tokio::io::duplex(64);
        let wire = handshake(client, "a\nb", "/", &HeaderMap::new(), 1000).await;
        assert!(matches!(wire, Err(ConnectError::Handshake(_))));
    }
}
