//! Child process: the same program, started once more.

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

/// Signals that may wait to be sent.
const SIGNALS: usize = 8;

/// How this program was started, to do it again.
#[derive(Clone, Debug)]
pub(crate) struct CommandLine {
    /// Where the program was found when it started: another one may be there by now.
    path: PathBuf,
    arguments: Vec<OsString>,
}

/// Which program is started.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Executable {
    /// The one that runs, whatever has become of its file.
    Running,
    /// The one that is in its place now.
    Replaced,
}

impl CommandLine {
    pub(crate) fn of_this_process() -> io::Result<Self> {
        Ok(Self {
            path: std::env::current_exe()?,
            arguments: std::env::args_os().collect(),
        })
    }

    /// What the program is called, for people.
    pub(crate) fn name(&self) -> String {
        let name = self.path.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    /// Starts the program, with a socket as its standard input on which it is told what to do.
    pub(crate) fn start(
        &self,
        executable: Executable,
        marker: &str,
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
            // A worker is nothing without us; what takes over from us stays.
            .kill_on_drop(executable == Executable::Running);
        for variable in role::PRIVATE {
            if executable == Executable::Running || !role::MANAGED.contains(&variable) {
                command.env_remove(variable);
            }
        }
        command.env(marker, std::process::id().to_string());
        let child = command.spawn()?;
        Ok((child, ours))
    }
}

/// Sends signals to a process for as long as it is ours.
#[derive(Clone, Debug)]
pub(crate) struct SignalSender(mpsc::Sender<Signal>);

impl SignalSender {
    pub(crate) fn send(&self, signal: Signal) {
        // When many wait already, another one changes nothing.
        let _ = self.0.try_send(signal);
    }
}

/// The other end of a [`SignalSender`].
#[derive(Debug)]
pub(crate) struct SignalReceiver(mpsc::Receiver<Signal>);

pub(crate) fn signals() -> (SignalSender, SignalReceiver) {
    let (sender, receiver) = mpsc::channel(SIGNALS);
    (SignalSender(sender), SignalReceiver(receiver))
}

impl SignalReceiver {
    /// Passes signals on until the process has ended. A process that has been waited for gets none:
    /// its number may be somebody else's.
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
