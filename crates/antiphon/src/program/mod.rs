//! Server as a whole program: arguments, settings file, log, runtime, signals, workers.
//!
//! | file | what it does |
//! |---|---|
//! | `start.rs`, `start_config.rs` | [`Server::start`](crate::Server::start): entry point |
//! | `args.rs`, `units.rs` | [`ServeArgs`]; human-readable durations and sizes |
//! | `apply_settings.rs` | merges arguments and settings file into the builder's settings |
//! | `log.rs`, `log_line.rs`, `line_rate.rs` | log, its lines, their rate limit |
//! | `stderr.rs` | writer of standard error, on a thread of its own |
//! | `panic_hook.rs` | one line in the log for each panic |
//! | `runtime.rs`, `signals.rs`, `ctrl_c.rs` | tokio runtime, signals |
//! | `start_watch.rs` | signals until the server handles them itself |
//! | `supervised.rs` | programs with workers; `unsupervised.rs` in builds without |

mod apply_settings;
mod args;
mod line_rate;
mod log;
mod log_line;
mod panic_hook;
mod runtime;
#[cfg_attr(not(unix), path = "ctrl_c.rs")]
mod signals;
mod start;
mod start_config;
mod start_watch;
mod stderr;
#[cfg_attr(not(all(unix, feature = "supervisor")), path = "unsupervised.rs")]
mod supervised;
mod units;

pub use args::ServeArgs;
pub use units::{ByteSize, CallRate, TimeLimit};
