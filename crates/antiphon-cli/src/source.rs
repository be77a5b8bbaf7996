//! Source of an OpenRPC document: a file, standard input, or a server.

use std::path::Path;

use antiphon::{Address, Params};
use clap::Args;
use serde_json::value::RawValue;

use crate::args;
use crate::exit::Failure;
use crate::remote::{self, Options};

#[derive(Args)]
pub(crate) struct Source {
    /// The document: a file, - for standard input, or the address of a server, which is asked for it
    #[arg(value_name = "SOURCE")]
    source: String,

    #[command(flatten)]
    options: Options,
}

impl Source {
    /// The name of the source in error messages.
    pub(crate) fn name(&self) -> String {
        args::named_input(&self.source)
    }

    /// Reads the text of the document without checking it.
    pub(crate) fn text(&self) -> Result<String, Failure> {
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
