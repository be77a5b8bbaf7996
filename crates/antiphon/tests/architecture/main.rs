//! Tests of the architectural rules in `ARCHITECTURE.md`, from the sources and Cargo's metadata.
//!
//! | file | what it checks |
//! |---|---|
//! | `modules.rs` | which modules and crates the sources name |
//! | `imports.rs` | imports between files: no cycles, and folders in layers |
//! | `counts.rs` | upper limits: conditional compilation, dead code, top-level files |
//! | `graph.rs` | the dependency graph |
//! | `held_bytes.rs` | every place that can hold a peer's bytes, and what bounds them |
//! | `tables.rs` | file tables in `mod.rs`, and file names in documents |
//! | `scale.rs` | the arithmetic of `docs/scale.md` |
//! | `source.rs` | nothing; it is the scanner for Rust sources |

// A panic in a helper fails the test, as it should.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod counts;
mod graph;
mod held_bytes;
mod imports;
mod modules;
mod scale;
mod source;
mod tables;

use std::path::{Path, PathBuf};

/// The root of the repository.
fn root() -> PathBuf {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    crates.canonicalize().unwrap()
}

#[test]
fn the_architecture_document_is_short() {
    let map = root().join("ARCHITECTURE.md");
    let lines = std::fs::read_to_string(&map).unwrap().lines().count();
    assert!(lines <= 150, "{lines} lines in {}", map.display());
}
