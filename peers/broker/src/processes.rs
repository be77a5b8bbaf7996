//! Child processes, which end with their handles, and the CPU time of a process.

use std::io::Read as _;
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::Failure;

/// A child process; it is killed when this is dropped.
pub(crate) struct Child(std::process::Child);

impl Child {
    /// Starts this program again, on one core if `taskset` is there.
    pub(crate) fn start(core: usize, words: &[&str]) -> Result<Self, Failure> {
        let program = std::env::current_exe()?;
        let pinned = Command::new("taskset")
            .arg("-V")
            .stdout(Stdio::null())
            .status();
        let mut command = match pinned.is_ok_and(|status| status.success()) {
            true => {
                let mut command = Command::new("taskset");
                command.args(["-c", &core.to_string()]).arg(program);
                command
            }
            false => Command::new(program),
        };
        let command = command
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        Ok(Self(command.spawn()?))
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    pub(crate) fn stdout(&mut self) -> Option<&mut std::process::ChildStdout> {
        self.0.stdout.as_mut()
    }

    /// What it prints until it ends.
    pub(crate) fn output(mut self) -> Result<String, Failure> {
        let mut text = String::new();
        let stdout = self.0.stdout.take().ok_or("a child without stdout")?;
        stdout.take(4096).read_to_string(&mut text)?;
        match self.0.wait()?.success() {
            true => Ok(text),
            false => Err("a measurement failed".into()),
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a NATS server on a free port.
pub(crate) fn broker() -> Result<(Child, u16), Failure> {
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let started = ["nats-server", "/usr/sbin/nats-server"]
        .into_iter()
        .find_map(|program| {
            let mut command = Command::new(program);
            command.args(["-a", "127.0.0.1", "-p", &port.to_string()]);
            command.stdout(Stdio::null()).stderr(Stdio::null());
            command.spawn().ok()
        });
    let broker = Child(started.ok_or("nats-server is not installed")?);
    let until = Instant::now() + Duration::from_secs(10);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        if Instant::now() >= until {
            return Err("nats-server does not listen".into());
        }
        thread::sleep(Duration::from_millis(10));
    }
    Ok((broker, port))
}

/// Ends this process when its standard input does, so that it does not outlive its parent.
pub(crate) fn end_with_parent() {
    thread::spawn(|| {
        while matches!(std::io::stdin().read(&mut [0; 64]), Ok(1..)) {}
        std::process::exit(0);
    });
}

/// CPU seconds that a process has used so far, in user and kernel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cpu(pub(crate) f64);

impl Cpu {
    pub(crate) fn of(pid: u32) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // The second field, the name in parentheses, may hold anything.
        let (_, fields) = text.rsplit_once(')').ok_or("no statistics of a process")?;
        let mut fields = fields.split_ascii_whitespace().skip(14 - 3);
        let mut ticks = || -> Result<f64, Failure> {
            Ok(fields.next().ok_or("no statistics of a process")?.parse()?)
        };
        Ok(Self((ticks()? + ticks()?) / 100.0))
    }
}
