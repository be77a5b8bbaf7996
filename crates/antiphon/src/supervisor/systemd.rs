//! systemd protocols: socket activation, notifications, watchdog.

use std::io;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;

use listenfd::ListenFd;
use rustix::net::AddressFamily;
use sd_notify::NotifyState;

use super::{notify_socket, system};
use crate::address::proxy_query::with_proxy;
use crate::server::ServeError;
use crate::server::listener::Listener;

/// Maximum number of sockets from socket activation.
const MAX_SOCKETS: usize = 200;

/// Takes the listening sockets that systemd has opened before this process started (socket
/// activation).
///
/// The name of a socket (`FileDescriptorName=`) selects its protocol: `http`, `https`, `tcp`,
/// `tls`, or one of the last two with `-content-length`. With `-proxy` at its end, connections begin
/// with a PROXY protocol header. Any other name works like an address without a scheme.
///
/// # Errors
///
/// [`ServeError::BadSetting`] if the sockets are meant for another process, are too many, or are
/// not listening sockets.
pub(crate) fn activated(has_tls: bool) -> Result<Vec<Listener>, ServeError> {
    let Ok(count) = std::env::var("LISTEN_FDS") else {
        return Ok(Vec::new());
    };
    let bad = |reason: String| {
        ServeError::BadSetting(format!(
            "the sockets of LISTEN_FDS cannot be used: {reason}"
        ))
    };
    let count: usize = match count.parse() {
        Ok(count) if count <= MAX_SOCKETS => count,
        _ => {
            return Err(bad(format!(
                "{count:?} is not a number up to {MAX_SOCKETS}"
            )));
        }
    };
    let (target, own) = (std::env::var("LISTEN_PID"), std::process::id().to_string());
    if target.as_ref() != Ok(&own) {
        let target = target.unwrap_or_default();
        return Err(bad(format!(
            "LISTEN_PID is {target:?}, and this process is {own}"
        )));
    }
    let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
    let mut names = names.split(':');
    let mut sockets = ListenFd::from_env();
    (0..count)
        .map(|at| {
            let name = names.next().unwrap_or_default();
            let socket = take(&mut sockets, at)
                .map_err(|error| bad(format!("number {}: {error}", at + 3)))?;
            listener(socket, name, has_tls).map_err(|error| bad(format!("{name:?}: {error}")))
        })
        .collect()
}

fn take(sockets: &mut ListenFd, at: usize) -> io::Result<OwnedFd> {
    let tcp: io::Result<Option<TcpListener>> = sockets.take_tcp_listener(at);
    let socket: Option<OwnedFd> = match tcp {
        Ok(listener) => listener.map(OwnedFd::from),
        Err(_) => sockets.take_unix_listener(at)?.map(OwnedFd::from),
    };
    let socket = socket.ok_or(io::ErrorKind::NotFound)?;
    match system::is_listening(&socket) {
        true => Ok(socket),
        false => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is no socket that listens",
        )),
    }
}

fn listener(socket: OwnedFd, name: &str, has_tls: bool) -> io::Result<Listener> {
    let (name, proxy) = match name.strip_suffix("-proxy") {
        Some(name) => (name, true),
        None => (name, false),
    };
    let (scheme, query) = match name.strip_suffix("-content-length") {
        Some(scheme) => (scheme, "?framing=content-length"),
        None => (name, ""),
    };
    if !has_tls && ["https", "tls"].contains(&scheme) {
        let text = "it needs a certificate: give one with `--tls-cert` and `--tls-key`";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    let family = rustix::net::getsockname(&socket)?.address_family();
    let url = if family == AddressFamily::UNIX {
        let listener = UnixListener::from(socket.try_clone()?);
        let address = listener.local_addr()?;
        let path = address.as_pathname().map(|path| path.display().to_string());
        let path = path.ok_or(io::ErrorKind::Unsupported)?;
        match scheme {
            "tcp" | "unix" => format!("unix:{path}{query}"),
            _ => format!("http+unix:{path}"),
        }
    } else {
        let address = TcpListener::from(socket.try_clone()?).local_addr()?;
        match scheme {
            "tcp" | "tls" => format!("{scheme}://{address}{query}"),
            "https" => format!("https://{address}"),
            "http" => format!("http://{address}"),
            _ if has_tls => format!("https://{address}"),
            _ => format!("http://{address}"),
        }
    };
    let url = if proxy { with_proxy(&url) } else { url };
    Ok(Listener::inherited(socket, &url, &url, false)?.external(true))
}

/// State changes that are reported outside the log: to the service manager and a predecessor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Notice {
    /// The first worker is ready.
    Ready,
    Reloading,
    Reloaded,
    Stopping,
    /// Another supervisor, with this PID, has taken over.
    Succeeded(u32),
}

/// Reports the state of this service to the service manager.
pub(crate) fn notify(notice: Notice) {
    let state = match notice {
        Notice::Ready => vec![NotifyState::Ready, NotifyState::Status("serving")],
        Notice::Reloading => match NotifyState::monotonic_usec_now() {
            Ok(now) => vec![NotifyState::Reloading, now],
            Err(_) => vec![NotifyState::Reloading],
        },
        Notice::Reloaded => vec![NotifyState::Ready],
        Notice::Stopping => vec![NotifyState::Stopping],
        Notice::Succeeded(pid) => vec![NotifyState::MainPid(pid), NotifyState::Ready],
    };
    tell(&state);
}

fn tell(state: &[NotifyState<'_>]) {
    let message: String = state.iter().map(|state| format!("{state}\n")).collect();
    if let Err(error) = notify_socket::send(&message) {
        tracing::debug!("the service manager was not told: {error}");
    }
}

/// Interval for watchdog notifications: half of the watchdog timeout. `None` if the watchdog is
/// off; a timeout of zero also means off.
pub(crate) fn watchdog() -> Option<std::time::Duration> {
    let timeout = sd_notify::watchdog_enabled()?;
    (!timeout.is_zero()).then(|| timeout / 2)
}

/// Sends a watchdog notification.
pub(crate) fn alive() {
    tell(&[NotifyState::Watchdog]);
}
