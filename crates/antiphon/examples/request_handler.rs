//! Request handlers: functions that look at a call's parameters before they are decoded.
//!
//! Run with
//!
//! ```console
//! $ cargo run --example request_handler
//! $ curl http://127.0.0.1:8060 -H 'Content-Type: application/json' -H 'X-User: ann' \
//!     -d '{"jsonrpc":"2.0","id":1,"method":"pay","params":{"amount":1.5}}'
//! ```

use std::process::ExitCode;

use antiphon::{Context, ErrorObject, NamedParams, Router, Server, rpc_method};

/// Pays an amount, given in euros. Answers who has paid how many cents.
#[rpc_method(format = "euros", request_handler = prepare)]
fn pay(user: String, amount: f64) -> (String, f64) {
    (user, amount)
}

/// The same in cents: `format` is the word that tells the two apart.
#[rpc_method(format = "cents", request_handler = prepare)]
fn pay_cents(user: String, amount: f64) -> (String, f64) {
    (user, amount)
}

/// Fills in who calls, and makes cents of euros. It may be `async`, and its error is the answer.
fn prepare(ctx: &Context, format: &str, params: &mut NamedParams) -> Result<(), ErrorObject> {
    let user = ctx.headers().and_then(|headers| headers.get("x-user"));
    let Some(user) = user.and_then(|user| user.to_str().ok()) else {
        return Err(ErrorObject::new(
            1401,
            "say who you are in the header X-User",
        ));
    };
    // What is inserted wins, so a caller cannot pay with somebody else's money.
    params.insert("user", user);
    if format == "euros"
        && let Some(euros) = params.get::<f64>("amount")
    {
        params.insert("amount", euros * 100.0);
    }
    Ok(())
}

fn main() -> ExitCode {
    Server::new(Router::default().method(pay).method(pay_cents)).start()
}
