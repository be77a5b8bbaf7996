//! Errors of methods: undeclared failures, and declared error codes.
//!
//! | file | what it does |
//! |---|---|
//! | `failure.rs` | [`Failure`]: any error, through `?` |
//! | `incident.rs` | incidents: −32603 with an id, and the line in the log |
//! | `printable.rs` | text of a peer, escaped for the log |
//! | `codes.rs` | [`ErrorCodes`]: error codes that documents list |

mod codes;
mod failure;
pub(crate) mod incident;
mod printable;

pub use codes::{ErrorCodes, ErrorInfo};
pub(crate) use failure::Chain;
pub use failure::Failure;
pub(crate) use incident::{IncidentScope, guard, internal_error};
pub(crate) use printable::Printable;
