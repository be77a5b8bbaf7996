//! Output of the tool: results on standard output, everything else on standard error.
//!
//! What a peer has sent may contain characters that control a terminal, or reorder or hide the text
//! around them. On a terminal, and on standard error in any case, they are escaped in JSON and
//! replaced elsewhere. Results that go into a file or a pipe are for programs, and stay as they are.
//!
//! A closed standard output, as with `| head`, is not an error: the reader has what it wanted. That
//! is why nothing here uses `println!`, which would panic.

use std::env;
use std::io::{self, ErrorKind, IsTerminal, Write};

use antiphon::{ErrorObject, is_printable};
use clap::ValueEnum;

use crate::exit::{Failure, explanation};
use crate::json::{self, Style};

/// When to use colour. The variants have no doc comments: `--help` would spread them over many
/// lines.
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

/// Standard output and standard error, with their styles.
#[derive(Debug)]
pub(crate) struct Output {
    out: Style,
    err: Style,
    /// Whether standard output is a terminal on which earlier output can be overwritten.
    screen: bool,
}

impl Output {
    pub(crate) fn new(color: Color) -> Self {
        let style = |terminal: bool, guard: bool| Style {
            indent: terminal,
            guard,
            color: color.on(terminal),
        };
        let terminal = io::stdout().is_terminal();
        Self {
            out: style(terminal, terminal),
            err: style(io::stderr().is_terminal(), true),
            screen: terminal && env::var_os("TERM").is_none_or(|term| term != "dumb"),
        }
    }

    /// Prints a result as JSON: indented on a terminal, otherwise on one line.
    pub(crate) fn json(&self, text: &str) -> Result<(), Failure> {
        self.line(&json::render(text, self.out))
    }

    /// Prints results as JSON, one per line.
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

    /// Prints a response unchanged, byte for byte.
    pub(crate) fn raw(&self, bytes: &[u8]) -> Result<(), Failure> {
        self.attempt(bytes).map(drop)
    }

    /// Prints a text of many lines. On a terminal, what is not printable is replaced.
    pub(crate) fn document(&self, text: &str) -> Result<(), Failure> {
        if !self.out.guard {
            return self.raw(text.as_bytes());
        }
        let lines: Vec<_> = text.lines().map(harmless).collect();
        self.line(&lines.join("\n"))
    }

    /// Prints JSON with one line per member, in every case.
    pub(crate) fn json_document(&self, text: &str) -> Result<(), Failure> {
        let style = Style {
            indent: true,
            guard: self.out.guard,
            color: false,
        };
        self.line(&json::render(text, style))
    }

    /// Prints a result that is a word or a sentence.
    pub(crate) fn text(&self, text: &str) -> Result<(), Failure> {
        self.line(&harmless(text))
    }

    /// Prints lines whose texts from a peer have all passed through [`harmless`].
    pub(crate) fn lines(&self, text: &str) -> Result<(), Failure> {
        self.line(text)
    }

    /// Whether output for people may use colours.
    pub(crate) fn has_color(&self) -> bool {
        self.out.color
    }

    /// Prints a frame of text whose parts from a peer have all passed through [`harmless`]. A
    /// terminal shows it in place of the previous frame; otherwise an empty line separates the two.
    /// Returns false if the reader has gone, and no further frame is needed.
    pub(crate) fn picture(&self, text: &str, first: bool) -> Result<bool, Failure> {
        let text = match (self.screen, first) {
            (true, _) => repainted(text),
            (false, true) => format!("{text}\n"),
            (false, false) => format!("\n{text}\n"),
        };
        self.attempt(text.as_bytes())
    }

    /// Prints a further line of JSON. Returns false if the reader has gone.
    pub(crate) fn json_line(&self, text: &str) -> Result<bool, Failure> {
        let style = Style {
            indent: false,
            ..self.out
        };
        self.attempt(format!("{}\n", json::render(text, style)).as_bytes())
    }

    /// Writes and flushes. Returns false if the reader has gone.
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

    /// Prints the error object of a response.
    pub(crate) fn error_object(&self, text: &str) {
        note(&json::render(text, self.err));
    }

    /// Prints a message about a response.
    pub(crate) fn about(&self, text: &str) {
        note(&harmless(text));
    }

    /// Explains an error about the caller, on one line.
    pub(crate) fn explain(&self, error: &ErrorObject) {
        if let Some(text) = explanation(error) {
            self.about(&text);
        }
    }

    /// Prints why the command failed.
    pub(crate) fn failure(&self, failure: &Failure) {
        let text = harmless(&failure.to_string());
        match self.err.color {
            true => note(&format!("\u{1b}[1;31merror\u{1b}[0m: {text}")),
            false => note(&format!("error: {text}")),
        }
    }
}

/// Replaces characters that are not printable, so that text from a peer can neither send commands to
/// a terminal nor reorder or hide what stands there. The result is a single line.
pub(crate) fn harmless(text: &str) -> String {
    let shown = |c: char| if is_printable(c) { c } else { '\u{fffd}' };
    text.chars().map(shown).collect()
}

/// Escape sequences that overwrite the screen from its first line. Each line is cleared after its
/// text, and the rest of the screen at the end: clearing first would flicker.
fn repainted(text: &str) -> String {
    let lines = text.replace('\n', "\u{1b}[K\n");
    format!("\u{1b}[H{lines}\u{1b}[K\n\u{1b}[J")
}

/// A failure is ignored: there is no other stream to report it to.
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
            harmless("a\u{1b}[2J\r\nb\u{9b}é\u{202e}\u{2066}\u{2028}c"),
            "a\u{fffd}[2J\u{fffd}\u{fffd}b\u{fffd}é\u{fffd}\u{fffd}\u{fffd}c"
        );
    }
}
