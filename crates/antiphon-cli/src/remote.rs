//! Connection options of a command, its runtime and its timeout.

use std::future::Future;
use std::pin::pin;

use antiphon::client::{Client, ClientBuilder};
use antiphon::{Address, TimeLimit};
use clap::Args;
use tokio::runtime::Builder;

use crate::args;
use crate::credentials::Credentials;
use crate::exit::{Exit, Failure};

/// Where the server is, and what every request carries.
#[derive(Args)]
pub(crate) struct Remote {
    /// The server: HOST:PORT, http(s)://, ws(s)://, tcp://, tls://, unix:PATH, http+unix:PATH,
    /// ws+unix:PATH, stdio:COMMAND, or nats://HOST/PREFIX where this build has it
    #[arg(value_name = "URL")]
    url: String,

    #[command(flatten)]
    options: Options,
}

/// What every request carries, wherever it goes.
#[derive(Args)]
pub(crate) struct Options {
    /// A header of the request, or of a WebSocket's first one, as 'Name: value'; @FILE reads one a line, so that a secret stays
    /// out of the list of processes
    #[arg(short = 'H', long = "header", value_name = "HEADER")]
    headers: Vec<String>,

    /// Time to wait for the answer: 30, 30s, 500ms, 2m or none [default: 30s]
    #[arg(long, value_name = "TIME")]
    timeout: Option<TimeLimit>,

    /// Certificate authorities to trust in place of the machine's own (PEM)
    #[arg(long, value_name = "FILE")]
    ca_cert: Option<String>,

    #[command(flatten)]
    credentials: Credentials,
}

impl Remote {
    /// Creates a client of the server. It does not connect yet.
    pub(crate) fn client(&self) -> Result<Client, Failure> {
        self.client_with(|builder| builder)
    }

    /// Whether the transport has sessions, in which both sides can call.
    pub(crate) fn has_sessions(&self) -> bool {
        !matches!(
            self.url.parse(),
            Ok(Address::Http { .. } | Address::HttpUnix { .. })
        )
    }

    /// Creates a client with further options of a command.
    pub(crate) fn client_with(
        &self,
        change: impl FnOnce(ClientBuilder) -> ClientBuilder,
    ) -> Result<Client, Failure> {
        self.options.client(&self.url, change)
    }
}

impl Options {
    /// The certificate authorities to trust in place of the machine's own.
    pub(crate) fn authorities(&self) -> Result<Option<String>, Failure> {
        self.ca_cert.as_deref().map(args::read).transpose()
    }

    /// Creates a client of the server at this address. It does not connect yet.
    pub(crate) fn client(
        &self,
        url: &str,
        change: impl FnOnce(ClientBuilder) -> ClientBuilder,
    ) -> Result<Client, Failure> {
        // Parsed here because the error needs no further context.
        let _: Address = url
            .parse()
            .map_err(|error| Failure::usage(format!("the address `{url}`: {error}")))?;
        let mut builder = change(Client::builder(url));
        if let Some(path) = &self.ca_cert {
            builder = builder.ca_certificate(args::read(path)?);
        }
        if let Some(TimeLimit(time)) = self.timeout {
            builder = builder.timeout(time);
        }
        let mut is_said = false;
        for header in &self.headers {
            let text = match header.strip_prefix('@') {
                Some(path) => &args::read(path)?,
                None => header,
            };
            for line in text.lines().filter(|line| !line.trim().is_empty()) {
                let Some((name, value)) = line.split_once(':') else {
                    // The line is not quoted, because it may be a secret.
                    return Err(Failure::usage("a header is written as 'Name: value'"));
                };
                is_said |= name.trim().eq_ignore_ascii_case("authorization");
                builder = builder.header(name.trim(), value.trim());
            }
        }
        Ok(self.credentials.give(builder, is_said)?.build()?)
    }
}

/// Runs a future to completion or until Ctrl-C.
pub(crate) fn run<T>(future: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let failed = |error| Failure::io("the runtime cannot be started", &error);
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(failed)?;
    let outcome = runtime.block_on(async {
        let mut interrupted = pin!(tokio::signal::ctrl_c());
        tokio::select! {
            // Poll the signal first, so that its handler is installed before the future runs.
            biased;
            heard = &mut interrupted => Err(match heard {
                Ok(()) => Failure::new(Exit::Interrupted, "interrupted; what was sent may have run"),
                Err(error) => Failure::io("Ctrl-C cannot be heard", &error),
            }),
            outcome = future => outcome,
        }
    });
    // Does not wait for a blocking DNS lookup, which cannot be cancelled.
    runtime.shutdown_background();
    outcome
}
