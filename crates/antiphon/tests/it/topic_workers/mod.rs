//! Tests of topics over worker processes. The program is this test binary, executed again.
//!
//! | file | what it tests |
//! |---|---|
//! | `program.rs` | the program, and how tests start it |
//! | `peer.rs` | connections to its workers |
//! | `order.rs` | one order for all, also while workers die |
//! | `life.rs` | starts, reloads, upgrades, floods, hooks, metrics |

mod life;
mod order;
pub(crate) mod peer;
pub(crate) mod program;
