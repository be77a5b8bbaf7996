//! Start of a server as a whole program: command line, settings, runtime, signals.

use std::ops::ControlFlow;
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use clap::Parser;
use tokio::sync::{Notify, mpsc, oneshot};

use crate::program::args::ServeArgs;
use crate::program::log::log_to_stderr;
use crate::program::panic_hook;
use crate::program::runtime::block_on;
use crate::program::signals::{Signal, Signals};
use crate::program::start_config::StartConfig;
use crate::program::start_watch::StartWatch;
use crate::program::stderr::{self, print_line};
use crate::program::supervised::{self, Notice, notify};
use crate::server::own_thread::on_own_thread;
use crate::server::reload::Reload;
use crate::server::settings_check::check_threads;
use crate::server::{ServeError, Server, ServerHandle, Settings};

/// How long the end of the program waits until the last lines of the log are written.
const LAST_LINES: Duration = Duration::from_millis(500);

#[derive(Parser)]
#[command(about = "Serves JSON-RPC 2.0 over HTTP")]
struct Program {
    #[command(flatten)]
    serve: ServeArgs,
}

impl Server {
    /// Runs the server as the whole program: parses the command line, creates a runtime, serves
    /// until SIGINT or SIGTERM, and shuts down gracefully. A second signal cuts the remaining
    /// calls.
    ///
    /// `--help` lists the flags. The exit code is 0 after a requested stop, 1 if the server could
    /// not start, and 2 if the command line was invalid.
    ///
    /// The log goes to standard error, unless the program has set a `tracing` subscriber before. A
    /// thread writes it, so that the server never waits for whoever reads standard error; lines that
    /// do not fit into 1 MiB are dropped and counted.
    ///
    /// It replaces the panic hook of the process by one that logs each panic as one line, unless the
    /// program asks for its own with [`keep_panic_hook`](Self::keep_panic_hook).
    ///
    /// Call it from a synchronous `main`. Inside a runtime, use [`serve`](Self::serve) instead.
    #[must_use]
    pub fn start(self) -> ExitCode {
        self.start_with(Program::parse().serve)
    }

    /// Like [`start`](Self::start), with arguments that the program has parsed itself.
    #[must_use]
    pub fn start_with(self, args: ServeArgs) -> ExitCode {
        let ended = run(self, args);
        if let Err(error) = &ended {
            print_line(&format_args!("error: {error}"));
        }
        stderr::flush(LAST_LINES);
        match ended {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
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
    let watch = StartWatch::begin()?;
    let role = supervised::role()?;
    let base = server.settings.clone();
    let flags = args.clone();
    let settings_file = match supervised::settings_file(&role) {
        Some(read) => read,
        None => args.read_file()?,
    };
    let args = args.with_file(settings_file.as_deref())?;
    log_to_stderr(args.flags.log.as_deref())?;
    if !server.keep_panic_hook {
        panic_hook::install();
    }
    if let Some(framing) = args.flags.stdio {
        server = server.stdio_framed(framing);
    }
    args.apply(&mut server.settings)?;
    server.settings.share_topics.get_or_insert(true);
    server.settings.check()?;
    let threads = args.flags.threads.or(server.threads);
    check_threads(threads)?;
    let start = StartConfig {
        base,
        flags,
        settings_file,
        threads,
    };
    let (server, start, watch) = match supervised::run(role, server, start, watch) {
        ControlFlow::Continue(here) => here,
        ControlFlow::Break(ended) => return ended,
    };
    let available = || available_parallelism().map_or(1, usize::from);
    let threads = start.threads.unwrap_or_else(available);
    block_on(threads, serve(server, start, watch))
}

async fn serve(
    mut server: Server,
    start: StartConfig,
    watch: StartWatch,
) -> Result<(), ServeError> {
    let mut signals = Signals::new()?;
    let set_up = async {
        let files = supervised::prepare_files(&server.settings)?;
        if let Some(hook) = server.on_supervisor_start.take() {
            hook().await.map_err(ServeError::Lazy)?;
        }
        Ok::<_, ServeError>((supervised::listen(server).await?, files))
    };
    let (bound, mut files) = tokio::select! {
        biased;
        () = watch.stopped() => return Ok(()),
        set_up = set_up => set_up?,
    };
    drop(watch);
    files.publish()?;
    for url in bound.urls() {
        print_line(&format_args!("antiphon listening on {url}"));
    }
    notify(Notice::Ready);
    let handle = bound.handle();
    let (reload, reloads) = mpsc::channel(1);
    let hangup = Notify::new();
    let mut reloading = pin!(reload_on(&hangup, reload, Arc::new(start)));
    let mut serving = pin!(bound.serve_reloading(reloads));
    loop {
        tokio::select! {
            ended = &mut serving => return ended,
            () = &mut reloading => {}
            signal = signals.next() => match signal {
                Signal::Stop => {
                    notify(Notice::Stopping);
                    stop(&handle);
                }
                Signal::Reload => hangup.notify_one(),
            },
        }
    }
}

fn stop(handle: &ServerHandle) {
    if handle.is_stopping() {
        tracing::warn!("told to stop twice: cutting what is left");
        handle.abort();
    } else {
        tracing::info!("stopping: {} connections are open", handle.connections());
        handle.stop();
    }
}

/// Reads the settings again at each signal, and passes them on to the server. Signals that come
/// meanwhile count as one. Never returns.
async fn reload_on(hangup: &Notify, server: mpsc::Sender<Reload>, start: Arc<StartConfig>) {
    loop {
        hangup.notified().await;
        notify(Notice::Reloading);
        let start = Arc::clone(&start);
        // Even without settings, the server reads its other files again.
        let settings = on_own_thread("antiphon-reload", move || reload_settings(&start)).await;
        let (done, is_done) = oneshot::channel();
        let reload = Reload {
            settings: settings.ok().flatten(),
            done: Some(done),
        };
        // It fails only when the server ends.
        let _ = server.send(reload).await;
        let _ = is_done.await;
        notify(Notice::Reloaded);
    }
}

/// Reads the settings again. On an error, logs it and returns `None`, which keeps the current settings.
fn reload_settings(start: &StartConfig) -> Option<Settings> {
    let sources = |text: Option<&str>| start.flags.clone().with_file(text);
    let read = || {
        let new = sources(start.flags.read_file()?.as_deref())?;
        let mut settings = start.base.clone();
        new.apply(&mut settings)?;
        settings.check()?;
        Ok::<_, ServeError>((new, settings))
    };
    match read() {
        Ok((new, settings)) => {
            // These are of the process, so the server does not know them.
            if let Ok(old) = sources(start.settings_file.as_deref()) {
                for (name, changed) in [
                    ("threads", old.flags.threads != new.flags.threads),
                    ("log", old.flags.log != new.flags.log),
                ] {
                    if changed {
                        tracing::warn!("`{name}` has changed: that needs a restart");
                    }
                }
            }
            Some(settings)
        }
        Err(error) => {
            tracing::error!("the settings stay as they are: {error}");
            None
        }
    }
}
