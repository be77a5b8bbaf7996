//! Server with an object whose methods become remote methods.
//!
//! Run with
//!
//! ```console
//! $ cargo run --example calculator_server
//! $ curl http://127.0.0.1:8060 -H 'Content-Type: application/json' \
//!     -d '{"jsonrpc":"2.0","id":1,"method":"calc.divide","params":{"a":1,"b":8}}'
//! ```
//!
//! `cargo run --example calculator_server -- --help` lists all options.

use std::process::ExitCode;

use antiphon::{ErrorObject, Router, Server, ServerCommands, rpc};

struct Calculator;

/// Arithmetic with floating-point numbers.
#[rpc]
impl Calculator {
    /// Adds two numbers.
    fn rpc_add(&self, a: f64, b: f64) -> f64 {
        a + b
    }

    /// Subtracts the second number from the first.
    fn rpc_subtract(&self, a: f64, b: f64) -> f64 {
        a - b
    }

    /// Multiplies two numbers.
    fn rpc_multiply(&self, a: f64, b: f64) -> f64 {
        a * b
    }

    /// Divides the first number by the second.
    fn rpc_divide(&self, a: f64, b: f64) -> Result<f64, ErrorObject> {
        if b == 0.0 {
            return Err(ErrorObject::invalid_params("division by zero"));
        }
        Ok(a / b)
    }
}

fn main() -> ExitCode {
    // The commands (`ping`, `echo`, `functions_list` …) are at the top level, the calculator below `calc`.
    let router = Router::of(ServerCommands::new()).nest("calc", Calculator);
    Server::new(router).start()
}
