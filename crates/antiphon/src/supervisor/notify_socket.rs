//! Socket of the service manager, which is never waited for.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::io;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// Messages that may wait for a service manager that does not read. Further ones are dropped.
const MAX_WAITING: usize = 64;

/// How long one message may wait.
const TIMEOUT: Duration = Duration::from_secs(2);

/// The messages that wait, in their order; `None` if there is no thread that sends them.
static WAITING: Mutex<Option<VecDeque<Vec<u8>>>> = Mutex::new(None);

/// Sends a message to the socket that `NOTIFY_SOCKET` names, if there is one.
///
/// The queue of that socket may be full, and then sending would block the runtime. Such a message,
/// and all that follow, are sent by a thread, each within 2 s.
///
/// # Errors
///
/// The error of the system.
pub(super) fn send(message: &str) -> io::Result<()> {
    let Some(name) = std::env::var_os("NOTIFY_SOCKET") else {
        return Ok(());
    };
    let message = message.as_bytes();
    let mut waiting = WAITING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(queue) = waiting.as_mut() {
        if queue.len() < MAX_WAITING {
            queue.push_back(message.to_vec());
        }
        return Ok(());
    }
    let socket = connect(&name)?;
    socket.set_nonblocking(true)?;
    match socket.send(message) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            *waiting = Some(VecDeque::from([message.to_vec()]));
            drop(waiting);
            let started = start_sending(socket);
            if started.is_err() {
                *WAITING.lock().unwrap_or_else(PoisonError::into_inner) = None;
            }
            started
        }
        sent => sent.map(drop),
    }
}

fn start_sending(socket: UnixDatagram) -> io::Result<()> {
    socket.set_nonblocking(false)?;
    socket.set_write_timeout(Some(TIMEOUT))?;
    let thread = thread::Builder::new().name("antiphon-notify".to_owned());
    thread.spawn(move || {
        while let Some(message) = next() {
            if let Err(error) = socket.send(&message) {
                tracing::debug!("the service manager was not told: {error}");
            }
        }
    })?;
    Ok(())
}

/// The next message that waits. If there is none, the thread is not needed any more.
fn next() -> Option<Vec<u8>> {
    let mut waiting = WAITING.lock().unwrap_or_else(PoisonError::into_inner);
    let message = waiting.as_mut().and_then(VecDeque::pop_front);
    if message.is_none() {
        *waiting = None;
    }
    message
}

fn connect(name: &OsStr) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    match name.as_encoded_bytes() {
        #[cfg(target_os = "linux")]
        [b'@', name @ ..] => {
            use std::os::linux::net::SocketAddrExt as _;
            socket.connect_addr(&SocketAddr::from_abstract_name(name)?)?;
        }
        _ => socket.connect_addr(&SocketAddr::from_pathname(name)?)?,
    }
    Ok(socket)
}
