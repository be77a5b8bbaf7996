//! Tests of the exit codes of `antiphon call` and `antiphon batch` without a valid response.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use crate::support::{Process, Server, http, peer, run};

/// Checks the exit code and standard error of both commands with this URL.
fn check(url: &str, flags: &[&str], code: i32, parts: &[&str]) {
    let call = [&["call", url, "m"], flags].concat();
    let ended = run(&call, "");
    assert_eq!(ended.code, Some(code), "{call:?}: {}", ended.err);
    assert_eq!(ended.out, "", "{call:?}");
    assert!(ended.err.starts_with("error: "), "{}", ended.err);
    assert_eq!(ended.err.lines().count(), 1, "{}", ended.err);
    for part in parts {
        assert!(ended.err.contains(part), "{part}: {}", ended.err);
    }
}

#[test]
fn without_a_server_the_call_was_not_sent() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = free.local_addr().unwrap().to_string();
    drop(free);
    check(
        &url,
        &[],
        3,
        &["was not sent", "cannot connect to", "refused"],
    );
    let ended = run(&["batch", &url], "{\"method\":\"m\"}");
    assert_eq!(ended.code, Some(3), "{}", ended.err);
}

#[test]
fn a_closed_connection_is_reported() {
    let (address, _requests) = peer(" ");
    check(
        &address.to_string(),
        &[],
        3,
        &["may have run", "the connection failed"],
    );
}

#[test]
fn a_silent_server_times_out() {
    // The system accepts connections, but the listener never does.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = listener.local_addr().unwrap().to_string();
    check(
        &url,
        &["--timeout", "200ms"],
        4,
        &["no answer within 200ms"],
    );
    check(&url, &["--timeout", "0"], 4, &["was not sent"]);
    let ended = run(&["batch", &url, "--timeout", "200ms"], "{\"method\":\"m\"}");
    assert_eq!(ended.code, Some(4), "{}", ended.err);
}

#[test]
fn a_response_that_is_not_json_rpc_is_an_error() {
    let html = "<html>\u{1b}[2J</html>";
    let table = [
        (http("200 OK", "text/html", html), "no answer to it"),
        (
            http("200 OK", "application/json", "{\"ok\":true}"),
            "no answer to it",
        ),
        (
            http(
                "200 OK",
                "application/json",
                r#"{"jsonrpc":"2.0","id":9,"result":1}"#,
            ),
            "its id is 9",
        ),
        (
            http("204 No Content", "application/json", ""),
            "the body is empty",
        ),
        (http("404 Not Found", "text/html", html), "404 Not Found"),
        (
            http("403 Forbidden", "text/plain", "not\nyou"),
            "403 Forbidden: not\\nyou",
        ),
        (
            http("302 Found", "text/plain", ""),
            "redirects are not followed",
        ),
        (
            http("502 Bad Gateway", "text/html", html),
            "502 Bad Gateway",
        ),
    ];
    for (answer, part) in table {
        let (address, _requests) = peer(answer);
        check(&address.to_string(), &[], 5, &[part]);
    }
    let (address, _requests) = peer(http("200 OK", "text/html", html));
    let ended = run(&["batch", &address.to_string()], "{\"method\":\"m\"}");
    assert_eq!((ended.code, &*ended.out), (Some(5), ""), "{}", ended.err);
}

/// Every command that asks a server ends when the server sends without end, with one line that says
/// what is wrong.
#[test]
fn a_server_that_sends_without_end_is_told_as_misbehaviour() {
    let interim = "HTTP/1.1 100 Continue\r\n\r\n".repeat(100_000);
    let endless = "HTTP/1.1 200 OK\r\nContent-Length: 10737418240\r\n\r\n";
    let commands: [&[&str]; 5] = [
        &["call", "URL", "m"],
        &["call", "URL", "m", "--raw", "-i"],
        &["batch", "URL"],
        &["docs", "URL"],
        &["codegen", "URL", "--lang", "python"],
    ];
    for (answer, part) in [
        (
            &*interim,
            "the peer misbehaves, so the connection has ended",
        ),
        (endless, "is longer than "),
    ] {
        for command in commands {
            let (address, _requests) = peer(answer);
            let url = address.to_string();
            let with_url = |&word: &&'static str| {
                if word == "URL" {
                    url.clone()
                } else {
                    word.into()
                }
            };
            let args: Vec<String> = command.iter().map(with_url).collect();
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            let ended = run(&args, "{\"method\":\"m\"}");
            let last = ended.err.lines().last().unwrap_or_default();
            assert_eq!((ended.code, &*ended.out), (Some(5), ""), "{args:?}: {last}");
            assert!(last.starts_with("error: ") && last.contains(part), "{last}");
            assert!(ended.err.len() < 1000, "{args:?}: {}", ended.err.len());
        }
    }
}

#[test]
fn a_connection_of_nothing_but_white_space_ends() {
    for command in ["call", "listen"] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("tcp://{}", listener.local_addr().unwrap());
        let serving = std::thread::spawn(move || {
            let (mut socket, _) = listener.accept().unwrap();
            let _ = socket.write_all(&[b'\n'; 1_000_000]);
            // Until the tool has closed the connection.
            let _ = socket.read_to_end(&mut Vec::new());
        });
        let ended = run(&[command, &url, "m"], "");
        assert_eq!((ended.code, &*ended.out), (Some(5), ""), "{}", ended.err);
        assert!(ended.err.contains("bytes of white space"), "{}", ended.err);
        serving.join().unwrap();
    }
}

#[test]
fn an_invalid_response_can_be_shown() {
    let (address, _requests) = peer(http("404 Not Found", "text/html", "<p>no</p>"));
    let ended = run(&["call", &address.to_string(), "m", "--raw", "-i"], "");
    assert_eq!((ended.code, &*ended.out), (Some(5), "<p>no</p>"));
    assert!(
        ended.err.starts_with("HTTP 404 Not Found\n"),
        "{}",
        ended.err
    );
}

#[test]
fn an_http_error_status_is_reported() {
    let server = Server::start(&[]);
    check(
        &format!("{}/x", server.url),
        &[],
        5,
        &["404 Not Found: nothing is served"],
    );
    let origin = ["-H", "Origin: http://other.example"];
    check(
        &server.url,
        &origin,
        5,
        &["403 Forbidden: ", "--allow-origin"],
    );
}

#[cfg(unix)]
#[test]
fn an_interrupted_command_ends_with_code_130() {
    use crate::support::TIMEOUT;

    for (args, rest) in [(&["call"], &["m"][..]), (&["batch"], &[])] {
        let (address, requests) = peer("");
        let url = address.to_string();
        let process = Process::start(&[args, &[&url], rest].concat(), "{\"method\":\"m\"}");
        requests.recv_timeout(TIMEOUT).unwrap();
        process.signal("INT");
        let ended = process.end();
        assert_eq!(ended.code, Some(130), "{}", ended.err);
        assert_eq!(
            ended.err,
            "error: interrupted; what was sent may have run\n"
        );
    }
}

/// The reader closes the pipe, as in `antiphon … | head`. The tool does not panic.
#[test]
fn a_closed_pipe_is_not_a_failure() {
    let server = Server::start(&[]);
    let input = "{\"method\":\"calc.randompaths\",\"params\":[100]}\n";
    for args in [
        &["call", &server.url, "calc.randompaths", "num_paths=100"][..],
        &["call", &server.url, "ping", "--raw"],
        &["batch", &server.url],
        &["--help"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let ended = Process::start_with(args, input, writer).end();
        assert_eq!((ended.code, &*ended.err), (Some(0), ""), "{args:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_a_failure() {
    let server = Server::start(&[]);
    let full = std::fs::File::options().write(true).open("/dev/full");
    let ended = Process::start_with(&["call", &server.url, "ping"], "", full.unwrap()).end();
    assert_eq!(ended.code, Some(2));
    assert!(
        ended.err.starts_with("error: standard output: "),
        "{}",
        ended.err
    );
}
