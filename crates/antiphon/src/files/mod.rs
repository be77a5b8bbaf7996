//! Files of this process: read without waiting, and written whole or not at all.
//!
//! | file | what it does |
//! |---|---|
//! | `read.rs` | [`read`]: a regular file up to a size limit |
//! | `write.rs` | [`PreparedFile`]: a new file that appears at its path when it is complete |
//! | `owned.rs` | [`OwnedFile`]: a file that is removed at the end, if it is still the same file |

#[cfg(unix)]
mod owned;
mod read;
#[cfg(unix)]
mod write;

#[cfg(unix)]
pub(crate) use owned::OwnedFile;
pub(crate) use read::{open, read, read_text};
#[cfg(unix)]
pub(crate) use write::{PreparedFile, random_word};
