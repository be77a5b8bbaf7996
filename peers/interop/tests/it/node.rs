//! Programs for Node.js: how they are started, and what they tell.
//!
//! What they need comes from a lock file, once, before the first of them starts.

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

/// How long the packages may take to come.
const INSTALLING: Duration = Duration::from_secs(300);

/// A program that runs. It is killed when this is dropped.
pub(crate) struct Program {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

/// What one line says.
#[derive(Debug, Deserialize)]
struct Told {
    check: String,
    seen: Value,
}

pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("js")
}

/// Fetches the packages, unless the very ones in the lock file are there.
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
        let output = timeout(INSTALLING, output)
            .await
            .expect("npm comes to an end");
        let output = output.expect("npm is installed");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
    }
    *installed = true;
}

/// Starts a program of the folder.
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
    /// What it tells next, which has to be about this.
    pub(crate) async fn hear(&mut self, check: &str) -> Value {
        let told = self.next().await;
        let told = told.unwrap_or_else(|| panic!("it has ended before `{check}`"));
        assert_eq!(told.check, check, "{}", told.seen);
        told.seen
    }

    async fn next(&mut self) -> Option<Told> {
        let line = soon(self.lines.next_line()).await.unwrap()?;
        let told = serde_json::from_str(&line);
        Some(told.unwrap_or_else(|error| panic!("{error}: {line}")))
    }

    /// All that it tells until it ends, which has to be this.
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
