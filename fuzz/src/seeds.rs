//! Seeds: the tables of the protocol tests, and typical messages and streams.

#[path = "../../crates/antiphon-proto/tests/it/json_cases.rs"]
mod json_cases;

use std::borrow::Cow;

use json_cases::{Verdict, cases};

/// One input.
pub type Seed = Cow<'static, [u8]>;

/// Seeds for the target `parse`.
#[must_use]
pub fn parse() -> Vec<Seed> {
    let texts = cases().into_iter().map(|case| case.text);
    texts.chain(messages()).collect()
}

/// The texts of the table, with whether each is valid JSON within the limit of depth.
#[must_use]
pub fn verdicts() -> Vec<(&'static str, Seed, bool)> {
    let legal = |verdict| matches!(verdict, Verdict::Valid | Verdict::Range);
    let row = |case: json_cases::Case| (case.name, case.text, legal(case.verdict));
    cases().into_iter().map(row).collect()
}

/// Seeds for the target `dispatch`: messages, and every text of the table as a parameter.
#[must_use]
pub fn dispatch() -> Vec<Seed> {
    let wrapped = cases().into_iter().flat_map(|case| {
        ["text", "echo"].map(|method| {
            let head = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":["#);
            Cow::Owned([head.as_bytes(), &case.text, b"]}"].concat())
        })
    });
    messages().chain(wrapped).collect()
}

/// Seeds for the target `framing`: streams, each after the three bytes that select the framing.
#[must_use]
pub fn framing() -> Vec<Seed> {
    let of = |head: [u8; 3], stream: &[u8]| Cow::Owned([&head, stream].concat());
    let lines = LINES.iter().map(|line| of([0, 14, 7], line));
    let headed = HEADED.iter().map(|stream| of([1, 14, 7], stream));
    let messages = messages().map(|message| of([0, 255, 3], &message));
    lines.chain(headed).chain(messages).collect()
}

fn messages() -> impl Iterator<Item = Seed> {
    let long = format!("[{}]", vec![MESSAGES[0]; 101].join(","));
    let full = format!("[{}]", vec![MESSAGES[0]; 100].join(","));
    let deep = |depth: usize| {
        let (open, close) = ("[".repeat(depth - 2), "]".repeat(depth - 2));
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"echo","params":[{open}{close}]}}"#)
    };
    let id = |length: usize| {
        let id = "x".repeat(length - 2);
        format!(r#"{{"jsonrpc":"2.0","id":"{id}","method":"tick"}}"#)
    };
    let written = MESSAGES.iter().map(|text| Cow::Borrowed(text.as_bytes()));
    let made = [long, full, deep(128), deep(129), id(256), id(257)];
    written.chain(made.map(|text| Cow::Owned(text.into_bytes())))
}

const MESSAGES: &[&str] = &[
    r#"{"jsonrpc":"2.0","id":1,"method":"calc.add","params":[3,7]}"#,
    r#"{"jsonrpc":"2.0","id":"x\"y","method":"calc.add","params":{"a":3,"b":7}}"#,
    r#"{"jsonrpc":"2.0","id":1,"method":"calc.divide","params":[1,0]}"#,
    r#"{"jsonrpc":"2.0","method":"tick"}"#,
    r#"{"jsonrpc":"2.0","method":"tick","params":[]}"#,
    r#"{"jsonrpc":"2.0","method":"tick","params":{},"id":null}"#,
    r#"{"jsonrpc":"2.0","method":"tick","params":[1],"id":-1}"#,
    r#"{"jsonrpc":"2.0","method":"later","params":["\u00fc"],"id":1e400}"#,
    r#"{"jsonrpc":"2.0","method":"later","timeout":0,"id":1.50}"#,
    r#"{"jsonrpc":"2.0","method":"later","timeout":"soon","traceparent":3,"id":2}"#,
    r#"{"jsonrpc":"2.0","method":"nothing","id":123456789012345678901234567890}"#,
    r#"{"jsonrpc":"2.0","method":"ti\u0063k","i\u0064":7}"#,
    r#"{"jsonrpc":"2.0","method":"tick","id":1,"i\u0064":2}"#,
    r#"{"jsonrpc":"2.0","method":"\ud800","id":"\ud800"}"#,
    r#"{"\ud800":1,"jsonrpc":"\u0032.0","method":"text","params":["\ud800"],"id":1}"#,
    r#"{"jsonrpc":"2.0","method":"tick","id":true}"#,
    r#"{"jsonrpc":"2.0","method":"tick","params":1,"id":3}"#,
    r#"{"jsonrpc":"1.0","method":"tick","id":4}"#,
    r#"{"jsonrpc":"2.0","method":5,"id":5}"#,
    r#"{"jsonrpc":"2.0","result":null,"id":6}"#,
    r#"{"jsonrpc":"2.0","error":{"code":1,"message":"no"},"id":7}"#,
    r#"{"jsonrpc":"2.0","error":{"code":1},"result":1,"id":8}"#,
    "[]",
    "[1,\"a\",null,{}]",
    r#" [ {"jsonrpc":"2.0","id":1,"method":"later"} , {"jsonrpc":"2.0","method":"tick"} ,
         {"jsonrpc":"2.0","id":1,"method":"tick"},{"foo":"boo"},[],{"jsonrpc":"2.0","method":"later"}] "#,
    r#"[{"jsonrpc":"2.0","method":"tick"},{"jsonrpc":"2.0","method":"later"}]"#,
    r#"[{"jsonrpc":"2.0","method":"tick"},{"jsonrpc":"2.0","method""#,
];

const LINES: &[&[u8]] = &[
    b"",
    b"{\"id\":1}\r\n\n[1,2]\n  {\"a\": [3]} \n{}",
    b"[1]\r[2]\r\r\n{}\r",
    b"[3456789abcd]\n[3456789abcde]\n",
    b"[3456789abcd]\r\n[1]",
    b"\xEF\xBB\xBF{}\n",
    b"POST / HTTP/1.1\r\nHost: a\r\n\r\n{}\n",
];

const HEADED: &[&[u8]] = &[
    b"",
    b"Content-Length: 5\r\nContent-Type: a/b; charset=utf-8\r\n\r\n[1,2]content-length:2\r\n\r\n{}",
    b"X-A: b\r\nContent-Length: 14\r\n\r\n{\"a\": [3, 4, 5Content-Length: 0\r\n\r\n",
    b"Content-Length: 15\r\n\r\n",
    b"Content-Length: 18446744073709551616\r\n\r\n",
    b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
    b"Content-Length: 2\n\n{}",
    b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}",
];
