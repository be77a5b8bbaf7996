//! A server as a whole program: arguments, file, log, runtime, signals, workers.
//!
//! | file | what it does |
//! |---|---|
//! | `mod.rs` | [`Server::start`]: from the command line to the end |
//! | `args.rs`, `units.rs` | [`ServeArgs`]; times and sizes as people write them |
//! | `settings.rs` | these and the settings file, put over what the builder has |

mod args;
mod settings;
#[cfg_attr(not(unix), path = "ctrl_c.rs")]
mod signals;
#[cfg_attr(not(all(unix, feature = "supervisor")), path = "unsupervised.rs")]
mod supervised;
mod units;

use std::io::{IsTerminal, Write};
use std::ops::ControlFlow;
use std::process::ExitCode;
use std::thread::available_parallelism;
use std::time::Duration;

use clap::Parser;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::server::{Handle, ServeError, Server, Settings};
pub use args::ServeArgs;
use signals::{Signal, Signals};
use supervised::{News, notify};
pub use units::{Size, Wait};

/// How long blocking work may go on when everything else has ended.
const LAST_BLOCKING: Duration = Duration::from_millis(200);

#[derive(Parser)]
#[command(about = "Serves JSON-RPC 2.0 over HTTP")]
struct Program {
    #[command(flatten)]
    serve: ServeArgs,
}

impl Server {
    /// Runs as the whole program: reads the command line, makes a runtime, serves until SIGINT or
    /// SIGTERM, and stops gracefully; a second signal cuts.
    ///
    /// `--help` tells what can be said. The exit code is 0 after a stop that was asked for, 1 if the
    /// server could not start, 2 if the command line was wrong.
    ///
    /// It is called from a plain `main`, not inside a runtime; there, use [`serve`](Self::serve).
    #[must_use]
    pub fn start(self) -> ExitCode {
        self.start_with(Program::parse().serve)
    }

    /// Like [`start`](Self::start), with arguments that the program has read itself.
    #[must_use]
    pub fn start_with(self, args: ServeArgs) -> ExitCode {
        match run(self, args) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                say(&format_args!("error: {error}"));
                ExitCode::FAILURE
            }
        }
    }
}

fn run(mut server: Server, args: ServeArgs) -> Result<(), ServeError> {
    if tokio::runtime::Handle::try_current().is_ok() {
        return Err(ServeError::BadSetting(
            "`start` makes a runtime of its own and cannot be called inside of one: use \
             `.serve().await` there, or call `start` from a `main` that is not async"
                .to_owned(),
        ));
    }
    let role = supervised::role()?;
    let base = server.settings.clone();
    let flags = args.clone();
    let config = match supervised::config(&role) {
        Some(config) => config,
        None => args.read_file()?,
    };
    let args = args.with_text(config.as_deref())?;
    log_to_stderr(args.log.as_deref())?;
    if let Some(framing) = args.stdio {
        server = server.stdio_framed(framing);
    }
    args.apply(&mut server.settings)?;
    let threads = args.threads.or(server.threads);
    let start = Start {
        base,
        flags,
        config,
        threads,
    };
    let (server, start) = match supervised::run(role, server, start) {
        ControlFlow::Continue(here) => here,
        ControlFlow::Break(ended) => return ended,
    };
    let available = || available_parallelism().map_or(1, usize::from);
    let threads = start.threads.unwrap_or_else(available);
    block_on(threads, serve(server, start.base, start.flags))
}

/// What a start has read, apart from the server itself.
struct Start {
    /// Settings of the builder.
    base: Settings,
    flags: ServeArgs,
    /// The file with settings, if there is one.
    config: Option<String>,
    threads: Option<usize>,
}

/// Runs a future to its end on a runtime of its own.
fn block_on(
    threads: usize,
    future: impl Future<Output = Result<(), ServeError>>,
) -> Result<(), ServeError> {
    let runtime = runtime(threads)?;
    let served = runtime.block_on(future);
    runtime.shutdown_timeout(LAST_BLOCKING);
    served
}

/// A line on stderr. Where nobody listens there, nothing is lost.
fn say(line: &dyn std::fmt::Display) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// One thread needs no scheduler that steals work between threads.
fn runtime(threads: usize) -> std::io::Result<Runtime> {
    let mut builder = match threads {
        0 | 1 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    if threads > 1 {
        builder.worker_threads(threads);
    }
    builder.enable_all().build()
}

async fn serve(mut server: Server, base: Settings, flags: ServeArgs) -> Result<(), ServeError> {
    let mut signals = Signals::new()?;
    let bound = server.settings.bind.clone();
    if let Some(hook) = server.on_supervisor_start.take() {
        hook().await.map_err(ServeError::Lazy)?;
    }
    let listening = supervised::listen(server).await?;
    for url in listening.urls() {
        say(&format_args!("antiphon listening on {url}"));
    }
    notify(News::Ready);
    let handle = listening.handle();
    let (reload, reloads) = watch::channel(None);
    let serving = listening.serve_reloading(reloads);
    tokio::pin!(serving);
    loop {
        tokio::select! {
            ended = &mut serving => return ended,
            signal = signals.next() => match signal {
                Signal::Stop => {
                    notify(News::Stopping);
                    stop(&handle);
                }
                Signal::Reload => {
                    notify(News::Reloading);
                    if let Some(settings) = read_again(&base, &flags, &bound) {
                        reload.send_replace(Some(settings));
                    }
                    notify(News::Reloaded);
                }
            },
        }
    }
}

fn stop(handle: &Handle) {
    if handle.is_stopping() {
        tracing::warn!("told to stop twice: cutting what is left");
        handle.cut();
    } else {
        tracing::info!("stopping: {} connections are open", handle.connections());
        handle.stop();
    }
}

/// The settings as the file has them now; what is wrong with it leaves everything as it is.
fn read_again(base: &Settings, flags: &ServeArgs, bound: &[String]) -> Option<Settings> {
    let mut settings = base.clone();
    let read = flags
        .read_file()
        .and_then(|config| flags.clone().with_text(config.as_deref()))
        .and_then(|args| args.apply(&mut settings));
    match read {
        Ok(()) => {
            if settings.bind != bound {
                tracing::warn!("`bind` has changed: that needs a restart");
            }
            Some(settings)
        }
        Err(error) => {
            tracing::error!("the settings stay as they are: {error}");
            None
        }
    }
}

fn log_to_stderr(filter: Option<&str>) -> Result<(), ServeError> {
    let filter: Targets = filter.unwrap_or("info").parse().map_err(|error| {
        ServeError::BadSetting(format!("the log level cannot be read: {error}"))
    })?;
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none());
    // A program that has set up its own log keeps it.
    let _ = tracing_subscriber::registry()
        .with(filter)
        .with(lines)
        .try_init();
    Ok(())
}
