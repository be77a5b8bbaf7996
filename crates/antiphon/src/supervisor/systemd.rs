//! Protocols of systemd: socket activation, notifications, watchdog.

use std::io;
use std::net::TcpListener;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixListener;

use listenfd::ListenFd;
use rustix::net::AddressFamily;
use sd_notify::NotifyState;

use crate::server::ServeError;
use crate::server::listener::Listener;

/// Sockets that may be handed over.
const MOST: usize = 200;

/// Takes the sockets that were opened before this process began (socket activation).
///
/// What is spoken on each is its name (`FileDescriptorName=`): `http`, `https`, `tcp`, `tls`, or
/// either of the last two with `-content-length`. Any other name is what an address without a scheme
/// is.
///
/// # Errors
///
/// [`ServeError::BadSetting`] if they are meant for another process, are too many, or are something
/// else than sockets that listen.
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
        Ok(count) if count <= MOST => count,
        _ => return Err(bad(format!("{count:?} is not a number up to {MOST}"))),
    };
    let (meant, own) = (std::env::var("LISTEN_PID"), std::process::id().to_string());
    if meant.as_ref() != Ok(&own) {
        let meant = meant.unwrap_or_default();
        return Err(bad(format!(
            "LISTEN_PID is {meant:?}, and this process is {own}"
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
    match rustix::net::sockopt::socket_acceptconn(&socket) {
        Ok(true) => Ok(socket),
        _ => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is no socket that listens",
        )),
    }
}

fn listener(socket: OwnedFd, name: &str, has_tls: bool) -> io::Result<Listener> {
    let (scheme, query) = match name.strip_suffix("-content-length") {
        Some(scheme) => (scheme, "?framing=content-length"),
        None => (name, ""),
    };
    if !has_tls && ["https", "tls"].contains(&scheme) {
        let text = "it needs a certificate: give one with `--tls-cert` and `--tls-key`";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    let family = rustix::net::sockopt::socket_domain(socket.as_fd())?;
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
    Ok(Listener::inherited(socket, &url, &url, false)?.external(true))
}

/// What others than the log have to hear of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Notice {
    /// The first worker is ready.
    Ready,
    Reloading,
    Reloaded,
    Stopping,
    /// Another process has taken over.
    Succeeded(u32),
}

/// Tells the service manager the state of this service.
pub(crate) fn notify(news: Notice) {
    let state = match news {
        Notice::Ready => vec![NotifyState::Ready, NotifyState::Status("serving")],
        Notice::Reloading => match NotifyState::monotonic_usec_now() {
            Ok(now) => vec![NotifyState::Reloading, now],
            Err(_) => vec![NotifyState::Reloading],
        },
        Notice::Reloaded => vec![NotifyState::Ready],
        Notice::Stopping => vec![NotifyState::Stopping],
        Notice::Succeeded(pid) => vec![NotifyState::MainPid(pid), NotifyState::Ready],
    };
    if let Err(error) = sd_notify::notify(&state) {
        tracing::debug!("the service manager was not told: {error}");
    }
}

/// How often the service manager wants to hear of us; a time of zero means never.
pub(crate) fn watchdog() -> Option<std::time::Duration> {
    let timeout = sd_notify::watchdog_enabled()?;
    (!timeout.is_zero()).then(|| timeout / 2)
}

/// Says that this process lives.
pub(crate) fn alive() {
    let _ = sd_notify::notify(&[NotifyState::Watchdog]);
}
