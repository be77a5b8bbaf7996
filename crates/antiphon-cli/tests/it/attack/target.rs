//! Process under attack.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

use super::subject;
use crate::support::{TIMEOUT, TOOL};
use crate::wire::{DEADLINE, Peer, Place, Protocol, Socket};

/// A server in a process of its own, which ends when it is dropped.
pub(crate) struct Target {
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
    reader: Option<JoinHandle<()>>,
    places: Vec<(&'static str, Place)>,
    folder: PathBuf,
}

/// The beginning of a URL, and how its listener is named here.
const SCHEMES: [(&str, &str); 5] = [
    ("http+unix:", "http+unix"),
    ("http://", "http"),
    ("https://", "https"),
    ("tcp://", "tcp"),
    ("unix:", "unix"),
];

impl Target {
    /// `antiphon serve` with these flags.
    pub(crate) fn shipped(flags: &[&str]) -> Self {
        let mut command = Command::new(TOOL);
        command.arg("serve");
        Self::start(command, flags, |command, arguments| {
            command.args(arguments);
        })
    }

    /// The server of [`subject`], with the flags of `antiphon serve`, or `--mounted`.
    pub(crate) fn subject(flags: &[&str]) -> Self {
        Self::subject_by(Command::new(std::env::current_exe().unwrap()), flags)
    }

    /// The same, below a limit of the system on the memory of each of its processes.
    pub(crate) fn limited(mebibytes: usize, flags: &[&str]) -> Self {
        let mut command = Command::new("sh");
        // The limit of data counts what a process may write to and nobody else sees: the heap and
        // the stacks. That of the address space would count what an allocator only reserves.
        let script = format!("ulimit -d {} && exec \"$0\" \"$@\"", mebibytes * 1024);
        command.args(["-c", &script]);
        command.arg(std::env::current_exe().unwrap());
        Self::subject_by(command, flags)
    }

    fn subject_by(mut command: Command, flags: &[&str]) -> Self {
        command.args([subject::TEST, "--exact", "--ignored", "--nocapture", "-q"]);
        // As `antiphon serve` has it, and docs/deploy.md says.
        command.env("MALLOC_MMAP_THRESHOLD_", "262144");
        Self::start(command, flags, |command, arguments| {
            command.env(subject::ARGUMENTS, arguments.join("\n"));
        })
    }

    fn start(
        mut command: Command,
        flags: &[&str],
        pass: impl FnOnce(&mut Command, &[String]),
    ) -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("antiphon-attack-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("ANTIPHON_") {
                command.env_remove(name);
            }
        }
        let arguments: Vec<_> = flags
            .iter()
            .map(|flag| flag.replace("{folder}", folder.to_str().unwrap()))
            .collect();
        pass(&mut command, &arguments);
        let mut child = command
            .env_remove("XDG_RUNTIME_DIR")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::<Mutex<Vec<String>>>::default();
        let (lines, stderr) = (Arc::clone(&log), child.stderr.take().unwrap());
        let reader = spawn(move || {
            for line in BufReader::new(stderr).split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line).into_owned();
                lines.lock().unwrap().push(line);
            }
        });
        let mut target = Self {
            child,
            log,
            reader: Some(reader),
            places: Vec::new(),
            folder,
        };
        let is_stdio = flags.contains(&"--stdio");
        let expected = match flags.iter().position(|flag| *flag == "--bind") {
            Some(at) => flags[at + 1].split(',').count(),
            None => usize::from(!is_stdio),
        };
        target.read_places(expected);
        target
    }

    /// Waits until the server has told where it listens.
    fn read_places(&mut self, expected: usize) {
        let begin = Instant::now();
        while self.places.len() < expected {
            let log = self.log();
            assert!(begin.elapsed() < TIMEOUT, "it does not listen: {log:#?}");
            let urls = log
                .iter()
                .filter_map(|line| line.strip_prefix("antiphon listening on "));
            self.places = urls.map(place).collect();
            sleep(Duration::from_millis(5));
        }
    }

    /// Where it serves this scheme; `framed` is TCP with headers.
    pub(crate) fn place(&self, scheme: &str) -> &Place {
        let mut places = self.places.iter();
        let found = places.find(|(name, _)| *name == scheme);
        &found
            .unwrap_or_else(|| panic!("{scheme}: {:?}", self.places))
            .1
    }

    pub(crate) fn connect(&self, scheme: &str, protocol: Protocol) -> Peer {
        Peer::connect(self.place(scheme), protocol).unwrap()
    }

    /// The peer at the other end of standard input and output.
    pub(crate) fn stdio(&mut self) -> Peer {
        let (input, output) = (self.child.stdin.take(), self.child.stdout.take());
        Peer::over(
            Socket::Pipes(input.unwrap(), output.unwrap()),
            Protocol::Lines,
        )
        .unwrap()
    }

    /// The process ids of the server and its workers.
    pub(crate) fn processes(&self) -> Vec<u32> {
        let id = self.child.id();
        // A child belongs to the thread that has started it.
        let threads = fs::read_dir(format!("/proc/{id}/task")).unwrap();
        let children = threads
            .filter_map(|thread| fs::read_to_string(thread.ok()?.path().join("children")).ok());
        let children: String = children.collect();
        let mut all: Vec<u32> = children
            .split_whitespace()
            .map(|id| id.parse().unwrap())
            .collect();
        all.sort_unstable();
        all.insert(0, id);
        all
    }

    /// The lines on standard error so far.
    pub(crate) fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    /// Sends a signal this many times.
    pub(crate) fn signal(&self, name: &str, times: usize) {
        let script = format!(
            "i=0; while [ $i -lt {times} ]; do kill -s {name} {}; i=$((i+1)); done",
            self.child.id()
        );
        let sent = Command::new("sh").args(["-c", &script]).status();
        assert!(sent.unwrap().success());
    }

    /// The result of `server_info`.
    pub(crate) fn info(&self) -> serde_json::Value {
        let mut peer = self.connect("http", Protocol::Http1);
        let answer = peer
            .ask(&crate::wire::call(1, "server_info", "[]"))
            .unwrap();
        serde_json::from_str::<serde_json::Value>(&answer).unwrap()["result"].take()
    }

    /// The connections that are open, and the calls in flight, without those of this question.
    pub(crate) fn load(&self) -> (u64, u64) {
        let info = self.info();
        let clients = &info["monitors"]["rpc"]["rpcserver"]["clients"];
        let count = |name: &str| clients[name].as_u64().unwrap();
        (count("connected_clients") - 1, count("requests_in_flight"))
    }

    /// Stops the server, which has to end well, and returns its log.
    pub(crate) fn stop(mut self) -> Vec<String> {
        self.signal("TERM", 1);
        let status = self.wait(DEADLINE);
        assert!(
            status.is_some_and(|status| status.success()),
            "{status:?}: {:#?}",
            self.log()
        );
        self.reader.take().unwrap().join().unwrap();
        self.log()
    }

    fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        let begin = Instant::now();
        while begin.elapsed() < limit {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Some(status);
            }
            sleep(Duration::from_millis(5));
        }
        None
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        // Workers end by themselves when their supervisor has died.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A listener: its name and its address.
fn place(url: &str) -> (&'static str, Place) {
    let scheme = SCHEMES.iter().find_map(|(prefix, name)| {
        let rest = url.strip_prefix(prefix)?;
        Some((*name, rest))
    });
    let (name, rest) = scheme.expect(url);
    let (address, options) = rest.split_once('?').unwrap_or((rest, ""));
    match name {
        "unix" | "http+unix" => (name, Place::Unix(address.into())),
        "tcp" if !options.is_empty() => ("framed", Place::Tcp(address.parse().unwrap())),
        _ => (name, Place::Tcp(address.parse().unwrap())),
    }
}
