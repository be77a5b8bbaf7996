//! Server under test: an ordinary program with methods that misbehave.
//!
//! Options make the whole program misbehave: see [`Temper`].

use std::io::{Read as _, Seek as _, SeekFrom};
use std::process::ExitCode;
use std::time::Duration;

use antiphon::{Router, ServeArgs, Server, ServerCommands, rpc};
use clap::Parser;

struct Subject {
    version: String,
}

#[rpc]
impl Subject {
    /// The id of the process that answers.
    fn rpc_pid(&self) -> u32 {
        std::process::id()
    }

    /// The version that the test has appended to the program file.
    fn rpc_version(&self) -> String {
        self.version.clone()
    }

    /// Answers after this many milliseconds with the process id.
    async fn rpc_sleep(&self, milliseconds: u64) -> u32 {
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
        std::process::id()
    }

    /// Blocks the runtime.
    fn rpc_block(&self, milliseconds: u64) -> u32 {
        std::thread::sleep(Duration::from_millis(milliseconds));
        std::process::id()
    }

    /// Never answers.
    async fn rpc_hang(&self) {
        std::future::pending().await
    }

    /// Aborts the process, as a crash would.
    fn rpc_abort(&self) {
        std::process::abort();
    }

    /// Exits the process with success.
    fn rpc_exit(&self) {
        std::process::exit(0);
    }
}

/// How the program behaves.
#[derive(Parser)]
struct Temper {
    /// A worker leaves `main` before it comes to `start`.
    #[arg(long)]
    leave: bool,
    /// A worker aborts so soon after its start, in milliseconds, if this file is there.
    #[arg(long)]
    abort_if: Option<std::path::PathBuf>,
    #[arg(long, default_value_t = 50)]
    abort_after: u64,
    /// The router cannot be made if this file is there.
    #[arg(long)]
    fail_if: Option<std::path::PathBuf>,
    /// The program never comes to `start` if this file is there.
    #[arg(long)]
    stall_if: Option<std::path::PathBuf>,
    /// It calls `start` twice.
    #[arg(long)]
    twice: bool,
    /// Writes a line to this file when the supervisor starts.
    #[arg(long)]
    hook: Option<std::path::PathBuf>,
    #[command(flatten)]
    serve: ServeArgs,
}

fn main() -> ExitCode {
    let temper = Temper::parse();
    let is_worker = std::env::var_os("ANTIPHON_WORKER").is_some();
    if temper.leave && is_worker {
        return ExitCode::SUCCESS;
    }
    if temper.stall_if.as_ref().is_some_and(|file| file.exists()) {
        std::thread::sleep(Duration::from_secs(600));
    }
    if is_worker && temper.abort_if.as_ref().is_some_and(|file| file.exists()) {
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(temper.abort_after));
            std::process::abort();
        });
    }
    let code = server(temper.fail_if.clone(), temper.hook.clone()).start_with(temper.serve.clone());
    if temper.twice {
        return server(None, None).start_with(temper.serve);
    }
    code
}

fn server(fail_if: Option<std::path::PathBuf>, hook: Option<std::path::PathBuf>) -> Server {
    Server::lazy(async move || {
        if fail_if.is_some_and(|file| file.exists()) {
            return Err("the router cannot be made, as was asked for");
        }
        let version = version().unwrap_or_default();
        Ok(Router::of(ServerCommands::new()).merge(Subject { version }))
    })
    .on_supervisor_start(async move || match hook {
        Some(path) => std::fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(path)
            .and_then(|mut file| std::io::Write::write_all(&mut file, b"started\n")),
        None => Ok(()),
    })
}

/// The text after `#` at the end of the file of the running program.
fn version() -> std::io::Result<String> {
    let mut file = std::fs::File::open("/proc/self/exe")?;
    file.seek(SeekFrom::End(-16))?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail)?;
    let tail = String::from_utf8_lossy(&tail).into_owned();
    Ok(tail
        .rsplit_once('#')
        .map_or_else(String::new, |(_, word)| word.to_owned()))
}
