//! Differences between Unix systems that workers depend on.
//!
//! Elsewhere than on Linux, less of it exists: there a process keeps the name under which it was
//! executed, and sockets that are handed over are marked right after they were received.

use std::ffi::CStr;
use std::io;
use std::os::fd::AsFd;

use rustix::event::PollFlags;
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::net::RecvFlags;

#[cfg(target_os = "linux")]
mod differences {
    use super::*;

    pub(crate) const RECEIVE: RecvFlags = RecvFlags::CMSG_CLOEXEC;
    pub(crate) const HANGUP: PollFlags = PollFlags::RDHUP;

    pub(crate) fn name_process(name: &CStr) {
        let _ = rustix::thread::set_name(name);
    }

    pub(crate) fn is_listening(socket: impl AsFd) -> bool {
        rustix::net::sockopt::socket_acceptconn(socket) == Ok(true)
    }
}

#[cfg(not(target_os = "linux"))]
mod differences {
    use super::*;

    pub(crate) const RECEIVE: RecvFlags = RecvFlags::empty();
    /// Is reported when the process at the other end is gone.
    pub(crate) const HANGUP: PollFlags = PollFlags::HUP;

    pub(crate) fn name_process(_: &CStr) {}

    /// Not every system can tell. A socket that does not listen then fails when it should accept.
    pub(crate) fn is_listening(_: impl AsFd) -> bool {
        true
    }
}

/// What `poll` reports when the other end of a local socket has closed it.
pub(super) use differences::HANGUP;
/// How ancillary data is received.
pub(super) use differences::RECEIVE;
/// Whether a socket listens.
pub(super) use differences::is_listening;
/// Sets the name of the process, as lists of processes show it.
pub(crate) use differences::name_process;

/// Keeps programs that this process starts from inheriting a file descriptor.
///
/// # Errors
///
/// Those of the system.
pub(super) fn close_on_exec(descriptor: impl AsFd) -> io::Result<()> {
    Ok(fcntl_setfd(descriptor, FdFlags::CLOEXEC)?)
}
