//! Standard input and output: of this program, or of one that is started.
//!
//! | file | what it does |
//! |---|---|
//! | `own.rs` | servers: this program's own, taken away from everybody else in it |
//! | `child.rs` | clients: those of a program that is started |
//! | `no_own.rs` | the same on systems where that is impossible |

#[cfg(feature = "client")]
pub(crate) mod child;
#[cfg(feature = "server")]
#[cfg_attr(not(unix), path = "no_own.rs")]
pub(crate) mod own;
