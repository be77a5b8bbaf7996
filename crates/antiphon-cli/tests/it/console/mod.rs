//! Console blocks of the documents, run as they stand.
//!
//! The commands are read from the document itself, so that text and test cannot part. A shell runs
//! them in a temporary folder, with the tool of this build as `antiphon`. What a machine under test
//! does not have (a port that is free for sure, `/run/antiphon`, a host far away) is put in place of
//! what the document says, and has to occur there. A command that no test knows fails.

#[cfg(target_os = "linux")]
mod deploy;
mod flags;
mod gateway;
mod mcp;
mod readme;
mod security;

use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::{Exited, Process, TOOL};
use crate::temp_folder::TempFolder;

/// A command of a block, with the lines that follow it.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Step {
    command: String,
    output: String,
}

/// The text of a document; its path begins at the root of the repository.
fn document(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    std::fs::read_to_string(root.join(path)).unwrap()
}

/// The fenced blocks of this kind, in their order.
fn fenced<'a>(text: &'a str, kind: &str) -> Vec<&'a str> {
    let begin = format!("\n```{kind}\n");
    let blocks = text.split(&begin).skip(1);
    blocks
        .map(|rest| rest.split_once("\n```\n").expect("the block ends").0)
        .collect()
}

/// The steps of a console block. A command goes on behind a backslash, and within quotation marks.
fn steps(block: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut is_open = false;
    for line in block.lines() {
        let last = steps.last_mut().filter(|_| is_open);
        match (last, line.strip_prefix("$ ")) {
            (Some(step), _) => step.command = format!("{}\n{line}", step.command),
            (None, Some(command)) => steps.push(Step {
                command: command.to_owned(),
                output: String::new(),
            }),
            (None, None) => {
                let step = steps.last_mut().expect("a command comes first");
                step.output.push_str(line);
                step.output.push('\n');
            }
        }
        let command = &steps.last().expect("a command comes first").command;
        is_open = command.ends_with('\\') || command.matches('\'').count() % 2 == 1;
    }
    steps
}

/// A shell in a folder of its own, and the servers that it has started.
struct Terminal {
    folder: TempFolder,
    servers: Vec<Process>,
}

impl Terminal {
    fn new() -> Self {
        Self {
            folder: TempFolder::new(),
            servers: Vec::new(),
        }
    }

    fn shell(&self, command: &str) -> Command {
        let tools = Path::new(TOOL).parent().unwrap().to_owned();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::iter::once(tools).chain(std::env::split_paths(&path));
        let mut shell = Command::new("sh");
        shell
            .args(["-c", command])
            .current_dir(self.folder.root())
            .env("PATH", std::env::join_paths(path).unwrap())
            // Where the control socket is by default.
            .env("XDG_RUNTIME_DIR", self.folder.root());
        shell
    }

    /// Runs a command to its end.
    fn run(&self, command: &str) -> Exited {
        Process::start_command_with_env(&[], self.shell(command), "", Stdio::piped()).end()
    }

    /// Runs a command that has to be successful, and returns what it prints.
    fn succeeds(&self, command: &str) -> String {
        let ended = self.run(command);
        assert_eq!(ended.code, Some(0), "{command}: {}", ended.err);
        ended.out
    }

    /// Starts a server and returns its address. The port is a free one, unless the command says
    /// where it listens.
    fn serve(&mut self, command: &str) -> String {
        let variables: &[_] = match command.contains("--bind") {
            true => &[],
            false => &[("ANTIPHON_BIND", "127.0.0.1:0")],
        };
        // So that a signal goes to the server, and not to the shell.
        let shell = self.shell(&format!("exec {command}"));
        let server = Process::start_command_with_env(variables, shell, "", Stdio::piped());
        let url = loop {
            let line = server.note();
            if let Some(url) = line.trim_end().strip_prefix("antiphon listening on ") {
                break url.to_owned();
            }
            assert!(!line.starts_with("error"), "{command}: {line}");
        };
        self.servers.push(server);
        url
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        for server in self.servers.drain(..) {
            server.retire();
        }
        // The successor of a server is no child of this process.
        if Path::new(&self.folder.path("antiphon/control.sock")).exists() {
            let mut stop = self.shell("antiphon ctl stop");
            let _ = stop.env_remove("ANTIPHON_CONTROL").output();
        }
    }
}

/// The text with something else in place of what it says, which has to occur.
fn replaced(text: &str, old: &str, new: &str) -> String {
    assert!(text.contains(old), "{old} is not in: {text}");
    text.replace(old, new)
}

#[test]
fn a_block_is_read_as_a_shell_would() {
    let step = |command: &str, output: &str| Step {
        command: command.to_owned(),
        output: output.to_owned(),
    };
    for (block, expected) in [
        ("$ a b", vec![step("a b", "")]),
        ("$ a\n1\n2\n$ b", vec![step("a", "1\n2\n"), step("b", "")]),
        ("$ a \\\n  b\n1", vec![step("a \\\n  b", "1\n")]),
        ("$ a '[\n1]'\n2", vec![step("a '[\n1]'", "2\n")]),
        ("$ a\n\n$ b", vec![step("a", "\n"), step("b", "")]),
    ] {
        assert_eq!(steps(block), expected, "{block}");
    }
    let text = "x\n```console\n$ a\n```\ny\n```text\nz\n```\n\n```console\n$ b\n$ c\n```\n";
    assert_eq!(fenced(text, "console"), ["$ a", "$ b\n$ c"]);
    assert_eq!(fenced(text, "text"), ["z"]);
}
