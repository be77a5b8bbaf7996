//! `antiphon ctl`: a server with workers, looked at and told what to do over its control socket.

mod socket;
mod table;

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::time::Duration;

use antiphon::Wait;
use antiphon::client::Client;
use clap::{Args, Subcommand};
use serde_json::Value;

use crate::exit::{Exit, Failure};
use crate::output::Output;
use crate::remote;

#[derive(Args)]
#[command(after_help = HELP)]
pub(crate) struct CtlCommand {
    /// The control socket [default: the only one in $XDG_RUNTIME_DIR/antiphon]
    #[arg(long, value_name = "PATH", env = "ANTIPHON_CONTROL")]
    control: Option<PathBuf>,

    /// Time to wait for the answer: 30, 30s, 500ms, 2m or none [default: 60s]
    #[arg(long, value_name = "TIME")]
    timeout: Option<Wait>,

    #[command(subcommand)]
    order: Option<Order>,
}

#[derive(Subcommand)]
enum Order {
    /// Show the server and its workers
    Status {
        /// Again and again, every second or as often as is said, until the server is gone
        #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "1")]
        watch: Option<f64>,

        /// As JSON, as the server says it
        #[arg(long, conflicts_with = "watch")]
        json: bool,
    },
    /// End a worker when another one has taken its place
    Kill {
        /// The worker's id; `arbiter` stops the server
        #[arg(value_name = "ID")]
        id: String,
    },
    /// Replace all workers, with the settings as they are now
    Reload,
    /// Replace the server by the program that is in its place now
    Upgrade,
    /// Stop the server gracefully
    Stop,
}

const HELP: &str = "\
Without a command it shows the status. `reload` and `upgrade` end when the new workers serve; if one
of them fails, the old ones go on, and the exit code is 1.

Examples:
  antiphon ctl                      one look
  antiphon ctl status --watch       a table that is painted anew every second
  antiphon ctl kill i1f3a9c2        a worker, which is replaced
  antiphon ctl --control /run/calc.sock reload";

/// A reload has to wait for workers to boot.
const TIMEOUT: Duration = Duration::from_secs(60);

impl CtlCommand {
    pub(crate) fn run(self, output: &Output) -> Result<Exit, Failure> {
        let path = match self.control {
            Some(path) => path,
            None => socket::find()?,
        };
        let timeout = self.timeout.map_or(Some(TIMEOUT), |Wait(time)| time);
        let client = Client::builder(format!("unix:{}", path.display()))
            .timeout(timeout)
            .build()?;
        let order = self.order.unwrap_or(Order::Status {
            watch: None,
            json: false,
        });
        remote::run(order.carry_out(client, output))
    }
}

impl Order {
    async fn carry_out(self, client: Client, output: &Output) -> Result<Exit, Failure> {
        let (method, id, done) = match self {
            Self::Status {
                watch: Some(seconds),
                ..
            } => return watch(&client, seconds, output).await,
            Self::Status { json, .. } => {
                let status: Value = client.call("status", ()).await?;
                match json {
                    true => output.json(&status.to_string())?,
                    false => output.text(&table::of(&status, None))?,
                }
                return Ok(Exit::Done);
            }
            Self::Kill { id } => ("kill_actor", Some(id), ""),
            Self::Reload => ("reload", None, "reloaded"),
            Self::Upgrade => ("upgrade", None, "upgraded"),
            Self::Stop => ("stop", None, "stopping"),
        };
        let answer: Value = match &id {
            Some(id) => client.call(method, (id,)).await?,
            None => client.call(method, ()).await?,
        };
        match (answer, id) {
            (Value::String(killed), Some(_)) => output.text(&killed)?,
            (_, Some(id)) => {
                output.about(&format!(
                    "the worker {id} has not ended yet: it was told to"
                ));
                return Ok(Exit::Timeout);
            }
            (_, None) => output.text(done)?,
        }
        Ok(Exit::Done)
    }
}

/// Shows the status again and again.
async fn watch(client: &Client, seconds: f64, output: &Output) -> Result<Exit, Failure> {
    let pause = Duration::try_from_secs_f64(seconds)
        .ok()
        .filter(|pause| *pause >= Duration::from_millis(100))
        .ok_or_else(|| Failure::usage("--watch takes a tenth of a second or more"))?;
    let on_terminal = std::io::stdout().is_terminal();
    let mut before: Option<Value> = None;
    loop {
        let status: Value = client.call("status", ()).await?;
        let table = table::of(&status, before.as_ref());
        match on_terminal {
            // To the upper left, then away with what was there.
            true => output.raw(format!("\u{1b}[H\u{1b}[2J{table}\n").as_bytes())?,
            false => output.text(&format!("{table}\n"))?,
        }
        before = Some(status);
        tokio::time::sleep(pause).await;
    }
}
