//! Benchmark peer `antiphon serve`: the program that users run, with its defaults and one thread.
//! It is built from the workspace beside this one, and runs in a process of its own.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::Peer;
use crate::Failure;
use crate::cases::{Case, Setup};

pub(super) const PEER: Peer = Peer {
    http: true,
    upgrades: true,
    program: true,
    ..Peer::without("antiphon-serve")
};

/// Whether the case calls a method that the program does not have. It has `calc.add`, `echo` and topics,
/// but neither `len` nor `blob`.
pub(super) fn lacks(case: Case) -> bool {
    matches!(case, Case::Params1m | Case::Result1m | Case::Unread)
}

/// The arguments of the program in a case.
pub(crate) fn arguments(case: Case) -> Vec<String> {
    let address = match case.scheme() {
        "tcp" => "tcp://127.0.0.1:0",
        _ => "127.0.0.1:0",
    };
    let (flag, count) = match case.setup() {
        Setup::Threads(count) => ("--threads", count),
        Setup::Workers(count) => ("--workers", count),
    };
    let count = count.to_string();
    ["serve", "--bind", address, flag, &count]
        .map(str::to_owned)
        .to_vec()
}

/// The port in a line of its standard error, which says where it listens.
pub(crate) fn announced_port(line: &str) -> Option<u16> {
    let (_, url) = line.split_once("antiphon listening on ")?;
    url.trim()
        .trim_end_matches('/')
        .rsplit(':')
        .next()?
        .parse()
        .ok()
}

/// Whether a line of its standard error says that one more worker accepts connections.
pub(crate) fn is_worker_ready(line: &str) -> bool {
    line.contains(": a worker is ready ")
}

/// Builds the program in its release profile, and returns its path.
pub(crate) fn build() -> Result<PathBuf, Failure> {
    eprintln!(
        "building antiphon, which takes some minutes the first time (--program PATH names one)"
    );
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let built = Command::new(cargo)
        .args(["build", "--release", "--locked", "-p", "antiphon-cli"])
        .args(["--message-format", "json-render-diagnostics"])
        .current_dir(root)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cargo: {error}"))?;
    if !built.status.success() {
        return Err("antiphon does not build".into());
    }
    executable(&String::from_utf8_lossy(&built.stdout))
        .ok_or_else(|| "cargo does not say where antiphon is".into())
}

/// The path in what cargo prints: one JSON object a line, some with an executable.
fn executable(messages: &str) -> Option<PathBuf> {
    let messages = messages
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    messages
        .filter(|message: &Value| message["target"]["name"] == "antiphon")
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_follow_the_case() {
        let check = |case: &str, expected: &str| {
            let case = Case::named(case).unwrap();
            assert_eq!(arguments(case).join(" "), expected);
        };
        check("ws64", "serve --bind 127.0.0.1:0 --threads 1");
        check("tcp64", "serve --bind tcp://127.0.0.1:0 --threads 1");
        check("scale-10-t2", "serve --bind 127.0.0.1:0 --threads 2");
        check("scale-10-w2", "serve --bind 127.0.0.1:0 --workers 2");
        check("turns-burst16", "serve --bind 127.0.0.1:0 --workers 4");
    }

    #[test]
    fn finds_the_port_and_the_path() {
        let port = announced_port("antiphon listening on http://127.0.0.1:4711\n");
        assert_eq!(port, Some(4711));
        assert_eq!(announced_port("INFO something"), None);
        let ready = "INFO antiphon::supervisor: a worker is ready id=\"i1\" pid=17\n";
        assert!(is_worker_ready(ready) && announced_port(ready).is_none());
        let messages = "{\"executable\":null,\"target\":{\"name\":\"antiphon\"}}\n\
                        {\"executable\":\"/a/antiphon\",\"target\":{\"name\":\"antiphon\"}}\n";
        assert_eq!(executable(messages), Some("/a/antiphon".into()));
    }
}
