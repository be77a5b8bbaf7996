//! Tests of `antiphon serve`, and of the help and version texts.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use crate::support::{Server, TIMEOUT, run};

#[test]
fn the_server_has_the_calculator_and_the_commands() {
    let server = Server::start(&["--threads", "1"]);
    let listed = server.call(&["functions_list"]);
    let listed: serde_json::Value = serde_json::from_str(&listed.out).unwrap();
    let names: Vec<_> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|line| &line[0])
        .collect();
    for name in [
        "ping",
        "echo",
        "functions_list",
        "documentation",
        "server_info",
        "calc.add",
        "calc.subtract",
        "calc.multiply",
        "calc.divide",
        "calc.randompaths",
        "ticks",
        "news.publish",
        "news.subscribe",
    ] {
        assert!(names.contains(&&name.into()), "{name}: {names:?}");
    }
    let info = server.call(&["server_info"]);
    assert_eq!(info.code, Some(0), "{}", info.err);
}

/// Makes a call and returns the head and the body of the response.
fn post(url: &str, body: &str) -> (String, Vec<u8>) {
    let host = url.strip_prefix("http://").unwrap();
    let mut socket = TcpStream::connect(host).unwrap();
    socket.set_read_timeout(Some(TIMEOUT)).unwrap();
    let length = body.len();
    let request = format!(
        "POST / HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\naccept-encoding: gzip\r\nconnection: close\r\n\r\n{body}"
    );
    socket.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).unwrap();
    let end = answer
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap();
    let head = String::from_utf8(answer[..end].to_vec())
        .unwrap()
        .to_lowercase();
    (head, answer.split_off(end + 4))
}

#[test]
fn long_responses_are_compressed_if_the_client_accepts_it() {
    let server = Server::start(&[]);
    let echo = |length: usize| {
        let text = "x".repeat(length);
        post(
            &server.url,
            &format!(r#"{{"jsonrpc":"2.0","id":1,"method":"echo","params":["{text}"]}}"#),
        )
    };
    // The response has 36 bytes around the text.
    for (length, compressed) in [(1, false), (163, false), (164, true), (9999, true)] {
        let (head, body) = echo(length);
        let said = head.contains("content-encoding: gzip");
        assert_eq!(said, compressed, "{length}: {head}");
        assert_eq!(
            body.len() < 150,
            length < 100 || compressed,
            "{length}: {}",
            body.len()
        );
    }
}

/// Each stream would hold a compressor for as long as it lasts.
#[test]
fn event_streams_are_not_compressed() {
    let server = Server::start(&[]);
    let host = server.url.strip_prefix("http://").unwrap();
    let mut socket = TcpStream::connect(host).unwrap();
    socket.set_read_timeout(Some(TIMEOUT)).unwrap();
    let request = format!(
        "GET /?method=news.subscribe&params=[%22a%22] HTTP/1.1\r\nhost: {host}\r\n\
         accept: text/event-stream\r\naccept-encoding: gzip, br\r\n\r\n"
    );
    socket.write_all(request.as_bytes()).unwrap();
    let mut received = Vec::new();
    while !received.ends_with(b"\n\n") && !received.ends_with(b"\n\n\r\n") {
        let mut piece = [0; 1024];
        let length = socket.read(&mut piece).unwrap();
        assert!(length > 0, "{}", String::from_utf8_lossy(&received));
        received.extend_from_slice(&piece[..length]);
    }
    let text = String::from_utf8(received).unwrap().to_lowercase();
    assert!(text.starts_with("http/1.1 200"), "{text}");
    assert!(text.contains("event: response\n"), "{text}");
    assert!(!text.contains("content-encoding"), "{text}");
}

#[test]
fn an_address_that_cannot_be_used_is_an_error() {
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let held_at = held.local_addr().unwrap().to_string();
    let table = [
        (&*held_at, "cannot listen on"),
        ("127.0.0.1", "names no port"),
        ("127.0.0.1:99999", "no port"),
        ("gopher://h", "gopher"),
        ("0.0.0.0:0", "--allow-unauthenticated-public"),
    ];
    for (bind, part) in table {
        let ended = run(&["serve", "--bind", bind], "");
        assert_eq!(
            (ended.code, &*ended.out),
            (Some(1), ""),
            "{bind}: {}",
            ended.err
        );
        assert!(ended.err.starts_with("error: "), "{bind}: {}", ended.err);
        assert!(ended.err.contains(part), "{bind}: {}", ended.err);
    }
}

#[cfg(unix)]
#[test]
fn a_server_stops_on_a_signal() {
    for signal in ["TERM", "INT"] {
        let server = Server::start(&[]);
        assert_eq!(server.call(&["ping"]).code, Some(0));
        server.process.signal(signal);
        let ended = server.process.end();
        assert_eq!(
            (ended.code, &*ended.out),
            (Some(0), ""),
            "{signal}: {}",
            ended.err
        );
    }
}

#[test]
fn the_command_line_has_help_and_version() {
    let table: &[(&[&str], i32, &[&str])] = &[
        (
            &["--help"],
            0,
            &["Examples:", "Exit codes:", "130", "antiphon call :8060"],
        ),
        (
            &["call", "--help"],
            0,
            &["Examples:", "by position", "@FILE"],
        ),
        (&["batch", "--help"], 0, &["Examples:", "\"notify\": true"]),
        (
            &["serve", "--help"],
            0,
            &["Examples:", "--bind", "127.0.0.1:8060"],
        ),
        (&["--version"], 0, &["antiphon 0."]),
    ];
    for (args, code, parts) in table {
        let ended = run(args, "");
        assert_eq!((ended.code, &*ended.err), (Some(*code), ""), "{args:?}");
        for part in *parts {
            assert!(ended.out.contains(part), "{args:?}: {part}: {}", ended.out);
        }
    }
    for args in [
        &[][..],
        &["nope"],
        &["serve", "--nope"],
        &["--color", "blue", "call"],
    ] {
        let ended = run(args, "");
        assert_eq!((ended.code, &*ended.out), (Some(2), ""), "{args:?}");
        assert!(
            ended.err.contains("Usage:") || ended.err.contains("--help"),
            "{}",
            ended.err
        );
    }
}
