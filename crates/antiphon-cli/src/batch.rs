//! `antiphon batch`: many calls in one request, read as one JSON object per line.

use std::collections::BTreeSet;

use antiphon::client::{Batch, Error, ErrorKind, Responses, Ticket};
use antiphon::{ErrorCode, ErrorObject, Params};
use clap::Args;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use crate::args;
use crate::exit::{Exit, Failure, explanation};
use crate::output::Output;
use crate::remote::{self, Remote};

#[derive(Args)]
#[command(after_help = HELP)]
pub(crate) struct BatchCommand {
    #[command(flatten)]
    remote: Remote,

    /// The calls, one JSON object a line; - or nothing is standard input
    #[arg(value_name = "FILE", default_value = "-", hide_default_value = true)]
    file: String,
}

const HELP: &str = "\
A line is an object with `method` and, if there are any, `params` (an array or an object). With
`\"notify\": true` it is a notification, which has no answer. `jsonrpc` and `id` may be there and do
nothing: answers are printed in the order of the lines. Empty lines and lines that begin with # are
skipped. If a line cannot be read, nothing is sent.

Every call is answered with one line: {\"result\": …}, {\"error\": …}, or {\"unanswered\": …} if the
server has left it out. The exit code is 1 if all calls failed, 6 if some did, and 5 if answers are
missing; `antiphon --help` lists the others. Nothing to send is nothing wrong: 0.

Examples:
  antiphon batch :8060 calls.jsonl
  antiphon batch :8060 <<'END'
    # two sums and a notification
    {\"method\": \"calc.add\", \"params\": [3, 4]}
    {\"method\": \"calc.add\", \"params\": {\"a\": 3, \"b\": 4}}
    {\"method\": \"ping\", \"notify\": true}
  END";

/// One line of the input.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    method: String,
    params: Option<Box<RawValue>>,
    #[serde(default)]
    notify: bool,
    #[serde(rename = "jsonrpc")]
    _jsonrpc: Option<IgnoredAny>,
    #[serde(rename = "id")]
    _id: Option<IgnoredAny>,
}

/// Ticket for the response to the call of one line.
type Place = Ticket<Box<RawValue>>;

impl BatchCommand {
    pub(crate) fn run(self, output: &Output) -> Result<Exit, Failure> {
        let client = self.remote.client()?;
        let text = args::read(&self.file)?;
        let mut batch = client.batch();
        let places = fill(&mut batch, &text).map_err(|(line, reason)| {
            let file = args::named_input(&self.file);
            Failure::usage(format!("{file}, line {line}: {reason}; nothing was sent"))
        })?;
        let entries = batch.len();
        let sending = batch.send();
        let mut responses = remote::run(async {
            sending.await.map_err(|error| match error.kind() {
                // A batch of notifications only has no response but an error for the whole batch.
                ErrorKind::Refused(object) => refused(entries, object),
                _ => error.into(),
            })
        })?;
        if let Some(object) = responses.refused() {
            return Err(refused(entries, object));
        }
        let mut tally = Tally::default();
        let lines = places
            .into_iter()
            .map(|place| tally.line(&mut responses, place));
        output.json_lines(lines)?;
        for said in &tally.explanations {
            output.about(said);
        }
        Ok(tally.exit())
    }
}

/// Adds every line to the batch; on an invalid line, returns its number and the reason.
fn fill(batch: &mut Batch, text: &str) -> Result<Vec<Place>, (usize, String)> {
    let mut places = Vec::new();
    for (n, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (line, params) = read(line).map_err(|reason| (n + 1, reason))?;
        if line.notify {
            batch.notify(&line.method, params);
        } else {
            places.push(batch.call(&line.method, params));
        }
    }
    Ok(places)
}

fn read(text: &str) -> Result<(Line, Params), String> {
    // Derived `Deserialize` would accept an array for the struct as well.
    if !text.starts_with('{') {
        return Err(r#"a line is an object: {"method": "ping"}"#.to_owned());
    }
    let line: Line = serde_json::from_str(text).map_err(|error| reason(&error))?;
    let params = match &line.params {
        Some(params) => {
            args::from_json(params.get()).map_err(|reason| format!("`params`: {reason}"))?
        }
        None => Params::none(),
    };
    Ok((line, params))
}

/// The message of serde_json without its line number, which is always 1 here.
fn reason(error: &serde_json::Error) -> String {
    error
        .to_string()
        .replace(" at line 1 column ", " at column ")
}

/// The failure when the server rejected the batch as a whole, before any call ran.
fn refused(entries: usize, error: &ErrorObject) -> Failure {
    let mut text = format!("the server refused the batch of {entries} as a whole: {error}");
    if let Some(said) = explanation(error) {
        text += &format!("; {said}");
    }
    if error.code() == ErrorCode::INVALID_REQUEST {
        text += "; servers take only so many calls at once (Antiphon's 100, unless told otherwise)";
    }
    Failure::new(Exit::Refused, text)
}

/// Counts of the calls by outcome.
#[derive(Default)]
struct Tally {
    done: usize,
    refused: usize,
    unanswered: usize,
    /// What the errors about the caller mean, each once.
    explanations: BTreeSet<String>,
}

impl Tally {
    /// The outcome of a call as a line of JSON.
    fn line(&mut self, responses: &mut Responses, place: Place) -> String {
        match responses.take(place) {
            Ok(result) => {
                self.done += 1;
                format!(r#"{{"result":{}}}"#, result.get())
            }
            Err(error) => self.failed(&error),
        }
    }

    fn failed(&mut self, error: &Error) -> String {
        if let ErrorKind::Refused(object) = error.kind() {
            self.refused += 1;
            self.explanations.extend(explanation(object));
            return format!(r#"{{"error":{}}}"#, object.to_json());
        }
        self.unanswered += 1;
        let reason = serde_json::Value::from(error.to_string());
        format!(r#"{{"unanswered":{reason}}}"#)
    }

    fn exit(&self) -> Exit {
        match self {
            Self {
                unanswered: 1.., ..
            } => Exit::Protocol,
            Self { refused: 0, .. } => Exit::Done,
            Self { done: 0, .. } => Exit::Refused,
            _ => Exit::Partly,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_an_object_with_a_method() {
        let good = [
            r#"{"method":"m"}"#,
            r#"{"method":"m","params":null}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"m","params":[]}"#,
            r#"{"method":"m","params":{"a":1e400},"notify":true}"#,
        ];
        for text in good {
            assert!(read(text).is_ok(), "{text}");
        }
        let bad = [
            ("[\"m\"]", "a line is an object"),
            ("{}", "missing field `method`"),
            (r#"{"method":1}"#, "invalid type"),
            (
                r#"{"method":"m","params":3}"#,
                "`params`: they are a JSON array",
            ),
            (r#"{"method":"m","parms":[]}"#, "unknown field `parms`"),
            (r#"{"method":"m"} x"#, "trailing characters at column"),
            (r#"{"method":"m""#, "EOF"),
        ];
        for (text, part) in bad {
            let reason = read(text).err().unwrap_or_default();
            assert!(reason.contains(part), "{text}: {reason}");
            assert!(!reason.contains("line 1"), "{text}: {reason}");
        }
    }

    #[test]
    fn the_exit_code_counts_what_failed() {
        let exit = |done, refused, unanswered| {
            Tally {
                done,
                refused,
                unanswered,
                ..Tally::default()
            }
            .exit()
        };
        assert_eq!(exit(0, 0, 0), Exit::Done);
        assert_eq!(exit(2, 0, 0), Exit::Done);
        assert_eq!(exit(0, 2, 0), Exit::Refused);
        assert_eq!(exit(1, 1, 0), Exit::Partly);
        assert_eq!(exit(1, 1, 1), Exit::Protocol);
    }
}
