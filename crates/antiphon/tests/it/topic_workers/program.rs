//! Program with workers and topics, and how tests start it.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use antiphon::{PublishError, Router, ServeArgs, Server, Subscription, Topic, rpc};

/// The variable with the number of workers; only with it, [`program`] is one.
const WORKERS: &str = "TEST_OF_TOPICS";

/// The variable with which more than usual may wait for a subscriber.
const LONG_QUEUES: &str = "TEST_OF_TOPICS_LONG_QUEUES";

/// The variable with the address of a broker.
const BROKER: &str = "TEST_OF_TOPICS_BROKER";

/// How long to wait for an end.
const TIMEOUT: Duration = Duration::from_secs(120);

type Item = (u64, String);

struct News {
    texts: Topic<Item>,
    other: Topic<Item>,
    plain: Topic<Item>,
    produced: Arc<Mutex<BTreeSet<String>>>,
}

#[rpc]
impl News {
    fn rpc_texts(&self, key: String) -> Subscription<Item> {
        self.texts.subscribe(key)
    }

    fn rpc_all(&self) -> Subscription<Item> {
        self.texts.subscribe_all()
    }

    /// Those of the topic that has the same name.
    fn rpc_other(&self, key: String) -> Subscription<Item> {
        self.other.subscribe(key)
    }

    /// Those of a topic without history.
    fn rpc_plain(&self, key: String) -> Subscription<Item> {
        self.plain.subscribe(key)
    }

    async fn rpc_publish(&self, key: String, item: Item) -> Result<u64, PublishError> {
        self.texts.publish(&key, &item).await
    }

    async fn rpc_publish_plain(&self, key: String, item: Item) -> Result<u64, PublishError> {
        self.plain.publish(&key, &item).await
    }

    /// Publishes many without a pause; returns how many were refused.
    async fn rpc_flood(&self, key: String, count: u64) -> u64 {
        let publish = |n| self.plain.publish(&key, &(n, String::new()));
        let published: Vec<_> = (0..count).map(publish).collect();
        let mut refused = 0;
        for published in published {
            match published.await {
                Ok(_) => {}
                Err(PublishError::QueueFull) => refused += 1,
                Err(error) => panic!("{error}"),
            }
        }
        refused
    }

    /// Publishes large items, one after the other; returns the number of the last one.
    async fn rpc_fill(&self, key: String, from: u64, to: u64) -> Result<u64, PublishError> {
        let text = "x".repeat(100_000);
        let mut last = 0;
        for n in from..=to {
            last = self.plain.publish(&key, &(n, text.clone())).await?;
        }
        Ok(last)
    }

    fn rpc_subscribers(&self, key: String) -> (usize, usize) {
        (self.texts.subscribers(&key), self.texts.all_subscribers())
    }

    /// Keys whose hook for the first subscriber has run here.
    fn rpc_produced(&self) -> BTreeSet<String> {
        self.produced.lock().unwrap().clone()
    }

    fn rpc_worker(&self) -> (u32, u32) {
        (std::process::id(), std::os::unix::process::parent_id())
    }
}

/// Not a test, unless it is executed by one.
#[test]
fn program() {
    let Ok(workers) = std::env::var(WORKERS) else {
        return;
    };
    let produced = Arc::new(Mutex::new(BTreeSet::new()));
    let (first, last) = (Arc::clone(&produced), Arc::clone(&produced));
    let texts = Topic::builder("texts")
        .history(20_000)
        .on_first(move |key| assert!(first.lock().unwrap().insert(key.to_owned())))
        .on_last(move |key| assert!(last.lock().unwrap().remove(key)))
        .build();
    // Each worker publishes it, when it starts.
    let begun = texts.publish("begun", &(0, "main".to_owned()));
    assert_eq!(begun.number(), Some(1));
    let news = News {
        texts,
        other: Topic::builder("texts").history(10).build(),
        plain: Topic::builder("plain").build(),
        produced,
    };
    let mut args = ServeArgs::default();
    args.bind = vec!["tcp://127.0.0.1:0".to_owned()];
    args.bind.extend(std::env::var(BROKER));
    args.workers = Some(workers.parse().unwrap());
    args.threads = Some(1);
    let server = Server::new(Router::of(news)).configure(|settings| {
        // Some workers stand still, and machines are slow.
        settings.supervision.worker_timeout = None;
        settings.supervision.boot_timeout = Duration::from_secs(120);
        settings.calls.call_timeout = None;
        if std::env::var_os(LONG_QUEUES).is_some() {
            settings.sessions.max_queued = 100_000;
            settings.sessions.max_queued_bytes = 100_000_000;
        }
    });
    let code = server.start_with(args);
    let is_success = format!("{code:?}") == format!("{:?}", std::process::ExitCode::SUCCESS);
    std::process::exit(i32::from(!is_success));
}

/// The running program, ended when this is dropped.
pub(crate) struct Program {
    child: Child,
    pub(crate) address: String,
}

impl Program {
    pub(super) fn start(workers: usize) -> Self {
        Self::start_with(workers, &[])
    }

    /// One of several servers behind a broker; `workers` may be 0.
    pub(crate) fn behind(broker: &str, workers: usize) -> Self {
        Self::start_with(workers, &[(BROKER, broker)])
    }

    /// With subscribers who may be far behind.
    pub(super) fn with_long_queues(workers: usize) -> Self {
        Self::start_with(workers, &[(LONG_QUEUES, "1")])
    }

    fn start_with(workers: usize, variables: &[(&str, &str)]) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "topic_workers::program::program", "--nocapture"])
            .env(WORKERS, workers.to_string())
            .envs(variables.iter().copied())
            .env_remove("ANTIPHON_WORKER")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = loop {
            let line = lines.next().expect("it does not listen").unwrap();
            if let Some(address) = line.strip_prefix("antiphon listening on tcp://") {
                break address.to_owned();
            }
            eprintln!("{line}");
        };
        thread::spawn(move || {
            lines
                .map_while(Result::ok)
                .for_each(|line| eprintln!("{line}"))
        });
        Self { child, address }
    }

    pub(crate) fn signal(&self, name: &str) {
        signal(self.child.id(), name);
    }

    /// Upgrades the program, and waits until the process that was started has ended. As long as it is
    /// reloading, it does not listen to this.
    pub(super) fn upgrade(&mut self) {
        let until = Instant::now() + TIMEOUT;
        while self.child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < until, "it does not end");
            self.signal("USR2");
            thread::sleep(Duration::from_millis(200));
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let id = self.child.id().to_string();
            let _ = Command::new("kill").args(["-s", "TERM", &id]).status();
            let until = Instant::now() + Duration::from_secs(5);
            while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < until {
                thread::sleep(Duration::from_millis(10));
            }
        }
        // Its workers end with it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn signal(process: u32, name: &str) {
    let sent = Command::new("kill")
        .args(["-s", name, &process.to_string()])
        .status();
    assert!(sent.unwrap().success());
}
