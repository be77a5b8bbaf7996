//! Tests of tokens: where they come from, what is said about errors, and that none is printed.

use std::process::Stdio;
use std::sync::mpsc::channel;
use std::thread;

use antiphon::{AuthenticationError, Authenticator, Credentials, Identity, Method, Router, Server};

use crate::support::{Exited, Process, http, peer, run};

const TOKEN: &str = "S3CR3T-good";

/// Knows one token.
struct OneToken;

impl Authenticator for OneToken {
    async fn authenticate(
        &self,
        credentials: &Credentials,
    ) -> Result<Option<Identity>, AuthenticationError> {
        match credentials.bearer() {
            Some(TOKEN) => Ok(Some(Identity::new("reports").scope("read"))),
            Some(_) => Err(AuthenticationError::refused("unknown")),
            None => Ok(None),
        }
    }
}

/// A server in this process, which ends with it; the address for HTTP and WebSocket, and that of a
/// raw socket.
fn server() -> [String; 3] {
    let (tell, told) = channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.unwrap().block_on(async {
            let router = Router::new()
                .method(Method::function("read", || 7).scope("read"))
                .method(
                    Method::function("write", || 8)
                        .scope("write")
                        .scope("admin"),
                );
            let server = Server::new(router).authenticate(OneToken);
            let server = server.bind("http://127.0.0.1:0").bind("tcp://127.0.0.1:0");
            let listening = server.listen().await.unwrap();
            let ports: Vec<_> = listening.addresses().iter().map(|at| at.port()).collect();
            let [web, raw] = ports[..] else {
                panic!("two addresses");
            };
            let urls = [
                format!("http://127.0.0.1:{web}"),
                format!("ws://127.0.0.1:{web}"),
                format!("tcp://127.0.0.1:{raw}"),
            ];
            tell.send(urls).unwrap();
            listening.serve().await.unwrap();
        });
    });
    told.recv().unwrap()
}

fn run_with(token: &str, args: &[&str], input: &str) -> Exited {
    let variables = [("ANTIPHON_TOKEN", token)];
    Process::start_with_env(&variables, args, input, Stdio::piped()).end()
}

/// Nothing of what it has printed is a token.
fn checked(ended: Exited) -> Exited {
    assert!(!ended.out.contains("S3CR3T"), "{}", ended.out);
    assert!(!ended.err.contains("S3CR3T"), "{}", ended.err);
    ended
}

#[test]
fn a_token_comes_from_an_argument_a_file_or_the_environment() {
    let name = format!("antiphon-token-{}", std::process::id());
    let file = std::env::temp_dir().join(name);
    std::fs::write(&file, format!("\n  {TOKEN}\r\n")).unwrap();
    let at_file = format!("@{}", file.display());
    for url in server() {
        let call = |more: &[&str], variable: &str, input: &str| {
            let args = [&["call", &url, "read"], more].concat();
            let ended = checked(run_with(variable, &args, input));
            assert_eq!(
                (ended.code, &*ended.out),
                (Some(0), "7\n"),
                "{url} {more:?}: {}",
                ended.err
            );
            assert_eq!(ended.err, "");
        };
        call(&["--bearer", TOKEN], "", "");
        call(&["--bearer", &at_file], "", "");
        call(&["--bearer", "@-"], "", &format!("{TOKEN}\n"));
        call(&[], TOKEN, "");
        // What is said on the command line comes first.
        call(&["--bearer", TOKEN], "S3CR3T-wrong", "");
        if !url.starts_with("tcp") {
            let header = format!("authorization: Bearer {TOKEN}");
            call(&["-H", &header], "S3CR3T-wrong", "");
        }
        let line = "{\"method\": \"read\"}";
        let ended = checked(run_with(TOKEN, &["batch", &url], line));
        assert_eq!(
            (ended.code, &*ended.out),
            (Some(0), "{\"result\":7}\n"),
            "{}",
            ended.err
        );
    }
    std::fs::remove_file(file).unwrap();
}

#[test]
fn an_error_about_the_caller_is_explained() {
    let unknown = "the server does not know who calls";
    for url in server() {
        for (token, method, said) in [
            ("", "read", unknown),
            ("S3CR3T-wrong", "read", unknown),
            (TOKEN, "write", "the caller lacks the scope write admin\n"),
        ] {
            let ended = checked(run_with(token, &["call", &url, method], ""));
            assert_eq!(
                (ended.code, &*ended.out),
                (Some(1), ""),
                "{url} {token}: {}",
                ended.err
            );
            assert!(ended.err.contains(said), "{url} {token}: {}", ended.err);
            let line = format!("{{\"method\": \"{method}\"}}\n").repeat(2);
            let ended = checked(run_with(token, &["batch", &url], &line));
            assert_eq!(ended.code, Some(1), "{url} {token}: {}", ended.err);
            assert_eq!(ended.err.matches(said).count(), 1, "{}", ended.err);
            if !url.starts_with("http") {
                let ended = checked(run_with(token, &["listen", &url, method], ""));
                assert_eq!(ended.code, Some(1), "{url} {token}: {}", ended.err);
                assert!(ended.err.contains(said.trim_end()), "{}", ended.err);
            }
        }
        // The document is not asked for with a wrong token.
        let ended = checked(run_with("S3CR3T-wrong", &["docs", &url], ""));
        assert_eq!(ended.code, Some(1), "{}", ended.err);
        assert!(ended.err.contains(unknown), "{}", ended.err);
    }
    let limited = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32005,"message":"No","data":{"retryAfterMs":250}}}"#;
    for (status, kind, body, said) in [
        ("200 OK", "application/json", limited, "wait 250 ms"),
        ("401 Unauthorized", "text/html", "<p>", unknown),
    ] {
        let (address, _) = peer(http(status, kind, body));
        let ended = run(&["call", &address.to_string(), "m"], "");
        assert_eq!(ended.code, Some(1), "{}", ended.err);
        assert!(ended.err.contains(said), "{}", ended.err);
    }
}

#[test]
fn a_token_that_cannot_be_sent_is_wrong_usage() {
    let file = std::env::temp_dir().join(format!("antiphon-long-{}", std::process::id()));
    std::fs::write(&file, "S3CR3T".repeat(3000)).unwrap();
    let long = format!("@{}", file.display());
    let here = "http://127.0.0.1:1";
    let table: &[(&[&str], &str)] = &[
        (&[here, "--bearer", "S3CR3T x"], "characters that a token"),
        (&[here, "--bearer", ""], "the token is empty"),
        (&[here, "--bearer", &long], "longer than 16384 bytes"),
        (&[here, "--bearer", "@/nowhere"], "/nowhere"),
        (
            &["http://calc.invalid", "--bearer", "S3CR3T"],
            "unencrypted",
        ),
        (
            &[here, "-H", "authorization: S3CR3T", "--bearer", "S3CR3T"],
            "one is enough",
        ),
        (&[here, "--key", "/nowhere"], "--cert"),
        (&[here, "--cert", "/nowhere"], "/nowhere"),
    ];
    for (args, part) in table {
        let ended = checked(run(&[&["call"], *args, &["m"]].concat(), ""));
        assert_eq!(ended.code, Some(2), "{args:?}: {}", ended.err);
        assert!(ended.err.contains(part), "{args:?}: {}", ended.err);
    }
    std::fs::remove_file(file).unwrap();
    let ended = run(&["call", "--help"], "");
    assert!(ended.out.contains("ANTIPHON_TOKEN"), "{}", ended.out);
    assert!(ended.out.contains("Other users can see"), "{}", ended.out);
    let ended = checked(run_with("S3CR3T", &["call", "--help"], ""));
    assert_eq!(ended.code, Some(0));
}
