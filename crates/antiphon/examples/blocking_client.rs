//! Blocking client, for programs without `async`.
//!
//! Run with
//!
//! ```console
//! $ cargo run --example calculator_server &
//! $ cargo run --example blocking_client
//! ```
#![allow(clippy::print_stdout)] // it prints the results

use std::time::Duration;

use antiphon::blocking::Client;
use antiphon::call;
use antiphon::client::Error;

fn main() -> Result<(), Error> {
    let client = Client::builder("http://127.0.0.1:8060")
        .timeout(Duration::from_secs(2))
        .build_blocking()?;

    let sum: f64 = client.call("calc.add", (3, 4))?;
    let quotient: f64 = call!(client.calc.divide(a = 1, b = 8))?;
    println!("add: {sum}, divide: {quotient}");

    let mut batch = client.batch();
    let tickets: Vec<_> = (1..=3)
        .map(|n| batch.call::<f64>("calc.multiply", (n, n)))
        .collect();
    let mut responses = batch.send()?;
    for ticket in tickets {
        println!("multiply: {}", responses.take(ticket)?);
    }
    Ok(())
}
