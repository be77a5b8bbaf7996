//! Program with its own flags in addition to those of the server.
//!
//! Run with
//!
//! ```console
//! $ cargo run --example own_command_line -- --greeting 'good day' --bind 127.0.0.1:8060 --max-batch 10
//! $ curl http://127.0.0.1:8060 -H 'Content-Type: application/json' \
//!     -d '{"jsonrpc":"2.0","id":1,"method":"greet","params":["Ann"]}'
//! ```

use std::process::ExitCode;

use antiphon::{Router, ServeArgs, Server, rpc};
use clap::Parser;

/// Greets whoever calls.
#[derive(Parser)]
struct Args {
    /// What to greet with
    #[arg(long, default_value = "hello")]
    greeting: String,

    #[command(flatten)]
    serve: ServeArgs,
}

struct Greeter {
    greeting: String,
}

#[rpc]
impl Greeter {
    /// Greets somebody.
    fn rpc_greet(&self, name: String) -> String {
        format!("{} {name}", self.greeting)
    }
}

fn main() -> ExitCode {
    let Args { greeting, serve } = Args::parse();
    Server::new(Router::of(Greeter { greeting })).start_with(serve)
}
