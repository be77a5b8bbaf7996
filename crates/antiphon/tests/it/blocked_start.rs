//! Tests of `Server::start` as a whole program: signals while it is starting. The program is this
//! test binary, executed again.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use antiphon::{Router, ServeArgs, Server};

/// The variable with the name of the program; only then is [`program`] one.
const PROGRAM: &str = "TEST_OF_START";

/// The line that says that the program has reached the function that does not end.
const REACHED: &str = "the start has come to a function that does not end";

/// How long to wait for an end.
const TIMEOUT: Duration = Duration::from_secs(30);

fn block<T>() -> Result<T, String> {
    eprintln!("{REACHED}");
    loop {
        std::thread::sleep(Duration::from_secs(3600));
    }
}

async fn wait<T>() -> Result<T, String> {
    eprintln!("{REACHED}");
    std::future::pending().await
}

/// Not a test, unless it is executed by one.
#[test]
fn program() {
    let Ok(name) = std::env::var(PROGRAM) else {
        return;
    };
    let router = Router::new().method_fn("ping", || "pong");
    let mut args = ServeArgs::default();
    args.bind = vec!["127.0.0.1:0".to_owned()];
    args.threads = Some(1);
    let server = match name.as_str() {
        "router that waits" => Server::lazy(wait),
        "router that blocks" => Server::lazy(async || block()),
        "hook that waits" => Server::new(router).on_supervisor_start(wait),
        "hook that blocks" => Server::new(router).on_supervisor_start(async || block()),
        "supervisor's hook that waits" => Server::new(router).workers(1).on_supervisor_start(wait),
        "supervisor's hook that blocks" => Server::new(router)
            .workers(1)
            .on_supervisor_start(async || block()),
        "worker's router that blocks" => Server::lazy(async || block()).workers(1),
        other => panic!("there is no program {other}"),
    };
    let code = server.start_with(args);
    let is_success = format!("{code:?}") == format!("{:?}", std::process::ExitCode::SUCCESS);
    std::process::exit(i32::from(!is_success));
}

fn start(name: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "blocked_start::program", "--nocapture"])
        .env(PROGRAM, name)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn signal(process: &Child, name: &str) {
    let id = process.id().to_string();
    let sent = Command::new("kill").args(["-s", name, &id]).status();
    assert!(sent.unwrap().success());
}

#[test]
fn a_signal_ends_a_start_whatever_it_waits_for() {
    for name in [
        "router that waits",
        "router that blocks",
        "hook that waits",
        "hook that blocks",
        "supervisor's hook that waits",
        "supervisor's hook that blocks",
        "worker's router that blocks",
    ] {
        for sent in ["TERM", "INT"] {
            let mut process = start(name);
            let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
            let is_there = lines.any(|line| line.unwrap().contains(REACHED));
            assert!(is_there, "{name}");
            // Not what ends a program that starts.
            signal(&process, "HUP");
            signal(&process, sent);
            let until = Instant::now() + TIMEOUT;
            let status = loop {
                if let Some(status) = process.try_wait().unwrap() {
                    break status;
                }
                if until < Instant::now() {
                    process.kill().unwrap();
                    panic!("{name} does not end after {sent}");
                }
                std::thread::sleep(Duration::from_millis(10));
            };
            assert_eq!(status.code(), Some(0), "{name}, after {sent}: {status}");
        }
    }
}
