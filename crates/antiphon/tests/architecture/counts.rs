//! Upper limits for conditional compilation, allowed dead code, and top-level files.

use std::fs;
use std::path::Path;

use crate::root;

/// All lines of all source files of the four crates, including unit tests.
fn lines() -> Vec<String> {
    fn collect(folder: &Path, lines: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, lines);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                lines.extend(text.lines().map(str::to_owned));
            }
        }
    }
    let mut lines = Vec::new();
    for name in [
        "antiphon-proto",
        "antiphon-macros",
        "antiphon",
        "antiphon-cli",
    ] {
        collect(&root().join("crates").join(name).join("src"), &mut lines);
    }
    assert!(lines.len() > 20_000, "{} lines", lines.len());
    lines
}

/// At most eight of a thousand lines have a `#[cfg` or `#[cfg_attr`, counted as by
/// `grep -rE '#!?\[cfg' crates/*/src`.
#[test]
fn conditional_compilation_is_rare() {
    let lines = lines();
    let is_condition = |line: &&String| line.contains("#[cfg") || line.contains("#![cfg");
    let conditions = lines.iter().filter(is_condition).count();
    assert!(
        conditions * 1000 <= lines.len() * 8,
        "{conditions} in {} lines",
        lines.len()
    );
}

#[test]
fn dead_code_is_rarely_allowed() {
    let lines = lines();
    let allowed = lines.iter().filter(|line| line.contains("allow(dead_code"));
    assert!(allowed.count() <= 5);
}

#[test]
fn the_root_of_the_library_is_small() {
    let files = fs::read_dir(root().join("crates/antiphon/src")).unwrap();
    let names = files.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let files: Vec<_> = names.filter(|name| name.ends_with(".rs")).collect();
    assert!(files.len() <= 9, "{files:?}");
}
