//! Role of this process: a standalone server, a worker, or the successor of a supervisor.
//!
//! Environment variables carry the role. They count only if their value is the PID of the parent
//! process: programs started by a worker inherit the variable, but are not workers.

use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::{Pid, getppid};

use super::handover::Handover;
use std::os::fd::OwnedFd;

/// Environment variable with the PID of the supervisor whose worker this process is.
pub(crate) const WORKER: &str = "ANTIPHON_WORKER";

/// Environment variable with the PID of the supervisor that this process replaces.
pub(crate) const SUCCESSOR: &str = "ANTIPHON_SUCCESSOR";

/// Environment variables that are meant for this process only and not passed to child processes.
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

/// The variables of [`PRIVATE`] that a successor still gets, to notify the service manager.
pub(crate) const MANAGED: [&str; 2] = ["NOTIFY_SOCKET", "WATCHDOG_USEC"];

/// Role of this process.
#[derive(Debug)]
pub(crate) enum Role {
    /// A standalone server or a supervisor, started by the operator.
    Own,
    Worker(Assignment),
    Successor(Assignment),
}

/// Handover from the supervisor, with the control channel to it.
#[derive(Debug)]
pub(crate) struct Assignment {
    pub(crate) handover: Handover,
    pub(crate) sockets: Vec<OwnedFd>,
    pub(crate) line: UnixStream,
}

impl Role {
    /// Determines the role. In a worker or successor this works only once, because it takes over
    /// standard input.
    ///
    /// # Errors
    ///
    /// If the supervisor of this worker is gone, if the role was already determined, or if no valid
    /// handover arrives.
    pub(crate) fn find() -> io::Result<Self> {
        let named = |variable: &str| -> Option<i32> { std::env::var(variable).ok()?.parse().ok() };
        let parent = getppid().map_or(1, Pid::as_raw_pid);
        for (variable, is_worker) in [(WORKER, true), (SUCCESSOR, false)] {
            match named(variable) {
                Some(supervisor) if supervisor == parent => {
                    let assignment = take_assignment()?;
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

/// Receives the handover on standard input, and replaces standard input by `/dev/null` for the rest
/// of the program.
fn take_assignment() -> io::Result<Assignment> {
    static TAKEN: AtomicBool = AtomicBool::new(false);
    if TAKEN.swap(true, Ordering::SeqCst) {
        let text = "`start` was called a second time in a worker; a worker serves once";
        return Err(io::Error::new(io::ErrorKind::ResourceBusy, text));
    }
    let line = rustix::io::fcntl_dupfd_cloexec(io::stdin().as_fd(), 3)?;
    rustix::stdio::dup2_stdin(std::fs::File::open("/dev/null")?)?;
    let line = UnixStream::from(line);
    let (handover, sockets) = Handover::receive(&line).map_err(|error| {
        let text = format!(
            "this process was not told what to do: {error}; {WORKER} and {SUCCESSOR} are set by a \
             supervisor alone, so unset them to start a server"
        );
        io::Error::new(error.kind(), text)
    })?;
    Ok(Assignment {
        handover,
        sockets,
        line,
    })
}

/// Whether standard input is a socket that this supervisor has created. If so, and it is no longer
/// the parent, this process has lost its supervisor.
fn is_orphan_of(supervisor: i32) -> bool {
    #[cfg(target_os = "linux")]
    return rustix::net::sockopt::socket_peercred(io::stdin().as_fd())
        .is_ok_and(|creator| creator.pid.as_raw_pid() == supervisor);
    #[cfg(not(target_os = "linux"))]
    {
        let _ = supervisor;
        false
    }
}
