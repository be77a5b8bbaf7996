//! Programs that are counted, and how cargo builds them: with the release profile, as they are
//! shipped.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::Failure;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProgramKind {
    /// `antiphon serve` with its defaults, on HTTP and TCP.
    Serve,
    /// Calls from bytes to bytes.
    Calls,
    /// A server with a subscription.
    Publisher,
    /// The same with a topic.
    Topic,
}

/// A program with its arguments.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) file: PathBuf,
    pub(crate) arguments: Vec<String>,
    /// How many addresses it prints once it listens.
    pub(crate) addresses: usize,
}

/// The files of all programs.
#[derive(Clone, Debug)]
pub(crate) struct Programs {
    antiphon: PathBuf,
    subject: PathBuf,
}

impl Programs {
    pub(crate) fn build() -> Result<Self, Failure> {
        let peers = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        Ok(Self {
            antiphon: build(&peers.join(".."), "antiphon-cli", "antiphon")?,
            subject: build(&peers, "counts_subject", "counts_subject")?,
        })
    }

    /// The program for a run of so many rounds. A server runs until it is told to end.
    pub(crate) fn program(&self, kind: ProgramKind, rounds: usize) -> Program {
        let (file, arguments, addresses) = match kind {
            ProgramKind::Serve => {
                let bind = "--bind=http://127.0.0.1:0,tcp://127.0.0.1:0";
                let arguments = ["serve", bind, "--threads=1"].map(str::to_owned).to_vec();
                (&self.antiphon, arguments, 2)
            }
            ProgramKind::Calls => {
                let arguments = vec!["calls".to_owned(), rounds.to_string()];
                (&self.subject, arguments, 0)
            }
            ProgramKind::Publisher => (&self.subject, vec!["publisher".to_owned()], 1),
            ProgramKind::Topic => (&self.subject, vec!["topic".to_owned()], 1),
        };
        Program {
            file: file.clone(),
            arguments,
            addresses,
        }
    }
}

/// Builds a program of the workspace in this folder, and returns its file.
fn build(workspace: &Path, package: &str, name: &str) -> Result<PathBuf, Failure> {
    eprintln!("building: {name}, which takes some minutes the first time");
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--release", "--locked", "--package", package])
        .args(["--bin", name, "--message-format=json-render-diagnostics"])
        .arg("--manifest-path")
        .arg(workspace.join("Cargo.toml"))
        // The code is the same without it, and the build quicker.
        .env("CARGO_PROFILE_RELEASE_DEBUG", "0")
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err(format!("{name} does not build").into());
    }
    let messages = String::from_utf8(output.stdout)?;
    let file = executable(&messages, name);
    Ok(file.ok_or_else(|| format!("cargo names no file of {name}"))?)
}

/// The file of a program in the messages of cargo, each a line of JSON.
fn executable(messages: &str, name: &str) -> Option<PathBuf> {
    messages.lines().find_map(|line| {
        let message: Value = serde_json::from_str(line).ok()?;
        let file = message["executable"].as_str()?;
        (message["target"]["name"] == name).then(|| file.into())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_file_that_cargo_names() {
        let messages = r#"{"reason":"compiler-artifact","target":{"name":"a"},"executable":null}
            no JSON
            {"reason":"compiler-artifact","target":{"name":"b"},"executable":"/x/b"}
            {"reason":"compiler-artifact","target":{"name":"a"},"executable":"/x/a"}"#;
        assert_eq!(executable(messages, "a"), Some("/x/a".into()));
        assert_eq!(executable(messages, "c"), None);
    }
}
