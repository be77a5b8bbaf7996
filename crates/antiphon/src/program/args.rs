//! The arguments of a server that is a program of its own, and the file that may hold them.
//!
//! What is said later wins: the builder, then the file, then the environment, then the flags.

use std::path::{Path, PathBuf};
use std::time::Duration;

#[cfg(all(unix, feature = "stdio"))]
use antiphon_proto::Framing;
use serde::Deserialize;

use crate::program::units::{Size, Wait};
use crate::server::{Profile, ServeError, Settings};

/// The flags of a server. A program with flags of its own flattens them into its own and passes
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
///     let router = Router::default().method_fn("greet", move || greeting.clone());
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
    #[cfg(all(unix, feature = "stdio"))]
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
    #[cfg(all(unix, feature = "supervisor"))]
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

    /// Let anybody call a server that others than this machine can reach
    #[arg(long, env = "ANTIPHON_ALLOW_UNAUTHENTICATED_PUBLIC")]
    pub allow_unauthenticated_public: bool,

    /// Certificate chain (PEM), to speak TLS; read again on SIGHUP
    #[cfg(feature = "tls")]
    #[arg(long, value_name = "FILE", env = "ANTIPHON_TLS_CERT")]
    pub tls_cert: Option<PathBuf>,

    /// The certificate's key (PEM)
    #[cfg(feature = "tls")]
    #[arg(long, value_name = "FILE", env = "ANTIPHON_TLS_KEY")]
    pub tls_key: Option<PathBuf>,

    /// Where to write the admin token, with which callers may do what is for admins
    #[cfg(unix)]
    #[arg(long, value_name = "FILE", env = "ANTIPHON_ADMIN_TOKEN_FILE")]
    pub admin_token_file: Option<PathBuf>,

    /// Path of the control socket [default: one in $XDG_RUNTIME_DIR/antiphon]
    #[cfg(all(unix, feature = "supervisor"))]
    #[arg(long, value_name = "PATH", env = "ANTIPHON_CONTROL")]
    pub control: Option<PathBuf>,

    /// Where to write the number of the supervisor's process
    #[cfg(all(unix, feature = "supervisor"))]
    #[arg(long, value_name = "FILE", env = "ANTIPHON_PID_FILE")]
    pub pid_file: Option<PathBuf>,

    /// Time without a sign of life after which a worker is replaced [default: 30s]
    #[cfg(all(unix, feature = "supervisor"))]
    #[arg(long, value_name = "TIME", env = "ANTIPHON_WORKER_TIMEOUT")]
    pub worker_timeout: Option<Wait>,

    /// Time for a worker to be ready [default: 30s]
    #[cfg(all(unix, feature = "supervisor"))]
    #[arg(
        long,
        value_name = "TIME",
        env = "ANTIPHON_BOOT_TIMEOUT",
        hide_short_help = true
    )]
    pub boot_timeout: Option<Wait>,

    /// Calls after which a worker is replaced, give or take a fifth [default: never]
    #[cfg(all(unix, feature = "supervisor"))]
    #[arg(long, value_name = "N", env = "ANTIPHON_MAX_REQUESTS")]
    pub max_requests: Option<u64>,

    /// Show what is offered to browsers, or not [default: where only this machine can come]
    #[arg(long, value_name = "BOOL", env = "ANTIPHON_PAGE", num_args = 0..=1, default_missing_value = "true")]
    pub page: Option<bool>,

    /// Serve what was counted, or not [default: where only this machine can come]
    #[cfg(feature = "metrics")]
    #[arg(long, value_name = "BOOL", env = "ANTIPHON_METRICS", num_args = 0..=1, default_missing_value = "true")]
    pub metrics: Option<bool>,

    /// Time for one call [default: 30s]
    #[arg(long, value_name = "TIME", env = "ANTIPHON_CALL_TIMEOUT")]
    pub call_timeout: Option<Wait>,

    /// Time between an answer and the next request of a connection [default: 75s]
    #[arg(long, value_name = "TIME", env = "ANTIPHON_IDLE_TIMEOUT")]
    pub idle_timeout: Option<Wait>,

    /// Time for calls in flight when the server is told to stop [default: 30s]
    #[arg(long, value_name = "TIME", env = "ANTIPHON_GRACEFUL_TIMEOUT")]
    pub graceful_timeout: Option<Wait>,

    /// Connections at the same time [default: 10000]
    #[arg(long, value_name = "N", env = "ANTIPHON_MAX_CONNECTIONS")]
    pub max_connections: Option<usize>,

    /// Calls that may wait at the same time [default: 1024]
    #[arg(long, value_name = "N", env = "ANTIPHON_MAX_IN_FLIGHT")]
    pub max_in_flight: Option<usize>,

    /// Entries in a batch [default: 100]
    #[arg(long, value_name = "N", env = "ANTIPHON_MAX_BATCH")]
    pub max_batch: Option<usize>,

    /// Size of a request [default: 10MiB]
    #[arg(long, value_name = "SIZE", env = "ANTIPHON_MAX_REQUEST")]
    pub max_request: Option<Size>,

    /// Size of a result [default: 10MiB]
    #[arg(long, value_name = "SIZE", env = "ANTIPHON_MAX_RESPONSE")]
    pub max_response: Option<Size>,

    /// Time for the whole head of a request [default: 10s]
    #[arg(
        long,
        value_name = "TIME",
        env = "ANTIPHON_HEADER_TIMEOUT",
        hide_short_help = true
    )]
    pub header_timeout: Option<Wait>,

    /// Time for the whole body of a request [default: 30s]
    #[arg(
        long,
        value_name = "TIME",
        env = "ANTIPHON_BODY_TIMEOUT",
        hide_short_help = true
    )]
    pub body_timeout: Option<Wait>,

    /// Time for a peer that reads nothing of its answer [default: 30s]
    #[arg(
        long,
        value_name = "TIME",
        env = "ANTIPHON_WRITE_TIMEOUT",
        hide_short_help = true
    )]
    pub write_timeout: Option<Wait>,

    /// Time for a whole batch [default: 60s]
    #[arg(
        long,
        value_name = "TIME",
        env = "ANTIPHON_BATCH_TIMEOUT",
        hide_short_help = true
    )]
    pub batch_timeout: Option<Wait>,

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
    pub max_batch_response: Option<Size>,

    /// Connections from one address, on a public listener [default: 256]
    #[arg(
        long,
        value_name = "N",
        env = "ANTIPHON_MAX_CONNECTIONS_PER_IP",
        hide_short_help = true
    )]
    pub max_connections_per_ip: Option<usize>,

    /// Size of all requests that are being received [default: 256MiB]
    #[arg(
        long,
        value_name = "SIZE",
        env = "ANTIPHON_MAX_REQUEST_MEMORY",
        hide_short_help = true
    )]
    pub max_request_memory: Option<Size>,

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
    pub max_header_size: Option<Size>,

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
}

impl ServeArgs {
    /// The text of the settings file, if there is one.
    pub(super) fn read_file(&self) -> Result<Option<String>, ServeError> {
        let Some(path) = &self.config else {
            return Ok(None);
        };
        let text = std::fs::read_to_string(path).map_err(|error| bad(path, &error))?;
        Ok(Some(text))
    }

    /// The same arguments with what the file says where nothing else was said.
    pub(super) fn with_text(self, text: Option<&str>) -> Result<Self, ServeError> {
        let (Some(path), Some(text)) = (&self.config, text) else {
            return Ok(self);
        };
        let file: Self = toml::from_str(text).map_err(|error| bad(path, &error))?;
        let list = |ours: Vec<String>, file: Vec<String>| if ours.is_empty() { file } else { ours };
        Ok(Self {
            bind: list(self.bind, file.bind),
            #[cfg(all(unix, feature = "stdio"))]
            stdio: self.stdio,
            #[cfg(all(unix, feature = "supervisor"))]
            workers: self.workers.or(file.workers),
            #[cfg(unix)]
            admin_token_file: self.admin_token_file.or(file.admin_token_file),
            #[cfg(all(unix, feature = "supervisor"))]
            control: self.control.or(file.control),
            #[cfg(all(unix, feature = "supervisor"))]
            pid_file: self.pid_file.or(file.pid_file),
            #[cfg(all(unix, feature = "supervisor"))]
            worker_timeout: self.worker_timeout.or(file.worker_timeout),
            #[cfg(all(unix, feature = "supervisor"))]
            boot_timeout: self.boot_timeout.or(file.boot_timeout),
            #[cfg(all(unix, feature = "supervisor"))]
            max_requests: self.max_requests.or(file.max_requests),
            threads: self.threads.or(file.threads),
            profile: self.profile.or(file.profile),
            #[cfg(feature = "tls")]
            tls_cert: self.tls_cert.or(file.tls_cert),
            #[cfg(feature = "tls")]
            tls_key: self.tls_key.or(file.tls_key),
            allow_host: list(self.allow_host, file.allow_host),
            allow_origin: list(self.allow_origin, file.allow_origin),
            allow_unauthenticated_public: self.allow_unauthenticated_public
                || file.allow_unauthenticated_public,
            page: self.page.or(file.page),
            #[cfg(feature = "metrics")]
            metrics: self.metrics.or(file.metrics),
            call_timeout: self.call_timeout.or(file.call_timeout),
            idle_timeout: self.idle_timeout.or(file.idle_timeout),
            graceful_timeout: self.graceful_timeout.or(file.graceful_timeout),
            max_connections: self.max_connections.or(file.max_connections),
            max_in_flight: self.max_in_flight.or(file.max_in_flight),
            max_batch: self.max_batch.or(file.max_batch),
            max_request: self.max_request.or(file.max_request),
            max_response: self.max_response.or(file.max_response),
            header_timeout: self.header_timeout.or(file.header_timeout),
            body_timeout: self.body_timeout.or(file.body_timeout),
            write_timeout: self.write_timeout.or(file.write_timeout),
            batch_timeout: self.batch_timeout.or(file.batch_timeout),
            batch_concurrency: self.batch_concurrency.or(file.batch_concurrency),
            max_batch_response: self.max_batch_response.or(file.max_batch_response),
            max_connections_per_ip: self.max_connections_per_ip.or(file.max_connections_per_ip),
            max_request_memory: self.max_request_memory.or(file.max_request_memory),
            max_headers: self.max_headers.or(file.max_headers),
            max_header_size: self.max_header_size.or(file.max_header_size),
            max_streams: self.max_streams.or(file.max_streams),
            log: self.log.or(file.log),
            config: self.config,
        })
    }

    /// Puts what was said over what the builder has.
    pub(super) fn apply(&self, settings: &mut Settings) -> Result<(), ServeError> {
        if !self.bind.is_empty() {
            settings.bind.clone_from(&self.bind);
        }
        settings.allow_host.extend_from_slice(&self.allow_host);
        settings.allow_origin.extend_from_slice(&self.allow_origin);
        settings.allow_unauthenticated_public |= self.allow_unauthenticated_public;
        set(&mut settings.profile, self.profile);
        #[cfg(feature = "tls")]
        {
            set(&mut settings.tls_cert, self.tls_cert.clone().map(Some));
            set(&mut settings.tls_key, self.tls_key.clone().map(Some));
        }
        set(&mut settings.page, self.page.map(Some));
        #[cfg(feature = "metrics")]
        set(&mut settings.metrics, self.metrics.map(Some));
        set(&mut settings.max_connections, self.max_connections);
        set(
            &mut settings.max_request,
            self.max_request.map(|Size(bytes)| bytes),
        );
        set(
            &mut settings.idle_timeout,
            self.idle_timeout.map(|Wait(time)| time),
        );
        set(
            &mut settings.calls.call_timeout,
            self.call_timeout.map(|Wait(time)| time),
        );
        set(&mut settings.calls.max_in_flight, self.max_in_flight);
        set(&mut settings.calls.max_batch, self.max_batch);
        set(
            &mut settings.calls.max_response,
            self.max_response.map(|Size(bytes)| bytes),
        );
        set(
            &mut settings.header_timeout,
            self.header_timeout.map(|Wait(time)| time),
        );
        set(
            &mut settings.body_timeout,
            self.body_timeout.map(|Wait(time)| time),
        );
        set(
            &mut settings.write_timeout,
            self.write_timeout.map(|Wait(time)| time),
        );
        set(
            &mut settings.calls.batch_timeout,
            self.batch_timeout.map(|Wait(time)| time),
        );
        set(
            &mut settings.calls.batch_concurrency,
            self.batch_concurrency,
        );
        set(
            &mut settings.calls.max_batch_response,
            self.max_batch_response.map(|Size(bytes)| bytes),
        );
        set(
            &mut settings.max_connections_per_ip,
            self.max_connections_per_ip,
        );
        set(
            &mut settings.max_request_memory,
            self.max_request_memory.map(|Size(bytes)| bytes),
        );
        set(&mut settings.max_headers, self.max_headers);
        set(
            &mut settings.max_header_size,
            self.max_header_size.map(|Size(bytes)| bytes),
        );
        set(&mut settings.max_streams, self.max_streams);
        settings.graceful_timeout = finite(
            self.graceful_timeout,
            settings.graceful_timeout,
            "graceful-timeout",
        )?;
        #[cfg(unix)]
        set(
            &mut settings.admin_token_file,
            self.admin_token_file.clone().map(Some),
        );
        #[cfg(all(unix, feature = "supervisor"))]
        self.apply_supervision(&mut settings.supervision)?;
        Ok(())
    }

    #[cfg(all(unix, feature = "supervisor"))]
    fn apply_supervision(
        &self,
        supervision: &mut crate::supervision::Supervision,
    ) -> Result<(), ServeError> {
        set(&mut supervision.workers, self.workers);
        set(&mut supervision.control, self.control.clone().map(Some));
        set(&mut supervision.pid_file, self.pid_file.clone().map(Some));
        set(
            &mut supervision.worker_timeout,
            self.worker_timeout.map(|Wait(time)| time),
        );
        supervision.boot_timeout =
            finite(self.boot_timeout, supervision.boot_timeout, "boot-timeout")?;
        set(&mut supervision.max_requests, self.max_requests.map(Some));
        Ok(())
    }
}

fn set<T>(setting: &mut T, said: Option<T>) {
    if let Some(said) = said {
        *setting = said;
    }
}

/// A time that cannot be left out.
fn finite(said: Option<Wait>, known: Duration, name: &str) -> Result<Duration, ServeError> {
    match said {
        None => Ok(known),
        Some(Wait(Some(time))) => Ok(time),
        Some(Wait(None)) => Err(ServeError::BadSetting(format!(
            "{name} must be a time, not `none`"
        ))),
    }
}

fn bad(path: &Path, reason: &dyn std::fmt::Display) -> ServeError {
    ServeError::BadSetting(format!("{}: {reason}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_stands_below_flags_and_above_the_builder() {
        let file: ServeArgs = toml::from_str(
            "bind = [\"127.0.0.1:1\"]\nmax-batch = 7\ncall-timeout = \"5s\"\nmax-request = 1000\n",
        )
        .unwrap();
        let path = std::env::temp_dir().join(format!("antiphon-{}.toml", std::process::id()));
        std::fs::write(
            &path,
            "bind = [\"127.0.0.1:1\"]\nmax-batch = 7\ncall-timeout = 5\n",
        )
        .unwrap();
        let flags = ServeArgs {
            max_batch: Some(9),
            config: Some(path.clone()),
            ..ServeArgs::default()
        };
        let text = flags.read_file().unwrap();
        let merged = flags.with_text(text.as_deref()).unwrap();
        std::fs::remove_file(path).unwrap();
        let mut settings = Settings {
            max_connections: 3,
            ..Settings::default()
        };
        merged.apply(&mut settings).unwrap();
        assert_eq!(settings.bind, ["127.0.0.1:1"]);
        assert_eq!(settings.calls.max_batch, 9);
        assert_eq!(settings.calls.call_timeout, Some(Duration::from_secs(5)));
        assert_eq!(settings.max_connections, 3);
        assert_eq!(file.max_request, Some(Size(1000)));
    }

    #[test]
    fn a_file_with_a_word_we_do_not_know_is_refused() {
        let error = toml::from_str::<ServeArgs>("max-bacth = 7").unwrap_err();
        assert!(error.to_string().contains("max-bacth"), "{error}");
        assert!(toml::from_str::<ServeArgs>("call-timeout = \"soon\"").is_err());
    }
}
