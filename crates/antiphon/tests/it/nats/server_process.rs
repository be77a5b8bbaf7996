//! A server in a process of its own, which can be killed and frozen, and writes down what has run.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use antiphon::Server;
use antiphon::client::{Error, ErrorKind};
use tokio::time::sleep;

use super::broker::router;

/// Variables that make this test binary a server: its address, and the file of what has run.
const ADDRESS: &str = "ANTIPHON_TEST_NATS_ADDRESS";
const RECORD: &str = "ANTIPHON_TEST_NATS_RECORD";

/// A server; it is killed when this is dropped.
pub(super) struct ServerProcess {
    child: Child,
}

impl ServerProcess {
    /// Starts one. It can be called when `is_there` answers.
    pub(super) fn start(address: &str, record: &Path) -> Self {
        let name = format!("{}::serves_if_it_is_told_to", module());
        let mut command = Command::new(std::env::current_exe().unwrap());
        let command = command.args(["--exact", &name, "--test-threads=1"]);
        let command = command.env(ADDRESS, address).env(RECORD, record);
        let command = command.stdin(Stdio::piped());
        let command = command.stdout(Stdio::null()).stderr(Stdio::null());
        Self {
            child: command.spawn().unwrap(),
        }
    }

    pub(super) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends a signal, such as `STOP`.
    pub(super) fn signal(&self, name: &str) {
        signal(self.child.id(), name);
    }
}

/// Sends a signal to a process that this test has started.
pub(super) fn signal(id: u32, name: &str) {
    let mut command = Command::new("kill");
    let sent = command.args(["-s", name, &id.to_string()]).status();
    assert!(sent.unwrap().success());
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The path of this module, without the name of the crate.
fn module() -> &'static str {
    module_path!().split_once("::").unwrap().1
}

/// It is a server until whoever has started it is gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn serves_if_it_is_told_to() {
    let (Ok(address), Ok(record)) = (std::env::var(ADDRESS), std::env::var(RECORD)) else {
        return;
    };
    std::thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
    let file = OpenOptions::new().append(true).open(record).unwrap();
    let served = || {
        let file = file.try_clone().unwrap();
        router().method_fn("run", move |id: u64, milliseconds: u64| {
            let running = Running::begin(&file, id);
            async move {
                sleep(Duration::from_millis(milliseconds)).await;
                running.end();
                id
            }
        })
    };
    // The broker may be away.
    loop {
        if let Ok(bound) = Server::new(served()).bind(&address).listen().await {
            return bound.serve().await.unwrap();
        }
        sleep(Duration::from_millis(20)).await;
    }
}

/// A call, from its begin to its end in the record.
struct Running {
    file: File,
    id: u64,
    is_done: bool,
}

impl Running {
    fn begin(file: &File, id: u64) -> Self {
        let file = file.try_clone().unwrap();
        (&file)
            .write_all(format!("begun {id}\n").as_bytes())
            .unwrap();
        Self {
            file,
            id,
            is_done: false,
        }
    }
}

impl Running {
    fn end(mut self) {
        self.is_done = true;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.is_done {
            let line = format!("dropped {}\n", self.id);
            let _ = (&self.file).write_all(line.as_bytes());
        }
    }
}

/// What servers have written down.
pub(super) struct Record(pub(super) PathBuf);

impl Record {
    /// An empty one in this folder.
    pub(super) fn in_folder(folder: &Path) -> Self {
        let path = folder.join("record");
        File::create(&path).unwrap();
        Self(path)
    }

    /// How often each call has begun.
    pub(super) fn begun(&self) -> HashMap<u64, u32> {
        self.lines("begun ")
    }

    /// How often each call was dropped before its end.
    pub(super) fn dropped(&self) -> HashMap<u64, u32> {
        self.lines("dropped ")
    }

    fn lines(&self, word: &str) -> HashMap<u64, u32> {
        let mut counts = HashMap::new();
        for line in fs::read_to_string(&self.0).unwrap().lines() {
            if let Some(id) = line.strip_prefix(word) {
                *counts.entry(id.parse().unwrap()).or_default() += 1;
            }
        }
        counts
    }

    /// Waits until so many calls have begun.
    pub(super) async fn until_begun(&self, calls: usize) {
        for _ in 0..6_000 {
            if self.begun().len() >= calls {
                return;
            }
            sleep(Duration::from_millis(10)).await;
        }
        panic!("{} of {calls} calls have begun", self.begun().len());
    }
}

/// What a caller was told of a call.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Told {
    Answered,
    /// It was not sent, or no server has taken it.
    NotRun,
    Unknown,
}

impl Told {
    /// What the outcome of `run` with this id tells.
    pub(super) fn of(id: u64, outcome: &Result<u64, Error>) -> Self {
        match outcome {
            Ok(answer) => {
                assert_eq!(*answer, id);
                Self::Answered
            }
            Err(error) => match error.kind() {
                ErrorKind::NotSent => Self::NotRun,
                ErrorKind::Unknown => Self::Unknown,
                ErrorKind::Refused(object) if object.code().0 == -32000 => Self::NotRun,
                ErrorKind::Refused(object) if object.code().0 == -32601 => Self::NotRun,
                _ => panic!("call {id}: {error:?}"),
            },
        }
    }
}

/// Checks that callers were told what servers have done.
pub(super) fn agree(told: &HashMap<u64, Told>, begun: &HashMap<u64, u32>) {
    for (id, told) in told {
        let runs = begun.get(id).copied().unwrap_or_default();
        let agrees = match told {
            Told::Answered => runs == 1,
            Told::NotRun => runs == 0,
            Told::Unknown => runs <= 1,
        };
        assert!(agrees, "call {id} has run {runs} times, and was {told:?}");
    }
    for id in begun.keys() {
        assert!(told.contains_key(id), "nobody was told of call {id}");
    }
}
