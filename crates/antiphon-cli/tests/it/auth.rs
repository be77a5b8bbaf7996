//! Tests of the flags of authentication, with processes.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{Process, Server, TIMEOUT, post, run};
use crate::temp_folder::TempFolder;

/// The status and the body of a call with this token; none if it is empty.
pub(crate) fn call(url: &str, token: &str, method: &str) -> (u16, String) {
    let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}"}}"#);
    post(url, token, &body)
}

/// How a call has ended, as a status.
pub(crate) fn status(url: &str, token: &str, method: &str) -> u16 {
    match call(url, token, method) {
        (_, body) if body.contains("-32006") => 401,
        (_, body) if body.contains("-32007") => 403,
        (status, _) => status,
    }
}

/// Adds a token to a file.
pub(crate) fn token(file: &str, subject: &str, scopes: &[&str]) -> String {
    let args = [&["token", "new", subject], scopes, &["--append", file]].concat();
    let ended = run(&args, "");
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    ended.out.trim_end().to_owned()
}

/// Waits until this call has this status. It asks at most as often as an address may have credentials
/// refused, so that the limit of these is not what it meets.
pub(crate) fn wait_for(url: &str, token: &str, method: &str, expected: u16) {
    let until = Instant::now() + TIMEOUT;
    while status(url, token, method) != expected {
        assert!(Instant::now() < until, "not {expected}");
        thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn tokens_open_what_is_not_public() {
    let folder = TempFolder::new();
    let file = folder.path("tokens");
    let alice = token(&file, "alice", &["calc:random"]);
    let bob = token(&file, "bob", &[]);
    let server = Server::start(&["--auth-tokens", &file, "--log", "trace"]);
    let cut = &alice[..alice.len() - 1];
    for (token, method, expected) in [
        ("", "ping", 200),
        ("", "echo", 200),
        ("", "functions_list", 401),
        ("", "calc.randompaths", 401),
        ("wrong", "ping", 401),
        (cut, "ping", 401),
        (&*bob, "functions_list", 200),
        (&bob, "calc.randompaths", 403),
        (&alice, "calc.randompaths", 200),
    ] {
        let (_, body) = call(&server.url, token, method);
        assert_eq!(
            status(&server.url, token, method),
            expected,
            "{token} {method}: {body}"
        );
        assert!(token.is_empty() || !body.contains(token));
    }
    // Alice's line is removed, and a new one is added.
    let text = fs::read_to_string(&file).unwrap();
    let rest = text.lines().filter(|line| !line.starts_with("alice"));
    fs::write(&file, rest.collect::<Vec<_>>().join("\n")).unwrap();
    let carol = token(&file, "carol", &["calc:random"]);
    assert_eq!(status(&server.url, &alice, "calc.randompaths"), 200);
    server.process.signal("HUP");
    wait_for(&server.url, &carol, "calc.randompaths", 200);
    assert_eq!(status(&server.url, &alice, "ping"), 401);
    // A file that cannot be read leaves the tokens as they are.
    fs::write(&file, "S3CR3T-WORD").unwrap();
    server.process.signal("HUP");
    thread::sleep(Duration::from_millis(300));
    assert_eq!(status(&server.url, &carol, "calc.randompaths"), 200);
    server.process.signal("TERM");
    let ended = server.process.end();
    let log = &ended.err;
    assert!(log.contains("the tokens stay as they are"), "{log}");
    assert!(log.contains("line 1: the second word"), "{log}");
    for secret in [&*alice, &bob, &carol, cut, "S3CR3T-WORD"] {
        assert!(!log.contains(secret), "{secret} {log}");
    }
}

#[test]
fn workers_read_the_tokens_themselves() {
    let folder = TempFolder::new();
    let file = folder.path("tokens");
    let alice = token(&file, "alice", &["calc:random"]);
    let control = folder.path("control");
    let server = Server::start(&[
        "--workers",
        "2",
        "--control",
        &control,
        "--auth-tokens",
        &file,
    ]);
    for _ in 0..8 {
        assert_eq!(status(&server.url, &alice, "calc.randompaths"), 200);
        assert_eq!(status(&server.url, "wrong", "ping"), 401);
    }
    let bob = token(&file, "bob", &["calc:random"]);
    server.process.signal("HUP");
    wait_for(&server.url, &bob, "calc.randompaths", 200);
    // New workers that cannot read the file do not replace the old ones.
    fs::write(&file, "word").unwrap();
    server.process.signal("HUP");
    thread::sleep(Duration::from_millis(500));
    assert_eq!(status(&server.url, &alice, "calc.randompaths"), 200);
    server.process.retire();
}

#[test]
fn a_server_that_asks_who_calls_may_be_public() {
    let folder = TempFolder::new();
    let file = folder.path("tokens");
    let alice = token(&file, "alice", &[]);
    let settings = folder.path("settings.toml");
    fs::write(&settings, format!("auth-tokens = \"{file}\"\n")).unwrap();
    for flags in [["--auth-tokens", &file], ["--config", &settings]] {
        let args = [&["serve", "--bind", "0.0.0.0:0"], &flags[..]].concat();
        let process = Process::start(&args, "");
        let ready = process.note();
        let url = ready
            .trim_end()
            .strip_prefix("antiphon listening on ")
            .unwrap();
        assert_eq!(status(url, &alice, "functions_list"), 200);
        assert_eq!(status(url, "", "functions_list"), 401);
        // From no address is a caller local, so what is for local callers does not exist.
        assert!(call(url, &alice, "server_info").1.contains("-32601"));
    }
}

#[test]
fn what_cannot_be_used_is_refused_at_the_start() {
    let folder = TempFolder::new();
    let none = folder.path("none");
    let wrong = folder.path("wrong");
    fs::write(&wrong, "# fine\nS3CR3T\n").unwrap();
    for (flags, part) in [
        (&["--auth-tokens", &*none][..], "none: No such file"),
        (&["--auth-tokens", &wrong], "wrong: line 2: the second word"),
        (
            &["--auth-tokens", &wrong, "--workers", "1"],
            "wrong: line 2: the second word",
        ),
        (&["--auth-issuer", "https://i.example"], "`auth-jwks`"),
        (
            &["--auth-jwks", &none, "--auth-issuer", "i"],
            "needs `auth-issuer` and `auth-audience`",
        ),
        (
            &["--tls-client-ca", &none],
            "`tls-client-ca` needs `tls-cert`",
        ),
        (&["--tls-client-required"], "needs `tls-client-ca`"),
    ] {
        let args = [&["serve", "--bind", "127.0.0.1:0"], flags].concat();
        let ended = run(&args, "");
        assert_eq!(ended.code, Some(1), "{flags:?}: {}", ended.err);
        assert!(
            ended.err.contains("error: ") && ended.err.contains(part),
            "{flags:?}: {}",
            ended.err
        );
        assert!(!ended.err.contains("S3CR3T"));
    }
}
