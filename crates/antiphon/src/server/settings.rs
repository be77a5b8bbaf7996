//! Settings of a server. A server that runs as a whole program also reads them from a file, the
//! environment and flags.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::address::{Address, NatsAddress};
use crate::dispatch::Limits;
use crate::memory_budget::MemoryBudgets;
use crate::memory_budget::account::Accounts;
use crate::rate_limit::RateLimit;
use crate::server::Supervision;
use crate::server::error::ServeError;
use crate::session::config::Silence;
use crate::session::{SessionConfig, SessionLimits};
use crate::transport::http::connection::HeadLimits;
use crate::transport::http::deadlines::Timeouts;
use crate::transport::http::request_body::BodyLimits;
use crate::transport::tls::server::{ClientAuthorities, ServerTls};

/// The address of a server that is given none.
const DEFAULT_ADDRESS: &str = "127.0.0.1:8060";

/// Which callers a server treats as local.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum Profile {
    /// Callers are local if only this machine can reach the server.
    #[default]
    Auto,
    /// No caller is local, for a server behind a proxy on the same machine.
    Public,
}

/// The settings of a server. All limits have defaults.
///
/// [`Server::configure`](crate::Server::configure) changes individual fields. For timeouts that are
/// an `Option`, `None` means no timeout.
///
/// A server does not start with values that cannot be meant: limits and timeouts of 0, except where the
/// field says what 0 means, and values that contradict each other.
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
    /// Addresses to listen on; see [`Address`](crate::Address). Default: none, which means
    /// `127.0.0.1:8060` unless the server is given a listener or serves standard input and output.
    pub bind: Vec<String>,
    /// Which callers count as local. Default: [`Profile::Auto`].
    pub profile: Profile,
    /// Host names to answer to, besides the loopback ones. Default: none. An entry makes the server
    /// public. The server does not start with one that no request could have, such as
    /// `https://api.example` or `*.example`.
    pub allow_host: Vec<String>,
    /// Origins of web pages that may call, besides the server's own origin. Default: none. The
    /// server does not start with one that no page has, such as `app.example`, or that every page
    /// can have, which is `null`.
    pub allow_origin: Vec<String>,
    /// Proxies whose word about the address of a client is taken: addresses, networks
    /// (`10.0.0.0/8`), and `unix` for proxies that connect over Unix sockets. Each entry may be
    /// several, separated by commas. Default: none. An entry makes the server public; see
    /// [`Server::trusted_proxy`](crate::Server::trusted_proxy).
    pub trusted_proxies: Vec<String>,
    /// Whether a public server may start that does not authenticate callers. Default: no.
    pub allow_unauthenticated_public: bool,
    /// PEM file with the certificate chain. If set, addresses without a scheme use TLS. Default:
    /// `None`, no TLS.
    pub tls_cert: Option<PathBuf>,
    /// PEM file with the certificate's private key.
    pub tls_key: Option<PathBuf>,
    /// PEM file with the certificate authorities of clients. If set, clients may show a certificate in
    /// the TLS handshake, and are known by it as [`ClientCertificates`](crate::ClientCertificates)
    /// says, without scopes unless the program adds its own. Read again on every reload.
    pub tls_client_ca: Option<PathBuf>,
    /// Whether a client needs a certificate of [`tls_client_ca`](Self::tls_client_ca): without one the
    /// TLS handshake fails. Default: no, it is anonymous.
    pub tls_client_required: bool,
    /// File with the hashes of bearer tokens, as [`BearerTokens`](crate::BearerTokens) reads it. Read
    /// again on every reload.
    pub auth_tokens: Option<PathBuf>,
    /// Keys of the issuer of JSON Web Tokens: a JWKS file, or its URL; see [`Jwt`](crate::Jwt). A file
    /// is read again on every reload. It needs [`auth_issuer`](Self::auth_issuer) and
    /// [`auth_audience`](Self::auth_audience).
    pub auth_jwks: Option<String>,
    /// PEM file with the certificate authorities of the URL of [`auth_jwks`](Self::auth_jwks), instead
    /// of those of the operating system; see
    /// [`JwtKeys::ca_certificate_file`](crate::JwtKeys::ca_certificate_file). Read again on every
    /// reload.
    pub auth_jwks_ca: Option<PathBuf>,
    /// The issuer of JSON Web Tokens, their claim `iss`.
    pub auth_issuer: Option<String>,
    /// The audience of JSON Web Tokens, one of their claim `aud`: the name of this server.
    pub auth_audience: Option<String>,
    /// File to write the admin token to when the server starts, readable only by its owner. Callers
    /// that present the token may call admin methods ([`Access::Admin`](crate::Access::Admin)).
    pub admin_token_file: Option<PathBuf>,
    /// File to append a line to for each call; see [`AuditLog`](crate::AuditLog). `-` is standard
    /// output. Default: none.
    pub audit_log: Option<PathBuf>,
    /// Whether the API documentation is served: the page for browsers and the OpenRPC document.
    /// Default: only if callers count as local.
    pub page: Option<bool>,
    /// Whether metrics are served, at `metrics` below the path of each route. Default: only if
    /// callers count as local.
    pub metrics: Option<bool>,
    /// Whether the topics of this process are shared with all servers behind the first NATS server of
    /// [`bind`](Self::bind), if there is one; see [`Topic`](crate::Topic#several-servers). From then on all
    /// topics of the process follow that, for as long as the runtime of the server runs. Default: only in
    /// a program that calls [`start`](crate::Server::start).
    pub share_topics: Option<bool>,
    /// Maximum number of open connections, including idle ones; more get 503. Sessions (WebSockets
    /// and raw streams) leave an eighth of them to HTTP requests, and the other way round. Default:
    /// 10 000.
    pub max_connections: usize,
    /// Maximum number of open connections per address, on a public server. IPv6 addresses count by
    /// /64, and a /48 may have four times as many. Connections of
    /// [`trusted_proxies`](Self::trusted_proxies) do not count; those with a PROXY protocol header
    /// count by the address in it. Default: 256.
    pub max_connections_per_ip: usize,
    /// Maximum size of a request body, in bytes, at least 64; more gets 413. Default: 10 MiB.
    pub max_request: usize,
    /// Maximum size of all requests held in memory, in bytes, over all connections: bodies, and
    /// messages of sessions, from their first byte until they are answered. A body beyond it gets
    /// 503, a call −32000; a session whose message does not fit is closed. One connection may hold
    /// a tenth of it, or one message. At least twice `max_request`. Default: 256 MiB.
    pub max_request_memory: usize,
    /// Maximum size of all responses held in memory, in bytes, over all connections: results,
    /// batches and items, from the moment they are written until the system has taken them. A call
    /// whose result does not fit gets −32000. One connection may hold a tenth of it, or one
    /// response and [`SessionLimits::max_unwritten`]. At least twice the largest response. Default:
    /// 256 MiB.
    pub max_response_memory: usize,
    /// Maximum number of header fields in a request, 4 to 10 000; more get 431. Default: 64.
    pub max_headers: usize,
    /// Maximum size of a request head, in bytes, at least 256; more gets 431. Default: 16 KiB.
    pub max_header_size: usize,
    /// Maximum number of concurrent requests on one HTTP/2 connection. Default: 100.
    pub max_streams: u32,
    /// Timeout for a request head, from its first byte; for the first request, from the start of
    /// the connection. On a connection without HTTP, timeout for the first byte of the first
    /// message. Default: 10 s.
    pub header_timeout: Option<Duration>,
    /// Timeout for a request body, which after 5 s must also arrive at 1 KiB/s. Default: 30 s.
    pub body_timeout: Option<Duration>,
    /// Timeout between a response and the next request. On a connection without HTTP, timeout
    /// between two messages while neither a call nor a subscription is open; standard input and
    /// output have none, and a WebSocket has pings instead
    /// ([`SessionLimits::ping_interval`]). Default: 75 s.
    pub idle_timeout: Option<Duration>,
    /// Timeout for a peer that reads nothing of its response. One that reads less than 1 KiB/s uses
    /// it up, too. Default: 30 s.
    pub write_timeout: Option<Duration>,
    /// Time for calls in flight to finish during a graceful shutdown; 0 cuts them at once. Default:
    /// 30 s.
    pub graceful_timeout: Duration,
    /// Limits of calls and batches.
    pub calls: Limits,
    /// How many calls each caller may make; more get −32005. A caller is the subject of its
    /// [`Identity`](crate::Identity), or else an IPv4 address or the /64 of an IPv6 address; a
    /// whole /48 may make four times as many. Callers with neither, on Unix sockets, standard input
    /// and output and in process, have no limit, and neither have those with the admin token. Default:
    /// `None`, no limit.
    pub rate_limit: Option<RateLimit>,
    /// Limits of sessions: connections on which both sides may call.
    pub sessions: SessionLimits,
    /// Worker processes, if [`start`](crate::Server::start) runs the program.
    pub supervision: Supervision,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            bind: Vec::new(),
            profile: Profile::Auto,
            allow_host: Vec::new(),
            allow_origin: Vec::new(),
            trusted_proxies: Vec::new(),
            allow_unauthenticated_public: false,
            tls_cert: None,
            tls_key: None,
            tls_client_ca: None,
            tls_client_required: false,
            auth_tokens: None,
            auth_jwks: None,
            auth_jwks_ca: None,
            auth_issuer: None,
            auth_audience: None,
            admin_token_file: None,
            audit_log: None,
            page: None,
            metrics: None,
            share_topics: None,
            max_connections: 10_000,
            max_connections_per_ip: 256,
            max_request: 10 * 1024 * 1024,
            max_request_memory: 256 * 1024 * 1024,
            max_response_memory: 256 * 1024 * 1024,
            max_headers: 64,
            max_header_size: 16 * 1024,
            max_streams: 100,
            header_timeout: Some(Duration::from_secs(10)),
            body_timeout: Some(Duration::from_secs(30)),
            idle_timeout: Some(Duration::from_secs(75)),
            write_timeout: Some(Duration::from_secs(30)),
            graceful_timeout: Duration::from_secs(30),
            calls: Limits::default(),
            rate_limit: None,
            sessions: SessionLimits::default(),
            supervision: Supervision::default(),
        }
    }
}

impl Settings {
    /// Refuses what this build has no code for, as TLS and workers are refused where they are used.
    pub(super) fn check_features(&self) -> Result<(), ServeError> {
        let asked_for = [
            ("page", self.page, "describe", cfg!(feature = "describe")),
            (
                "metrics",
                self.metrics,
                "metrics",
                cfg!(feature = "metrics"),
            ),
        ];
        for (setting, said, feature, is_built) in asked_for {
            if said == Some(true) && !is_built {
                return Err(ServeError::BadSetting(format!(
                    "`{setting}` was asked for, and this program was built without feature \
                     `{feature}` of antiphon"
                )));
            }
        }
        if self.authentication() != [None; 7] && !cfg!(feature = "auth") {
            let text = "authentication was asked for, and this program was built without feature \
                        `auth` of antiphon";
            return Err(ServeError::BadSetting(text.to_owned()));
        }
        Ok(())
    }

    /// All that tells which callers are known.
    pub(super) fn authentication(&self) -> [Option<&OsStr>; 7] {
        [
            self.tls_client_ca.as_deref().map(Path::as_os_str),
            self.tls_client_required.then(|| OsStr::new("required")),
            self.auth_tokens.as_deref().map(Path::as_os_str),
            self.auth_jwks.as_deref().map(OsStr::new),
            self.auth_jwks_ca.as_deref().map(Path::as_os_str),
            self.auth_issuer.as_deref().map(OsStr::new),
            self.auth_audience.as_deref().map(OsStr::new),
        ]
    }

    /// The addresses to bind, each alone. The default address is one of them if no other is given and
    /// nothing else is served.
    pub(crate) fn addresses(&self, others_are_served: bool) -> Vec<String> {
        if self.bind.is_empty() && !others_are_served {
            return vec![DEFAULT_ADDRESS.to_owned()];
        }
        // A flag or a file may have cut a list at its commas, and so the address of several brokers.
        match self.bind.is_empty() {
            true => Vec::new(),
            false => Address::split_list(&self.bind.join(",")),
        }
    }

    /// The brokers among the addresses.
    pub(crate) fn topic_broker(&self) -> Option<NatsAddress> {
        let mut brokers = self.brokers().into_iter();
        brokers.next().filter(|_| self.share_topics == Some(true))
    }

    pub(crate) fn brokers(&self) -> Vec<NatsAddress> {
        let addresses = self.addresses(true);
        addresses.iter().filter_map(|text| broker(text)).collect()
    }

    /// Whether a certificate is configured.
    pub(crate) fn has_tls(&self) -> bool {
        self.tls_cert.is_some()
    }

    fn client_authorities(&self) -> Option<ClientAuthorities> {
        self.tls_client_ca.as_ref().map(|file| ClientAuthorities {
            file: file.clone(),
            is_required: self.tls_client_required,
        })
    }

    /// Reads certificate and key, if configured.
    pub(crate) fn tls(&self) -> Result<Option<ServerTls>, ServeError> {
        match (&self.tls_cert, &self.tls_key) {
            (None, None) => Ok(None),
            (Some(cert), Some(key)) => {
                match ServerTls::load(cert, key, self.client_authorities()) {
                    Ok(tls) => Ok(Some(tls)),
                    Err(error) => Err(ServeError::BadSetting(error.to_string())),
                }
            }
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

    /// The configuration of sessions without HTTP.
    pub(super) fn raw_sessions(&self) -> SessionConfig {
        SessionConfig::new(self.sessions.clone()).silence(Silence {
            first: self.header_timeout,
            idle: self.idle_timeout,
        })
    }

    /// The configuration of WebSockets. Their first message was the request that opened them.
    pub(super) fn web_sockets(&self) -> SessionConfig {
        SessionConfig::new(self.sessions.clone()).silence(Silence {
            first: None,
            idle: self.idle_timeout,
        })
    }

    pub(super) fn head_limits(&self) -> HeadLimits {
        HeadLimits {
            max_headers: self.max_headers,
            max_header_size: self.max_header_size,
            max_streams: self.max_streams,
        }
    }

    pub(super) fn body_limits(&self) -> BodyLimits {
        BodyLimits {
            max: self.max_request,
            timeout: self.body_timeout,
        }
    }

    /// What the accounts of connections are made from, under these budgets, if the largest answer has
    /// `max_response` bytes.
    pub(super) fn accounts(&self, budgets: &MemoryBudgets, max_response: usize) -> Accounts {
        Accounts {
            budgets: budgets.clone(),
            max_request: self.max_request,
            max_response,
            max_unwritten: self.sessions.max_unwritten,
        }
    }

    /// The budgets of a server.
    pub(super) fn budgets(&self) -> MemoryBudgets {
        MemoryBudgets::new(self.max_request_memory, self.max_response_memory)
    }
}

/// The broker that an address names, if it does.
pub(super) fn broker(address: &str) -> Option<NatsAddress> {
    match address.parse() {
        Ok(Address::Nats(address)) => Some(address),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_address_is_bound_only_if_nothing_else_is_served() {
        let addresses = |bind: &[&str], others| {
            let bind = bind.iter().map(|address| (*address).to_owned()).collect();
            let settings = Settings {
                bind,
                ..Settings::default()
            };
            settings.addresses(others)
        };
        assert_eq!(addresses(&[], false), ["127.0.0.1:8060"]);
        assert!(addresses(&[], true).is_empty());
        assert_eq!(addresses(&[":1"], false), [":1"]);
        assert_eq!(addresses(&[":1, :2", ":3"], true), [":1", ":2", ":3"]);
        let cut = ["nats://a", "b:1/p?login=f", ":2"];
        assert_eq!(addresses(&cut, true), ["nats://a,b:1/p?login=f", ":2"]);
        // The default address that somebody asks for stays beside others.
        let both = ["127.0.0.1:8060", "unix:/run/x"];
        assert_eq!(addresses(&both, true), both);
    }
}
