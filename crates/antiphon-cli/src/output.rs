//! Output of the tool: answers on standard output, everything else on standard error.
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
    /// Whether standard output is a screen, on which what stands there can be replaced.
    screen: bool,
}

impl Output {
    pub(crate) fn new(color: Color) -> Self {
        let style = |terminal: bool| Style {
            indent: terminal,
            guard: terminal,
            color: color.on(terminal),
        };
        let terminal = io::stdout().is_terminal();
        Self {
            out: style(terminal),
            err: style(io::stderr().is_terminal()),
            screen: terminal && env::var_os("TERM").is_none_or(|term| term != "dumb"),
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
        self.attempt(bytes).map(drop)
    }

    /// A text of many lines, which a terminal cannot take for commands.
    pub(crate) fn document(&self, text: &str) -> Result<(), Failure> {
        if !self.out.guard {
            return self.raw(text.as_bytes());
        }
        let lines: Vec<_> = text.lines().map(harmless).collect();
        self.line(&lines.join("\n"))
    }

    /// A word or a sentence that is the answer.
    pub(crate) fn text(&self, text: &str) -> Result<(), Failure> {
        self.line(&harmless(text))
    }

    /// Lines in which all that came from a peer is [`harmless`].
    pub(crate) fn lines(&self, text: &str) -> Result<(), Failure> {
        self.line(text)
    }

    /// Whether what is written for people may have colours.
    pub(crate) fn has_color(&self) -> bool {
        self.out.color
    }

    /// A picture of lines, in which all that came from a peer is [`harmless`]. On a screen it takes
    /// the place of all that is there; elsewhere an empty line parts it from the one before. False
    /// when the reader has gone: there is nobody to paint another one for.
    pub(crate) fn picture(&self, text: &str, first: bool) -> Result<bool, Failure> {
        let text = match (self.screen, first) {
            (true, _) => repainted(text),
            (false, true) => format!("{text}\n"),
            (false, false) => format!("\n{text}\n"),
        };
        self.attempt(text.as_bytes())
    }

    /// One more line of JSON. False when the reader has gone.
    pub(crate) fn json_line(&self, text: &str) -> Result<bool, Failure> {
        let style = Style {
            indent: false,
            ..self.out
        };
        self.attempt(format!("{}\n", json::render(text, style)).as_bytes())
    }

    /// Writes it, if there is still a reader.
    fn attempt(&self, bytes: &[u8]) -> Result<bool, Failure> {
        let mut out = io::stdout().lock();
        match out.write_all(bytes).and_then(|()| out.flush()) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
            Err(error) => Err(Failure::io("standard output", &error)),
        }
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
pub(crate) fn harmless(text: &str) -> String {
    let shown = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    text.chars().map(shown).collect()
}

/// Text that is written over a screen from its first line on. Every line, and then the screen, is
/// cleared behind it: cleared before, it would flicker.
fn repainted(text: &str) -> String {
    let lines = text.replace('\n', "\u{1b}[K\n");
    format!("\u{1b}[H{lines}\u{1b}[K\n\u{1b}[J")
}

/// There is nobody to tell that standard error cannot be written.
fn note(line: &str) {
    let _ = io::stderr().write_all(format!("{line}\n").as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_covers_what_was_there() {
        assert_eq!(repainted("a\nb"), "\u{1b}[Ha\u{1b}[K\nb\u{1b}[K\n\u{1b}[J");
    }

    #[test]
    fn no_peer_commands_a_terminal() {
        assert_eq!(
            harmless("a\u{1b}[2J\r\nb\u{9b}é"),
            "a\u{fffd}[2J\u{fffd}\u{fffd}b\u{fffd}é"
        );
    }
}
