//! Shared helpers of the tests.

pub(crate) mod counter;
pub(crate) mod events;
pub(crate) mod folder;
pub(crate) mod http1;
pub(crate) mod http2;
pub(crate) mod log;
pub(crate) mod test_server;

use std::time::Duration;

use antiphon::Dispatcher;
use serde_json::Value;
use tokio::time::sleep;

/// The JSON text of a call.
pub(crate) fn call(id: &str, method: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#)
}

/// The JSON text of a notification.
pub(crate) fn notification(method: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{params}}}"#)
}

/// The JSON text of a batch.
pub(crate) fn batch<T: AsRef<str>>(entries: impl IntoIterator<Item = T>) -> String {
    let entries: Vec<_> = entries
        .into_iter()
        .map(|entry| entry.as_ref().to_owned())
        .collect();
    format!("[{}]", entries.join(","))
}

/// Sends a message in process and returns the response, or null if there is none. No message has
/// the response null.
pub(crate) async fn ask(dispatcher: &Dispatcher, message: impl Into<String>) -> Value {
    match dispatcher.handle(message.into()).await {
        Some(answer) => serde_json::from_slice(&answer).unwrap(),
        None => Value::Null,
    }
}

/// The error code of a response, 0 for a result.
pub(crate) fn code(answer: &Value) -> i64 {
    answer["error"]["code"].as_i64().unwrap_or_default()
}

/// The codes of the responses in a batch, in order.
pub(crate) fn codes(answers: &Value) -> Vec<i64> {
    answers.as_array().unwrap().iter().map(code).collect()
}

/// The response to a message that is not valid JSON.
pub(crate) const PARSE_ERROR: &str =
    r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"Parse error"}}"#;

/// The response to an object that is not a request and has no valid id.
pub(crate) const INVALID_REQUEST: &str =
    r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"Invalid Request"}}"#;

/// Polls a condition that has no event until it holds.
pub(crate) async fn until(mut holds: impl FnMut() -> bool, what: &str) {
    for _ in 0..4_000 {
        if holds() {
            return;
        }
        sleep(Duration::from_millis(5)).await;
    }
    panic!("it never holds: {what}");
}
