//! Handle of a server under test in its own process.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::{Value, json};

use crate::http::{Outcome, call};

/// Timeout of everything that a test waits for.
const TIMEOUT: Duration = Duration::from_secs(40);

/// How often a dropped server looks for processes that it has left.
const KILLS: usize = 200;

/// A server process. Dropping it ends the server, its workers, and what has taken over from it.
#[derive(Debug)]
pub struct Server {
    child: Child,
    printed: Arc<Mutex<Vec<String>>>,
    /// Thread that collects the output until all processes have closed it.
    reader: JoinHandle<()>,
    pub address: SocketAddr,
    folder: PathBuf,
}

impl Server {
    /// Starts the program with these arguments on a free port, and waits until it serves.
    pub fn start(program: impl AsRef<Path>, arguments: &[&str]) -> Self {
        let mut server = Self::launch(program, arguments);
        let address = until("the server serves", || {
            if let Ok(Some(status)) = server.child.try_wait() {
                panic!("it has ended ({status}): {:#?}", server.printed());
            }
            let printed = server.printed();
            let line = printed
                .iter()
                .find_map(|line| line.strip_prefix("antiphon listening on http://"));
            line.and_then(|address| address.parse().ok())
        });
        server.address = address;
        server
    }

    /// Starts the program without waiting.
    pub fn launch(program: impl AsRef<Path>, arguments: &[&str]) -> Self {
        let folder = folder();
        let mut child = Command::new(program.as_ref())
            .args(["--bind", "127.0.0.1:0", "--control"])
            .arg(folder.join("control.sock"))
            .args(arguments)
            .env_remove("XDG_RUNTIME_DIR")
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let printed = Arc::<Mutex<Vec<String>>>::default();
        let (lines, stderr) = (Arc::clone(&printed), child.stderr.take().unwrap());
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                lines.lock().unwrap().push(line);
            }
        });
        Self {
            child,
            printed,
            reader,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            folder,
        }
    }

    /// The output so far.
    pub fn printed(&self) -> Vec<String> {
        self.printed.lock().unwrap().clone()
    }

    /// The complete output, once the server and its workers have ended.
    pub fn last_words(&self) -> Vec<String> {
        until("nothing more can be printed", || {
            self.reader.is_finished().then(|| self.printed())
        })
    }

    /// Whether the output so far has a line with these words. Recent output may not have been read
    /// yet: wait for it with [`until`].
    pub fn says(&self, words: &str) -> bool {
        self.printed().iter().any(|line| line.contains(words))
    }

    pub fn control(&self) -> PathBuf {
        self.folder.join("control.sock")
    }

    /// A path in the folder of this server.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, signal: Signal) {
        send(self.pid(), signal);
    }

    /// Sends a signal to a worker.
    pub fn signal_worker(&self, pid: u32, signal: Signal) {
        send(pid, signal);
    }

    /// Waits until the server has ended.
    pub fn ended(&mut self) -> ExitStatus {
        let child = &mut self.child;
        until("the server has ended", || child.try_wait().unwrap())
    }

    /// The result of `server_info`.
    pub fn info(&self) -> Value {
        until("the server tells how it is", || {
            match call(self.address, "server_info", &json!([])) {
                Outcome::Answered(info) => Some(info),
                _ => None,
            }
        })
    }

    /// The ids and process ids of all workers in this state.
    pub fn workers(&self, state: &str) -> Vec<(String, u32)> {
        let info = self.info();
        let workers = info["monitors"]["rpc"]["workers"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let these = workers
            .iter()
            .filter(|worker| worker["actor"]["state"] == state);
        these
            .map(|worker| {
                let pid = worker["actor"]["process_id"].as_u64().unwrap();
                let id = worker["actor"]["actor_id"].as_str().unwrap();
                (id.to_owned(), u32::try_from(pid).unwrap())
            })
            .collect()
    }

    /// Waits until this many workers run, and none is starting or stopping.
    pub fn settled(&self, workers: usize) -> Vec<(String, u32)> {
        until("all workers run", || {
            let info = self.info();
            let all = info["monitors"]["rpc"]["workers"]
                .as_array()
                .map_or(0, Vec::len);
            let running = self.workers("running");
            (running.len() == workers && all == workers).then_some(running)
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The workers notice the end of their supervisor and exit by themselves.
        let _ = self.child.kill();
        let _ = self.child.wait();
        // A successor after an upgrade is no child, and may just be starting.
        for _ in 0..KILLS {
            let left = processes_with(&self.folder);
            if left.is_empty() {
                break;
            }
            for pid in left {
                send(pid, Signal::KILL);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = std::fs::remove_dir_all(&self.folder);
        if std::thread::panicking() {
            eprintln!("the server has printed: {:#?}", self.printed());
        }
    }
}

/// The processes that were started with arguments below this folder, which each server has for itself:
/// supervisors and workers of a server, also those of a program that has taken over.
fn processes_with(folder: &Path) -> Vec<u32> {
    let folder = format!("{}/", folder.display());
    let processes = std::fs::read_dir("/proc").unwrap();
    let pids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let is_one = |pid: &u32| {
        // A process that has ended has no arguments.
        let arguments = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        arguments
            .split(|&byte| byte == 0)
            .any(|argument| argument.starts_with(folder.as_bytes()))
    };
    pids.filter(is_one).collect()
}

fn send(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    // Fails if the process has just ended.
    let _ = kill_process(pid, signal);
}

/// Whether the process exists and is not a zombie.
pub fn alive(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    test_kill_process(pid).is_ok() && !stat.contains(") Z ")
}

/// The CPU time of a process in seconds.
pub fn cpu_seconds(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<_> = stat
        .rsplit_once(')')
        .unwrap()
        .1
        .split_whitespace()
        .collect();
    let ticks = |at: usize| fields[at].parse::<f64>().unwrap();
    (ticks(11) + ticks(12)) / 100.0
}

/// Polls until there is a value; panics after the timeout.
pub fn until<T>(what: &str, mut there: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(found) = there() {
            return found;
        }
        assert!(begin.elapsed() < TIMEOUT, "it never came about that {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn folder() -> PathBuf {
    static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    let name = format!("antiphon-faults-{}-{number}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}
