//! `antiphon listen`: a subscription, printed one item per line.

use antiphon::client::{Client, Reconnect, StreamError, Subscription};
use antiphon::{Cursor, Event};
use clap::Args;
use serde::Serialize;
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

    /// Connect again when the connection is lost or the server stops, and go on where the items ended
    #[arg(long)]
    reconnect: bool,

    /// Begin behind the item with this cursor; an empty one begins with all that was kept
    #[arg(long, value_name = "CURSOR")]
    after: Option<String>,

    /// Print each item as an object with its cursor and key, and what is missing as well
    #[arg(long)]
    events: bool,
}

const HELP: &str = "\
Every item is printed as JSON on a line of standard output, at once. What is missing, and why the
stream has ended, is said on standard error. It needs a connection that stays: ws:, tcp:, unix:, stdio: or
nats:. The exit code is 0 when the stream is complete, and 1 when it has failed or lagged behind.

Items of a topic have a cursor. With --reconnect they go on behind the last one, without gap or
repetition, as far as the server has kept them. A program that goes on by itself, later, reads --events
and passes the last cursor to --after. Lines are then, in order:
  {\"cursor\":\"5f0c9a1b27de-1-4d\",\"item\":…}   an item, with a member `key` if all keys are listened to
  {\"missed\":3}                              items that are missing here; null if nobody knows how many

Examples:
  antiphon listen ws://localhost:8060 ticks
  antiphon listen -n 3 tcp://localhost:8061 prices gold
  antiphon listen --reconnect --events --after 5f0c9a1b27de-1-4d ws://localhost:8060 prices gold
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
        let mut items = pending.after(self.after.clone().map(Cursor::from)).await?;
        let mut left = self.count.unwrap_or(u64::MAX);
        loop {
            if left == 0 {
                return Ok(Exit::Done);
            }
            let Some(next) = items.next_event().await else {
                return Ok(Exit::Done);
            };
            let line = match next {
                Ok(event) => {
                    left -= 1;
                    Some(self.item(event))
                }
                Err(error) if !error.is_end() => {
                    output.about(&error.to_string());
                    self.gap(&error)
                }
                Err(error) => return end(error, &items, output),
            };
            // Without a reader of standard output there is nobody to listen for.
            if let Some(line) = line
                && !output.json_line(&line)?
            {
                return Ok(Exit::Done);
            }
        }
    }

    /// The line for an item.
    fn item(&self, event: Event<Box<RawValue>>) -> String {
        #[derive(Serialize)]
        struct Line<'a> {
            #[serde(skip_serializing_if = "Option::is_none")]
            cursor: Option<Cursor>,
            #[serde(skip_serializing_if = "Option::is_none")]
            key: Option<&'a str>,
            item: &'a RawValue,
        }
        if !self.events {
            return event.item.get().to_owned();
        }
        json(&Line {
            cursor: event.cursor,
            key: event.key.as_deref(),
            item: &event.item,
        })
    }

    /// The line for what is missing, if there is one.
    fn gap(&self, error: &StreamError) -> Option<String> {
        #[derive(Serialize)]
        struct Line {
            missed: Option<u64>,
        }
        let missed = match error {
            StreamError::Gap { missed } => *missed,
            StreamError::Interrupted => None,
            _ => return None,
        };
        self.events.then(|| json(&Line { missed }))
    }
}

/// Lines have nothing that cannot be written.
fn json(line: &impl Serialize) -> String {
    serde_json::to_string(line).unwrap_or_default()
}

/// Says why the stream has ended, and where it would go on.
fn end(
    error: StreamError,
    items: &Subscription<Box<RawValue>>,
    output: &Output,
) -> Result<Exit, Failure> {
    let place = items
        .cursor()
        .filter(|_| !matches!(error, StreamError::Failed(_)));
    let place = place.map(|cursor| format!("it goes on with --after {cursor}"));
    let said = match error {
        StreamError::Failed(object) => {
            output.error_object(&object.to_json());
            output.explain(&object);
            Ok(Exit::Refused)
        }
        StreamError::Lost(error) => Err(error.into()),
        error => {
            output.about(&error.to_string());
            Ok(Exit::Refused)
        }
    };
    if let Some(place) = place {
        output.about(&place);
    }
    said
}
