//! Standard input and output, of this program or of a child process.
//!
//! | file | what it does |
//! |---|---|
//! | `own.rs` | servers: those of this program, which nothing else in it can use then |
//! | `child.rs` | clients: those of a child process |
//! | `no_own.rs` | the same on systems where that is impossible |

#[cfg(feature = "client")]
pub(crate) mod child;
#[cfg(feature = "server")]
#[cfg_attr(not(unix), path = "no_own.rs")]
pub(crate) mod own;
