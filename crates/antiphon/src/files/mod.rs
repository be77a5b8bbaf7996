//! Files of this process: read without waiting, and written whole or not at all.
//!
//! | file | what it does |
//! |---|---|
//! | `read.rs` | a regular file, up to a size limit |
//! | `write.rs` | a new file that appears at its path when it is complete |
//! | `owned.rs` | a file that is removed at the end, if it is still the same file |

#[cfg(unix)]
pub(crate) mod owned;
pub(crate) mod read;
#[cfg(unix)]
pub(crate) mod write;
