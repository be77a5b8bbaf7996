//! `antiphon listen`: a subscription, printed one item per line.

use antiphon::client::{Client, Reconnect, StreamError};
use clap::Args;
use serde_json::value::RawValue;

use crate::args;
use crate::exit::{Exit, Failure};
use crate::output::Output;
use crate::remote::{self, Remote};

#[derive(Args)]
#[command(after_help = HELP)]
pub(crate) struct ListenCommand {
    #[command(flatten)]
    remote: Remote,

    /// The method that is answered with a stream
    #[arg(value_name = "METHOD")]
    method: String,

    /// Parameters, as for `call`
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

    /// End after so many items
    #[arg(short = 'n', long, value_name = "N")]
    count: Option<u64>,

    /// The method that ends subscriptions, where it is not rpc.unsubscribe: eth_unsubscribe
    #[arg(long, value_name = "NAME")]
    unsubscribe: Option<String>,

    /// Connect again when the connection is lost, and subscribe again
    #[arg(long)]
    reconnect: bool,
}

const HELP: &str = "\
Every item is printed as JSON on a line of standard output, at once. What is missing, and why the
stream has ended, is said on standard error. It needs a connection that stays: ws:, tcp:, unix: or
stdio:. The exit code is 0 when the stream is complete, and 1 when it has failed or lagged behind.

Examples:
  antiphon listen ws://localhost:8060 ticks
  antiphon listen -n 3 tcp://localhost:8061 prices gold
  antiphon listen ws://node.example eth_subscribe newHeads --unsubscribe eth_unsubscribe";

impl ListenCommand {
    pub(crate) fn run(self, output: &Output) -> Result<Exit, Failure> {
        if !self.remote.has_sessions() {
            return Err(Failure::usage(
                "a stream needs a connection that stays: ws:, tcp:, unix: or stdio:",
            ));
        }
        let client = self.remote.client_with(|builder| match self.reconnect {
            true => builder.reconnect(Reconnect::default()),
            false => builder,
        })?;
        remote::run(self.listen(client, output))
    }

    async fn listen(self, client: Client, output: &Output) -> Result<Exit, Failure> {
        let params = match &self.params {
            Some(data) => args::from_data(data)?,
            None => args::from_words(&self.args)?,
        };
        let mut pending = client.subscribe::<Box<RawValue>>(&self.method, params);
        if let Some(name) = &self.unsubscribe {
            pending = pending.unsubscribe_method(name);
        }
        let mut items = pending.await?;
        let mut left = self.count.unwrap_or(u64::MAX);
        loop {
            if left == 0 {
                return Ok(Exit::Done);
            }
            match items.next().await {
                None => return Ok(Exit::Done),
                Some(Ok(item)) => {
                    left -= 1;
                    if !output.json_line(item.get())? {
                        // The reader of standard output has gone.
                        return Ok(Exit::Done);
                    }
                }
                Some(Err(error)) if !error.is_end() => output.about(&error.to_string()),
                Some(Err(StreamError::Failed(object))) => {
                    output.error_object(&object.to_json());
                    output.explain(&object);
                    return Ok(Exit::Refused);
                }
                Some(Err(StreamError::Lost(error))) => return Err(error.into()),
                Some(Err(error)) => {
                    output.about(&error.to_string());
                    return Ok(Exit::Refused);
                }
            }
        }
    }
}
