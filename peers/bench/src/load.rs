//! HTTP load generator: raw HTTP/1.1 over keep-alive connections, one call in flight on each.
//! Requests are encoded once, and responses are parsed only as far as necessary to verify them.

use std::rc::Rc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::Failure;
use crate::cases::Case;
use crate::process::allow_files;
use crate::window::{self, Loop, Plan, Progress, Sample};

/// Count of concurrent connections, except in the cases of scale.
const CONNECTIONS: usize = 16;

/// Count of files other than connections that client or server may need.
const OTHER_FILES: usize = 100;

/// Maximum size of response headers.
const MAX_HEAD: usize = 8 * 1024;

/// Maximum size of a response body.
const MAX_BODY: usize = 4 << 20;

/// Calls the server at `url` as fast as it answers. `pids` are the server's processes. Their CPU time
/// is read at the start and the end of the window, so that connecting and warm-up are not counted.
pub(crate) async fn load(
    url: &str,
    case: Case,
    plan: Plan,
    pids: &[u32],
) -> Result<Sample, Failure> {
    let connections = match case {
        Case::Scale(scale) => scale.connections,
        _ => CONNECTIONS,
    };
    allow_files((connections + OTHER_FILES) as u64)?;
    let progress = Rc::new(Progress::default());
    let request = case.request();
    let mut loops: Vec<Loop> = Vec::new();
    for _ in 0..connections {
        let mut connection = Connection::open(url, &request).await?;
        // After one call the connection stands: the server has accepted it.
        case.verify(connection.call().await?)?;
        loops.push(Box::pin(call_on(connection, case, Rc::clone(&progress))));
    }
    window::measure(loops, progress, plan, pids).await
}

/// The loop of one connection. The first response is parsed. Later responses with the same bytes
/// are correct as well, and all others are parsed again.
async fn call_on(
    mut connection: Connection,
    case: Case,
    progress: Rc<Progress>,
) -> Result<(), Failure> {
    let mut right = Vec::new();
    while progress.goes_on() {
        let answer = connection.call().await?;
        if answer != right {
            case.verify(answer)?;
            right.clear();
            right.extend_from_slice(answer);
        }
        progress.count();
    }
    Ok(())
}

/// A keep-alive connection that repeats one request.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    request: Vec<u8>,
    received: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(url: &str, body: &str) -> Result<Self, Failure> {
        let address = url
            .strip_prefix("http://")
            .ok_or("the URL has to start with http://")?;
        let (host, path) = address.split_once('/').unwrap_or((address, ""));
        let stream = TcpStream::connect(host).await?;
        stream.set_nodelay(true)?;
        let request = format!(
            "POST /{path} HTTP/1.1\r\nhost: {host}\r\naccept: application/json\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        Ok(Self {
            stream,
            request: request.into_bytes(),
            received: Vec::with_capacity(4096),
        })
    }

    /// Sends the request and returns the body of the response.
    pub(crate) async fn call(&mut self) -> Result<&[u8], Failure> {
        self.stream.write_all(&self.request).await?;
        self.received.clear();
        let head = loop {
            self.read_more().await?;
            if let Some(head) = Head::parse(&self.received)? {
                break head;
            }
            if self.received.len() > MAX_HEAD {
                return Err("the head of an answer does not end".into());
            }
        };
        let end = head.length + head.content_length;
        self.received
            .reserve(end.saturating_sub(self.received.len()));
        while self.received.len() < end {
            self.read_more().await?;
        }
        if self.received.len() > end {
            return Err("an answer is longer than it says".into());
        }
        Ok(&self.received[head.length..])
    }

    async fn read_more(&mut self) -> Result<(), Failure> {
        match self.stream.read_buf(&mut self.received).await? {
            0 => Err("the server closed a connection".into()),
            _ => Ok(()),
        }
    }
}

/// The relevant parts of the response headers.
#[derive(Debug, PartialEq, Eq)]
struct Head {
    length: usize,
    content_length: usize,
}

impl Head {
    /// Parses the headers; `None` until the empty line has arrived.
    fn parse(received: &[u8]) -> Result<Option<Self>, Failure> {
        let Some(end) = received.windows(4).position(|four| four == b"\r\n\r\n") else {
            return Ok(None);
        };
        let head = &received[..end];
        if !head.starts_with(b"HTTP/1.1 200 ") {
            return Err(format!("refused: {}", String::from_utf8_lossy(head)).into());
        }
        let content_length = head
            .split(|&byte| byte == b'\n')
            .find_map(|line| {
                let name = line.get(..15)?;
                name.eq_ignore_ascii_case(b"content-length:")
                    .then(|| line[15..].trim_ascii())
            })
            .and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok())
            .filter(|&length| length <= MAX_BODY)
            .ok_or("an answer without a usable Content-Length")?;
        Ok(Some(Self {
            length: end + 4,
            content_length,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_head() {
        let text = b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\ndate: today\r\n\r\n{";
        let head = Head::parse(text).unwrap().unwrap();
        assert_eq!((head.length, head.content_length), (text.len() - 1, 12));
        assert_eq!(Head::parse(&text[..20]).unwrap(), None);
    }

    #[test]
    fn refuses_other_answers() {
        Head::parse(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").unwrap_err();
        Head::parse(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").unwrap_err();
        Head::parse(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n").unwrap_err();
    }
}
