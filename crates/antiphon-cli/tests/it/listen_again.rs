//! Tests of `antiphon listen` across outages: what it prints, and from where it goes on.

use std::sync::mpsc::channel;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use antiphon::{Router, Server, ServerHandle, Topic};
use serde_json::{Value, json};

use crate::support::{Process, TIMEOUT, run};

/// A server of a topic in this process.
struct Running {
    handle: ServerHandle,
    port: u16,
    serving: JoinHandle<()>,
}

impl Running {
    /// Starts it on this port, or a free one.
    fn start(topic: &Topic<u64>, port: u16) -> Self {
        let (own, all) = (topic.clone(), topic.clone());
        let router = Router::new()
            .method_fn("numbers", move |key: String| own.subscribe(key))
            .method_fn("all", move || all.subscribe_all());
        let (tell, told) = channel();
        let serving = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.unwrap().block_on(async {
                let server = Server::new(router).bind(format!("127.0.0.1:{port}"));
                let listening = server.listen().await.unwrap();
                let port = listening.addresses()[0].port();
                tell.send((listening.handle(), port)).unwrap();
                listening.serve().await.unwrap();
            });
        });
        let (handle, port) = told.recv_timeout(TIMEOUT).unwrap();
        Self {
            handle,
            port,
            serving,
        }
    }

    fn url(&self) -> String {
        format!("ws://127.0.0.1:{}", self.port)
    }

    /// Stops it gracefully, and waits for its end.
    fn stop(self) {
        self.handle.stop();
        self.serving.join().unwrap();
    }
}

fn topic(history: usize) -> Topic<u64> {
    Topic::builder("numbers").history(history).build()
}

fn until_somebody_listens(topic: &Topic<u64>) {
    let until = Instant::now() + TIMEOUT;
    while topic.all_subscribers() == 0 {
        assert!(Instant::now() < until, "nobody listens");
        thread::sleep(Duration::from_millis(5));
    }
}

/// A line of `--events`, and the number of its item.
fn event(listening: &Process) -> (Value, Option<u64>) {
    let line: Value = serde_json::from_str(&listening.line()).unwrap();
    let number = line["item"].as_u64();
    (line, number)
}

#[test]
fn a_listener_goes_on_when_the_server_is_there_again() {
    for events in [true, false] {
        let mut topic = topic(3);
        let mut server = Running::start(&topic, 0);
        let (url, port) = (server.url(), server.port);
        let mut args = vec!["listen", "--reconnect", &url, "numbers", "k"];
        if events {
            args.push("--events");
        }
        let listening = Process::start(&args, "");
        let next = || match events {
            true => event(&listening).1,
            false => serde_json::from_str(&listening.line()).unwrap(),
        };
        until_somebody_listens(&topic);
        topic.publish("k", &1);
        assert_eq!(next(), Some(1));
        // While it is away: nothing, something, more than is kept; then it comes back as another one.
        for (from, to, missed) in [(2, 1, None), (2, 4, None), (5, 9, Some(2)), (10, 11, None)] {
            server.stop();
            let anew = from == 10;
            if anew {
                topic = self::topic(3);
            }
            for n in from..=to {
                topic.publish("k", &n);
            }
            server = Running::start(&topic, port);
            if let Some(missed) = missed {
                assert_eq!(listening.note(), format!("{missed} items are missing\n"));
            }
            if anew {
                assert_eq!(listening.note(), "items may be missing\n");
            }
            if events && (anew || missed.is_some()) {
                assert_eq!(event(&listening).0, json!({ "missed": missed }));
            }
            for n in from + missed.unwrap_or(0)..=to {
                assert_eq!(next(), Some(n));
            }
        }
        // It is there, live.
        until_somebody_listens(&topic);
        topic.publish("k", &12);
        assert_eq!(next(), Some(12));
        listening.signal("INT");
        let ended = listening.end();
        assert_eq!((ended.code, &*ended.out), (Some(130), ""), "{}", ended.err);
        server.stop();
    }
}

#[test]
fn a_listener_says_where_it_would_go_on() {
    let topic = topic(3);
    let server = Running::start(&topic, 0);
    let listening = Process::start(&["listen", &server.url(), "numbers", "k", "--events"], "");
    until_somebody_listens(&topic);
    topic.publish("k", &1);
    let (line, _) = event(&listening);
    let cursor = line["cursor"].as_str().unwrap().to_owned();
    assert_eq!(line, json!({"cursor": cursor, "item": 1}));
    let port = server.port;
    server.stop();
    let ended = listening.end();
    let said = format!("the server stops\nit goes on with --after {cursor}\n");
    assert_eq!((ended.code, &*ended.err), (Some(1), &*said));

    for n in 2..=5 {
        topic.publish("k", &n);
    }
    let server = Running::start(&topic, port);
    for (method, after, expected, err) in [
        ("numbers", &*cursor, "3\n4\n5\n", "one item is missing\n"),
        ("numbers", "", "3\n4\n5\n", "items may be missing\n"),
        ("numbers", "nonsense", "3\n4\n5\n", "items may be missing\n"),
        ("all", &cursor, "3\n4\n5\n", "items may be missing\n"),
    ] {
        let url = server.url();
        let mut args = vec!["listen", "-n", "3", "--after", after, &url, method];
        if method == "numbers" {
            args.push("k");
        }
        let ended = run(&args, "");
        let found = (ended.code, &*ended.out, &*ended.err);
        assert_eq!(found, (Some(0), expected, err), "{method} {after}");
    }
    let args = ["listen", "-n", "1", "--after", "", "--events"];
    let ended = run(&[&args[..], &[&server.url(), "all"]].concat(), "");
    let lines: Vec<Value> = (ended.out.lines())
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines[0], json!({"missed": null}));
    assert_eq!(
        (&lines[1]["key"], &lines[1]["item"]),
        (&json!("k"), &json!(3))
    );
    server.stop();
}
