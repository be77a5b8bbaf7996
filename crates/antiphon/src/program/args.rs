//! Command line of a server.

use std::path::PathBuf;

use antiphon_proto::Framing;
use serde::Deserialize;

use crate::program::units::{ByteSize, CallRate, TimeLimit};
use crate::server::Profile;

/// The flags of a server. A program with flags of its own flattens these into its parser and passes
/// them to [`Server::start_with`](crate::Server::start_with).
///
/// ```no_run
/// use antiphon::{Router, ServeArgs, Server};
/// use clap::Parser;
///
/// #[derive(Parser)]
/// struct Args {
///     /// What to greet with.
///     #[arg(long, default_value = "hello")]
///     greeting: String,
///     #[command(flatten)]
///     serve: ServeArgs,
/// }
///
/// fn main() -> std::process::ExitCode {
///     let args = Args::parse();
///     let greeting = args.greeting;
///     let router = Router::new().method_fn("greet", move || greeting.clone());
///     Server::new(router).start_with(args.serve)
/// }
/// ```
#[derive(clap::Args, Deserialize, Clone, Debug, Default)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct ServeArgs {
    /// Addresses to listen on; port 0 picks a free one [default: 127.0.0.1:8060]
    #[arg(
        short,
        long,
        value_name = "HOST:PORT",
        env = "ANTIPHON_BIND",
        value_delimiter = ','
    )]
    pub bind: Vec<String>,

    /// Serve standard input and output, with messages as lines or under LSP headers; nothing else is
    /// served unless an address is given
    #[arg(
        long,
        value_name = "FRAMING",
        num_args = 0..=1,
        default_missing_value = "newline",
        env = "ANTIPHON_STDIO"
    )]
    #[serde(skip)]
    pub stdio: Option<Framing>,

    /// Worker processes; 0 serves in this one [default: 0]
    #[arg(short, long, value_name = "N", env = "ANTIPHON_WORKERS")]
    pub workers: Option<usize>,

    /// Threads of the runtime [default: as many as cores; one in each of several workers]
    #[arg(long, value_name = "N", env = "ANTIPHON_THREADS")]
    pub threads: Option<usize>,

    /// A TOML file with these settings; read again on SIGHUP
    #[arg(short, long, value_name = "FILE", env = "ANTIPHON_CONFIG")]
    #[serde(skip)]
    pub config: Option<PathBuf>,

    /// Who counts as a local caller: `auto`, or `public` for nobody (behind a proxy)
    #[arg(long, value_name = "PROFILE", env = "ANTIPHON_PROFILE")]
    pub profile: Option<Profile>,

    /// Host names to answer to, besides the loopback ones
    #[arg(
        long,
        value_name = "NAME",
        env = "ANTIPHON_ALLOW_HOST",
        value_delimiter = ','
    )]
    pub allow_host: Vec<String>,

    /// Origins of web pages that may call, e.g. `https://app.example`
    #[arg(
        long,
        value_name = "ORIGIN",
        env = "ANTIPHON_ALLOW_ORIGIN",
        value_delimiter = ','
    )]
    pub allow_origin: Vec<String>,

    /// Proxies whose word about the client's address is taken: addresses, networks, or `unix`
    #[arg(
        long,
        value_name = "CIDR",
        env = "ANTIPHON_TRUSTED_PROXY",
        value_delimiter = ','
    )]
    pub trusted_proxy: Vec<String>,

    /// Let anybody call a server that others than this machine can reach, if it asks nobody who calls
    #[arg(long, env = "ANTIPHON_ALLOW_UNAUTHENTICATED_PUBLIC")]
    pub allow_unauthenticated_public: bool,

    /// Certificate chain (PEM), to speak TLS; read again on SIGHUP
    #[arg(long, value_name = "FILE", env = "ANTIPHON_TLS_CERT")]
    pub tls_cert: Option<PathBuf>,

    /// The certificate's key (PEM)
    #[arg(long, value_name = "FILE", env = "ANTIPHON_TLS_KEY")]
    pub tls_key: Option<PathBuf>,

    /// Authorities (PEM) of clients' certificates: who shows one is known by its name; read again on
    /// SIGHUP
    #[cfg(feature = "auth")]
    #[arg(long, value_name = "FILE", env = "ANTIPHON_TLS_CLIENT_CA")]
    pub tls_client_ca: Option<PathBuf>,

    /// Refuse clients without a certificate in the TLS handshake
    #[cfg(feature = "auth")]
    #[arg(long, env = "ANTIPHON_TLS_CLIENT_REQUIRED", hide_short_help = true)]
    pub tls_client_required: bool,

    /// Bearer tokens of callers, a line each: a subject, the SHA-256 hash of the token, scopes; read
    /// again on SIGHUP
    #[cfg(feature = "auth")]
    #[arg(long, value_name = "FILE", env = "ANTIPHON_AUTH_TOKENS")]
    pub auth_tokens: Option<PathBuf>,

    /// Keys of JSON Web Tokens: a JWKS file, read again on SIGHUP, or its `https://` URL
    #[cfg(feature = "auth")]
    #[arg(long, value_name = "FILE|URL", env = "ANTIPHON_AUTH_JWKS")]
    pub auth_jwks: Option<String>,

    /// Authorities (PEM) of that URL's certificate, instead of the system's; read again on SIGHUP
    #[cfg(feature = "auth")]
    #[arg(
        long,
        value_name = "FILE",
        env = "ANTIPHON_AUTH_JWKS_CA",
        hide_short_help = true
    )]
    pub auth_jwks_ca: Option<PathBuf>,

    /// Issuer of JSON Web Tokens, their `iss`
    #[cfg(feature = "auth")]
    #[arg(long, value_name = "TEXT", env = "ANTIPHON_AUTH_ISSUER")]
    pub auth_issuer: Option<String>,

    /// Audience of JSON Web Tokens, this server's name in their `aud`
    #[cfg(feature = "auth")]
    #[arg(long, value_name = "TEXT", env = "ANTIPHON_AUTH_AUDIENCE")]
    pub auth_audience: Option<String>,

    /// Where to record each call, as a line of JSON; `-` for standard output; opened again on SIGHUP
    #[arg(long, value_name = "FILE", env = "ANTIPHON_AUDIT_LOG")]
    pub audit_log: Option<PathBuf>,

    /// Where to write the admin token, with which callers may do what is for admins
    #[arg(long, value_name = "FILE", env = "ANTIPHON_ADMIN_TOKEN_FILE")]
    pub admin_token_file: Option<PathBuf>,

    /// Path of the control socket [default: one in $XDG_RUNTIME_DIR/antiphon]
    #[arg(long, value_name = "PATH", env = "ANTIPHON_CONTROL")]
    pub control: Option<PathBuf>,

    /// Where to write the number of this process, which with workers is the supervisor
    #[arg(long, value_name = "FILE", env = "ANTIPHON_PID_FILE")]
    pub pid_file: Option<PathBuf>,

    /// Time without a sign of life after which a worker is replaced [default: 30s]
    #[arg(long, value_name = "TIME", env = "ANTIPHON_WORKER_TIMEOUT")]
    pub worker_timeout: Option<TimeLimit>,

    /// Time for a worker to be ready [default: 30s]
    #[arg(
        long,
        value_name = "TIME",
        env = "ANTIPHON_BOOT_TIMEOUT",
        hide_short_help = true
    )]
    pub boot_timeout: Option<TimeLimit>,

    /// Calls after which a worker is replaced, give or take a fifth [default: never]
    #[arg(long, value_name = "N", env = "ANTIPHON_MAX_REQUESTS")]
    pub max_requests: Option<u64>,

    /// Show what is offered to browsers, or not [default: where only this machine can come]
    #[arg(long, value_name = "BOOL", env = "ANTIPHON_PAGE", num_args = 0..=1, default_missing_value = "true")]
    pub page: Option<bool>,

    /// Serve what was counted, or not [default: where only this machine can come]
    #[arg(long, value_name = "BOOL", env = "ANTIPHON_METRICS", num_args = 0..=1, default_missing_value = "true")]
    pub metrics: Option<bool>,

    /// Time for one call [default: 30s]
    #[arg(long, value_name = "TIME", env = "ANTIPHON_CALL_TIMEOUT")]
    pub call_timeout: Option<TimeLimit>,

    /// Time between an answer and the next request of a connection [default: 75s]
    #[arg(long, value_name = "TIME", env = "ANTIPHON_IDLE_TIMEOUT")]
    pub idle_timeout: Option<TimeLimit>,

    /// Time for calls in flight when the server is told to stop [default: 30s]
    #[arg(long, value_name = "TIME", env = "ANTIPHON_GRACEFUL_TIMEOUT")]
    pub graceful_timeout: Option<TimeLimit>,

    /// Connections at the same time [default: 10000]
    #[arg(long, value_name = "N", env = "ANTIPHON_MAX_CONNECTIONS")]
    pub max_connections: Option<usize>,

    /// Calls that may wait at the same time [default: 1024]
    #[arg(long, value_name = "N", env = "ANTIPHON_MAX_IN_FLIGHT")]
    pub max_in_flight: Option<usize>,

    /// Calls that may wait at the same time for one address that is not local [default: a quarter of all]
    #[arg(
        long,
        value_name = "N",
        env = "ANTIPHON_MAX_IN_FLIGHT_PER_CALLER",
        hide_short_help = true
    )]
    pub max_in_flight_per_caller: Option<usize>,

    /// Calls of each caller, e.g. `100/s`, `600/m` or `5000/h`; `none` for no limit [default: none]
    #[arg(long, value_name = "RATE", env = "ANTIPHON_RATE_LIMIT")]
    pub rate_limit: Option<CallRate>,

    /// How many of these calls may come at once [default: as many as in a second]
    #[arg(
        long,
        value_name = "N",
        env = "ANTIPHON_RATE_BURST",
        hide_short_help = true
    )]
    pub rate_burst: Option<u32>,

    /// Entries in a batch [default: 100]
    #[arg(long, value_name = "N", env = "ANTIPHON_MAX_BATCH")]
    pub max_batch: Option<usize>,

    /// Size of a request [default: 10MiB]
    #[arg(long, value_name = "SIZE", env = "ANTIPHON_MAX_REQUEST")]
    pub max_request: Option<ByteSize>,

    /// Size of a result [default: 10MiB]
    #[arg(long, value_name = "SIZE", env = "ANTIPHON_MAX_RESPONSE")]
    pub max_response: Option<ByteSize>,

    /// Time for the whole head of a request [default: 10s]
    #[arg(
        long,
        value_name = "TIME",
        env = "ANTIPHON_HEADER_TIMEOUT",
        hide_short_help = true
    )]
    pub header_timeout: Option<TimeLimit>,

    /// Time for the whole body of a request [default: 30s]
    #[arg(
        long,
        value_name = "TIME",
        env = "ANTIPHON_BODY_TIMEOUT",
        hide_short_help = true
    )]
    pub body_timeout: Option<TimeLimit>,

    /// Time for a peer that reads nothing of its answer [default: 30s]
    #[arg(
        long,
        value_name = "TIME",
        env = "ANTIPHON_WRITE_TIMEOUT",
        hide_short_help = true
    )]
    pub write_timeout: Option<TimeLimit>,

    /// Time for a whole batch [default: 60s]
    #[arg(
        long,
        value_name = "TIME",
        env = "ANTIPHON_BATCH_TIMEOUT",
        hide_short_help = true
    )]
    pub batch_timeout: Option<TimeLimit>,

    /// Calls of one batch that may wait at the same time [default: 8]
    #[arg(
        long,
        value_name = "N",
        env = "ANTIPHON_BATCH_CONCURRENCY",
        hide_short_help = true
    )]
    pub batch_concurrency: Option<usize>,

    /// Size of the answer to a batch [default: 25MiB]
    #[arg(
        long,
        value_name = "SIZE",
        env = "ANTIPHON_MAX_BATCH_RESPONSE",
        hide_short_help = true
    )]
    pub max_batch_response: Option<ByteSize>,

    /// JSON values in a message [default: 1000000]
    #[arg(
        long,
        value_name = "N",
        env = "ANTIPHON_MAX_VALUES",
        hide_short_help = true
    )]
    pub max_values: Option<usize>,

    /// Connections from one address, on a public listener [default: 256]
    #[arg(
        long,
        value_name = "N",
        env = "ANTIPHON_MAX_CONNECTIONS_PER_IP",
        hide_short_help = true
    )]
    pub max_connections_per_ip: Option<usize>,

    /// Size of all requests held in memory [default: 256MiB]
    #[arg(
        long,
        value_name = "SIZE",
        env = "ANTIPHON_MAX_REQUEST_MEMORY",
        hide_short_help = true
    )]
    pub max_request_memory: Option<ByteSize>,

    /// Size of all responses held in memory [default: 256MiB]
    #[arg(
        long,
        value_name = "SIZE",
        env = "ANTIPHON_MAX_RESPONSE_MEMORY",
        hide_short_help = true
    )]
    pub max_response_memory: Option<ByteSize>,

    /// Header fields in a request [default: 64]
    #[arg(
        long,
        value_name = "N",
        env = "ANTIPHON_MAX_HEADERS",
        hide_short_help = true
    )]
    pub max_headers: Option<usize>,

    /// Size of the head of a request [default: 16KiB]
    #[arg(
        long,
        value_name = "SIZE",
        env = "ANTIPHON_MAX_HEADER_SIZE",
        hide_short_help = true
    )]
    pub max_header_size: Option<ByteSize>,

    /// Requests at the same time on an HTTP/2 connection [default: 100]
    #[arg(
        long,
        value_name = "N",
        env = "ANTIPHON_MAX_STREAMS",
        hide_short_help = true
    )]
    pub max_streams: Option<u32>,

    /// What to log: `error`, `warn`, `info`, `debug`, `trace`, or `off` [default: info]
    #[arg(long, value_name = "LEVEL", env = "ANTIPHON_LOG")]
    pub log: Option<String>,

    /// Tables of the settings file that the program reads itself.
    #[arg(skip)]
    #[serde(skip)]
    pub(super) sections: Vec<String>,
}
