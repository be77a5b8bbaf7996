//! Nested namespaces, the replacement of one, and a method that reads its own position.
//!
//! Run with
//!
//! ```console
//! $ cargo run --example nested
//! $ curl http://127.0.0.1:8060 -H 'Content-Type: application/json' \
//!     -d '{"jsonrpc":"2.0","id":1,"method":"house.kitchen.whereabouts"}'
//! ```

use std::process::ExitCode;

use antiphon::{Context, Router, Server, ServerCommands, rpc};

struct Room {
    lamps: u32,
}

#[rpc]
impl Room {
    /// Number of lamps.
    fn rpc_lamps(&self) -> u32 {
        self.lamps
    }

    /// The path from the root to this room, and the rooms beside it.
    fn rpc_whereabouts(&self, ctx: &Context) -> (String, Vec<String>) {
        let here = ctx.node();
        let beside = here.parent().unwrap_or_else(|| here.root());
        let names = beside.names().into_iter().map(str::to_owned).collect();
        (here.prefix().to_owned(), names)
    }
}

fn main() -> ExitCode {
    let house = Router::new()
        .documentation("Everything under one roof.")
        .nest("kitchen", Room { lamps: 3 })
        .nest("attic", Room { lamps: 0 })
        // A second `nest` with the same name would prevent the server from starting; `replace`
        // overwrites it.
        .replace("attic", Room { lamps: 1 });

    // `house.kitchen.lamps`, `house.attic.lamps` and so on. `functions_list` lists all of them.
    let router = Router::of(ServerCommands::new()).nest("house", house);
    Server::new(router).start()
}
