//! Errors at the start of a server.

use std::fmt;
use std::io;

use crate::router::{BoxError, RouterError};

/// The reason why a server cannot be started. The message says how to fix it.
#[derive(Debug)]
#[non_exhaustive]
pub enum ServeError {
    /// Names in a router conflict or are invalid.
    Router(RouterError),
    /// No route was given.
    NoRoute,
    /// Two routes have this path, or the path does not start with a slash.
    BadPath(String),
    /// The text is not an address to listen on.
    BadAddress {
        /// The address as it was given.
        address: String,
        /// Why it cannot be used.
        reason: String,
    },
    /// The address cannot be bound: in use, not an address of this machine, or not permitted.
    Bind {
        /// The address as it was given.
        address: String,
        /// The error of the system.
        source: io::Error,
    },
    /// A broker cannot be reached, or does not take the login.
    Broker {
        /// The address as it was given, without the login.
        address: String,
        /// What has failed.
        source: io::Error,
    },
    /// The server would be public without asking who calls, and the settings do not allow that.
    Public {
        /// What makes it public.
        reason: String,
    },
    /// The function given to `Server::lazy`, or the start hook, failed.
    Lazy(BoxError),
    /// No worker process became ready.
    Workers(String),
    /// A setting has an invalid value.
    BadSetting(String),
    /// The runtime, a signal handler or a file could not be set up.
    Io(io::Error),
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Router(error) => write!(f, "the router cannot be served: {error}"),
            Self::NoRoute => f.write_str("there is no route to serve"),
            Self::BadPath(path) => {
                write!(
                    f,
                    "{path:?} cannot be a route: paths begin with `/` and are used once"
                )
            }
            Self::BadAddress { address, reason } => {
                write!(f, "cannot listen on {address:?}: {reason}")
            }
            Self::Bind { address, source } => write!(f, "cannot listen on {address}: {source}"),
            Self::Broker { address, source } => {
                write!(f, "cannot serve through {address}: {source}")
            }
            Self::Public { reason } => write!(
                f,
                "refusing to start: {reason}, so anybody who reaches this server could call it, \
                 and it does not ask who calls; name callers with `--auth-tokens`, `--auth-jwks` or \
                 `--tls-client-ca` (in code: `.authenticate(…)`), or say \
                 `--allow-unauthenticated-public` (in code: `.allow_unauthenticated_public(true)`) \
                 if that is what you want"
            ),
            Self::Lazy(error) => write!(f, "the router could not be made: {error}"),
            Self::Workers(reason) => write!(f, "no worker has come up: {reason}"),
            Self::BadSetting(reason) => f.write_str(reason),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ServeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Router(error) => Some(error),
            Self::Bind { source, .. } | Self::Broker { source, .. } => Some(source),
            Self::Lazy(error) => Some(&**error),
            Self::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl From<RouterError> for ServeError {
    fn from(error: RouterError) -> Self {
        Self::Router(error)
    }
}

impl From<io::Error> for ServeError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
