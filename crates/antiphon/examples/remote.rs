//! A router with the methods of another server, and a client that balances between two.
//!
//! Run with
//!
//! ```console
//! $ cargo run --example remote
//! ```
//!
//! Two calculators serve on ports of their own; in front of them is a server that has their methods
//! under `calc`, and a client calls that one. In a real installation these are programs on different machines.

#![allow(clippy::print_stdout)] // it prints the results

use std::error::Error;

use antiphon::client::{Balanced, Client};
use antiphon::{Router, Server, ServerCommands, rpc};

struct Calculator {
    name: &'static str,
}

#[rpc]
impl Calculator {
    /// Sum of two numbers.
    fn rpc_add(&self, a: f64, b: f64) -> f64 {
        a + b
    }

    /// Which calculator this is.
    fn rpc_name(&self) -> &'static str {
        self.name
    }
}

/// Serves a router on a free port; returns its address.
async fn serve(router: Router) -> Result<String, Box<dyn Error>> {
    let server = Server::new(router);
    let server = server.bind("tcp://127.0.0.1:0").listen().await?;
    let url = server.url();
    tokio::spawn(server.serve());
    Ok(url)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let first = serve(Router::of(Calculator { name: "first" })).await?;
    let second = serve(Router::of(Calculator { name: "second" })).await?;

    // Each call goes to the calculator with the least in flight, and to the other one if the first
    // cannot be reached.
    let calculators = Balanced::of([first, second]).max_failures(3).build()?;

    let front = Router::of(ServerCommands::new()).nest_remote("calc", calculators.clone());
    let client = Client::connect(serve(front).await?)?;
    let calc = client.namespace("calc");
    let sum: f64 = calc.call("add", (3, 4)).await?;
    println!("3 + 4 = {sum}");
    for _ in 0..4 {
        let name: String = calc.call("name", ()).await?;
        println!("answered by the {name} one");
    }
    for upstream in calculators.upstreams() {
        println!(
            "{} is {}",
            upstream.place,
            if upstream.is_up { "up" } else { "left out" }
        );
    }
    // The front knows what the methods behind it are.
    let listed: Vec<(String, serde_json::Value)> = client.call("functions_list", ()).await?;
    for (name, _) in listed.iter().filter(|(name, _)| name.starts_with("calc.")) {
        println!("{name}");
    }
    Ok(())
}
