//! Harness for fault tests: a server in its own process, signals to it, and load with counted
//! outcomes.
//!
//! | file | what it does |
//! |---|---|
//! | `server.rs` | [`Server`]: starts the server, reads its output, signals it, ends it |
//! | `http.rs` | [`Connection`]: a blocking HTTP connection, and the outcome of a call on it |
//! | `load.rs` | [`Load`]: many concurrent clients |

mod http;
mod load;
mod server;

pub use http::{Connection, Outcome, call};
pub use load::{Call, Load, Style, Tally};
pub use server::{Server, alive, cpu_seconds, until};
