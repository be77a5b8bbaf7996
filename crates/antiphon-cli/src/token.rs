//! `antiphon token`: tokens with which callers authenticate themselves.

use std::path::PathBuf;

use antiphon::NewToken;
use clap::{Args, Subcommand};

use crate::exit::{Exit, Failure};
use crate::output::Output;

#[derive(Args)]
pub(crate) struct TokenCommand {
    #[command(subcommand)]
    command: Which,
}

#[derive(Subcommand)]
enum Which {
    /// Make a random token, and the line with which a server knows it
    New(NewCommand),
}

#[derive(Args)]
#[command(after_help = HELP)]
struct NewCommand {
    /// Who calls with the token: the name for methods and rate limits
    subject: String,

    /// What the caller may do, for example `calc:random`
    #[arg(value_name = "SCOPE")]
    scopes: Vec<String>,

    /// Append the line to this file instead of printing it
    #[arg(long, value_name = "FILE")]
    append: Option<PathBuf>,
}

const HELP: &str = "\
The first line of the output is the token, for the caller. It is shown this once. The second
line has its hash, for the file of `--auth-tokens`, which a server reads again on SIGHUP.

Examples:
  antiphon token new alice calc:random
  antiphon token new alice calc:random --append tokens > alice.token
  antiphon serve --auth-tokens tokens";

impl TokenCommand {
    pub(crate) fn run(self, output: &Output) -> Result<Exit, Failure> {
        match self.command {
            Which::New(command) => command.run(output),
        }
    }
}

impl NewCommand {
    fn run(self, output: &Output) -> Result<Exit, Failure> {
        let wrong = |error: antiphon::AuthSetupError| Failure::usage(error.to_string());
        let new = NewToken::generate(&self.subject, &self.scopes).map_err(wrong)?;
        match self.append {
            Some(path) => {
                new.append_to(path).map_err(wrong)?;
                output.lines(new.token())?;
            }
            None => output.lines(&format!("{}\n{}", new.token(), new.line()))?,
        }
        Ok(Exit::Done)
    }
}
