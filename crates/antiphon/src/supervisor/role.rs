//! Role of this process: an own server, a worker, or a supervisor that takes over.
//!
//! Environment variables say so, and they count only if they name the process that has started this
//! one: programs that a worker starts inherit the variable, but are no workers.

use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::{Pid, getppid};

use super::handover::Handover;
use std::os::fd::OwnedFd;

/// Names the supervisor whose worker this process is.
pub(crate) const WORKER: &str = "ANTIPHON_WORKER";

/// Names the supervisor that this process is to replace.
pub(crate) const SUCCESSOR: &str = "ANTIPHON_SUCCESSOR";

/// What the processes we start are not to see: it is about this one.
pub(crate) const PRIVATE: [&str; 10] = [
    WORKER,
    SUCCESSOR,
    "LISTEN_PID",
    "LISTEN_FDS",
    "LISTEN_FDNAMES",
    "LISTEN_PIDFDID",
    "NOTIFY_SOCKET",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
    "FDSTORE",
];

/// Of these, what a successor needs to speak to the service manager.
pub(crate) const MANAGED: [&str; 2] = ["NOTIFY_SOCKET", "WATCHDOG_USEC"];

/// What this process is.
#[derive(Debug)]
pub(crate) enum Role {
    /// Nobody's worker.
    Own,
    Worker(Assignment),
    Successor(Assignment),
}

/// What a process has been told, and the socket to whoever has told it.
#[derive(Debug)]
pub(crate) struct Assignment {
    pub(crate) handover: Handover,
    pub(crate) sockets: Vec<OwnedFd>,
    pub(crate) line: UnixStream,
}

impl Role {
    /// Finds out. A worker can do so once.
    ///
    /// # Errors
    ///
    /// If this process was somebody's worker and its supervisor is gone, if it has been one already,
    /// or if it is not told what to do.
    pub(crate) fn find() -> io::Result<Self> {
        let named = |variable: &str| -> Option<i32> { std::env::var(variable).ok()?.parse().ok() };
        let parent = getppid().map_or(1, Pid::as_raw_pid);
        for (variable, is_worker) in [(WORKER, true), (SUCCESSOR, false)] {
            match named(variable) {
                Some(supervisor) if supervisor == parent => {
                    let assignment = take_post()?;
                    return Ok(match is_worker {
                        true => Self::Worker(assignment),
                        false => Self::Successor(assignment),
                    });
                }
                Some(supervisor) if is_orphan_of(supervisor) => {
                    let text = format!("the supervisor {supervisor} of this process is gone");
                    return Err(io::Error::new(io::ErrorKind::NotConnected, text));
                }
                _ => {}
            }
        }
        Ok(Self::Own)
    }
}

/// Takes the standard input away from the rest of the program.
fn take_post() -> io::Result<Assignment> {
    static TAKEN: AtomicBool = AtomicBool::new(false);
    if TAKEN.swap(true, Ordering::SeqCst) {
        let text = "`start` was called a second time in a worker; a worker serves once";
        return Err(io::Error::new(io::ErrorKind::ResourceBusy, text));
    }
    let line = rustix::io::fcntl_dupfd_cloexec(io::stdin().as_fd(), 3)?;
    rustix::stdio::dup2_stdin(std::fs::File::open("/dev/null")?)?;
    let line = UnixStream::from(line);
    let (handover, sockets) = Handover::receive(&line).map_err(|error| {
        let text = format!("this worker was not told what to do: {error}");
        io::Error::new(error.kind(), text)
    })?;
    Ok(Assignment {
        handover,
        sockets,
        line,
    })
}

/// Whether the standard input is a socket that this supervisor has made.
fn is_orphan_of(supervisor: i32) -> bool {
    #[cfg(target_os = "linux")]
    return rustix::net::sockopt::socket_peercred(io::stdin().as_fd())
        .is_ok_and(|maker| maker.pid.as_raw_pid() == supervisor);
    #[cfg(not(target_os = "linux"))]
    {
        let _ = supervisor;
        false
    }
}
