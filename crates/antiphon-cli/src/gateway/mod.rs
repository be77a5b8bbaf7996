//! `antiphon gateway`: a server in front of others.
//!
//! | file | what it does |
//! |---|---|
//! | `mod.rs` | the command: flags, settings file, start |
//! | `options.rs` | options of upstreams, as flags and as keys of the settings file |
//! | `upstream.rs` | one upstream: its name, its addresses, its clients |

mod options;
mod upstream;

use std::process::ExitCode;

use antiphon::{Gateway, ServeArgs};
use clap::Args;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::exit::{Exit, Failure};
use crate::serve::{compressed, with_agents};

use options::UpstreamOptions;
use upstream::Upstream;

/// The table of the settings file with what is the gateway's own.
const SECTION: &str = "gateway";

#[derive(Args)]
#[command(after_help = HELP)]
pub(crate) struct GatewayCommand {
    #[command(flatten)]
    serve: ServeArgs,

    /// Servers that serve the same, with commas between them, and the name that their methods have here
    /// before their own; without one they keep their names. Repeat it for others; in place of those of
    /// the settings file
    #[arg(
        short,
        long = "upstream",
        value_name = "[NAME=]URL,…",
        env = "ANTIPHON_UPSTREAM",
        value_delimiter = ';'
    )]
    upstreams: Vec<String>,

    #[command(flatten)]
    options: UpstreamOptions,

    /// Serve agents as well, at /mcp: the methods of all upstreams are their tools (Model Context Protocol)
    #[arg(long)]
    mcp: bool,
}

/// What the settings file has under `[gateway]`.
#[derive(Deserialize, Default)]
#[serde(try_from = "Map<String, Value>")]
struct Section {
    upstreams: Vec<Upstream>,
    /// What holds for upstreams that do not say it themselves.
    defaults: UpstreamOptions,
}

impl TryFrom<Map<String, Value>> for Section {
    type Error = serde_json::Error;

    fn try_from(mut table: Map<String, Value>) -> Result<Self, Self::Error> {
        let upstreams = table.remove("upstream");
        Ok(Self {
            upstreams: upstreams.map_or_else(|| Ok(Vec::new()), serde_json::from_value)?,
            defaults: serde_json::from_value(table.into())?,
        })
    }
}

const HELP: &str = "\
Callers see one server with the methods of all upstreams: their listings and documents are the union, and
errors, progress and subscriptions come as the upstreams send them. A call goes to the server with the least
under way; one that fails is left out until it answers again. A call that may have run is sent to another
server only if its method is marked as idempotent or read-only (`x-idempotent` and `x-read-only` in the
upstream's OpenRPC document, or --idempotent and --read-only). Equal calls at the same time of methods that
change nothing are forwarded as one.

/readyz says how many servers of each upstream are up, upstreams_list where they are.

In the settings file of --config:
  bind = [\"0.0.0.0:8060\"]
  [[gateway.upstream]]
  servers = [\"ws://10.0.0.1:8060\", \"ws://10.0.0.2:8060\"]
  [[gateway.upstream]]
  name = \"eth\"
  servers = [\"http://10.0.0.3:8545\"]
  read-only = [\"eth_get*\"]
  cache = [\"eth_getBlock*=2s\"]

Examples:
  antiphon gateway --upstream ws://10.0.0.1:8060,ws://10.0.0.2:8060
  antiphon gateway -b :8060 -u calc=tcp://10.0.0.1:8070 -u eth=http://10.0.0.3:8545 --cache 'eth_getBlock*=2s'";

impl GatewayCommand {
    /// Runs until it is told to stop. The library prints the errors of the server.
    pub(crate) fn run(mut self) -> Result<ExitCode, Failure> {
        let unusable = |error: antiphon::ServeError| Failure::new(Exit::Refused, error.to_string());
        let section: Section = self.serve.section(SECTION).map_err(unusable)?;
        let given = self.upstreams.iter().filter(|text| !text.is_empty());
        let given = given
            .map(|text| text.parse())
            .collect::<Result<Vec<Upstream>, _>>();
        let upstreams = match given? {
            given if given.is_empty() => section.upstreams,
            given => given,
        };
        if upstreams.is_empty() {
            return Err(Failure::usage(
                "there is nothing to forward to: say where with --upstream, or in the settings file",
            ));
        }
        let defaults = self.options.over(section.defaults);
        let mut gateway = Gateway::new().title("Antiphon gateway");
        for upstream in upstreams {
            gateway = upstream.add_to(gateway, &defaults)?;
        }
        let server = with_agents(compressed(gateway.server()), self.mcp);
        Ok(server.start_with(self.serve))
    }
}
