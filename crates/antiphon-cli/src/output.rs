//! What the tool prints: answers on standard output, everything else on standard error.
//!
//! A reader that has gone, as `head` does, is no failure: what it wanted, it has. That is why
//! nothing here uses `println!`, which panics then.

use std::env;
use std::io::{self, ErrorKind, IsTerminal, Write};

use clap::ValueEnum;

use crate::exit::Failure;
use crate::json::{self, Style};

/// When to use colour. The variants have no documentation: help would spread it over many lines.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Color {
    #[default]
    Auto,
    Always,
    Never,
}

impl Color {
    fn on(self, terminal: bool) -> bool {
        let set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => {
                terminal
                    && !set("NO_COLOR")
                    && env::var_os("TERM").is_none_or(|term| term != "dumb")
            }
        }
    }
}

/// The two streams, as they are to be written on.
#[derive(Debug)]
pub(crate) struct Output {
    out: Style,
    err: Style,
}

impl Output {
    pub(crate) fn new(color: Color) -> Self {
        let style = |terminal: bool| Style {
            indent: terminal,
            guard: terminal,
            color: color.on(terminal),
        };
        Self {
            out: style(io::stdout().is_terminal()),
            err: style(io::stderr().is_terminal()),
        }
    }

    /// An answer, as JSON: for a person on a terminal, else on one line.
    pub(crate) fn json(&self, text: &str) -> Result<(), Failure> {
        self.line(&json::render(text, self.out))
    }

    /// Answers, as JSON on one line each.
    pub(crate) fn json_lines(
        &self,
        lines: impl IntoIterator<Item = String>,
    ) -> Result<(), Failure> {
        let style = Style {
            indent: false,
            ..self.out
        };
        let lines: Vec<_> = lines
            .into_iter()
            .map(|line| json::render(&line, style))
            .collect();
        match lines.is_empty() {
            true => Ok(()),
            false => self.line(&lines.join("\n")),
        }
    }

    /// An answer as it came, byte for byte.
    pub(crate) fn raw(&self, bytes: &[u8]) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        settle(out.write_all(bytes).and_then(|()| out.flush()))
    }

    /// Text that is ours.
    pub(crate) fn text(&self, text: &str) -> Result<(), Failure> {
        self.line(text)
    }

    fn line(&self, line: &str) -> Result<(), Failure> {
        self.raw(format!("{line}\n").as_bytes())
    }

    /// The error object of an answer.
    pub(crate) fn error_object(&self, text: &str) {
        note(&json::render(text, self.err));
    }

    /// Something about an answer.
    pub(crate) fn about(&self, text: &str) {
        note(&harmless(text));
    }

    /// Why the tool ends without an answer.
    pub(crate) fn failure(&self, failure: &Failure) {
        let text = harmless(&failure.to_string());
        match self.err.color {
            true => note(&format!("\u{1b}[1;31merror\u{1b}[0m: {text}")),
            false => note(&format!("error: {text}")),
        }
    }
}

/// One line, in which nothing that came from a peer is a command to a terminal.
fn harmless(text: &str) -> String {
    let shown = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    text.chars().map(shown).collect()
}

/// There is nobody to tell that standard error cannot be written.
fn note(line: &str) {
    let _ = io::stderr().write_all(format!("{line}\n").as_bytes());
}

fn settle(written: io::Result<()>) -> Result<(), Failure> {
    match written {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::io("standard output", &error))
        }
        _ => Ok(()),
    }
}
