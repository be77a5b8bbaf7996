//! Errors with custom codes, messages and data, and `?` for all other errors.
//!
//! Run with
//!
//! ```console
//! $ cargo run --example error_codes
//! $ curl http://127.0.0.1:8060 -H 'Content-Type: application/json' \
//!     -d '{"jsonrpc":"2.0","id":1,"method":"buy","params":["nuts",3]}'
//! ```

use std::process::ExitCode;

use antiphon::{ErrorCodes, Failure, Router, Server, rpc};

#[derive(ErrorCodes)]
enum ShopError {
    /// The shop is closed.
    #[code(1403)]
    Closed,
    #[code(1404)]
    #[message("only {left} {what} left")]
    OutOfStock {
        what: String,
        /// Becomes the `data` of the error, for programs.
        #[data]
        left: u32,
    },
}

struct Shop;

#[rpc]
impl Shop {
    /// Buys things: there are two of each, and no bread.
    fn rpc_buy(&self, what: String, count: u32) -> Result<u32, ShopError> {
        match what.as_str() {
            "bread" => Err(ShopError::Closed),
            _ if count > 2 => Err(ShopError::OutOfStock { what, left: 2 }),
            _ => Ok(2 - count),
        }
    }

    /// Reads the list of prices. The caller of a failed call gets −32603 with an incident id. The log of the
    /// server has the path and the cause under this id; they do not leave the process.
    #[method(blocking)]
    fn rpc_prices(&self) -> Result<String, Failure> {
        Ok(std::fs::read_to_string("prices.txt")?)
    }
}

fn main() -> ExitCode {
    Server::new(Router::of(Shop)).start()
}
