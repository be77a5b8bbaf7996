//! Rate limits by caller: how many calls each of them may make in a time.
//!
//! | file | what it does |
//! |---|---|
//! | `setting.rs` | [`RateLimit`]: a limit as a program sets it |
//! | `gcra.rs` | the arithmetic: the generic cell rate algorithm |
//! | `table.rs` | the debts of callers, in bounded memory |
//! | `limiter.rs` | [`RateLimiter`]: a limit with its table |

mod gcra;
mod limiter;
mod setting;
mod table;

#[cfg(feature = "server")]
pub(crate) use limiter::RateTable;
pub(crate) use limiter::{RateKey, RateLimiter};
pub use setting::RateLimit;
