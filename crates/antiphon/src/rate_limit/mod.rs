//! Rate limits by caller: how many calls each of them may make in a time, and how many credentials
//! each address may get wrong.
//!
//! | file | what it does |
//! |---|---|
//! | `setting.rs` | [`RateLimit`]: a limit as a program sets it |
//! | `gcra.rs` | the arithmetic: the generic cell rate algorithm |
//! | `table.rs` | the debts of callers, in bounded memory |
//! | `limiter.rs` | [`RateLimiter`]: a limit with its table |
//! | `guesses/` | [`Guesses`]: the limit of refused credentials |
//! | `passes.rs` | the credentials that were good before |

mod gcra;
mod guesses;
mod limiter;
mod passes;
mod setting;
mod table;

pub(crate) use guesses::{Guesses, Outcome, Tried};
#[cfg(feature = "server")]
pub(crate) use limiter::RateTable;
pub(crate) use limiter::{RateKey, RateLimiter};
pub use setting::RateLimit;
