//! `antiphon mcp`: the methods of any described server as the tools of an agent, on standard input and
//! output.

use std::process::ExitCode;

use antiphon::client::Remote as Forwarded;
use antiphon::mcp::Mcp;
use antiphon::{Params, Router, Server};
use clap::Args;
use serde::Deserialize;
use tokio::runtime::Builder;

use crate::exit::{Exit, Failure};
use crate::remote::Remote;

#[derive(Args)]
#[command(after_help = HELP)]
pub(crate) struct McpCommand {
    #[command(flatten)]
    remote: Remote,

    /// Leave out the tools whose names do not begin with this; repeat it for more
    #[arg(long, value_name = "PREFIX")]
    only: Vec<String>,
}

const HELP: &str = "\
An agent starts this command and speaks the Model Context Protocol with it. The server needs no change: what
it says of itself (`rpc.discover`) becomes the list of tools, and each call of a tool a call of a method.

Examples:
  antiphon mcp http://127.0.0.1:8060
  antiphon mcp ws://127.0.0.1:8060 --only calc.
  claude mcp add calculator -- antiphon mcp http://127.0.0.1:8060";

/// What a server says of itself, as far as agents are told.
#[derive(Deserialize)]
struct Document {
    info: Info,
}

#[derive(Deserialize)]
struct Info {
    title: String,
    #[serde(default)]
    version: String,
    #[serde(default)]
    description: String,
}

impl McpCommand {
    /// Serves until standard input ends.
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        let failed = |error| Failure::io("the runtime cannot be started", &error);
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(failed)?;
        let outcome = runtime.block_on(self.serve());
        // Does not wait for a blocking DNS lookup, which cannot be cancelled.
        runtime.shutdown_background();
        outcome
    }

    async fn serve(self) -> Result<ExitCode, Failure> {
        let client = self.remote.client()?;
        // Whoever has started this learns at once if there is nothing to be had.
        let asked = client.call::<Document>("rpc.discover", Params::none());
        let Document { info } = asked.await?;
        let tools = Forwarded::of(client).described_only(true);
        let mut mcp = Mcp::new(Router::new().merge(tools))
            .name(info.title)
            .version(info.version);
        if !info.description.is_empty() {
            mcp = mcp.instructions(info.description);
        }
        if !self.only.is_empty() {
            let only = self.only;
            mcp = mcp.filter(move |name| only.iter().any(|prefix| name.starts_with(prefix)));
        }
        let served = Server::new(mcp).stdio().serve().await;
        let unusable = |error: antiphon::ServeError| Failure::new(Exit::Refused, error.to_string());
        served.map_err(unusable)?;
        Ok(ExitCode::SUCCESS)
    }
}
