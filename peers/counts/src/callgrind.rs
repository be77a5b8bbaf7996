//! Program under callgrind: its start, the addresses that it prints, its end, and the total that
//! callgrind writes.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::Failure;
use crate::programs::Program;

/// Deadline of the start, and of the end. Under callgrind they take about two seconds on an idle
/// machine, and this one may be busy.
const PATIENCE: Duration = Duration::from_secs(180);

/// Keeps the C library from `rep movsb` and `rep stosb` for more than 2 KiB. Callgrind would count an
/// instruction for each byte, while a processor, and every other loop, takes many at once.
const WITHOUT_REP: &str = "glibc.cpu.hwcaps=-ERMS,-FSRM";

/// Words before an address in the output of a server.
const LISTENING: &str = "listening on ";

/// Fails if valgrind is missing, before minutes are spent on programs.
pub(crate) fn is_there() -> Result<(), Failure> {
    let version = Command::new("valgrind")
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    match version {
        Ok(status) if status.success() => Ok(()),
        _ => Err("valgrind is needed: install the package of this name".into()),
    }
}

/// A running program. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Counted {
    child: Child,
    lines: Receiver<String>,
    /// Output so far, for failures.
    printed: Vec<String>,
    /// The file that callgrind writes at the end.
    file: PathBuf,
    /// Whether it was told to end.
    told: bool,
}

impl Counted {
    pub(crate) fn start(program: &Program) -> Result<Self, Failure> {
        let file = std::env::temp_dir().join(format!("antiphon-counts-{}.out", std::process::id()));
        let _ = std::fs::remove_file(&file);
        let mut child = Command::new("valgrind")
            .args(["--quiet", "--tool=callgrind"])
            .arg(format!("--callgrind-out-file={}", file.display()))
            .arg(&program.file)
            .args(&program.arguments)
            // No setting of this shell, of valgrind or of the C library.
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            // `antiphon serve` executes itself again to set this. Callgrind would not follow.
            .env("MALLOC_MMAP_THRESHOLD_", "262144")
            .env("GLIBC_TUNABLES", WITHOUT_REP)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("valgrind: {error}"))?;
        let (sender, lines) = mpsc::channel();
        if let Some(stderr) = child.stderr.take() {
            // Ends with the output. It is read to its end, so that the program never blocks.
            std::thread::spawn(move || {
                for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                    let _ = sender.send(line);
                }
            });
        }
        Ok(Self {
            child,
            lines,
            printed: Vec::new(),
            file,
            told: false,
        })
    }

    /// Waits until the server has printed so many addresses. Each has its scheme before it.
    pub(crate) fn addresses(&mut self, count: usize) -> Result<Vec<(String, SocketAddr)>, Failure> {
        let deadline = Instant::now() + PATIENCE;
        let mut found = Vec::new();
        while found.len() < count {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    found.extend(address(&line));
                    self.printed.push(line);
                }
                Err(RecvTimeoutError::Timeout) => return Err("it does not start".into()),
                Err(RecvTimeoutError::Disconnected) => return Err("it has ended".into()),
            }
        }
        Ok(found)
    }

    /// Tells the program to end.
    pub(crate) fn terminate(&mut self) -> Result<(), Failure> {
        let pid = i32::try_from(self.child.id())?;
        let pid = Pid::from_raw(pid).ok_or("a process without a number")?;
        self.told = true;
        Ok(kill_process(pid, Signal::TERM)?)
    }

    /// Waits for the end, and returns the total of instructions.
    pub(crate) fn total(mut self) -> Result<u64, Failure> {
        let status = self.wait()?;
        // A program that does not handle the signal dies of it. Callgrind writes its total all the same.
        let died_of_it = self.told && status.signal() == Some(Signal::TERM.as_raw());
        if !status.success() && !died_of_it {
            return Err(self.failure(&format!("it failed ({status})")));
        }
        self.read_to_end()?;
        if self.printed.iter().any(|line| is_complaint(line)) {
            return Err(self.failure("valgrind complains"));
        }
        let text = std::fs::read_to_string(&self.file)
            .map_err(|error| format!("{}: {error}", self.file.display()))?;
        Ok(total(&text)?)
    }

    /// Reads what the program has printed until its end.
    fn read_to_end(&mut self) -> Result<(), Failure> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => self.printed.push(line),
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
                Err(RecvTimeoutError::Timeout) => {
                    return Err(self.failure("something holds its standard error open"));
                }
            }
        }
    }

    fn wait(&mut self) -> Result<ExitStatus, Failure> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            if Instant::now() > deadline {
                return Err(self.failure("it does not end"));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// A failure with what the program has printed.
    pub(crate) fn failure(&mut self, what: &str) -> Failure {
        self.printed.extend(self.lines.try_iter());
        format!("{what}; it has printed:\n{}", self.printed.join("\n")).into()
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_file(&self.file);
    }
}

/// The scheme and the address in a line such as `antiphon listening on http://127.0.0.1:8060`.
fn address(line: &str) -> Option<(String, SocketAddr)> {
    let (_, url) = line.split_once(LISTENING)?;
    let (scheme, address) = url.trim().split_once("://")?;
    Some((scheme.to_owned(), address.parse().ok()?))
}

/// Whether a line is from valgrind itself: `==PID== …` or `--PID-- …`. Quiet, it only has complaints.
fn is_complaint(line: &str) -> bool {
    ["==", "--"].iter().any(|mark| {
        let rest = line.strip_prefix(mark);
        let rest = rest.map(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()));
        rest.is_some_and(|rest| rest.starts_with(mark))
    })
}

/// The total in a file of callgrind, which counts instructions (`Ir`) and nothing else by default.
fn total(text: &str) -> Result<u64, String> {
    let field = |name: &str| {
        let mut values = text.lines().filter_map(|line| line.strip_prefix(name));
        (values.next().map(str::trim), values.next().is_some())
    };
    match field("events:") {
        (Some("Ir"), false) => {}
        (events, _) => return Err(format!("callgrind has counted {events:?}, not \"Ir\"")),
    }
    let (value, again) = match field("totals:") {
        (None, _) => field("summary:"),
        found => found,
    };
    let value = value.ok_or("callgrind has written no total")?;
    if again {
        return Err("callgrind has written more than one total".into());
    }
    value
        .parse()
        .map_err(|_| format!("callgrind has written {value:?} as total"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_total() {
        for (text, expected) in [
            (
                "events: Ir\nsummary: 12\n\nfn=(1) a\n3 4\ntotals: 12\n",
                Ok(12),
            ),
            ("version: 1\nevents: Ir\nsummary: 1710438\n", Ok(1_710_438)),
            ("events: Ir\ntotals: 7", Ok(7)),
            ("events: Ir\ntotals: 7\ntotals: 8\n", Err("more than one")),
            ("events: Ir\nfn=totals: 3\n", Err("no total")),
            ("events: Ir\ntotals: 7 8\n", Err("\"7 8\"")),
            ("events: Ir\ntotals: -7\n", Err("\"-7\"")),
            ("events: Ir Dr\ntotals: 7 8\n", Err("Ir Dr")),
            ("totals: 7\n", Err("None")),
            ("", Err("None")),
        ] {
            match (total(text), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{text:?}"),
                (Err(why), Err(part)) => assert!(why.contains(part), "{text:?}: {why}"),
                (found, _) => panic!("{text:?}: {found:?}"),
            }
        }
    }

    #[test]
    fn finds_addresses_and_complaints() {
        let parse = |line| address(line).map(|(scheme, at)| (scheme, at.port()));
        for (line, expected) in [
            (
                "antiphon listening on http://127.0.0.1:8060",
                Some(("http", 8060)),
            ),
            ("listening on ws://127.0.0.1:1\n", Some(("ws", 1))),
            ("listening on unix:/run/socket", None),
            ("listening", None),
        ] {
            let expected = expected.map(|(scheme, port)| (scheme.to_owned(), port));
            assert_eq!(parse(line), expected, "{line:?}");
        }
        for (line, expected) in [
            ("==12== error calling PR_SET_PTRACER", true),
            ("--12-- WARNING: unhandled amd64-linux syscall: 999", true),
            ("antiphon listening on http://127.0.0.1:8060", false),
            ("== 12", false),
        ] {
            assert_eq!(is_complaint(line), expected, "{line:?}");
        }
    }
}
