//! Standard input and output, of this program or of a child process.
//!
//! | file | what it does |
//! |---|---|
//! | `current_process.rs` | servers: those of this process, which the rest of the program then cannot use |
//! | `child.rs` | clients: those of a child process |
//! | `no_current_process.rs` | stub of `current_process.rs` for systems other than Unix |

#[cfg(feature = "client")]
pub(crate) mod child;
#[cfg(feature = "server")]
#[cfg_attr(not(unix), path = "no_current_process.rs")]
pub(crate) mod current_process;
