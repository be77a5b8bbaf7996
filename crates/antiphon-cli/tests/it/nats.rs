//! Tests of the tool behind a NATS server.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{Process, TIMEOUT, run};

/// A running NATS server, with a login; killed when it is dropped.
struct Broker {
    process: Child,
    port: u16,
    /// A file with the login.
    login: PathBuf,
}

impl Broker {
    /// Starts one, if the program is installed. Continuous integration has it.
    fn start() -> Option<Self> {
        let port = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = port.local_addr().unwrap().port();
        let programs = ["nats-server", "/usr/sbin/nats-server"];
        let started = programs.into_iter().find_map(|program| {
            let mut command = Command::new(program);
            command.args(["-a", "127.0.0.1", "-p", &port.to_string()]);
            command.args(["--user", "tool", "--pass", "s3cret"]);
            command.stdout(Stdio::null()).stderr(Stdio::null());
            command.spawn().ok()
        });
        assert!(
            started.is_some() || std::env::var_os("CI").is_none(),
            "nats-server is not installed"
        );
        let Some(process) = started else {
            eprintln!("left out: nats-server is not installed");
            return None;
        };
        let name = format!("antiphon-cli-nats-{port}");
        let login = std::env::temp_dir().join(name);
        fs::write(&login, "tool:s3cret\n").unwrap();
        let broker = Self {
            process,
            port,
            login,
        };
        let until = Instant::now() + TIMEOUT;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < until, "nats-server does not listen");
            thread::sleep(Duration::from_millis(10));
        }
        Some(broker)
    }

    fn url(&self) -> String {
        let login = self.login.display();
        format!("nats://127.0.0.1:{}/shop?login={login}", self.port)
    }

    /// Starts `antiphon serve`, and waits until it answers.
    fn serve(&self, flags: &[&str]) -> Process {
        let url = self.url();
        let args = [&["serve", "--bind", &url], flags].concat();
        let server = Process::start(&args, "");
        let expected = format!(
            "antiphon listening on nats://127.0.0.1:{}/shop\n",
            self.port
        );
        let mut said = String::new();
        while said != expected {
            said = server.note();
            assert!(!said.contains("s3cret"), "{said}");
        }
        let until = Instant::now() + TIMEOUT;
        while run(&["call", &self.url(), "ping"], "").code != Some(0) {
            assert!(Instant::now() < until, "it does not answer");
        }
        server
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_file(&self.login);
    }
}

#[test]
fn all_commands_go_through_a_broker_to_one_process_or_to_workers() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let url = broker.url();
    for flags in [&[][..], &["--workers", "2"]] {
        let server = broker.serve(flags);
        let batch = concat!(
            r#"{"id":1,"method":"calc.add","params":[1,2]}"#,
            "\n",
            r#"{"id":2,"method":"nothing"}"#,
        );
        for (args, input, code, out) in [
            (&["call", &url, "calc.add", "3", "4"][..], "", 0, "7.0\n"),
            (&["call", &url, "calc.add", "a=3", "b=4"], "", 0, "7.0\n"),
            (&["call", &url, "nothing"], "", 1, ""),
            (&["call", &url, "calc.add", "x"], "", 1, ""),
            (&["call", "--notify", &url, "ping"], "", 0, ""),
            (&["batch", &url], batch, 6, "3.0"),
            (&["listen", &url, "ticks", "3", "1"], "", 0, "1\n2\n3\n"),
            (&["listen", &url, "nothing"], "", 1, ""),
        ] {
            let ended = run(args, input);
            assert_eq!(ended.code, Some(code), "{args:?}: {}", ended.err);
            assert!(ended.out.contains(out), "{args:?}: {}", ended.out);
            assert!(!ended.err.contains("s3cret"), "{}", ended.err);
        }
        server.signal("TERM");
        assert_eq!(server.end().code, Some(0));
    }
    for (address, code) in [
        (format!("nats://127.0.0.1:{}/shop", broker.port), 3),
        (
            format!("nats://tool:s3cret2@127.0.0.1:{}/shop", broker.port),
            3,
        ),
        ("nats://127.0.0.1:1/shop".to_owned(), 3),
        ("nats://127.0.0.1".to_owned(), 2),
        ("nats://127.0.0.1/shop?creds=/nowhere".to_owned(), 3),
    ] {
        let ended = run(&["call", &address, "ping"], "");
        assert_eq!(ended.code, Some(code), "{address}: {}", ended.err);
        assert!(!ended.err.contains("s3cret"), "{}", ended.err);
    }
}

#[test]
fn a_worker_that_is_killed_leaves_the_others_in_the_group() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let server = broker.serve(&["--workers", "2"]);
    let children = || {
        let id = server.id().to_string();
        let found = Command::new("pgrep").args(["-P", &id]).output().unwrap();
        let found = String::from_utf8(found.stdout).unwrap();
        let ids = found.lines().map(str::to_owned);
        ids.collect::<Vec<_>>()
    };
    let before = children();
    let until = Instant::now() + TIMEOUT;
    let killed = Command::new("kill")
        .args(["-s", "KILL", &before[0]])
        .status();
    assert!(killed.unwrap().success());
    // Calls in flight may be lost. The next ones go to the other worker, and to the one that replaces it.
    while children().len() < 2 || children().contains(&before[0]) {
        let _ = run(&["call", &broker.url(), "ping"], "");
        assert!(Instant::now() < until, "it is not replaced");
    }
    for _ in 0..10 {
        let ended = run(&["call", &broker.url(), "calc.add", "1", "1"], "");
        assert_eq!(ended.out, "2.0\n", "{}", ended.err);
    }
    server.retire();
}
