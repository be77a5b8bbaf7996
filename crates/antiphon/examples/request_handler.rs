//! Request handlers: functions that change the parameters of a call before they are decoded.
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

/// Pays an amount, given in euros. Returns who has paid how many cents.
#[rpc_method(format = "euros", request_handler = prepare)]
fn pay(user: String, amount: f64) -> (String, f64) {
    (user, amount)
}

/// The same in cents. The handler distinguishes the two methods by `format`.
#[rpc_method(format = "cents", request_handler = prepare)]
fn pay_cents(user: String, amount: f64) -> (String, f64) {
    (user, amount)
}

/// Inserts the caller, and converts euros to cents. A handler may be `async`. Its error is the response.
fn prepare(ctx: &Context, format: &str, params: &mut NamedParams) -> Result<(), ErrorObject> {
    let user = ctx.headers().and_then(|headers| headers.get("x-user"));
    let Some(user) = user.and_then(|user| user.to_str().ok()) else {
        return Err(ErrorObject::new(
            1401,
            "say who you are in the header X-User",
        ));
    };
    // An inserted parameter overrides that of the caller, who cannot pay in the name of somebody else.
    params.insert("user", user);
    if format == "euros"
        && let Some(euros) = params.get::<f64>("amount")
    {
        params.insert("amount", euros * 100.0);
    }
    Ok(())
}

fn main() -> ExitCode {
    Server::new(Router::new().method(pay).method(pay_cents)).start()
}
