//! Client with typed calls, untyped calls, a batch and error handling.
//!
//! Run with
//!
//! ```console
//! $ cargo run --example calculator_server &
//! $ cargo run --example client
//! ```
#![allow(clippy::print_stdout)] // it prints the results

use antiphon::client::{Client, Error, ErrorKind};
use antiphon::{ErrorObject, call, rpc};

/// Interface of the server. A client needs only a crate with this trait.
#[rpc]
#[allow(dead_code)] // this program only calls the methods and does not implement the trait
trait Calculator {
    async fn add(&self, a: f64, b: f64) -> f64;
    async fn divide(&self, a: f64, b: f64) -> Result<f64, ErrorObject>;
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let client = Client::connect("http://127.0.0.1:8060")?;

    // Typed: the compiler checks names, parameters and results.
    let calc = CalculatorClient::new(client.namespace("calc"));
    println!("add: {}", calc.add(3.0, 4.0).await?);

    // Untyped: any method, with parameters by position or by name.
    let product: f64 = call!(client.calc.multiply(3, 4)).await?;
    let rest: f64 = call!(client.calc.subtract(b = 4, a = 3)).await?;
    println!("multiply: {product}, subtract: {rest}");

    // A batch is one request. Each result has its own type.
    let mut batch = client.batch();
    let pong = batch.call::<String>("ping", ());
    let sum = batch.call::<f64>("calc.add", (1, 2));
    let mut responses = batch.send().await?;
    println!("batch: {} {}", responses.take(pong)?, responses.take(sum)?);

    // An error says whether the method may have run.
    if let Err(error) = calc.divide(1.0, 0.0).await {
        match error.kind() {
            ErrorKind::Refused(error) => println!("refused: {} {}", error.code(), error.message()),
            ErrorKind::NotSent => println!("it has not run, try again: {error}"),
            _ => println!("it may have run: {error}"),
        }
    }
    Ok(())
}
