//! Errors of methods: undeclared failures, and declared error codes.
//!
//! | file | what it does |
//! |---|---|
//! | `failure.rs` | [`Failure`]: any error, through `?` |
//! | `incident.rs` | incidents: −32603 with an id, and the line in the log |
//! | `panic_line.rs` | the line of a panic, for the panic hook of a program |
//! | `codes.rs` | [`ErrorCodes`]: error codes that documents list |

mod codes;
mod failure;
pub(crate) mod incident;
#[cfg(feature = "cli")]
pub(crate) mod panic_line;

pub(crate) use antiphon_proto::Printable;
pub use codes::{ErrorCodes, ErrorInfo};
pub(crate) use failure::Chain;
pub use failure::Failure;
pub(crate) use incident::{IncidentScope, guard, internal_error};
