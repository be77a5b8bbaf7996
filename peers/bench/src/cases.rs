//! Benchmark cases: the request of each case, the fixed response of the floor, and the check of
//! responses. Every peer has the same methods: `calc.add` of two numbers, `len` and `echo` of one
//! string, `blob` without parameters.

use std::sync::LazyLock;

use serde_json::Value;

use crate::Failure;

/// Count of calls in the batch.
const BATCH: usize = 100;

/// Size of the large parameter and of the large result.
const MEBIBYTE: usize = 1 << 20;

/// The single call, which the in-process case uses as well.
pub(crate) const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"calc.add","params":[3,7]}"#;

/// The result of `blob`. Handlers return a reference if their library allows it.
static BLOB: LazyLock<String> = LazyLock::new(|| "b".repeat(MEBIBYTE));

/// The implementation of `calc.add` for every peer.
pub(crate) fn add(a: f64, b: f64) -> f64 {
    a + b
}

/// The implementation of `blob` for every peer.
pub(crate) fn blob() -> &'static str {
    &BLOB
}

/// A benchmark case, which is one group of rows in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Case {
    /// One call over HTTP.
    Call,
    /// A hundred calls in one HTTP request.
    Batch100,
    /// One call with 1 MiB of parameters.
    Params1m,
    /// One call with 1 MiB of result.
    Result1m,
    /// The single call without a socket.
    InProcess,
    /// A client that makes one call at a time.
    Client,
    /// A client with sixteen concurrent calls.
    Client16,
    /// WebSocket, four connections, 64 calls in flight on each.
    Ws64,
    /// WebSocket, 32 connections, one call in flight on each.
    Ws1,
    /// Newline TCP, four connections, 64 calls in flight on each.
    Tcp64,
    /// A client with 64 concurrent calls over one WebSocket.
    Client64,
    /// Memory of idle WebSockets.
    Idle,
    /// Memory of idle TCP connections.
    IdleTcp,
    /// Memory of WebSockets after one large call on each.
    IdleBig,
    /// Memory of a WebSocket that calls and never reads.
    Unread,
}

/// The method of measurement of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Load on a server over HTTP.
    Http,
    /// Load on a server over sessions.
    Session,
    /// Memory usage of a server.
    Memory,
    /// No socket.
    InProcess,
    /// Load from a client on the floor.
    Client,
}

impl Case {
    pub(crate) const ALL: [Self; 15] = [
        Self::Call,
        Self::Batch100,
        Self::Params1m,
        Self::Result1m,
        Self::InProcess,
        Self::Client,
        Self::Client16,
        Self::Ws64,
        Self::Ws1,
        Self::Tcp64,
        Self::Client64,
        Self::Idle,
        Self::IdleTcp,
        Self::IdleBig,
        Self::Unread,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Batch100 => "batch100",
            Self::Params1m => "params1m",
            Self::Result1m => "result1m",
            Self::InProcess => "inprocess",
            Self::Client => "client",
            Self::Client16 => "client16",
            Self::Ws64 => "ws64",
            Self::Ws1 => "ws1",
            Self::Tcp64 => "tcp64",
            Self::Client64 => "client64",
            Self::Idle => "idle",
            Self::IdleTcp => "idle-tcp",
            Self::IdleBig => "idle-big",
            Self::Unread => "unread",
        }
    }

    pub(crate) fn form(self) -> Form {
        match self {
            Self::Call | Self::Batch100 | Self::Params1m | Self::Result1m => Form::Http,
            Self::Ws64 | Self::Ws1 | Self::Tcp64 => Form::Session,
            Self::Idle | Self::IdleTcp | Self::IdleBig | Self::Unread => Form::Memory,
            Self::InProcess => Form::InProcess,
            Self::Client | Self::Client16 | Self::Client64 => Form::Client,
        }
    }

    /// The URL scheme of the server in this case.
    pub(crate) fn scheme(self) -> &'static str {
        match self {
            Self::Tcp64 | Self::IdleTcp => "tcp",
            Self::Ws64 | Self::Ws1 | Self::Client64 => "ws",
            Self::Idle | Self::IdleBig | Self::Unread => "ws",
            _ => "http",
        }
    }

    pub(crate) fn named(name: &str) -> Result<Self, Failure> {
        Self::ALL
            .into_iter()
            .find(|case| case.name() == name)
            .ok_or_else(|| format!("there is no case {name:?}").into())
    }

    /// The JSON that the HTTP load generator sends.
    pub(crate) fn request(self) -> String {
        match self {
            Self::Batch100 => batch(|id| {
                format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"calc.add","params":[3,7]}}"#)
            }),
            Self::Params1m => format!(
                r#"{{"jsonrpc":"2.0","id":1,"method":"len","params":["{}"]}}"#,
                "p".repeat(MEBIBYTE)
            ),
            Self::Result1m => r#"{"jsonrpc":"2.0","id":1,"method":"blob"}"#.to_owned(),
            _ => CALL.to_owned(),
        }
    }

    /// The JSON that a server without any logic would return.
    pub(crate) fn fixed_answer(self) -> String {
        match self {
            Self::Batch100 => batch(|id| format!(r#"{{"jsonrpc":"2.0","id":{id},"result":10.0}}"#)),
            Self::Params1m => format!(r#"{{"jsonrpc":"2.0","id":1,"result":{MEBIBYTE}}}"#),
            Self::Result1m => format!(r#"{{"jsonrpc":"2.0","id":1,"result":"{}"}}"#, blob()),
            _ => r#"{"jsonrpc":"2.0","id":1,"result":10.0}"#.to_owned(),
        }
    }

    /// Parses a response and checks it against the specification. The responses of a batch may be
    /// in any order, so they are looked up by id.
    pub(crate) fn verify(self, answer: &[u8]) -> Result<(), Failure> {
        let value: Value = serde_json::from_slice(answer)?;
        let right = match self {
            Self::Batch100 => value.as_array().is_some_and(|answers| {
                answers.len() == BATCH
                    && (1..=BATCH).all(|id| {
                        let mut with_id = answers.iter().filter(|one| one["id"] == id);
                        with_id.next().is_some_and(is_ten) && with_id.next().is_none()
                    })
            }),
            Self::Params1m => succeeded(&value) && value["result"] == MEBIBYTE,
            Self::Result1m => succeeded(&value) && value["result"] == blob(),
            _ => value["id"] == 1 && is_ten(&value),
        };
        if right {
            return Ok(());
        }
        let start = String::from_utf8_lossy(&answer[..answer.len().min(200)]);
        Err(format!("a wrong answer to {}: {start}", self.name()).into())
    }
}

fn batch(entry: impl Fn(usize) -> String) -> String {
    let entries: Vec<_> = (1..=BATCH).map(entry).collect();
    format!("[{}]", entries.join(","))
}

fn succeeded(answer: &Value) -> bool {
    answer["jsonrpc"] == "2.0" && answer.get("error").is_none()
}

/// Whether the number equals 10; JSON may write it as `10` or `10.0`.
pub(crate) fn is_ten(answer: &Value) -> bool {
    succeeded(answer) && answer["result"].as_f64() == Some(10.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fixed_answers_are_right_and_others_are_not() {
        for case in Case::ALL {
            case.verify(case.fixed_answer().as_bytes()).unwrap();
            let other = if case == Case::Params1m {
                Case::Call
            } else {
                Case::Params1m
            };
            case.verify(other.fixed_answer().as_bytes()).unwrap_err();
            assert_eq!(Case::named(case.name()).unwrap(), case);
        }
    }

    #[test]
    fn a_batch_with_an_id_twice_is_wrong() {
        let twice = Case::Batch100
            .fixed_answer()
            .replace("\"id\":2,", "\"id\":1,");
        Case::Batch100.verify(twice.as_bytes()).unwrap_err();
    }

    #[test]
    fn an_error_object_is_wrong() {
        let error = br#"{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"no"}}"#;
        Case::Call.verify(error).unwrap_err();
    }
}
