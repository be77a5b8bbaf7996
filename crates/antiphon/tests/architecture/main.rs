//! Facts of the architecture, proved from the sources and from Cargo's graph. `ARCHITECTURE.md` says
//! them in words; where it and a fact part, a test here fails.
//!
//! | file | what it proves |
//! |---|---|
//! | `modules.rs` | what the sources of a crate name, and what they do not |
//! | `imports.rs` | that files do not need each other, and nothing is imported upwards |
//! | `counts.rs` | how much there is of what should be little |
//! | `graph.rs` | which crates are built |
//! | `source.rs` | nothing; it reads Rust as far as the others need it |

// A test that cannot go on has failed, also in its helpers.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod counts;
mod graph;
mod imports;
mod modules;
mod source;
mod tables;

use std::path::{Path, PathBuf};

/// The root of the repository.
fn root() -> PathBuf {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    crates.canonicalize().unwrap()
}

#[test]
fn the_map_for_newcomers_is_short() {
    let map = root().join("ARCHITECTURE.md");
    let lines = std::fs::read_to_string(&map).unwrap().lines().count();
    assert!(lines <= 150, "{lines} lines in {}", map.display());
}
