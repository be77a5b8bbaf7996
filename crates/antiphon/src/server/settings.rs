//! What a server can be told besides its routes. Everything here may also come from a file, the
//! environment or flags when the server is a program of its own.

use std::path::PathBuf;
use std::time::Duration;

use crate::dispatch::Limits;
use crate::server::Supervision;
use crate::server::error::ServeError;
use crate::session::SessionLimits;
use crate::transport::http::clock::Timeouts;
use crate::transport::http::connection::HeadLimits;
use crate::transport::http::request_body::{BodyLimits, Budget};
use crate::transport::tls::server::ServerTls;

/// Whom a server takes for a local caller.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum Profile {
    /// Local where a listener can be reached from this machine alone, public elsewhere.
    #[default]
    Auto,
    /// Nobody is local: the server stands behind a proxy on the same machine.
    Public,
}

/// The settings of a server, with safe defaults.
///
/// ```
/// use std::time::Duration;
/// use antiphon::{Limits, Settings};
///
/// let mut settings = Settings::default();
/// settings.bind = vec!["127.0.0.1:0".into()];
/// settings.calls = Limits::default().call_timeout(Duration::from_secs(5));
/// assert_eq!(settings.max_request, 10 * 1024 * 1024);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settings {
    /// Addresses to listen on. `127.0.0.1:8060`.
    pub bind: Vec<String>,
    /// Whom to take for a local caller. [`Profile::Auto`].
    pub profile: Profile,
    /// Host names to answer to, besides the loopback ones.
    pub allow_host: Vec<String>,
    /// Origins of web pages that may call, besides the server's own.
    pub allow_origin: Vec<String>,
    /// Whether strangers may call a server that has no authentication of its own. No.
    pub allow_unauthenticated_public: bool,
    /// A file with the certificate chain, in PEM. With it, addresses without a scheme speak TLS.
    pub tls_cert: Option<PathBuf>,
    /// A file with the certificate's key, in PEM.
    pub tls_key: Option<PathBuf>,
    /// Where to write the admin token when the server starts, a file for its owner alone. Whoever
    /// shows the token may call what is for admins ([`Access::Admin`](crate::Access::Admin)).
    pub admin_token_file: Option<PathBuf>,
    /// Whether the page that shows what is offered, and the document it is made from, are served. If
    /// nothing is logged, on servers that can be reached from this machine alone.
    pub page: Option<bool>,
    /// Whether what was counted is served, at `metrics` below the path of each route. If nothing is
    /// logged, on servers that can be reached from this machine alone.
    pub metrics: Option<bool>,
    /// Connections at the same time, idle ones included; more get 503. 10 000.
    pub max_connections: usize,
    /// Connections from one address at the same time, on a public listener. 256.
    pub max_connections_per_ip: usize,
    /// Bytes in the body of a request; more get 413. 10 MiB.
    pub max_request: usize,
    /// Bytes of request bodies held at the same time, over all connections; more get 503. 256 MiB.
    pub max_request_memory: usize,
    /// Header fields in a request; more get 431. 64.
    pub max_headers: usize,
    /// Bytes in the head of a request; more get 431. 16 KiB.
    pub max_header_size: usize,
    /// Requests at the same time on one HTTP/2 connection. 100.
    pub max_streams: u32,
    /// For a whole head, from its first byte; for the first one, from the connection. 10 s.
    pub header_timeout: Option<Duration>,
    /// For a whole body, which must also arrive at 1 KiB/s after 5 s. 30 s.
    pub body_timeout: Option<Duration>,
    /// Between an answer and the next request. 75 s.
    pub idle_timeout: Option<Duration>,
    /// For a peer that reads nothing of its answer. 30 s.
    pub write_timeout: Option<Duration>,
    /// For calls in flight when the server is told to stop. 30 s.
    pub graceful_timeout: Duration,
    /// Bounds of calls and batches.
    pub calls: Limits,
    /// Bounds of connections on which both sides may call.
    pub sessions: SessionLimits,
    /// Worker processes, where [`start`](crate::Server::start) runs the program.
    pub supervision: Supervision,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            bind: vec!["127.0.0.1:8060".to_owned()],
            profile: Profile::Auto,
            allow_host: Vec::new(),
            allow_origin: Vec::new(),
            allow_unauthenticated_public: false,
            tls_cert: None,
            tls_key: None,
            admin_token_file: None,
            page: None,
            metrics: None,
            max_connections: 10_000,
            max_connections_per_ip: 256,
            max_request: 10 * 1024 * 1024,
            max_request_memory: 256 * 1024 * 1024,
            max_headers: 64,
            max_header_size: 16 * 1024,
            max_streams: 100,
            header_timeout: Some(Duration::from_secs(10)),
            body_timeout: Some(Duration::from_secs(30)),
            idle_timeout: Some(Duration::from_secs(75)),
            write_timeout: Some(Duration::from_secs(30)),
            graceful_timeout: Duration::from_secs(30),
            calls: Limits::default(),
            sessions: SessionLimits::default(),
            supervision: Supervision::default(),
        }
    }
}

impl Settings {
    /// Whether nobody has logged where to listen.
    pub(crate) fn binds_by_default(&self) -> bool {
        self.bind == Self::default().bind
    }

    /// Whether there is a certificate.
    pub(crate) fn has_tls(&self) -> bool {
        self.tls_cert.is_some()
    }

    /// Reads certificate and key, if there are any.
    pub(crate) fn tls(&self) -> Result<Option<ServerTls>, ServeError> {
        match (&self.tls_cert, &self.tls_key) {
            (None, None) => Ok(None),
            (Some(cert), Some(key)) => match ServerTls::load(cert, key) {
                Ok(tls) => Ok(Some(tls)),
                Err(error) => Err(ServeError::BadSetting(error.to_string())),
            },
            _ => Err(ServeError::BadSetting(
                "a certificate needs its key, and a key its certificate".to_owned(),
            )),
        }
    }

    pub(super) fn timeouts(&self) -> Timeouts {
        Timeouts {
            header: self.header_timeout,
            idle: self.idle_timeout,
            write: self.write_timeout,
        }
    }

    pub(super) fn head_limits(&self) -> HeadLimits {
        HeadLimits {
            max_headers: self.max_headers,
            max_header_size: self.max_header_size,
            max_streams: self.max_streams,
        }
    }

    pub(super) fn body_limits(&self, budget: Budget) -> BodyLimits {
        BodyLimits {
            max: self.max_request,
            timeout: self.body_timeout,
            budget,
        }
    }
}
