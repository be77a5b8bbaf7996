//! Errors of methods: failures that nobody declared, and codes that somebody did.
//!
//! | file | what it does |
//! |---|---|
//! | `failure.rs` | [`Failure`] and panics: −32603 with an incident id, and the line in the log |
//! | `codes.rs` | [`ErrorCodes`]: error codes that documents list |

mod codes;
mod failure;

pub use codes::{ErrorCodes, ErrorInfo};
pub use failure::Failure;
pub(crate) use failure::*;
