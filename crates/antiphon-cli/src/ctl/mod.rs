//! `antiphon ctl`: control of a server with worker processes.
//!
//! | file | what it does |
//! |---|---|
//! | `socket.rs`, `control_client.rs` | the control socket of a server, and its client |
//! | `watch.rs` | `status`, once or repeatedly |
//! | `table.rs` | the status as a table |
//! | `rates.rs` | rates between two samples of the status |
//! | `human.rs` | compact formatting of numbers, times and sizes |

mod control_client;
mod human;
mod rates;
mod socket;
mod table;
mod watch;

use std::path::PathBuf;
use std::time::Duration;

use antiphon::TimeLimit;
use clap::{Args, Subcommand};
use serde_json::Value;

use crate::exit::{Exit, Failure};
use crate::output::Output;
use crate::remote;
use control_client::{ControlClient, unexpected};
use watch::StatusCommand;

/// Default timeout of calls that are answered at once or when a worker has ended.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Default timeout of calls that wait for workers to start. The server allows 30 seconds by
/// default.
const START_TIMEOUT: Duration = Duration::from_secs(120);

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
    timeout: Option<TimeLimit>,

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
        let timeout = match (self.timeout, &action) {
            (Some(TimeLimit(time)), _) => time,
            (None, Action::Reload | Action::Upgrade) => Some(START_TIMEOUT),
            (None, _) => Some(TIMEOUT),
        };
        remote::run(async {
            let socket = socket::find(self.control).await?;
            let client = ControlClient { socket, timeout };
            match action {
                Action::Status(command) => return command.run(&client, output).await,
                Action::Kill { id } => {
                    let killed = client.ask("kill_actor", [id.as_str()]).await?;
                    output.text(&text_of_kill(&id, &killed)?)?;
                }
                Action::Reload => {
                    client.demand("reload").await?;
                    output.text("reloaded")?;
                }
                Action::Upgrade => {
                    client.demand("upgrade").await?;
                    output.text("upgraded")?;
                }
                Action::Stop => {
                    client.demand("stop").await?;
                    output.text("stopping")?;
                }
            }
            Ok(Exit::Done)
        })
    }
}

/// The text to print after `kill`.
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
