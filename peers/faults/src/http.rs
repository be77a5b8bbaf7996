//! Blocking HTTP connection, and the outcome of calls on it.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::{Value, json};

/// Timeout of connecting and reading.
const TIMEOUT: Duration = Duration::from_secs(70);

/// The outcome of a call.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// A response with a result.
    Answered(Value),
    /// A response with an error.
    Failed(i64, String),
    /// The connection was refused.
    Refused,
    /// The connection ended without a response, after the call was sent or the connection was
    /// established.
    Lost(String),
}

/// An HTTP connection.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    /// Whether the server has announced that it closes the connection.
    pub closes: bool,
}

impl Connection {
    pub fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        Ok(Self {
            stream,
            closes: false,
        })
    }

    /// Sends a call and waits for its outcome.
    pub fn call(&mut self, method: &str, params: &Value, close: bool, head: &str) -> Outcome {
        match self
            .send(method, params, close, head)
            .and_then(|()| self.answer())
        {
            Ok(answer) => outcome(&answer),
            Err(error) => Outcome::Lost(error.to_string()),
        }
    }

    /// Sends a call.
    pub fn send(
        &mut self,
        method: &str,
        params: &Value,
        close: bool,
        head: &str,
    ) -> io::Result<()> {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let body = body.to_string();
        let connection = if close { "close" } else { "keep-alive" };
        let request = format!(
            "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Connection: {connection}\r\n{head}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.stream.write_all(request.as_bytes())
    }

    /// Waits for the response and returns its text.
    pub fn answer(&mut self) -> io::Result<String> {
        let mut read = Vec::new();
        let mut piece = [0; 4096];
        loop {
            if let Some(end) = read.windows(4).position(|part| part == b"\r\n\r\n") {
                let head = String::from_utf8_lossy(&read[..end]).to_ascii_lowercase();
                let length = head
                    .lines()
                    .find_map(|line| line.strip_prefix("content-length: "))
                    .and_then(|length| length.trim().parse::<usize>().ok())
                    .unwrap_or_default();
                if read.len() >= end + 4 + length {
                    self.closes = head.contains("connection: close");
                    let body = &read[end + 4..end + 4 + length];
                    return Ok(String::from_utf8_lossy(body).into_owned());
                }
            }
            match self.stream.read(&mut piece)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                length => read.extend_from_slice(&piece[..length]),
            }
        }
    }
}

fn outcome(answer: &str) -> Outcome {
    let Ok(answer) = serde_json::from_str::<Value>(answer) else {
        return Outcome::Lost(format!("no answer: {answer}"));
    };
    match answer.get("error") {
        None => Outcome::Answered(answer["result"].clone()),
        Some(error) => Outcome::Failed(
            error["code"].as_i64().unwrap_or_default(),
            error["message"].as_str().unwrap_or_default().to_owned(),
        ),
    }
}

/// Makes one call on a new connection.
pub fn call(address: SocketAddr, method: &str, params: &Value) -> Outcome {
    match Connection::open(address) {
        Ok(mut connection) => connection.call(method, params, true, ""),
        Err(_) => Outcome::Refused,
    }
}
