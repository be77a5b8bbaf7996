//! `antiphon codegen`: client code from an OpenRPC document.
//!
//! | file | what it does |
//! |---|---|
//! | `mod.rs` | the command |
//! | `document.rs` | OpenRPC document → model |
//! | `schema.rs`, `members.rs`, `all_of.rs`, `numbers.rs`, `constants.rs`, `tagging.rs`, `recursive.rs` | JSON Schema → types |
//! | `model.rs`, `tree.rs` | model of the API: types, methods, namespaces |
//! | `names.rs`, `text.rs`, `code.rs` | identifiers, escaping and indentation, for every language |
//! | `python.rs`, `python_types.rs`, `python_objects.rs`, `python_choices.rs`, `python_names.rs`, `runtime.py` | Python |
//! | `rust.rs`, `rust_types.rs`, `rust_unions.rs`, `rust_constants.rs`, `rust_file.rs`, `rust_text.rs`, `runtime.rs` | Rust |
//! | `typescript.rs`, `typescript_file.rs`, `typescript_types.rs`, `runtime.ts` | TypeScript |

mod all_of;
mod code;
mod constants;
mod document;
mod members;
mod model;
mod names;
mod numbers;
mod python;
mod python_choices;
mod python_names;
mod python_objects;
mod python_types;
mod recursive;
mod rust;
mod rust_constants;
mod rust_file;
mod rust_text;
mod rust_types;
mod rust_unions;
mod schema;
mod tagging;
mod text;
mod tree;
mod typescript;
mod typescript_file;
mod typescript_types;

use clap::{Args, ValueEnum};

use crate::exit::{Exit, Failure};
use crate::output::Output;
use crate::output_file;
use crate::source::Source;

#[derive(Args)]
#[command(after_help = HELP)]
pub(crate) struct CodegenCommand {
    #[command(flatten)]
    source: Source,

    /// The language of the client
    #[arg(short, long, value_enum, value_name = "LANG")]
    lang: Language,

    /// Write into this file [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<String>,

    /// What the client is called [default: the title of the document, and Client]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
}

const HELP: &str = "\
SOURCE is OpenRPC 1.0 to 1.4, as JSON; a server gives it as the result of rpc.discover. The outcome
is one file, the same every time: types, and a client with a method for each method of the document.

  python      Python 3.9, nothing but its standard library: calls, asyncio, batches, notifications
  typescript  ES2022, nothing but fetch and WebSocket: the same, and subscriptions
  rust        the client of the crate antiphon, with its types

Examples:
  antiphon codegen openrpc.json --lang python -o calculator.py
  antiphon codegen http://localhost:8060 --lang typescript -o calculator.ts
  antiphon call :8060 rpc.discover | antiphon codegen - --lang rust --name Calculator";

/// The variants have no doc comments: `--help` would spread them over many lines.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Language {
    Rust,
    #[value(alias = "ts")]
    Typescript,
    #[value(alias = "py")]
    Python,
}

impl CodegenCommand {
    pub(crate) fn run(self, output: &Output) -> Result<Exit, Failure> {
        let read = self.source.read(output)?;
        let api = document::read(&read.document.json);
        let api =
            api.map_err(|reason| Failure::usage(format!("{}: {reason}", self.source.name())))?;
        let name = match &self.name {
            Some(name) if names::is_identifier(name) => name.clone(),
            Some(name) => return Err(Failure::usage(format!("{name:?} is no name for a client"))),
            None => default_name(&api.title),
        };
        let file = match self.lang {
            Language::Python => python::write(&api, &name),
            Language::Typescript => typescript::write(&api, &name),
            Language::Rust => rust::write(&api, &name),
        };
        match &self.output {
            Some(path) => output_file::write(path, &file)?,
            None => output.raw(file.as_bytes())?,
        }
        Ok(Exit::Done)
    }
}

/// `Calculator` → `CalculatorClient`.
fn default_name(title: &str) -> String {
    match text::one_line(title) {
        title if !title.chars().any(|c| c.is_ascii_alphanumeric()) => "Client".to_owned(),
        title => match names::pascal(&title) {
            name if name.ends_with("Client") => name,
            name => format!("{name}Client"),
        },
    }
}
