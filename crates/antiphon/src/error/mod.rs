//! Errors of methods: undeclared failures, and declared error codes.
//!
//! | file | what it does |
//! |---|---|
//! | `failure.rs` | [`Failure`]: any error, through `?` |
//! | `incident.rs` | incidents: −32603 with an id, and the line in the log |
//! | `panic_line.rs` | the line of a panic, for the panic hook of a program |
//! | `retry_after.rs` | the time after which a caller may try again, in the data of an error |
//! | `unavailable.rs` | whether a call may have run, in the data of an error |
//! | `codes.rs` | [`ErrorCodes`]: error codes that documents list |

mod codes;
mod failure;
pub(crate) mod incident;
#[cfg(feature = "cli")]
pub(crate) mod panic_line;
mod retry_after;
mod unavailable;

pub(crate) use antiphon_proto::Printable;
pub use codes::{ErrorCodes, ErrorInfo};
pub(crate) use failure::Chain;
pub use failure::Failure;
pub(crate) use incident::{IncidentScope, guard, internal_error};
pub(crate) use retry_after::{RetryAfter, limit_exceeded, retry_after_seconds};
pub(crate) use unavailable::{not_run, stopping, unavailable};
