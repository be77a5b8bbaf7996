//! Source of an OpenRPC document: a file, standard input, or a server.

use std::path::Path;

use antiphon::{Address, Params};
use clap::Args;
use serde_json::value::RawValue;

use crate::args;
use crate::exit::Failure;
use crate::openrpc::{self, Document, Fetch, Files};
use crate::output::Output;
use crate::remote::{self, Options};

#[derive(Args)]
pub(crate) struct Source {
    /// The document: a file, - for standard input, or the address of a server, which is asked for it
    #[arg(value_name = "SOURCE")]
    source: String,

    /// Follow references to files outside of the folder of the document, too
    #[arg(long)]
    allow_outside: bool,

    /// Follow references to URLs, which are fetched without any credentials
    #[arg(long)]
    allow_remote: bool,

    #[command(flatten)]
    options: Options,
}

/// A document and the text of its first file.
pub(crate) struct Read {
    pub(crate) document: Document,
    pub(crate) text: String,
}

impl Source {
    /// The name of the source in error messages.
    pub(crate) fn name(&self) -> String {
        args::named_input(&self.source)
    }

    /// Reads the document and the files that it refers to.
    pub(crate) fn read(&self, output: &Output) -> Result<Read, Failure> {
        let text = self.text()?;
        let path = Path::new(&self.source);
        let (path, files) = match self.source != "-" && path.is_file() {
            true => (Some(path), Files::beside(path, self.allow_outside)),
            // What a server says must not lead to the files of this machine.
            false => (None, Files::none()),
        };
        let remote = match self.allow_remote {
            true => Some(Fetch::new(self.options.authorities()?)),
            false => None,
        };
        let files = files.with_remote(remote);
        let document = openrpc::read(&text, &self.name(), path, files).map_err(Failure::usage)?;
        for note in &document.notes {
            output.about(&format!("note: {note}"));
        }
        Ok(Read { document, text })
    }

    /// Reads the text of the document without checking it.
    fn text(&self) -> Result<String, Failure> {
        if self.source == "-" || Path::new(&self.source).is_file() {
            return args::read(&self.source);
        }
        if self.source.parse::<Address>().is_err() {
            return Err(Failure::usage(format!(
                "{:?} is neither a file nor the address of a server",
                self.source
            )));
        }
        let client = self.options.client(&self.source, |builder| builder)?;
        let call = client.call::<Box<RawValue>>("rpc.discover", Params::none());
        let document = remote::run(async { Ok(call.await?) })?;
        Ok(document.get().to_owned())
    }
}
