//! `antiphon call`: one call, or one notification.

use antiphon::Id;
use antiphon::client::{ErrorKind, FullResponse};
use clap::Args;
use serde_json::value::RawValue;

use crate::args;
use crate::exit::{Exit, Failure};
use crate::output::Output;
use crate::remote::{self, Remote};

#[derive(Args)]
#[command(after_help = HELP)]
pub(crate) struct CallCommand {
    #[command(flatten)]
    remote: Remote,

    /// The method, with its namespaces: calc.add
    #[arg(value_name = "METHOD")]
    method: String,

    /// Parameters, all by position (3 4) or all by name (a=3 b=4); each is JSON if it can be read
    /// as JSON, and a string if not
    #[arg(value_name = "ARGS", allow_negative_numbers = true)]
    args: Vec<String>,

    /// All parameters as a JSON array or object; @FILE reads a file, @- standard input
    #[arg(
        short = 'd',
        long,
        visible_alias = "data",
        value_name = "JSON",
        conflicts_with = "args"
    )]
    params: Option<String>,

    /// Send a notification: the method runs, and nothing comes back
    #[arg(long)]
    notify: bool,

    /// The id of the call: a JSON number or string; other text is taken as a string
    #[arg(long, value_name = "ID", conflicts_with = "notify")]
    id: Option<String>,

    /// Show HTTP status and headers, on standard error
    #[arg(short, long, conflicts_with = "notify")]
    include: bool,

    /// Print the whole answer as it came, whatever it is
    #[arg(long, conflicts_with = "notify")]
    raw: bool,
}

const HELP: &str = "\
The result is printed as JSON on standard output: indented and coloured on a terminal, else on one
line. An error that the server answers with is printed as JSON on standard error, and the exit code
is 1; `antiphon --help` lists the others.

Examples:
  antiphon call :8060 calc.add 3 4
  antiphon call :8060 calc.add a=3 b=4
  antiphon call :8060 echo '\"a=3\"'                 a text that looks like a name
  antiphon call :8060 calc.randompaths -d '{\"size\": 3}'
  antiphon call :8060 calc.add -d @params.json
  echo '[3, 4]' | antiphon call :8060 calc.add -d @-
  antiphon call --timeout 500ms -H @token.txt http://rpc.example/v1 status
  antiphon call :8060 echo -- --not-an-option";

impl CallCommand {
    pub(crate) fn run(self, output: &Output) -> Result<Exit, Failure> {
        let client = self.remote.client()?;
        let params = match &self.params {
            Some(data) => args::from_data(data)?,
            None => args::from_words(&self.args)?,
        };
        if self.notify {
            remote::run(async { Ok(client.notify(&self.method, params).await?) })?;
            return Ok(Exit::Done);
        }
        let call = client.call::<Box<RawValue>>(&self.method, params);
        let call = match &self.id {
            Some(id) => call.id(Id::from_json(id).unwrap_or_else(|| Id::from(id.as_str()))),
            None => call,
        };
        let answer = remote::run(async { Ok(call.full().await?) })?;
        if self.include {
            head(&answer, output);
        }
        if self.raw {
            output.raw(&answer.body)?;
        }
        match answer.result {
            Ok(_) if self.raw => Ok(Exit::Done),
            Ok(result) => output.json(result.get()).map(|()| Exit::Done),
            Err(error) => match error.kind() {
                ErrorKind::Refused(_) if self.raw => Ok(Exit::Refused),
                ErrorKind::Refused(object) => {
                    output.error_object(&object.to_json());
                    output.explain(object);
                    Ok(Exit::Refused)
                }
                _ => Err(error.into()),
            },
        }
    }
}

/// Prints status line and headers in the format of HTTP.
fn head<R>(answer: &FullResponse<R>, output: &Output) {
    output.about(&format!("HTTP {}", answer.status));
    for (name, value) in &answer.headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        output.about(&format!("{name}: {value}"));
    }
    output.about("");
}
