//! `antiphon docs`: documentation of a server for people and programs.

use antiphon::OpenRpcDocument;
use clap::{Args, ValueEnum};

use crate::exit::{Exit, Failure};
use crate::json;
use crate::output::Output;
use crate::output_file;
use crate::source::{Read, Source};

#[derive(Args)]
#[command(after_help = HELP)]
pub(crate) struct DocsCommand {
    #[command(flatten)]
    source: Source,

    /// The form of the document
    #[arg(short, long, value_enum, value_name = "FORM", default_value_t)]
    format: Format,

    /// Write into this file [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<String>,
}

const HELP: &str = "\
A server gives its document as the result of rpc.discover. It tells of the methods that the caller
may use: with --bearer @FILE of those that need a token, too.

  markdown     for people
  html         for people, as one file that loads nothing
  rst          reStructuredText, with a label for each method
  openrpc      for programs, in the version of the server or the file: OpenRPC 1.3.2, from Antiphon
  openrpc-1.4  the same, as OpenRPC 1.4.0

Examples:
  antiphon docs :8060
  antiphon docs :8060 --format html -o methods.html
  antiphon docs openrpc.json --format rst";

/// The variants have no doc comments: `--help` would spread them over many lines.
#[derive(Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    #[default]
    Markdown,
    Html,
    Rst,
    Openrpc,
    #[value(name = "openrpc-1.4")]
    Openrpc14,
}

impl DocsCommand {
    pub(crate) fn run(self, output: &Output) -> Result<Exit, Failure> {
        let Read { document, text } = self.source.read(output)?;
        let bundled = serde_json::to_string(&document.json)
            .map_err(|error| Failure::usage(error.to_string()))?;
        let text = if document.is_bundled { &bundled } else { &text };
        let wrong = |error: serde_json::Error| {
            Failure::usage(format!("{}: no OpenRPC: {error}", self.source.name()))
        };
        let document: OpenRpcDocument = bundled.parse().map_err(wrong)?;
        let made = match self.format {
            Format::Markdown => document.to_markdown(),
            Format::Html => document.to_html(),
            Format::Rst => document.to_rst(),
            // The document as it came, including members that this version does not know.
            Format::Openrpc => indented(text),
            Format::Openrpc14 => document
                .specification(antiphon::Specification::V1_4)
                .to_json(),
        };
        let is_json = matches!(self.format, Format::Openrpc | Format::Openrpc14);
        match &self.output {
            Some(path) => output_file::write(path, &made)?,
            None if is_json => output.json_document(&made)?,
            None => output.document(&made)?,
        }
        Ok(Exit::Done)
    }
}

/// JSON indented with one line per member.
fn indented(text: &str) -> String {
    let style = json::Style {
        indent: true,
        ..json::Style::default()
    };
    json::render(text, style) + "\n"
}
