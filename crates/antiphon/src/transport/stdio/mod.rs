//! Standard input and output, of this program or of a child process.
//!
//! | file | what it does |
//! |---|---|
//! | `own.rs` | servers: those of this process, which the rest of the program then cannot use |
//! | `child.rs` | clients: those of a child process |
//! | `no_own.rs` | stub of `own.rs` for systems other than Unix |

#[cfg(feature = "client")]
pub(crate) mod child;
#[cfg(feature = "server")]
#[cfg_attr(not(unix), path = "no_own.rs")]
pub(crate) mod own;
