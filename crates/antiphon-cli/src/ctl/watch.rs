//! `antiphon ctl status`: status of a server, once or repeatedly.

use std::time::Duration;

use antiphon::Params;
use antiphon::client::Error;
use clap::Args;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::control_client::ControlClient;
use super::rates::Rates;
use super::table::{self, Look};
use crate::exit::{Exit, Failure};
use crate::output::Output;

/// Allowed intervals in seconds. The minimum keeps the load on the server low.
const PAUSES: std::ops::RangeInclusive<f64> = 0.1..=86_400.0;

/// How many times to retry after the server has broken a connection, and the delay between retries.
const MORE_LOOKS: usize = 10;
const BREATH: Duration = Duration::from_millis(100);

#[derive(Args)]
pub(super) struct StatusCommand {
    /// Look again every so many seconds, until the server has gone [default: 1]
    #[arg(
        long,
        value_name = "SECONDS",
        num_args = 0..=1,
        default_missing_value = "1",
        value_parser = pause
    )]
    watch: Option<Duration>,

    /// Print what the server says as JSON; with --watch on a line each time
    #[arg(long)]
    json: bool,
}

impl StatusCommand {
    /// The options of `ctl` without a subcommand.
    pub(super) fn once() -> Self {
        Self {
            watch: None,
            json: false,
        }
    }

    pub(super) async fn run(
        self,
        client: &ControlClient,
        output: &Output,
    ) -> Result<Exit, Failure> {
        match self.watch {
            Some(pause) => self.watch(pause, client, output).await,
            None => {
                let status = look(client).await.map_err(|error| client.failure(error))?;
                match self.json {
                    true => output.json(status.get())?,
                    false => {
                        let look = Look {
                            rates: None,
                            color: output.has_color(),
                        };
                        output.lines(&table::render(&parse(&status)?, look))?;
                    }
                }
                Ok(Exit::Done)
            }
        }
    }

    /// Prints the status repeatedly until the server or the reader has gone. Ctrl-C is handled by
    /// the caller.
    async fn watch(
        self,
        pause: Duration,
        client: &ControlClient,
        output: &Output,
    ) -> Result<Exit, Failure> {
        let mut clock = interval(pause);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut rates = Rates::default();
        let mut first = true;
        loop {
            clock.tick().await;
            let looked = match first {
                true => look(client).await,
                false => look_again(client).await,
            };
            let status = match looked {
                Err(error) if !first && error.is_connect() => return Err(gone(client)),
                looked => looked.map_err(|error| client.failure(error))?,
            };
            let is_read = match self.json {
                true => output.json_line(status.get())?,
                false => {
                    let status = parse(&status)?;
                    rates.look(&table::workers(&status));
                    let look = Look {
                        rates: Some(&rates),
                        color: output.has_color(),
                    };
                    output.picture(&table::render(&status, look), first)?
                }
            };
            if !is_read {
                return Ok(Exit::Done);
            }
            first = false;
        }
    }
}

/// Requests the status.
async fn look(client: &ControlClient) -> Result<Box<RawValue>, Error> {
    client.client()?.call("status", Params::none()).await
}

/// Requests the status, with retries. A server that is stopping may answer with an error or break
/// the connection, and so may one that another server is replacing.
async fn look_again(client: &ControlClient) -> Result<Box<RawValue>, Error> {
    for _ in 0..MORE_LOOKS {
        match look(client).await {
            Err(error) if may_pass(&error) => sleep(BREATH).await,
            looked => return looked,
        }
    }
    look(client).await
}

fn may_pass(error: &Error) -> bool {
    let exit = Exit::from(error);
    matches!(exit, Exit::Connection | Exit::Refused) && !error.is_connect()
}

fn gone(client: &ControlClient) -> Failure {
    let text = format!("the server at {} has gone", client.socket);
    Failure::new(Exit::Connection, text)
}

fn parse(status: &RawValue) -> Result<Value, Failure> {
    serde_json::from_str(status.get()).map_err(|error| {
        let text = format!("the status cannot be shown as a table: {error}");
        Failure::new(Exit::Protocol, text)
    })
}

/// Parses a number of seconds, with or without a fraction.
fn pause(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().filter(|seconds| PAUSES.contains(seconds));
    seconds.map(Duration::from_secs_f64).ok_or_else(|| {
        let (least, most) = (PAUSES.start(), PAUSES.end());
        format!("{text:?} is no number of seconds from {least} to {most}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_a_number_of_seconds() {
        for (text, expected) in [
            ("1", 1000),
            ("0.1", 100),
            ("2.5", 2500),
            ("86400", 86_400_000),
        ] {
            assert_eq!(pause(text), Ok(Duration::from_millis(expected)), "{text}");
        }
        for text in ["", "0", "-1", "0.09", "86401", "nan", "inf", "1s"] {
            assert!(
                pause(text).unwrap_err().contains("from 0.1 to 86400"),
                "{text}"
            );
        }
    }
}
