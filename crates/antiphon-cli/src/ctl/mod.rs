//! `antiphon ctl`: what a server with worker processes does on its control socket.
//!
//! | file | what it does |
//! |---|---|
//! | `socket.rs` | which server is meant |
//! | `watch.rs` | one look at a server, or one after the other |
//! | `table.rs` | what it says of itself, as a table |
//! | `rates.rs` | what changes between two looks |
//! | `human.rs` | numbers, times and sizes in few characters |

mod human;
mod rates;
mod socket;
mod table;
mod watch;

use std::path::PathBuf;
use std::time::Duration;

use antiphon::client::{Client, Error, Kind};
use antiphon::{ErrorCode, IntoParams, Params, Wait};
use clap::{Args, Subcommand};
use serde_json::Value;

use crate::exit::{Exit, Failure};
use crate::output::Output;
use crate::remote;
use socket::Socket;
use watch::StatusCommand;

/// How long to wait for answers that come at once, or after a worker's end.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long to wait for workers that start first. The server gives them 30 seconds by default.
const PATIENCE_FOR_STARTS: Duration = Duration::from_secs(120);

#[derive(Args)]
#[command(after_help = HELP)]
pub(crate) struct CtlCommand {
    /// Path of the server's control socket [default: the only one in $XDG_RUNTIME_DIR/antiphon
    /// that somebody listens on]
    #[arg(long, global = true, env = "ANTIPHON_CONTROL", value_name = "PATH")]
    control: Option<PathBuf>,

    /// Time to wait for the answer: 30, 30s, 500ms, 2m or none [default: 30s; 2m for `reload` and
    /// `upgrade`]
    #[arg(long, global = true, value_name = "TIME")]
    timeout: Option<Wait>,

    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Subcommand)]
enum Action {
    /// Show the server and its workers; so does `ctl` alone
    Status(StatusCommand),
    /// End a worker when another one is ready to take its place
    Kill {
        /// The worker, as `status` shows it; `arbiter` stops the server
        #[arg(value_name = "ID")]
        id: String,
    },
    /// Replace all workers, with the settings as they are now
    Reload,
    /// Replace the whole server by the program that is in its place now
    Upgrade,
    /// Stop the server; the calls that run end first
    Stop,
}

const HELP: &str = "\
It talks to servers that run workers: `antiphon serve --workers 2`. Their control socket belongs to
the user who runs them.

Columns of `status`: ERRS are calls that were answered with an error, BUSY those that run now, CONNS
the connections that are open, MEM the memory in use. CPU is a share of one processor since the
worker began; with --watch since the look before, as are CALLS/S. SEEN is the time since the worker
gave its last sign of life.

Examples:
  antiphon ctl
  antiphon ctl status --watch
  antiphon ctl status --json
  antiphon ctl kill i359219d
  antiphon ctl --control /run/my/control.sock reload";

impl CtlCommand {
    pub(crate) fn run(self, output: &Output) -> Result<Exit, Failure> {
        let action = self.action.unwrap_or(Action::Status(StatusCommand::once()));
        let patience = match (self.timeout, &action) {
            (Some(Wait(time)), _) => time,
            (None, Action::Reload | Action::Upgrade) => Some(PATIENCE_FOR_STARTS),
            (None, _) => Some(PATIENCE),
        };
        remote::run(async {
            let socket = socket::find(self.control).await?;
            let line = Line { socket, patience };
            match action {
                Action::Status(command) => return command.run(&line, output).await,
                Action::Kill { id } => {
                    let killed = line.ask("kill_actor", [id.as_str()]).await?;
                    output.text(&text_of_kill(&id, &killed)?)?;
                }
                Action::Reload => {
                    line.demand("reload").await?;
                    output.text("reloaded")?;
                }
                Action::Upgrade => {
                    line.demand("upgrade").await?;
                    output.text("upgraded")?;
                }
                Action::Stop => {
                    line.demand("stop").await?;
                    output.text("stopping")?;
                }
            }
            Ok(Exit::Done)
        })
    }
}

/// The way to a server. Every call has a connection of its own: after an upgrade somebody else
/// listens on the same socket.
struct Line {
    socket: Socket,
    patience: Option<Duration>,
}

impl Line {
    fn client(&self) -> Result<Client, Error> {
        Client::builder(self.socket.url())
            .timeout(self.patience)
            .build()
    }

    /// Calls a method.
    async fn ask(&self, method: &str, params: impl IntoParams) -> Result<Value, Failure> {
        let client = self.client()?;
        let answer = client.call::<Value>(method, params).await;
        answer.map_err(|error| self.failure(error))
    }

    /// Calls a method that has no other result than true.
    async fn demand(&self, method: &str) -> Result<(), Failure> {
        match self.ask(method, Params::none()).await? {
            Value::Bool(true) => Ok(()),
            other => Err(unexpected(method, &other)),
        }
    }

    /// What an error means; one that the server answers with is told in its own words.
    fn failure(&self, error: Error) -> Failure {
        match error.kind() {
            Kind::Refused(object) if object.code() == ErrorCode::METHOD_NOT_FOUND => Failure::new(
                Exit::Refused,
                format!("{error}; {} is no control socket", self.socket),
            ),
            Kind::Refused(object) => Failure::new(Exit::Refused, object.message()),
            _ => error.into(),
        }
    }
}

/// What to print when a worker was to be ended.
fn text_of_kill(id: &str, answer: &Value) -> Result<String, Failure> {
    match answer {
        Value::String(killed) => Ok(killed.clone()),
        Value::Null => Err(Failure::new(
            Exit::Refused,
            format!("the worker {id} has not ended yet; it will when it has finished its calls"),
        )),
        other => Err(unexpected("kill_actor", other)),
    }
}

fn unexpected(method: &str, answer: &Value) -> Failure {
    /// How much of it is told, in characters.
    const SHOWN: usize = 200;
    let answer: String = answer.to_string().chars().take(SHOWN).collect();
    Failure::new(
        Exit::Protocol,
        format!("`{method}`: no answer of a control socket: {answer}"),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_kill_is_answered_with() {
        let table = [
            (json!("killed i1"), Ok("killed i1")),
            (json!(null), Err((Exit::Refused, "i1 has not ended yet"))),
            (json!({"a": 1}), Err((Exit::Protocol, r#"{"a":1}"#))),
        ];
        for (answer, expected) in table {
            match (text_of_kill("i1", &answer), expected) {
                (Ok(text), Ok(expected)) => assert_eq!(text, expected),
                (Err(failure), Err((exit, part))) => {
                    assert_eq!(failure.exit(), exit);
                    assert!(failure.to_string().contains(part), "{failure}");
                }
                (other, _) => panic!("{answer}: {other:?}"),
            }
        }
    }
}
