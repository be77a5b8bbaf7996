//! The console blocks of `README.md` and `docs/codegen.md`, with the calculator of the tool.

use std::fs;
use std::process::{Command, Stdio};

use super::{Step, Terminal, document, fenced, replaced, steps};

/// Commands that build or test the repository itself, or install the tool.
const OF_THE_REPOSITORY: &[&str] = &["cargo run", "scripts/test"];

/// The block of a supervisor in the background of a shell; `ctl.rs` and `deploy.rs` have all of it.
const OF_A_SHELL: &[&str] = &[
    "antiphon serve --workers 4 &",
    "antiphon ctl status",
    "kill -HUP $!",
];

fn is_one_of(command: &str, begins: &[&str]) -> bool {
    begins.iter().any(|begin| command.starts_with(begin))
}

/// Whether there is `curl`. Continuous integration has it.
fn has_curl() -> bool {
    let mut curl = Command::new("curl");
    let version = curl.arg("-V").stdout(Stdio::null()).status();
    let found = version.is_ok_and(|status| status.success());
    assert!(
        found || std::env::var_os("CI").is_none(),
        "curl is not installed"
    );
    if !found {
        eprintln!("left out: curl is not installed");
    }
    found
}

/// The addresses of the calculator, as the documents write them.
const ADDRESSES: &[&str] = &["http://127.0.0.1:8060", "http://localhost:8060", ":8060"];

/// The file that a command writes.
fn written(command: &str) -> Option<&str> {
    let mut words = command.split_whitespace();
    words.find(|word| matches!(*word, "-o" | ">"))?;
    words.next()
}

fn check(terminal: &Terminal, url: &str, step: &Step) {
    let command = &*step.command;
    let address = ADDRESSES.iter().find(|address| command.contains(**address));
    let here = match address {
        Some(address) => replaced(command, address, url),
        // Then it reads a file, or its input.
        None => command.to_owned(),
    };
    let printed = terminal.succeeds(&here);
    let expected = step.output.trim_end();
    if !expected.is_empty() {
        assert_eq!(printed.trim_end(), expected, "{command}");
    } else if let Some(file) = written(command) {
        let text = fs::read_to_string(terminal.folder.path(file)).unwrap();
        assert!(!text.is_empty() && printed.is_empty(), "{command}");
        fs::remove_file(terminal.folder.path(file)).unwrap();
    } else {
        assert!(!printed.is_empty(), "{command}");
    }
}

#[test]
fn every_command_of_the_readme_prints_what_it_says() {
    let has_curl = has_curl();
    for path in ["README.md", "docs/codegen.md"] {
        let mut terminal = Terminal::new();
        let url = terminal.serve("antiphon serve");
        // What the reader of `docs/codegen.md` has.
        let document_of = format!("antiphon call {url} rpc.discover > openrpc.json");
        terminal.succeeds(&format!("mkdir src && {document_of}"));
        let mut ran = 0;
        for block in fenced(&document(path), "console") {
            for step in steps(block) {
                let command = &*step.command;
                if is_one_of(command, OF_THE_REPOSITORY) || is_one_of(command, OF_A_SHELL) {
                    continue;
                }
                if command.starts_with("curl ") && !has_curl {
                    continue;
                }
                check(&terminal, &url, &step);
                ran += 1;
            }
        }
        assert!(ran > 0, "{path}");
    }
}
