//! Child processes: the same program, executed again.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;

use super::handover::Handover;
use super::role;

/// Capacity of the queue of signals to one process.
const SIGNAL_QUEUE: usize = 8;

/// Command line of this program, to execute it again.
#[derive(Clone, Debug)]
pub(crate) struct CommandLine {
    /// Path of the executable at the start. The file may have been replaced since.
    path: PathBuf,
    arguments: Vec<OsString>,
}

/// Which executable to start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Executable {
    /// The running executable, even if its file was replaced or deleted: a worker.
    Running,
    /// The file that is now at its path: a successor.
    Replaced,
}

impl CommandLine {
    pub(crate) fn of_this_process() -> io::Result<Self> {
        Ok(Self {
            path: std::env::current_exe()?,
            arguments: std::env::args_os().collect(),
        })
    }

    /// File name of the program.
    pub(crate) fn name(&self) -> String {
        let name = self.path.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    /// Starts the program. Its standard input is a socket that carries the handover.
    pub(crate) fn start(
        &self,
        executable: Executable,
        handover: &Handover,
        sockets: &[OwnedFd],
    ) -> io::Result<(Child, UnixStream)> {
        let (ours, theirs) = UnixStream::pair()?;
        handover.send(&ours, sockets)?;
        let mut command = match executable {
            Executable::Running if cfg!(target_os = "linux") => Command::new("/proc/self/exe"),
            _ => Command::new(&self.path),
        };
        let mut arguments = self.arguments.iter();
        if let Some(name) = arguments.next() {
            command.arg0(name);
        }
        command
            .args(arguments)
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            // Workers must not outlive the supervisor, but a successor must.
            .kill_on_drop(executable == Executable::Running);
        for variable in role::PRIVATE {
            if executable == Executable::Running || !role::MANAGED.contains(&variable) {
                command.env_remove(variable);
            }
        }
        let marker = match executable {
            Executable::Running => role::WORKER,
            Executable::Replaced => role::SUCCESSOR,
        };
        command.env(marker, std::process::id().to_string());
        if std::env::var_os(MMAP_THRESHOLD).is_none() {
            command.env(MMAP_THRESHOLD, MMAP_THRESHOLD_BYTES);
        }
        let child = command.spawn()?;
        Ok((child, ours))
    }
}

/// From this size on the C library of Linux takes memory from the system, and returns it when it is
/// freed. By default the size grows with what is freed, and the memory of large messages stays.
const MMAP_THRESHOLD: &str = "MALLOC_MMAP_THRESHOLD_";
const MMAP_THRESHOLD_BYTES: &str = "262144";

/// Sends signals to a child process for as long as it has not been reaped.
#[derive(Clone, Debug)]
pub(crate) struct SignalSender(mpsc::Sender<Signal>);

impl SignalSender {
    pub(crate) fn send(&self, signal: Signal) {
        // If the queue is full, one more signal would make no difference.
        let _ = self.0.try_send(signal);
    }
}

/// The receiving end of a [`SignalSender`].
#[derive(Debug)]
pub(crate) struct SignalReceiver(mpsc::Receiver<Signal>);

pub(crate) fn signals() -> (SignalSender, SignalReceiver) {
    let (sender, receiver) = mpsc::channel(SIGNAL_QUEUE);
    (SignalSender(sender), SignalReceiver(receiver))
}

impl SignalReceiver {
    /// Forwards signals until the process has exited. A process that has been reaped gets none,
    /// because its PID may have been reused.
    pub(crate) async fn pass_on(&mut self, child: &mut Child) -> io::Result<ExitStatus> {
        loop {
            let signal = tokio::select! {
                ended = child.wait() => return ended,
                Some(signal) = self.0.recv() => signal,
            };
            let id = child.id().and_then(|id| i32::try_from(id).ok());
            if let Some(pid) = id.and_then(Pid::from_raw) {
                let _ = kill_process(pid, signal);
            }
        }
    }
}
