//! Tests of `antiphon mcp` and of `antiphon serve --mcp`.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::support::{Server, TIMEOUT, run};

/// The answer to a request to `/mcp`.
fn ask(url: &str, method: &str, params: &Value) -> Value {
    let host = url.strip_prefix("http://").unwrap();
    let mut socket = TcpStream::connect(host).unwrap();
    socket.set_read_timeout(Some(TIMEOUT)).unwrap();
    let body = request(1, method, params);
    let length = body.len();
    let request = format!(
        "POST /mcp HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    );
    socket.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    serde_json::from_str(body).unwrap()
}

fn request(id: u8, method: &str, params: &Value) -> String {
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string()
}

/// The names in a list of tools.
fn names(answer: &Value) -> Vec<&str> {
    let tools = answer["result"]["tools"].as_array().unwrap().iter();
    tools.map(|tool| tool["name"].as_str().unwrap()).collect()
}

#[test]
fn agents_find_the_calculator_at_a_path_of_its_own() {
    let server = Server::start(&["--mcp"]);
    let listed = ask(&server.url, "tools/list", &json!({}));
    let names = names(&listed);
    for name in ["ping", "echo", "calc.add", "calc.divide", "news.publish"] {
        assert!(names.contains(&name), "{names:?}");
    }
    // Streams are no tools.
    for name in ["ticks", "news.subscribe"] {
        assert!(!names.contains(&name), "{names:?}");
    }
    let call = json!({"name": "calc.divide", "arguments": {"a": 1, "b": 0}});
    let answer = ask(&server.url, "tools/call", &call);
    assert_eq!(answer["result"]["isError"], true, "{answer}");
    // Who has not asked for it has no such path.
    let server = Server::start(&[]);
    let body = request(1, "ping", &json!({}));
    let call = format!("{}/mcp", server.url);
    let exited = run(&["call", &call, "ping"], &body);
    assert_ne!(exited.code, Some(0));
}

#[test]
fn an_agent_uses_a_server_that_does_not_know_of_agents() {
    let server = Server::start(&[]);
    let hello = json!({
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    });
    let lines = [
        request(1, "initialize", &hello),
        json!({"jsonrpc": "2.0", "method": "notifications/initialized"}).to_string(),
        request(2, "tools/list", &json!({})),
        request(
            3,
            "tools/call",
            &json!({"name": "calc.add", "arguments": {"a": 3, "b": 4}}),
        ),
        request(
            4,
            "tools/call",
            &json!({"name": "calc.add", "arguments": {"a": 3}}),
        ),
        request(
            5,
            "tools/call",
            &json!({"name": "echo", "arguments": {"message": "x"}}),
        ),
    ];
    let exited = run(
        &["mcp", &server.url, "--only", "calc."],
        &(lines.join("\n") + "\n"),
    );
    assert_eq!(exited.code, Some(0), "{}", exited.err);
    let answers = exited
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    let mut answers: Vec<Value> = answers.collect();
    answers.sort_by_key(|answer| answer["id"].as_u64());
    let [hello, list, sum, lacks, unknown] = &answers[..] else {
        panic!("{answers:?}");
    };
    assert_eq!(hello["result"]["protocolVersion"], "2025-11-25");
    assert_eq!(hello["result"]["serverInfo"]["name"], "Antiphon calculator");
    let expected = [
        "calc.add",
        "calc.divide",
        "calc.multiply",
        "calc.randompaths",
        "calc.subtract",
    ];
    assert_eq!(names(list), expected);
    assert_eq!(sum["result"]["content"][0]["text"], "7.0");
    assert_eq!(lacks["result"]["isError"], true);
    assert_eq!(unknown["error"]["message"], "Unknown tool: echo");
}

#[test]
fn a_server_that_is_away_or_says_nothing_of_itself_is_an_error_at_once() {
    let exited = run(&["mcp", "127.0.0.1:1"], "");
    assert_eq!(
        (exited.code, exited.out.as_str()),
        (Some(3), ""),
        "{}",
        exited.err
    );
}
