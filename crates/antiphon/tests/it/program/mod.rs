//! Tests of whole programs: a server that `start_with` runs, in a process of its own.
//!
//! The process is this test binary, which runs only the test [`the_program`].

mod panics;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use antiphon::{Failure, Router, ServeArgs, Server};
use clap::Parser;
use serde_json::{Value, json};

/// Time limit of each step, long enough for a slow machine under load.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The variable with the command line of the program, words separated by spaces.
const FLAGS: &str = "PROGRAM_UNDER_TEST";

/// The variable that asks for a panic hook of the program's own.
const OWN_HOOK: &str = "PROGRAM_WITH_A_HOOK";

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    serve: ServeArgs,
}

struct PanicsOnDrop(String);

impl Drop for PanicsOnDrop {
    fn drop(&mut self) {
        panic!("{}", self.0);
    }
}

fn boom(text: &str) {
    panic!("{text}");
}

/// Runs as a program that other tests start.
#[test]
#[ignore = "a program that other tests start"]
fn the_program() {
    let Ok(flags) = std::env::var(FLAGS) else {
        return;
    };
    let words = ["program", "--bind", "127.0.0.1:0"].into_iter();
    let arguments = Arguments::parse_from(words.chain(flags.split_whitespace()));
    let router = Router::new()
        .method_fn("now", |text: String| boom(&text))
        .method_fn("later", |text: String| async move {
            tokio::task::yield_now().await;
            boom(&text);
        })
        .method_fn("big", |bytes: usize| {
            boom(&"a\n\u{1b}[31mb\r\n".repeat(bytes / 9))
        })
        .method_fn("caught", |text: String| {
            let caught = std::panic::catch_unwind(|| boom(&text));
            caught.is_err()
        })
        .method_fn("task", |text: String| async move {
            tokio::spawn(async move { boom(&text) }).await.is_err()
        })
        .method_fn("thread", |text: String| {
            thread::spawn(move || boom(&text)).join().is_err()
        })
        .method_fn("dropped", |text: String| async move {
            let _mine = PanicsOnDrop(text);
            std::future::pending::<()>().await;
        })
        .method_fn("aborts", |text: String| {
            let _mine = PanicsOnDrop(text.clone());
            boom(&text);
        })
        .method_fn("fails", || -> Result<(), Failure> {
            Err(std::io::Error::other("it failed"))?
        })
        .method_fn("fine", || "fine");
    let mut server = Server::new(router);
    if std::env::var_os(OWN_HOOK).is_some() {
        // Not `eprintln!`, whose output the test harness keeps.
        std::panic::set_hook(Box::new(|_| {
            let _ = std::io::stderr().write_all(b"a hook of its own\n");
        }));
        server = server.keep_panic_hook();
    }
    let ended = server.start_with(arguments.serve);
    assert_eq!(ended, std::process::ExitCode::SUCCESS);
}

/// A running program, killed when it is dropped.
struct Program {
    child: Child,
    err: BufReader<ChildStderr>,
    socket: BufReader<TcpStream>,
}

impl Program {
    fn start(flags: &str) -> Self {
        Self::start_with(flags, &[])
    }

    /// Like `start`, with further environment variables.
    fn start_with(flags: &str, variables: &[(&str, &str)]) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .envs(variables.iter().copied())
            .args(["--exact", "program::the_program", "--ignored"])
            .env(FLAGS, flags)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut err = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        let address = loop {
            line.clear();
            assert!(err.read_line(&mut line).unwrap() > 0, "it does not listen");
            if let Some((_, address)) = line.trim().split_once("listening on http://") {
                break address.to_owned();
            }
        };
        let socket = TcpStream::connect(address).unwrap();
        socket.set_read_timeout(Some(TIMEOUT)).unwrap();
        Self {
            child,
            err,
            socket: BufReader::new(socket),
        }
    }

    /// Calls a method and returns the response.
    fn call(&mut self, method: &str, params: &Value) -> Value {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let request = crate::support::http1::post("", &body.to_string());
        self.socket.get_mut().write_all(request.as_bytes()).unwrap();
        let mut length = 0;
        loop {
            let mut line = String::new();
            if self.socket.read_line(&mut line).unwrap() == 0 {
                return Value::Null;
            }
            let line = line.trim().to_ascii_lowercase();
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if line.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        self.socket.read_exact(&mut body).unwrap();
        serde_json::from_slice(&body).unwrap()
    }

    /// Reads standard error up to the first line with this text.
    fn until(&mut self, text: &str) -> String {
        let mut log = String::new();
        while !log.contains(text) {
            assert!(self.err.read_line(&mut log).unwrap() > 0, "{log}");
        }
        log
    }

    /// Stops it with SIGTERM. Returns what it has written to standard error since it listened.
    fn stop(mut self) -> String {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", "TERM", &id]).status();
        assert!(sent.unwrap().success());
        let text = self.rest();
        assert!(self.child.wait().unwrap().success(), "{text}");
        text
    }

    /// Reads standard error until it ends.
    fn rest(&mut self) -> String {
        let mut bytes = Vec::new();
        self.err.read_to_end(&mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let until = Instant::now() + TIMEOUT;
        let _ = self.child.kill();
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < until {
            thread::sleep(Duration::from_millis(5));
        }
    }
}
