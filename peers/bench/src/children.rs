//! Child processes of `bench run`: servers, and measurements that print a finding. Each ends with
//! its handle, and when this process ends.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::Failure;
use crate::cases::{Case, Setup};
use crate::cpu::Pinning;
use crate::finding::{Finding, Refused};
use crate::servers::{Peer, program};

/// The first core of servers, and that of load generators and clients.
pub(crate) const SERVER_CORE: usize = 0;
pub(crate) const LOAD_CORE: usize = 1;

/// Timeout of a measurement.
const CHILD_LIMIT: Duration = Duration::from_secs(120);

/// How long a server may take to start.
const SERVER_START: Duration = Duration::from_secs(20);

/// How long a server may take to exit after it is told to; then it is killed.
const SERVER_END: Duration = Duration::from_secs(2);

/// Maximum size of the error messages of a program that does not start.
const MAX_ERRORS: u64 = 4096;

/// How child processes are started.
pub(crate) struct Starter {
    /// This program.
    pub(crate) bench: PathBuf,
    /// The program `antiphon`, if one of its cases is measured.
    pub(crate) antiphon: Option<PathBuf>,
    pub(crate) pinning: Pinning,
    pub(crate) quick: bool,
}

/// A server process. Dropping it ends the process.
pub(crate) struct Server {
    child: Child,
    pub(crate) url: String,
    /// Whether it ends with a signal; otherwise with its standard input.
    by_signal: bool,
}

impl Starter {
    /// Starts the server of a peer, or returns [`Refused`] if it does not support the case.
    pub(crate) fn server(&self, peer: Peer, case: Case) -> Result<Server, Failure> {
        match peer.program {
            true => self.program(case),
            false => self.library(peer, case),
        }
    }

    fn library(&self, peer: Peer, case: Case) -> Result<Server, Failure> {
        let cores = case.setup().cores();
        let mut command = self.pinning.command(SERVER_CORE, cores, &self.bench);
        command.args(["serve", peer.name, &case.name()]);
        let child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut server = Server::new(child, false);
        let stdout = server.child.stdout.take();
        let mut line = String::new();
        BufReader::new(stdout.ok_or("a server without stdout")?).read_line(&mut line)?;
        if let Some(why) = line.trim().strip_prefix("refused: ") {
            return Err(Refused(why.to_owned()).into());
        }
        let port = line.trim().parse();
        server.is_at(case, port.map_err(|_| "the server did not start")?);
        Ok(server)
    }

    fn program(&self, case: Case) -> Result<Server, Failure> {
        let program = self.antiphon.as_ref().ok_or("antiphon was not built")?;
        let cores = case.setup().cores();
        let mut command = self.pinning.ending_command(SERVER_CORE, cores, program);
        command.args(program::arguments(case));
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut server = Server::new(child, true);
        let stderr = server.child.stderr.take();
        let lines = lines_of(stderr.ok_or("a server without stderr")?);
        let deadline = Instant::now() + SERVER_START;
        let mut starting = match case.setup() {
            Setup::Workers(count) => count,
            Setup::Threads(_) => 0,
        };
        let mut said = String::new();
        while let Ok(line) = lines.recv_timeout(deadline - Instant::now()) {
            if program::is_worker_ready(&line) {
                starting = starting.saturating_sub(1);
            }
            if let Some(port) = program::announced_port(&line) {
                server.is_at(case, port);
            }
            if starting == 0 && !server.url.is_empty() {
                return Ok(server);
            }
            said.push_str(&line);
        }
        Err(format!("antiphon did not start: {said}").into())
    }

    /// Runs a child process that prints one finding.
    pub(crate) fn measure(&self, core: usize, arguments: &[&str]) -> Result<Finding, Failure> {
        let mut command: Command = self.pinning.command(core, 1, &self.bench);
        command.args(arguments);
        if self.quick {
            command.arg("--quick");
        }
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut child = Ended(child);
        if !ends_within(&mut child.0, CHILD_LIMIT)? {
            return Err("a measurement did not end in time".into());
        }
        // One line fits into the pipe buffer, so the child could write it before it was read.
        let mut line = String::new();
        let stdout = child.0.stdout.take().ok_or("a child without stdout")?;
        stdout.take(4096).read_to_string(&mut line)?;
        if !child.0.wait()?.success() {
            return Err("a measurement failed".into());
        }
        Ok(serde_json::from_str(&line)?)
    }
}

impl Server {
    fn new(child: Child, by_signal: bool) -> Self {
        Self {
            child,
            url: String::new(),
            by_signal,
        }
    }

    fn is_at(&mut self, case: Case, port: u16) {
        self.url = format!("{}://127.0.0.1:{port}/", case.scheme());
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        // The process is not waited for yet, so its id is still its own.
        if self.by_signal
            && let Ok(Some(pid)) = self.pid().try_into().map(Pid::from_raw)
        {
            let _ = kill_process(pid, Signal::TERM);
        }
        if !matches!(ends_within(&mut self.child, SERVER_END), Ok(true)) {
            kill(&mut self.child);
        }
    }
}

/// A child process that is killed when the handle is dropped.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        kill(&mut self.0);
    }
}

/// The lines of a stream, which is read to its end, so that whoever writes never waits. Those that
/// nobody asks for are dropped.
fn lines_of(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = mpsc::sync_channel(64);
    thread::spawn(move || {
        let mut stream = BufReader::new(stream);
        loop {
            let mut line = String::new();
            match stream.by_ref().take(MAX_ERRORS).read_line(&mut line) {
                Ok(1..) => drop(sender.try_send(line)),
                _ => return,
            }
        }
    });
    receiver
}

fn ends_within(child: &mut Child, limit: Duration) -> Result<bool, Failure> {
    let deadline = Instant::now() + limit;
    while child.try_wait()?.is_none() {
        if Instant::now() >= deadline {
            return Ok(false);
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(true)
}

/// Kills by process id. A process that has already ended is no error.
fn kill(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_server_has_ended_however_it_is_told() {
        for by_signal in [true, false] {
            // `cat` ends with its input, and with the signal.
            let child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
            let pid = child.id();
            drop(Server::new(child, by_signal));
            assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
        }
    }

    #[test]
    fn lines_are_read_even_if_nobody_asks() {
        let text = "a\n".repeat(1000);
        let lines = lines_of(std::io::Cursor::new(text));
        assert_eq!(lines.recv().unwrap(), "a\n");
        assert!(lines.iter().count() < 1000);
    }
}
