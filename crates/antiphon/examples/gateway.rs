//! A server in front of others.
//!
//! Run with
//!
//! ```console
//! $ cargo run --example gateway
//! ```
//!
//! Two shops that serve the same and a calculator serve on ports of their own; the gateway has the methods of
//! all, and a client calls that one. One of the shops ends meanwhile. In a real installation these are programs
//! on different machines, and the gateway is `antiphon gateway`.

#![allow(clippy::print_stdout)] // it prints the results

use std::error::Error;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use antiphon::client::{Client, Remote};
use antiphon::{Gateway, Router, Server, ServerHandle, rpc};

/// A shop that counts who has asked it.
struct Shop {
    name: &'static str,
    asked: AtomicU64,
}

#[rpc]
impl Shop {
    /// The price of a thing, and who says so.
    #[method(read_only)]
    fn rpc_price(&self, thing: String) -> String {
        let number = self.asked.fetch_add(1, Ordering::Relaxed) + 1;
        format!("{thing} costs 3, says the {} shop ({number})", self.name)
    }
}

struct Calculator;

#[rpc]
impl Calculator {
    /// Sum of two numbers.
    #[method(read_only)]
    fn rpc_add(&self, a: f64, b: f64) -> f64 {
        a + b
    }
}

/// Serves on a free port; returns the address.
async fn serve(server: Server) -> Result<(String, ServerHandle), Box<dyn Error>> {
    let server = server.bind("127.0.0.1:0").listen().await?;
    let (url, handle) = (server.url(), server.handle());
    tokio::spawn(server.serve());
    Ok((url.replace("http://", "ws://"), handle))
}

fn shop(name: &'static str) -> Server {
    let asked = AtomicU64::new(0);
    Server::new(Router::of(Shop { name, asked }))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let (first, handle) = serve(shop("first")).await?;
    let (second, _) = serve(shop("second")).await?;
    let (calculator, _) = serve(Server::new(Calculator)).await?;

    // The shops keep the names of their methods; the others begin with `calc.` here.
    let calculator = Remote::of(Client::connect(calculator)?).cache("add", Duration::from_secs(60));
    let gateway = Gateway::new()
        .upstream(Client::balanced([first, second])?)
        .upstream_at("calc", calculator);
    let (url, _) = serve(gateway.server()).await?;

    let client = Client::connect(url)?;
    for _ in 0..3 {
        let sum: f64 = client.call("calc.add", (3, 4)).await?;
        println!("3 + 4 = {sum}");
    }
    for thing in ["tea", "coffee"] {
        let price: String = client.call("price", (thing,)).await?;
        println!("{price}");
    }

    // One of the shops ends. Nobody notices.
    handle.stop();
    tokio::time::sleep(Duration::from_millis(300)).await;
    for thing in ["tea", "coffee", "water"] {
        let price: String = client.call("price", (thing,)).await?;
        println!("{price}");
    }
    let upstreams: Vec<serde_json::Value> = client.call("upstreams_list", ()).await?;
    for one in upstreams {
        println!("{one}");
    }
    Ok(())
}
