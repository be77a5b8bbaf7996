//! A server as a whole program: arguments, file, log, runtime, signals, workers.
//!
//! | file | what it does |
//! |---|---|
//! | `mod.rs` | [`Server::start`]: from the command line to the end |
//! | `args.rs`, `units.rs` | [`ServeArgs`]; times and sizes as people write them |
//! | `settings.rs` | these and the settings file, put over what the builder has |

mod args;
mod settings;
mod units;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
#[cfg(all(unix, feature = "supervisor"))]
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::available_parallelism;
use std::time::Duration;

use clap::Parser;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

#[cfg(all(unix, feature = "supervisor"))]
use crate::server::listen::listen_also;
use crate::server::{Handle, ServeError, Server, Settings};
#[cfg(all(unix, feature = "supervisor"))]
use crate::supervisor::{Brief, News, Post, Role, activated, supervise, work};
pub use args::ServeArgs;
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
    #[cfg(all(unix, feature = "supervisor"))]
    let role = Role::find()?;
    let told = told(
        #[cfg(all(unix, feature = "supervisor"))]
        &role,
    );
    let base = server.settings.clone();
    let flags = args.clone();
    let config = match told {
        Some(config) => config,
        None => args.read_file()?,
    };
    let args = args.with_text(config.as_deref())?;
    log_to_stderr(args.log.as_deref())?;
    #[cfg(all(unix, feature = "stdio"))]
    if let Some(framing) = args.stdio {
        server = server.stdio_framed(framing);
    }
    args.apply(&mut server.settings)?;
    let threads = args.threads.or(server.threads);
    let available = || available_parallelism().map_or(1, usize::from);
    #[cfg(all(unix, feature = "supervisor"))]
    {
        let supervision = &server.settings.supervision;
        match role {
            Role::Worker(post) => {
                name_process();
                return block_on(threads.unwrap_or(1), work(server, post));
            }
            Role::Successor(_) if supervision.workers == 0 => return Err(unsupervised()),
            Role::Own if supervision.workers == 0 => {}
            Role::Own | Role::Successor(_) => {
                let post = match role {
                    Role::Successor(post) => Some(post),
                    _ => None,
                };
                return supervised(server, base, flags, config, post);
            }
        }
    }
    block_on(
        threads.unwrap_or_else(available),
        serve(server, base, flags),
    )
}

/// The file with settings as the supervisor has read it, if there is one.
fn told(#[cfg(all(unix, feature = "supervisor"))] role: &Role) -> Option<Option<String>> {
    #[cfg(all(unix, feature = "supervisor"))]
    if let Role::Worker(post) = role {
        return Some(post.charge.config.clone());
    }
    None
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

#[cfg(all(unix, feature = "supervisor"))]
fn unsupervised() -> ServeError {
    ServeError::BadSetting(
        "a server with workers can only be replaced by one that has workers, too".to_owned(),
    )
}

/// Runs workers, each of which comes here once more.
#[cfg(all(unix, feature = "supervisor"))]
fn supervised(
    server: Server,
    base: Settings,
    flags: ServeArgs,
    config: Option<String>,
    post: Option<Post>,
) -> Result<(), ServeError> {
    static SUPERVISED: AtomicBool = AtomicBool::new(false);
    if SUPERVISED.swap(true, Ordering::SeqCst) {
        return Err(ServeError::BadSetting(
            "a program supervises workers once: they would come to its first `start` again"
                .to_owned(),
        ));
    }
    #[cfg(feature = "stdio")]
    if server.stdio.is_some() {
        return Err(ServeError::BadSetting(
            "standard input and output cannot be served by workers".to_owned(),
        ));
    }
    let brief = |settings: &Settings, config: Option<String>| Brief {
        supervision: settings.supervision.clone(),
        graceful_timeout: settings.graceful_timeout,
        config,
    };
    let first = brief(&server.settings, config);
    let bound = server.settings.bind.clone();
    let reread = Box::new(move || {
        let config = flags.read_file()?;
        let mut settings = base.clone();
        flags
            .clone()
            .with_text(config.as_deref())?
            .apply(&mut settings)?;
        if settings.bind != bound {
            tracing::warn!("`bind` has changed: that needs a restart, or SIGUSR2");
        }
        if settings.supervision.workers == 0 {
            let text = "`workers` cannot become 0 without a restart".to_owned();
            return Err(ServeError::BadSetting(text));
        }
        Ok(brief(&settings, config))
    });
    let announce = |url: &str| say(&format_args!("antiphon listening on {url}"));
    block_on(1, supervise(server, first, reread, post, announce))
}

/// The system has named the process after the link that it was executed through.
#[cfg(all(unix, feature = "supervisor"))]
fn name_process() {
    let program = std::env::args_os().next().unwrap_or_default();
    let name = std::path::Path::new(&program)
        .file_name()
        .unwrap_or_default();
    if let Ok(name) = std::ffi::CString::new(name.as_encoded_bytes()) {
        let _ = rustix::thread::set_name(&name);
    }
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

async fn serve(server: Server, base: Settings, flags: ServeArgs) -> Result<(), ServeError> {
    let mut signals = Signals::new()?;
    let bound = server.settings.bind.clone();
    #[cfg(all(unix, feature = "supervisor"))]
    let listening = {
        let mut server = server;
        if let Some(hook) = server.on_supervisor_start.take() {
            hook().await.map_err(ServeError::Lazy)?;
        }
        let activated = activated(server.settings.has_tls())?;
        if !activated.is_empty() && server.settings.binds_by_default() {
            server.settings.bind.clear();
        }
        listen_also(server, activated).await?
    };
    #[cfg(not(all(unix, feature = "supervisor")))]
    let listening = server.listen().await?;
    for url in listening.urls() {
        say(&format_args!("antiphon listening on {url}"));
    }
    manager(News::Ready);
    let handle = listening.handle();
    let (reload, reloads) = watch::channel(None);
    let serving = listening.serve_reloading(reloads);
    tokio::pin!(serving);
    loop {
        tokio::select! {
            ended = &mut serving => return ended,
            signal = signals.next() => match signal {
                Signal::Stop => {
                    manager(News::Stopping);
                    stop(&handle);
                }
                Signal::Reload => {
                    manager(News::Reloading);
                    if let Some(settings) = read_again(&base, &flags, &bound) {
                        reload.send_replace(Some(settings));
                    }
                    manager(News::Reloaded);
                }
            },
        }
    }
}

/// Tells the service manager, if there is one.
#[cfg(all(unix, feature = "supervisor"))]
use crate::supervisor::notify as manager;

/// Without it nobody is told.
#[cfg(not(all(unix, feature = "supervisor")))]
enum News {
    Ready,
    Reloading,
    Reloaded,
    Stopping,
}

#[cfg(not(all(unix, feature = "supervisor")))]
fn manager(_: News) {}

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

enum Signal {
    Stop,
    Reload,
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    hangup: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.interrupt.recv() => Signal::Stop,
            _ = self.terminate.recv() => Signal::Stop,
            _ = self.hangup.recv() => Signal::Reload,
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) -> Signal {
        let _ = tokio::signal::ctrl_c().await;
        Signal::Stop
    }
}
