//! Files of this process: read without waiting, and written whole or not at all.
//!
//! | file | what it does |
//! |---|---|
//! | `read.rs` | a regular file, up to a size limit |
//! | `append.rs` | a line at the end of a file |
//! | `line_queue.rs`, `line_output.rs` | lines that a thread of its own writes; what it writes to |
//! | `write.rs` | a new file that appears at its path when it is complete |
//! | `owned.rs` | a file that is removed at the end, if it is still the same file |

#[cfg(feature = "server")]
pub(crate) mod append;
#[cfg(feature = "server")]
pub(crate) mod line_output;
#[cfg(feature = "server")]
pub(crate) mod line_queue;
#[cfg(unix)]
pub(crate) mod owned;
pub(crate) mod read;
#[cfg(unix)]
pub(crate) mod write;
