//! A server in a process of its own, load on it whose outcomes are counted, and signals to it.
//!
//! | file | what it does |
//! |---|---|
//! | `server.rs` | [`Server`]: start the subject, read what it prints, signal it, end it |
//! | `http.rs` | [`Connection`]: one blocking HTTP connection, and what becomes of a call on it |
//! | `load.rs` | [`Load`]: many of them at once, for as long as it is needed |

mod http;
mod load;
mod server;

pub use http::{Connection, Outcome, call};
pub use load::{Call, Load, Style, Tally};
pub use server::{Server, alive, cpu_seconds, until};
