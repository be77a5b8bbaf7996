//! HTTP/1 test client on raw bytes, for requests that no HTTP library would send.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::call;

/// Time limit after which a test counts as hung.
const TEST_TIMEOUT: Duration = Duration::from_secs(20);

/// One HTTP/1 connection.
pub(crate) struct Http1 {
    pub(crate) stream: TcpStream,
    /// Bytes that were read and do not belong to a parsed response yet.
    pub(crate) read: Vec<u8>,
}

/// One response.
#[derive(Debug)]
pub(crate) struct HttpResponse {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: Vec<u8>,
}

impl HttpResponse {
    /// The value of a header that occurs at most once.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.head.lines().filter_map(|line| {
            let (known, value) = line.split_once(':')?;
            known.eq_ignore_ascii_case(name).then(|| value.trim())
        });
        let value = values.next();
        assert_eq!(values.next(), None, "{name} is there twice");
        value
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.status, 200, "{self:?}");
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn closes(&self) -> bool {
        self.header("connection") == Some("close")
    }
}

/// A request with the default head and additional header lines (each ends with CRLF).
pub(crate) fn post(more: &str, body: &str) -> String {
    let length = format!("Content-Length: {}\r\n{more}", body.len());
    format!("{}{body}", head(&length))
}

/// The default head, without `Content-Length`.
pub(crate) fn head(more: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{more}\r\n")
}

/// A chunked body with chunks of this size and the last chunk.
pub(crate) fn chunked(body: &str, size: usize) -> String {
    let chunks = body.as_bytes().chunks(size).map(|chunk| {
        let text = std::str::from_utf8(chunk).unwrap();
        format!("{:x}\r\n{text}\r\n", chunk.len())
    });
    chunks.collect::<String>() + "0\r\n\r\n"
}

impl From<TcpStream> for Http1 {
    fn from(stream: TcpStream) -> Self {
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            read: Vec::new(),
        }
    }
}

impl Http1 {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self::from(TcpStream::connect(address).await.unwrap())
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).await.unwrap();
    }

    /// Sends to a peer that may already have closed the connection.
    pub(crate) async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        let sent = self.stream.write_all(bytes.as_ref());
        timeout(TEST_TIMEOUT, sent).await.expect("nobody reads")
    }

    /// Reads more bytes. Returns false at the end.
    async fn more(&mut self) -> io::Result<bool> {
        let read = self.stream.read_buf(&mut self.read);
        let count = timeout(TEST_TIMEOUT, read).await.expect("nothing comes")?;
        Ok(count > 0)
    }

    /// Reads the next response. Returns an error if the connection ends before it is complete.
    pub(crate) async fn try_answer(&mut self) -> io::Result<HttpResponse> {
        self.answer_to("POST").await
    }

    pub(crate) async fn answer(&mut self) -> HttpResponse {
        self.try_answer().await.unwrap()
    }

    /// Reads the next response, to a request with this method.
    pub(crate) async fn answer_to(&mut self, method: &str) -> io::Result<HttpResponse> {
        let mut answer = self.head().await?;
        let status = answer.status;
        if method == "HEAD" || status < 200 || status == 204 {
            return Ok(answer);
        }
        if answer.header("transfer-encoding") == Some("chunked") {
            while let Some(chunk) = self.chunk().await? {
                answer.body.extend(chunk);
            }
        } else {
            let length = answer.header("content-length").expect("no length");
            answer.body = self.take(length.parse().unwrap()).await?;
        }
        Ok(answer)
    }

    /// Reads only the head of the next response.
    pub(crate) async fn head(&mut self) -> io::Result<HttpResponse> {
        let end = loop {
            if let Some(end) = find(&self.read, b"\r\n\r\n") {
                break end;
            }
            if !self.more().await? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        };
        let head = String::from_utf8(self.read.drain(..end + 4).collect()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Ok(HttpResponse {
            status,
            head,
            body: Vec::new(),
        })
    }

    /// Reads the next chunk of a chunked body.
    pub(crate) async fn chunk(&mut self) -> io::Result<Option<Vec<u8>>> {
        let line = loop {
            if let Some(end) = find(&self.read, b"\r\n") {
                break self.take(end + 2).await?;
            }
            if !self.more().await? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        };
        let size = std::str::from_utf8(&line).unwrap().trim();
        let size = usize::from_str_radix(size, 16).unwrap();
        let mut chunk = self.take(size + 2).await?;
        chunk.truncate(size);
        Ok((size > 0).then_some(chunk))
    }

    /// Reads this many bytes, of what follows an upgrade.
    pub(crate) async fn bytes(&mut self, count: usize) -> Vec<u8> {
        self.take(count).await.unwrap()
    }

    async fn take(&mut self, count: usize) -> io::Result<Vec<u8>> {
        while self.read.len() < count {
            if !self.more().await? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(self.read.drain(..count).collect())
    }

    /// Sends a request and reads the response.
    pub(crate) async fn ask(&mut self, request: impl AsRef<[u8]>) -> HttpResponse {
        self.send(request).await;
        self.answer().await
    }

    /// Sends a message and reads the JSON response.
    pub(crate) async fn call(&mut self, id: &str, method: &str, params: &str) -> Value {
        let request = post("", &call(id, method, params));
        self.ask(request).await.json()
    }

    /// Reads until the peer closes or resets the connection, and returns the bytes.
    pub(crate) async fn rest(mut self) -> Vec<u8> {
        while matches!(self.more().await, Ok(true)) {}
        self.read
    }

    /// Waits until the peer closes the connection. It may send nothing before that.
    pub(crate) async fn closed(self) {
        let rest = self.rest().await;
        assert_eq!(String::from_utf8_lossy(&rest), "");
    }
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|part| part == what)
}
