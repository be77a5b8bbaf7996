//! Audit log: one line of JSON for each call, on a thread of its own.
//!
//! | file | what it does |
//! |---|---|
//! | `log.rs`, `no_log.rs` | [`AuditLog`]: the queue, and the thread that writes; none in builds without a server |
//! | `file.rs` | the file or pipe that lines go to |
//! | `record.rs` | the record of one call, from its start to its outcome |
//! | `line.rs` | a record as a line of JSON |
//! | `timestamp.rs` | times as RFC 3339 has them |

#[cfg(feature = "server")]
mod file;
mod line;
#[cfg_attr(not(feature = "server"), path = "no_log.rs")]
mod log;
mod record;
mod timestamp;

#[cfg(feature = "server")]
pub use log::AuditLog;
#[cfg(not(feature = "server"))]
pub(crate) use log::AuditLog;
pub(crate) use record::CallRecord;
#[cfg(feature = "nats")]
pub(crate) use timestamp::Timestamp;
