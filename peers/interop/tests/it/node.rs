//! Runner of Node.js programs and parser of their output.
//!
//! The packages come from a lock file and are installed once, before the first program starts.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::OnceLock;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use crate::soon;

/// Timeout of the installation.
const INSTALL_TIMEOUT: Duration = Duration::from_secs(300);

/// A running program. Dropping it kills the process.
pub(crate) struct Program {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

/// One line of output.
#[derive(Debug, Deserialize)]
struct Report {
    check: String,
    seen: Value,
}

pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("js")
}

/// Installs the packages, unless `node_modules` is newer than the lock file.
pub(crate) async fn install() {
    static INSTALLED: OnceLock<tokio::sync::Mutex<bool>> = OnceLock::new();
    let mut installed = INSTALLED.get_or_init(Default::default).lock().await;
    let modified = |name: &str| folder().join(name).metadata()?.modified();
    let fresh = match (
        modified("node_modules/.package-lock.json"),
        modified("package-lock.json"),
    ) {
        (Ok(there), Ok(wanted)) => there >= wanted,
        _ => false,
    };
    if !*installed && !fresh {
        let mut npm = Command::new("npm");
        npm.args(["ci", "--ignore-scripts", "--no-progress"])
            .current_dir(folder());
        let output = npm.stdin(Stdio::null()).kill_on_drop(true).output();
        let output = timeout(INSTALL_TIMEOUT, output)
            .await
            .expect("npm comes to an end");
        let output = output.expect("npm is installed");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
    }
    *installed = true;
}

/// Starts a program in the folder `js`.
pub(crate) async fn start(program: &str, arguments: &[String]) -> Program {
    install().await;
    let mut node = Command::new("node");
    node.arg(folder().join(program))
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    let mut child = node.spawn().expect("node is installed");
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    Program { child, lines }
}

impl Program {
    /// The value of the next line, which must be for this check.
    pub(crate) async fn hear(&mut self, check: &str) -> Value {
        let told = self.next().await;
        let told = told.unwrap_or_else(|| panic!("it has ended before `{check}`"));
        assert_eq!(told.check, check, "{}", told.seen);
        told.seen
    }

    async fn next(&mut self) -> Option<Report> {
        let line = soon(self.lines.next_line()).await.unwrap()?;
        let told = serde_json::from_str(&line);
        Some(told.unwrap_or_else(|error| panic!("{error}: {line}")))
    }

    /// Compares all remaining output with the expected lines.
    pub(crate) async fn tells(mut self, expected: &[(&str, Value)]) {
        let mut wrong = Vec::new();
        for (check, value) in expected {
            let seen = self.hear(check).await;
            if seen != *value {
                wrong.push(format!("{check}: {seen}, not {value}"));
            }
        }
        let more = self.next().await;
        assert!(more.is_none(), "{more:?}");
        let status = soon(self.child.wait()).await.unwrap();
        assert!(status.success(), "{status}");
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}
