//! Server as a whole program: arguments, settings file, log, runtime, signals, workers.
//!
//! | file | what it does |
//! |---|---|
//! | `start.rs`, `start_config.rs` | [`Server::start`](crate::Server::start): from the command line to the end |
//! | `args.rs`, `units.rs` | [`ServeArgs`]; durations and sizes as people write them |
//! | `settings.rs` | these and the settings file, applied to what the builder has |
//! | `log.rs`, `runtime.rs`, `signals.rs` | standard error, tokio's runtime, signals |
//! | `supervised.rs` | programs with workers; `unsupervised.rs` in builds without |

mod args;
mod log;
mod runtime;
mod settings;
#[cfg_attr(not(unix), path = "ctrl_c.rs")]
mod signals;
mod start;
mod start_config;
#[cfg_attr(not(all(unix, feature = "supervisor")), path = "unsupervised.rs")]
mod supervised;
mod units;

pub use args::ServeArgs;
pub use units::{Size, Wait};
