//! Test server of the documentation page: methods of every kind, some with hostile names and docs.
//!
//! It serves the same methods at `/` and under `/api/`.

mod hostile;
mod news;
mod shop;

use std::process::ExitCode;
use std::time::Duration;

use antiphon::{
    Client, Context, ErrorCodes, ErrorObject, Gateway, Router, Server, ServerCommands, rpc,
};
use futures_core::Stream;
use futures_util::stream;

/// Does sums.
struct Calculator;

#[derive(Debug, ErrorCodes)]
enum SumError {
    /// Nothing can be divided by **zero**.
    #[code(1)]
    #[message("{dividend} cannot be divided by zero")]
    DivideByZero { dividend: f64 },
}

#[rpc]
impl Calculator {
    /// Adds two numbers.
    #[method(example = r#"{"params": [3, 4], "result": 7}"#)]
    fn rpc_add(&self, a: f64, b: f64) -> f64 {
        a + b
    }

    /// Divides two numbers.
    ///
    /// The result is **rounded** to the next number that fits. So:
    ///
    /// - `6 / 4` is `1.5`
    /// - `1 / 3` is not a third
    ///
    /// ```text
    /// calc.divide(6, 4) == 1.5
    /// ```
    #[method(errors = SumError)]
    fn rpc_divide(
        &self,
        /// What is divided.
        a: f64,
        /// Anything but zero.
        b: f64,
    ) -> Result<f64, SumError> {
        match b {
            0.0 => Err(SumError::DivideByZero { dividend: a }),
            b => Ok(a / b),
        }
    }

    /// The factorial of a small number.
    #[method(scope = "calc:hard")]
    fn rpc_factorial(&self, n: u8) -> Result<u64, ErrorObject> {
        (1..=u64::from(n))
            .try_fold(1_u64, u64::checked_mul)
            .ok_or_else(|| ErrorObject::invalid_params("the factorial is too large"))
    }

    /// Adds up as many numbers as you like.
    fn rpc_sum(&self, numbers: Vec<f64>) -> f64 {
        numbers.iter().sum()
    }

    /// Adds two numbers.
    #[method(deprecated = "use `add`, which does the same")]
    fn rpc_plus(&self, a: f64, b: f64) -> f64 {
        a + b
    }
}

/// Streams, and methods that take their time.
struct Clock;

#[rpc]
impl Clock {
    /// Counts, once in so many milliseconds, up to a number.
    fn rpc_ticks(
        &self,
        /// Milliseconds between two items.
        #[arg(default = 100)]
        period: u32,
        /// The last item; without it there is no end.
        last: Option<u64>,
    ) -> impl Stream<Item = u64> {
        let period = Duration::from_millis(u64::from(period.max(1)));
        stream::unfold(1_u64, move |at| async move {
            if last.is_some_and(|last| at > last) {
                return None;
            }
            tokio::time::sleep(period).await;
            Some((at, at + 1))
        })
    }

    /// Answers after so many milliseconds.
    async fn rpc_sleep(&self, milliseconds: u32) -> u32 {
        tokio::time::sleep(Duration::from_millis(u64::from(milliseconds))).await;
        milliseconds
    }

    /// Who calls, and how.
    fn rpc_caller(&self, ctx: &Context) -> String {
        format!("{:?}", ctx.transport())
    }
}

fn router() -> Router {
    Router::of(ServerCommands::new())
        .title("Bookshop & Calculator")
        .version("1.4.2")
        .documentation(
            "A small server with methods of every kind.\n\nCall `ping` to see whether it is there.",
        )
        .nest("calc", Calculator)
        .nest("clock", Clock)
        .nest("news", news::News::default())
        .nest("shop", Router::of(shop::Shop).nest("orders", shop::Orders))
        .nest("hostile", hostile::router())
}

/// A gateway in front of the server at this address, and of one that is not there.
fn gateway(upstream: String) -> Result<Server, antiphon::client::Error> {
    let servers = Client::balanced([upstream, "ws://127.0.0.1:1".to_owned()])?;
    Ok(Gateway::new().upstream_at("far", servers).server())
}

fn main() -> ExitCode {
    if let Ok(upstream) = std::env::var("PAGE_UPSTREAM") {
        return gateway(upstream).map_or(ExitCode::FAILURE, Server::start);
    }
    Server::new(router()).route("/api/", router()).start()
}
