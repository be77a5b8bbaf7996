//! `antiphon serve`: the calculator, with commands to inspect the server.

use std::process::ExitCode;

use antiphon::{Router, ServeArgs, Server, ServerCommands};
use clap::Args;
use http::header::ACCEPT_ENCODING;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{NotForContentType, Predicate as _, SizeAbove};

use crate::calculator::Calculator;
use crate::news::News;
use crate::ticks;

/// Minimum size of a compressed response, in bytes, if the caller accepts compression.
const COMPRESS_FROM: u64 = 200;

#[derive(Args)]
#[command(after_help = HELP)]
pub(crate) struct ServeCommand {
    #[command(flatten)]
    args: ServeArgs,

    /// Serve agents as well, at /mcp: what can be called are their tools (Model Context Protocol)
    #[arg(long)]
    mcp: bool,
}

const HELP: &str = "\
It serves ping, echo, functions_list, documentation, server_info, and a calculator: calc.add,
calc.subtract, calc.multiply, calc.divide and calc.randompaths; ticks, a stream; and news.publish and news.subscribe,
topics. When it is ready it says where, on standard error. SIGINT or SIGTERM lets the calls that run end first, a second one does not.

Anybody may call them, unless a flag says who is known: --auth-tokens, --auth-jwks or --tls-client-ca.
Then ping and echo are open to all, calc.randompaths needs the scope calc:random, and the rest needs
a known caller.

Examples:
  antiphon serve
  antiphon serve --bind 127.0.0.1:0 --call-timeout 5s
  antiphon serve --mcp
  antiphon token new alice calc:random --append tokens && antiphon serve --auth-tokens tokens
  curl -H 'Content-Type: application/json' 127.0.0.1:8060 \\
    -d '{\"jsonrpc\": \"2.0\", \"id\": 1, \"method\": \"calc.add\", \"params\": [3, 4]}'";

impl ServeCommand {
    /// Runs until it is told to stop. The library prints the errors.
    pub(crate) fn run(self) -> ExitCode {
        let router = Router::of(ServerCommands::new())
            .title("Antiphon calculator")
            .version(env!("CARGO_PKG_VERSION"))
            .nest("calc", Calculator)
            .nest("news", News::new())
            .method(ticks::method());
        with_agents(compressed(Server::new(router)), self.mcp).start_with(self.args)
    }
}

/// Where agents find the server.
const AGENTS: &str = "/mcp";

/// A server that agents use as well, if that is wanted.
pub(crate) fn with_agents(server: Server, is_wanted: bool) -> Server {
    match is_wanted {
        true => server.mcp(AGENTS),
        false => server,
    }
}

/// A server that compresses what it answers over HTTP, for callers who accept that.
pub(crate) fn compressed(server: Server) -> Server {
    let compression = CompressionLayer::new()
        // Each stream would have the memory of a compressor for as long as it lasts.
        .compress_when(SizeAbove::new(COMPRESS_FROM).and(NotForContentType::SSE));
    server.http_layer_if(|headers| headers.contains_key(ACCEPT_ENCODING), compression)
}
