//! Seeds for the targets `client`, `session` and `batch`: scripts of hostile peers, and plans.

use std::borrow::Cow;

use crate::seeds::Seed;

/// Scripts for a client, each after the two bytes that select how it is sent.
#[must_use]
pub fn client() -> Vec<Seed> {
    let many = answers(17);
    let items: String = (1..9).map(|seq| item("\"x\"", seq)).collect();
    let made = [
        many.clone(),
        format!("{many}{}", answer("2", "\"too late\"")),
        format!("{}{}", answers(16), answer("2", "\"just in time\"")),
        format!("[{}{}]", many.trim_end().replace('\n', ","), ",1").replace("[{", "[ {"),
        format!("{}{items}", answer("1", "\"x\"")),
        format!(
            "{}\n{items}{}",
            answer("1", "\"x\""),
            answer("\"antiphon-1\"", "true")
        ),
    ];
    with_heads(SERVER.iter().map(|text| (*text).to_owned()).chain(made))
}

/// Scripts for a server.
#[must_use]
pub fn session() -> Vec<Seed> {
    let calls = |method: &str, count: usize| -> String {
        (0..count)
            .map(|id| call(&id.to_string(), method, "[]"))
            .collect()
    };
    let made = [
        calls("hold", 12),
        format!("{}{}", calls("ask", 3), calls("hold", 12)),
        format!(
            "{}\n{}",
            calls("hold", 5),
            (0..5).map(cancel).collect::<String>()
        ),
        answers(17),
        format!(
            "[{}]",
            vec![r#"{"jsonrpc":"2.0","id":1,"method":"later"}"#; 101].join(",")
        ),
        (0..4)
            .map(|id| call(&id.to_string(), "count", "[20]"))
            .collect(),
    ];
    with_heads(CLIENT.iter().map(|text| (*text).to_owned()).chain(made))
}

/// Plans of batches.
#[must_use]
pub fn batch() -> Vec<Seed> {
    let all: Vec<u8> = (0..8)
        .flat_map(|what| (0..8).flat_map(move |n| [what, n, n]))
        .collect();
    let plan = |head: [u8; 2], entries: &[u8]| Cow::Owned([&head, entries].concat());
    vec![
        plan([0, 1], &[]),
        plan([0, 1], &[0, 0, 0]),
        plan([7, 1], &all),
        plan([2, 4], &all),
        plan([7, 8], &[0, 0, 1, 4, 0, 3, 0, 1, 0]),
        plan([3, 1], &[4, 0, 0, 4, 0, 1]),
        plan([3, 1], &[0, 0, 3, 1, 0, 2, 2, 0, 1, 3, 0, 0]),
        plan([7, 1], &[248, 0, 1, 248, 1, 2, 248, 2, 3]),
        plan([7, 1], &[248, 0, 1, 248, 1, 2, 248, 2, 3, 0, 0, 0, 0, 0, 0]),
        plan([1, 12], &[252, 0, 1, 248, 5, 2, 255, 2, 3]),
    ]
}

/// Each script with several combinations of these two bytes.
fn with_heads(texts: impl Iterator<Item = String>) -> Vec<Seed> {
    let with_heads = |text: String| {
        let heads = [[4, 0], [5, 3], [0, 1], [2, 0], [13, 0]];
        heads.map(|head| Cow::Owned([&head, text.as_bytes()].concat()))
    };
    texts.flat_map(with_heads).collect()
}

/// Unmatched responses.
fn answers(count: usize) -> String {
    let ids = 100..100 + count;
    ids.map(|id| answer(&id.to_string(), "0")).collect()
}

fn answer(id: &str, result: &str) -> String {
    format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{result}}}\n")
}

fn item(id: &str, seq: u32) -> String {
    let params = format!("{{\"subscription\":{id},\"seq\":{seq},\"result\":[{seq}]}}");
    format!("{{\"jsonrpc\":\"2.0\",\"method\":\"items\",\"params\":{params}}}\n")
}

fn call(id: &str, method: &str, params: &str) -> String {
    format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"{method}\",\"params\":{params}}}\n")
}

fn cancel(id: u32) -> String {
    format!("{{\"jsonrpc\":\"2.0\",\"method\":\"$/cancelRequest\",\"params\":{{\"id\":{id}}}}}\n")
}

/// Scripts of a hostile server.
#[rustfmt::skip]
const SERVER: &[&str] = &[
    "",
    // Valid responses in any order, ids of another type, duplicate responses.
    "{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":\"three\"}\n{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":\"two\"}",
    "{\"jsonrpc\":\"2.0\",\"id\":\"2\",\"result\":1}\n{\"jsonrpc\":\"2.0\",\"id\":2.0,\"result\":2}\n\
     {\"jsonrpc\":\"2.0\",\"id\":2,\"result\":3}\n{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":4}",
    "{\"jsonrpc\":\"2.0\",\"id\":\"s\",\"error\":{\"code\":7,\"message\":\"no\",\"data\":[1]}}\n\
     {\"jsonrpc\":\"2.0\",\"id\":\"\\u0073\",\"result\":null}",
    // A batch response out of order, with responses to other calls, and with calls.
    "[{\"jsonrpc\":\"2.0\",\"id\":\"5\",\"result\":\"text\"},{\"jsonrpc\":\"2.0\",\"id\":5,\"result\":\"number\"},\
     {\"jsonrpc\":\"2.0\",\"id\":2,\"result\":\"two\"}]\n\n[{\"jsonrpc\":\"2.0\",\"id\":6,\"error\":{\"code\":1,\"message\":\"\"}}]",
    "[{\"jsonrpc\":\"2.0\",\"id\":5,\"result\":1},{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"echo\",\"params\":[1]},\
     {\"jsonrpc\":\"2.0\",\"method\":\"later\"},{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"later\"},1]",
    // Several errors without an id.
    "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32700,\"message\":\"Parse error\"}}\n\
     {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"x\"}\n\
     {\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32600,\"message\":\"no\"}}\n\
     {\"jsonrpc\":\"2.0\",\"id\":null,\"result\":1}",
    // A late response to a dropped call.
    "{\"jsonrpc\":\"2.0\",\"id\":4,\"result\":1}\n{\"jsonrpc\":\"2.0\",\"id\":4,\"result\":2}",
    // Subscriptions: items before the response and after the end, of other subscriptions, out of
    // order.
    "{\"jsonrpc\":\"2.0\",\"method\":\"items\",\"params\":{\"subscription\":\"x\",\"seq\":1,\"result\":0}}\n\
     {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"x\"}\n\
     {\"jsonrpc\":\"2.0\",\"method\":\"items\",\"params\":{\"subscription\":\"x\",\"seq\":1,\"result\":[1]}}\n\
     {\"jsonrpc\":\"2.0\",\"method\":\"items\",\"params\":{\"subscription\":\"y\",\"seq\":2,\"result\":2}}\n\
     {\"jsonrpc\":\"2.0\",\"method\":\"other\",\"params\":{\"subscription\":\"x\",\"seq\":7,\"result\":{\"a\":3}}}\n\
     {\"jsonrpc\":\"2.0\",\"method\":\"items\",\"params\":{\"subscription\":\"x\",\"result\":null}}\n\
     {\"jsonrpc\":\"2.0\",\"method\":\"items\",\"params\":{\"subscription\":\"x\",\"seq\":8,\"end\":\"complete\"}}\n\
     {\"jsonrpc\":\"2.0\",\"method\":\"items\",\"params\":{\"subscription\":\"x\",\"seq\":9,\"result\":4}}",
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":7}\n\
     {\"jsonrpc\":\"2.0\",\"method\":\"items\",\"params\":{\"subscription\":7,\"result\":1}}\n\
     {\"jsonrpc\":\"2.0\",\"method\":\"items\",\"params\":{\"subscription\":7,\"error\":{\"code\":1,\"message\":\"no\"}}}",
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"no\":\"id\"}}\n{\"jsonrpc\":\"2.0\",\"method\":\"items\"}",
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32601,\"message\":\"Method not found\"}}",
    "{\"jsonrpc\":\"2.0\",\"method\":\"$/progress\",\"params\":{\"token\":2,\"value\":1}}\n\
     {\"jsonrpc\":\"2.0\",\"id\":2,\"result\":1}\n\
     {\"jsonrpc\":\"2.0\",\"method\":\"$/progress\",\"params\":{\"token\":2,\"value\":2}}",
    // Calls to the client, and invalid messages.
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\",\"params\":[[1,\"\\u00fc\"]]}\n\
     {\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"later\",\"params\":[\"x\"]}\n\
     {\"jsonrpc\":\"2.0\",\"method\":\"$/cancelRequest\",\"params\":{\"id\":2}}",
    "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":1,\"error\":{\"code\":1,\"message\":\"\"}}\n{\"id\":3,\"result\":1}\n[]\n{",
    "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":1}\nHTTP/1.1 400 Bad Request\n{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":1}",
];

/// Scripts of a hostile client.
#[rustfmt::skip]
const CLIENT: &[&str] = &[
    "",
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\",\"params\":[{\"a\": 1}]}\n{\"jsonrpc\":\"2.0\",\"method\":\"later\"}",
    // Duplicate ids, of running calls and within one batch.
    "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"later\"},{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\",\"params\":[1]}]",
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hold\"}\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\",\"params\":[1]}\n\
     [{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"later\"},{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"hold\"},\
     {\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"hold\"},{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"hold\"}]\n\n\
     {\"jsonrpc\":\"2.0\",\"method\":\"$/cancelRequest\",\"params\":{\"id\":2}}\n\
     {\"jsonrpc\":\"2.0\",\"method\":\"$/cancelRequest\",\"params\":{\"requestId\":1}}\n\
     {\"jsonrpc\":\"2.0\",\"method\":\"$/cancelRequest\",\"params\":{\"id\":1}}",
    "{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"hold\"}\n{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"hold\"}\n\
     {\"jsonrpc\":\"2.0\",\"method\":\"$/cancelRequest\",\"params\":{\"id\":null}}",
    // A notification that delays the messages after it.
    "{\"jsonrpc\":\"2.0\",\"method\":\"hold\"}\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\",\"params\":[1]}\n\
     {\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"later\"}\n\n{\"jsonrpc\":\"2.0\",\"method\":\"$/cancelRequest\",\"params\":{\"id\":2}}",
    // Calls to the client, with valid, duplicate and invalid responses, and in a batch with calls.
    "{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"method\":\"ask\"}\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":[1]}\n{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":2}",
    "{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"method\":\"ask\"}\n{\"jsonrpc\":\"2.0\",\"id\":\"b\",\"method\":\"ask\"}\n\n\
     [{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":1},{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"ask\"},\
     {\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":1,\"message\":\"no\"}},{\"jsonrpc\":\"2.0\",\"method\":\"later\"}]",
    "{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"method\":\"ask\"}\n\n{\"jsonrpc\":\"2.0\",\"method\":\"$/cancelRequest\",\"params\":{\"id\":\"a\"}}\n\
     {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":1}\n{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32700,\"message\":\"\"}}",
    // Subscriptions: single, in a batch, ended.
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"count\",\"params\":[3]}\n[{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"count\",\"params\":[64]},\
     {\"jsonrpc\":\"2.0\",\"method\":\"count\",\"params\":[2]}]\n{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"rpc.unsubscribe\",\"params\":[\"x\"]}",
    // A deadline that expires at once, and one in a batch.
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hold\",\"timeout\":1}\n[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hold\",\"timeout\":0}]",
    "[{\"jsonrpc\":\"2.0\",\"method\":\"hold\"},{\"jsonrpc\":\"2.0\",\"method\":\"later\"}]\n[1,[],{}]\n[]",
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"later\"}\n{\"jsonrpc\":\"2.0\",\"id\":2\nGET / HTTP/1.1\n{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"later\"}",
];
