//! Standard input and output: of this program, or of one that is started.
//!
//! | file | what it does |
//! |---|---|
//! | `own.rs` | servers: this program's own, taken away from everybody else in it |
//! | `child.rs` | clients: those of a program that is started |
//! | `words.rs` | a command line → words |

#[cfg(feature = "client")]
pub(crate) mod child;
#[cfg(all(unix, feature = "server"))]
pub(crate) mod own;
#[cfg(feature = "client")]
mod words;
