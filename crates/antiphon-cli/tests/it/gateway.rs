//! Tests of `antiphon gateway` in front of processes that are killed, stopped and frozen.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use antiphon::blocking;
use serde_json::Value;

use crate::support::{Process, Server, TIMEOUT, run};
use crate::temp_folder::TempFolder;

/// Starts a command that serves, and waits until it listens.
fn start(args: &[&str]) -> Server {
    let process = Process::start(args, "");
    let url = loop {
        let note = process.note();
        assert!(!note.starts_with("error: "), "{note}");
        if let Some(url) = note.strip_prefix("antiphon listening on ") {
            break url.trim_end().to_owned();
        }
    };
    Server { process, url }
}

fn serve(bind: &str) -> Server {
    start(&["serve", "--bind", bind])
}

fn gateway(flags: &[&str]) -> Server {
    start(&[&["gateway", "--bind", "127.0.0.1:0"], flags].concat())
}

/// The address of a server for a client of this scheme.
fn at(server: &Server, scheme: &str) -> String {
    server.url.replace("http://", &format!("{scheme}://"))
}

fn client(server: &Server) -> blocking::Client {
    blocking::Client::connect(at(server, "ws")).unwrap()
}

/// Callers that make one call after the other, and stop at the first that fails.
struct Load {
    stop: Arc<AtomicBool>,
    made: Arc<AtomicU64>,
    callers: Vec<JoinHandle<Result<Duration, String>>>,
}

impl Load {
    /// Begins to call `calc.add` below this prefix.
    fn begin(server: &Server, prefix: &str) -> Self {
        let (stop, made) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicU64::new(0)),
        );
        let callers = (0..4).map(|caller: i64| {
            let (client, method) = (client(server), format!("{prefix}calc.add"));
            let (stop, made) = (Arc::clone(&stop), Arc::clone(&made));
            thread::spawn(move || {
                let (mut number, mut longest) = (caller, Duration::ZERO);
                while !stop.load(Ordering::Relaxed) {
                    number += 4;
                    let began = Instant::now();
                    let sum: f64 = client
                        .call(&method, (number, 1))
                        .map_err(|error| format!("call {number}: {error} {:?}", error.kind()))?;
                    assert!((sum - (number + 1) as f64).abs() < 0.1, "{number}: {sum}");
                    longest = longest.max(began.elapsed());
                    made.fetch_add(1, Ordering::Relaxed);
                }
                Ok(longest)
            })
        });
        let callers = callers.collect();
        Self {
            stop,
            made,
            callers,
        }
    }

    /// Waits for more calls.
    fn go_on(&self, more: u64) {
        let goal = self.made.load(Ordering::Relaxed) + more;
        let end = Instant::now() + TIMEOUT;
        while self.made.load(Ordering::Relaxed) < goal {
            let has_ended = self.callers.iter().any(JoinHandle::is_finished);
            assert!(!has_ended && Instant::now() < end, "calls do not go on");
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Ends it. No call has failed.
    fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        for caller in self.callers {
            caller.join().unwrap().unwrap();
        }
    }
}

#[test]
fn it_stands_in_front_of_servers_of_all_transports() {
    let folder = TempFolder::new();
    let unix = format!("unix:{}", folder.path("s"));
    let servers = ["127.0.0.1:0", "127.0.0.1:0", "tcp://127.0.0.1:0", &unix].map(serve);
    let [http, ws, tcp, unix] = &servers;
    let flags = [
        format!("http={}", http.url),
        format!("ws={}", at(ws, "ws")),
        format!("tcp={}", tcp.url),
        format!("unix={}", unix.url),
    ];
    let flags: Vec<_> = flags.iter().flat_map(|url| ["--upstream", url]).collect();
    let gateway = gateway(&flags);
    let client = client(&gateway);
    for name in ["http", "ws", "tcp", "unix"] {
        let sum: f64 = client.call(&format!("{name}.calc.add"), (3, 4)).unwrap();
        assert!((sum - 7.0).abs() < 0.1, "{name}");
        let error = client
            .call::<Value>(&format!("{name}.calc.divide"), (1, 0))
            .unwrap_err();
        assert!(error.code().is_some(), "{name}: {error}");
        let method = format!("{name}.ticks");
        let items = run(
            &[
                "listen",
                &at(&gateway, "ws"),
                &method,
                "--count",
                "1",
                "milliseconds=1",
            ],
            "",
        );
        assert_eq!(items.code == Some(0), name != "http", "{name}: {items:?}");
    }
    let listed: Vec<Value> = client.call("upstreams_list", ()).unwrap();
    assert_eq!(listed.len(), 4);
    assert!(listed.iter().all(|line| line["isUp"] == true), "{listed:?}");
    let names: Vec<(String, Value)> = client.call("functions_list", ()).unwrap();
    for name in ["ping", "ws.calc.add", "unix.ping"] {
        assert!(names.iter().any(|(known, _)| known == name), "{name}");
    }
}

#[test]
fn servers_are_restarted_one_after_the_other_without_a_lost_call() {
    let mut servers = [(); 3].map(|()| serve("127.0.0.1:0"));
    let urls = servers.each_ref().map(|server| at(server, "ws")).join(",");
    // No method is marked: what was sent is not sent again.
    let gateway = gateway(&["--upstream", &urls]);
    let load = Load::begin(&gateway, "");
    for round in 0..6 {
        load.go_on(200);
        let old = &mut servers[round % 3];
        let bind = old.url.replace("http://", "");
        old.process.signal("TERM");
        thread::sleep(Duration::from_millis(300));
        load.go_on(100);
        // The port is free when the old one has ended.
        let end = Instant::now() + TIMEOUT;
        loop {
            assert!(Instant::now() < end, "it does not start");
            let process = Process::start(&["serve", "--bind", &bind], "");
            let note = process.note();
            if note.starts_with("antiphon listening on ") {
                old.process = process;
                break;
            }
        }
    }
    load.go_on(100);
    load.end();
}

#[test]
fn a_server_that_is_killed_or_frozen_costs_no_call_that_may_run_twice() {
    let servers = [(); 3].map(|()| serve("127.0.0.1:0"));
    let urls = servers.each_ref().map(|server| at(server, "ws")).join(",");
    let gateway = gateway(&[
        "--upstream",
        &format!("x={urls}"),
        "--read-only",
        "calc.*",
        "--upstream-check",
        "200ms",
    ]);
    let load = Load::begin(&gateway, "x.");
    load.go_on(200);
    servers[0].process.signal("KILL");
    load.go_on(200);
    servers[1].process.signal("STOP");
    // What it has is sent to the last one when two checks were not answered.
    load.go_on(200);
    let client = client(&gateway);
    let up = || {
        let listed: Vec<Value> = client.call("upstreams_list", ()).unwrap();
        let up: Vec<_> = listed.iter().map(|line| line["isUp"] == true).collect();
        up
    };
    let until = |expected: [bool; 3]| {
        let end = Instant::now() + TIMEOUT;
        while up() != expected {
            assert!(Instant::now() < end, "{:?}, not {expected:?}", up());
            thread::sleep(Duration::from_millis(20));
        }
    };
    until([false, false, true]);
    servers[1].process.signal("CONT");
    until([false, true, true]);
    load.go_on(200);
    load.end();
}

#[test]
fn without_any_server_the_answer_comes_at_once_and_tells_no_address() {
    let server = serve("127.0.0.1:0");
    let gateway = gateway(&[
        "--upstream",
        &at(&server, "ws"),
        "--upstream-check",
        "200ms",
    ]);
    let client = client(&gateway);
    let sum: f64 = client.call("calc.add", (3, 4)).unwrap();
    assert!((sum - 7.0).abs() < 0.1);
    server.process.signal("KILL");
    // The first one may have been on its way.
    let first = client.call::<Value>("calc.add", (1, 2)).unwrap_err();
    assert_eq!(first.code().map(|code| code.0), Some(-32000));
    let began = Instant::now();
    let error = client.call::<Value>("calc.add", (1, 2)).unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(5));
    assert_eq!(error.code().map(|code| code.0), Some(-32000));
    assert!(
        !error.to_string().contains(&server.url["http://".len()..]),
        "{error}"
    );
}

#[test]
fn a_settings_file_has_upstreams_with_options_of_their_own() {
    let folder = TempFolder::new();
    let servers = [(); 2].map(|()| serve("127.0.0.1:0"));
    let path = folder.path("gateway.toml");
    let text = format!(
        "max-batch = 7\n[gateway]\nread-only = [\"calc.add\"]\ncache = [\"calc.*=1h\"]\n\
         [[gateway.upstream]]\nname = \"math\"\nnamespace = \"calc\"\nservers = [\"{}\"]\n\
         read-only = [\"add\"]\ncache = [\"*=1h\"]\n\
         [[gateway.upstream]]\nservers = [\"{}\"]\ndescribed-only = true\n",
        at(&servers[0], "ws"),
        servers[1].url,
    );
    fs::write(&path, text).unwrap();
    for workers in ["0", "2"] {
        let control = folder.path(&format!("control-{workers}"));
        let gateway = gateway(&[
            "--config",
            &path,
            "--workers",
            workers,
            "--control",
            &control,
        ]);
        let client = client(&gateway);
        for (method, expected) in [
            ("math.add", 0),
            ("math.add", 0),
            ("calc.add", 0),
            ("calc.add", 0),
            ("math.ping", -32601),
            ("nothing", -32601),
        ] {
            let outcome = client.call::<Value>(method, (3, 4));
            let code = outcome.err().and_then(|error| error.code());
            assert_eq!(
                code.map_or(0, |code| code.0),
                expected,
                "{workers} {method}"
            );
        }
        // The workers share nothing but the counts.
        let end = Instant::now() + TIMEOUT;
        loop {
            let metrics = page(&gateway, "/metrics");
            let cached = metrics
                .lines()
                .filter(|line| line.starts_with("antiphon_upstream_cached_total"));
            let cached = cached.filter(|line| line.ends_with(" 1")).count();
            if cached == 2 {
                break;
            }
            assert!(Instant::now() < end, "{metrics}");
            thread::sleep(Duration::from_millis(50));
        }
    }
    // A flag takes the place of the upstreams of the file.
    let gateway = gateway(&["--config", &path, "-u", &format!("only={}", servers[1].url)]);
    let client = client(&gateway);
    assert!(client.call::<Value>("math.add", (3, 4)).is_err());
    assert!(client.call::<f64>("only.calc.add", (3, 4)).is_ok());
}

/// The text of a page.
fn page(server: &Server, path: &str) -> String {
    use std::io::{Read as _, Write as _};
    let host = server.url.strip_prefix("http://").unwrap();
    let mut socket = std::net::TcpStream::connect(host).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).unwrap();
    let mut text = String::new();
    socket.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn what_cannot_be_a_gateway_does_not_start() {
    let folder = TempFolder::new();
    let file = |name: &str, text: &str| {
        let path = folder.path(name);
        fs::write(&path, text).unwrap();
        path
    };
    let typo = file(
        "typo",
        "[[gateway.upstream]]\nservers = [\":1\"]\ntimout = \"1s\"",
    );
    let none = file("none", "[gateway]\n");
    let other = file("other", "[gatway]\n");
    for (flags, code, part) in [
        (&[][..], 2, "--upstream"),
        (&["--config", &none], 2, "--upstream"),
        (&["-u", "nonsense://x"], 2, "nonsense"),
        (&["-u", "a=:1,"], 2, "an address is missing"),
        (&["-u", ":1", "--cache", "x"], 2, "METHOD=TIME"),
        (&["-u", ":1", "--cache", "x=none"], 2, "for ever"),
        (
            &["-u", ":1", "--upstream-token-file", "/nonexistent"],
            2,
            "nonexistent",
        ),
        (
            &["-u", "rpc=:1", "-u", "a..b=:2", "--bind", "127.0.0.1:0"],
            1,
            "router",
        ),
        (&["--config", &typo], 1, "timout"),
        (&["--config", &other, "-u", ":1"], 1, "gatway"),
    ] {
        let ended = run(&[&["gateway"], flags].concat(), "");
        assert_eq!(ended.code, Some(code), "{flags:?}: {ended:?}");
        assert!(ended.err.contains(part), "{flags:?}: {ended:?}");
    }
}
