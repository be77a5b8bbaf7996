//! Messages of sessions: requests with ids, responses of the floor, and checks of responses.

use serde_json::Value;

use crate::Failure;
use crate::cases::{self, Case};

/// A request of `calc.add [3,7]`.
pub(crate) fn call(id: usize) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"calc.add","params":[3,7]}}"#)
}

/// A request of `echo` with one string that needs no escapes.
pub(crate) fn echo(text: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":1,"method":"echo","params":["{text}"]}}"#)
}

/// A request of `blob`, whose result is 1 MiB.
pub(crate) fn blob(id: usize) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"blob"}}"#)
}

/// A request to subscribe to `items`.
pub(crate) fn subscribe() -> String {
    r#"{"jsonrpc":"2.0","id":1,"method":"items"}"#.to_owned()
}

/// A request to publish so many items.
pub(crate) fn publish(count: usize) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":1,"method":"publish","params":[{count}]}}"#)
}

/// The count in a request of [`publish`], or nothing in another request.
pub(crate) fn published(request: &[u8]) -> Option<usize> {
    std::str::from_utf8(only_param(request)).ok()?.parse().ok()
}

/// Checks a response to [`subscribe`]: an id, which the server chooses.
pub(crate) fn check_subscribed(answer: &[u8]) -> Result<(), Failure> {
    let value: Value = serde_json::from_slice(answer)?;
    let id = &value["result"];
    if value["id"] == 1 && (id.is_string() || id.is_u64()) {
        return Ok(());
    }
    Err(wrong("items", answer))
}

/// Checks a response to [`publish`], which is the count.
pub(crate) fn check_published(answer: &[u8], count: usize) -> Result<(), Failure> {
    let value: Value = serde_json::from_slice(answer)?;
    if value["id"] == 1 && value["result"] == count {
        return Ok(());
    }
    Err(wrong("publish", answer))
}

/// A request to subscribe to a topic of `antiphon serve`.
pub(crate) fn subscribe_to_news() -> String {
    r#"{"jsonrpc":"2.0","id":1,"method":"news.subscribe","params":["bench"]}"#.to_owned()
}

/// A request to publish an item there.
pub(crate) fn publish_news(id: u64, item: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"news.publish","params":["bench","{item}"]}}"#)
}

/// Checks a response to [`publish_news`], which is the number of the item.
pub(crate) fn check_news_published(answer: &[u8]) -> Result<(), Failure> {
    let value: Value = serde_json::from_slice(answer)?;
    if value["id"].is_u64() && value["result"].as_u64().is_some_and(|number| number > 0) {
        return Ok(());
    }
    Err(wrong("news.publish", answer))
}

/// The id of a correct response to [`call`].
pub(crate) fn id_of_ten(answer: &[u8]) -> Result<usize, Failure> {
    let value: Value = serde_json::from_slice(answer)?;
    value["id"]
        .as_u64()
        .and_then(|id| usize::try_from(id).ok())
        .filter(|_| cases::is_ten(&value))
        .ok_or_else(|| wrong("calc.add", answer))
}

/// Checks that a response to [`echo`] returns the same text.
pub(crate) fn check_echo(answer: &[u8], text: &str) -> Result<(), Failure> {
    let value: Value = serde_json::from_slice(answer)?;
    if value["id"] == 1 && value["result"] == text {
        return Ok(());
    }
    Err(wrong("echo", answer))
}

/// The failure of a wrong response or item.
pub(crate) fn wrong(method: &str, answer: &[u8]) -> Failure {
    let start = String::from_utf8_lossy(&answer[..answer.len().min(200)]);
    format!("a wrong answer to {method}: {start}").into()
}

/// The response of the floor: the result depends only on the case, and the id is that of the
/// request.
pub(crate) fn floor_answer(case: Case, request: &[u8]) -> String {
    let id = String::from_utf8_lossy(id_of(request));
    match case {
        Case::Unread => format!(
            r#"{{"jsonrpc":"2.0","id":{id},"result":"{}"}}"#,
            cases::blob()
        ),
        Case::IdleBig => {
            let text = String::from_utf8_lossy(only_param(request));
            format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{text}}}"#)
        }
        _ => format!(r#"{{"jsonrpc":"2.0","id":{id},"result":10.0}}"#),
    }
}

/// The id of a request. The measured clients use plain numbers as ids, so searching for the end of
/// the number is enough.
pub(crate) fn id_of(request: &[u8]) -> &[u8] {
    const ID: &[u8] = b"\"id\":";
    request
        .windows(ID.len())
        .position(|bytes| bytes == ID)
        .map(|start| &request[start + ID.len()..])
        .and_then(|rest| rest.split(|byte| matches!(byte, b',' | b'}')).next())
        .unwrap_or(b"null")
}

/// The text between the brackets of `params`.
fn only_param(request: &[u8]) -> &[u8] {
    let start = request.iter().position(|&byte| byte == b'[');
    let end = request.iter().rposition(|&byte| byte == b']');
    match (start, end) {
        (Some(start), Some(end)) if start < end => &request[start + 1..end],
        _ => b"null",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ten_is_right() {
        let ten = br#"{"jsonrpc":"2.0","id":1007,"result":10}"#;
        assert_eq!(id_of_ten(ten).unwrap(), 1007);
        id_of_ten(br#"{"jsonrpc":"2.0","id":1007,"result":11}"#).unwrap_err();
        id_of_ten(br#"{"jsonrpc":"2.0","id":7,"error":{"code":-1,"message":""}}"#).unwrap_err();
    }

    #[test]
    fn publishing_is_told_from_subscribing() {
        assert_eq!(published(publish(20).as_bytes()), Some(20));
        assert_eq!(published(subscribe().as_bytes()), None);
        check_published(br#"{"jsonrpc":"2.0","id":1,"result":20}"#, 20).unwrap();
        check_published(br#"{"jsonrpc":"2.0","id":1,"result":20}"#, 1).unwrap_err();
        check_subscribed(br#"{"jsonrpc":"2.0","id":1,"result":"0x1"}"#).unwrap();
        check_subscribed(br#"{"jsonrpc":"2.0","id":1,"result":null}"#).unwrap_err();
        check_news_published(br#"{"jsonrpc":"2.0","id":1,"result":7}"#).unwrap();
        check_news_published(br#"{"jsonrpc":"2.0","id":1,"result":0}"#).unwrap_err();
    }

    #[test]
    fn the_floor_answers_rightly() {
        let answer = floor_answer(Case::Ws64, call(1234).as_bytes());
        assert_eq!(id_of_ten(answer.as_bytes()).unwrap(), 1234);
        let answer = floor_answer(Case::IdleBig, echo("eee").as_bytes());
        check_echo(answer.as_bytes(), "eee").unwrap();
        check_echo(answer.as_bytes(), "ee").unwrap_err();
        let answer = floor_answer(Case::Unread, blob(3).as_bytes());
        assert!(answer.len() > 1 << 20);
    }
}
