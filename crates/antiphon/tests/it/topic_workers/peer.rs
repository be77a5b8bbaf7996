//! Connections to the workers of the program.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::support::call;

/// Time limit after which a test counts as hung.
const TIMEOUT: Duration = Duration::from_secs(120);

/// A connection to one worker, with one message per line.
pub(crate) struct Peer {
    stream: BufReader<TcpStream>,
    /// The worker's process, and its supervisor's.
    pub(crate) worker: u32,
    pub(crate) supervisor: u32,
}

/// An item that a subscriber has got.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Got {
    pub(crate) number: u64,
    pub(crate) missed: Option<Value>,
    pub(crate) item: Value,
    pub(crate) cursor: String,
}

impl Peer {
    /// Connects to whichever worker accepts. Tries again while none does.
    pub(crate) async fn connect(address: &str) -> Self {
        for _ in 0..200 {
            if let Some(peer) = Self::try_connect(address).await {
                return peer;
            }
            sleep(Duration::from_millis(50)).await;
        }
        panic!("nobody accepts");
    }

    async fn try_connect(address: &str) -> Option<Self> {
        let stream = TcpStream::connect(address).await.ok()?;
        stream.set_nodelay(true).ok()?;
        let mut peer = Self {
            stream: BufReader::new(stream),
            worker: 0,
            supervisor: 0,
        };
        let answer = peer.try_call("worker", json!([])).await?;
        peer.worker = answer["result"][0].as_u64()? as u32;
        peer.supervisor = answer["result"][1].as_u64()? as u32;
        Some(peer)
    }

    /// Connects to as many workers as there are, once to each.
    pub(crate) async fn connect_to_all(address: &str, workers: usize) -> Vec<Self> {
        let mut peers: Vec<Self> = Vec::new();
        let mut others = Vec::new();
        while peers.len() < workers {
            assert!(others.len() < 200, "connections go to few workers");
            let peer = Self::connect(address).await;
            match peers.iter().any(|known| known.worker == peer.worker) {
                true => others.push(peer),
                false => peers.push(peer),
            }
        }
        peers
    }

    /// Whether it could be sent.
    pub(crate) async fn send(&mut self, line: &str) -> bool {
        let line = format!("{line}\n");
        let sent = self.stream.get_mut().write_all(line.as_bytes());
        timeout(TIMEOUT, sent).await.expect("nobody reads").is_ok()
    }

    /// The next message; `None` at the end of the connection.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        let mut line = String::new();
        let read = self.stream.read_line(&mut line);
        match timeout(TIMEOUT, read).await.expect("nothing comes") {
            Ok(1..) if line.ends_with('\n') => Some(serde_json::from_str(&line).unwrap()),
            _ => None,
        }
    }

    /// The response to a call; `None` if the connection ends before.
    pub(crate) async fn try_call(&mut self, method: &str, params: Value) -> Option<Value> {
        self.send(&call("1", method, &params.to_string())).await;
        self.next().await
    }

    pub(crate) async fn call(&mut self, method: &str, params: Value) -> Value {
        let mut answer = self.try_call(method, params).await.expect("an answer");
        assert!(answer.get("error").is_none(), "{answer}");
        answer["result"].take()
    }

    /// Subscribes; `None` if the connection ends before.
    pub(crate) async fn try_subscribe(
        &mut self,
        method: &str,
        key: &str,
        after: Option<&str>,
    ) -> Option<()> {
        let after = after.map_or(String::new(), |after| format!(",\"after\":\"{after}\""));
        let params = if key.is_empty() {
            json!([])
        } else {
            json!([key])
        };
        let line =
            format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}{after}}}"#);
        self.send(&line).await;
        let answer = self.next().await?;
        assert!(answer["result"].is_string(), "{answer}");
        Some(())
    }

    pub(crate) async fn subscribe(&mut self, method: &str, key: &str, after: Option<&str>) {
        self.try_subscribe(method, key, after)
            .await
            .expect("an answer");
    }

    /// The next item; `None` at the end of the connection or of the subscription.
    pub(crate) async fn item(&mut self) -> Option<Got> {
        let mut message = self.next().await?;
        let params = &mut message["params"];
        let cursor = params["cursor"].as_str()?.to_owned();
        let (_, number) = cursor.rsplit_once('-').unwrap();
        Some(Got {
            number: u64::from_str_radix(number, 16).unwrap(),
            missed: params.get("missed").cloned(),
            item: params["result"].take(),
            cursor,
        })
    }
}
