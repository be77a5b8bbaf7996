//! Checks of the file tables in `mod.rs`, and of the file names in documents.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::root;

const CRATES: [&str; 4] = [
    "antiphon-proto",
    "antiphon-macros",
    "antiphon",
    "antiphon-cli",
];

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => collect(&path, files),
            false => files.push(path),
        }
    }
}

/// The paths of all files below the `src` folders, with `/` as the separator.
fn sources() -> Vec<String> {
    let mut files = Vec::new();
    for name in CRATES {
        collect(&root().join("crates").join(name).join("src"), &mut files);
    }
    let text = |path: &PathBuf| path.to_str().unwrap().replace('\\', "/");
    files.iter().map(text).collect()
}

/// The texts between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// Expands braces: `a/{b,c}` becomes `a/b` and `a/c`.
fn expanded(name: &str) -> Vec<String> {
    match name.split_once('{').zip(name.split_once('}')) {
        Some(((before, _), (_, after))) => {
            let inner = &name[before.len() + 1..name.len() - after.len() - 1];
            inner
                .split(',')
                .map(|one| format!("{before}{one}{after}"))
                .collect()
        }
        None => vec![name.to_owned()],
    }
}

#[test]
fn a_table_lists_every_file_of_its_folder_and_no_other() {
    let sources = sources();
    let mut tables = 0;
    for file in sources.iter().filter(|file| file.ends_with("/mod.rs")) {
        let text = fs::read_to_string(file).unwrap();
        let rows: Vec<_> = text
            .lines()
            .filter(|line| line.starts_with("//! |"))
            .collect();
        let folder = file.trim_end_matches("mod.rs");
        if rows.is_empty() {
            continue;
        }
        tables += 1;
        let listed: BTreeSet<_> = rows
            .iter()
            .flat_map(|row| quoted(row))
            .map(|name| name.trim_end_matches('/').to_owned())
            .filter(|name| !name.contains(['(', '[', ':', '*', ' ', '-', '/', '#', '$']))
            .flat_map(|name| expanded(&name))
            .collect();
        let modules: BTreeSet<_> = text
            .lines()
            .filter_map(|line| line.trim_end().strip_suffix(';'))
            .filter_map(|line| line.split_once("mod "))
            .filter(|(before, _)| !before.starts_with("//"))
            .map(|(_, name)| name.to_owned())
            .filter(|name| name != "tests")
            .collect();
        for module in modules {
            let known = [format!("{module}.rs"), module.clone()];
            assert!(
                known.iter().any(|name| listed.contains(name)),
                "{file} does not list `{module}`"
            );
        }
        for name in listed.iter().filter(|name| name.ends_with(".rs")) {
            assert!(
                fs::exists(format!("{folder}{name}")).unwrap(),
                "{file} lists `{name}`, which is not there"
            );
        }
    }
    assert!(tables > 20, "{tables} tables");
}

#[test]
fn files_named_in_documents_exist() {
    let sources = sources();
    let mut named = 0;
    for document in ["ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md"] {
        let text = fs::read_to_string(root().join(document)).unwrap();
        let names = quoted(&text).filter(|name| {
            let is_path = |c: char| c.is_ascii_lowercase() || "_/.{},-".contains(c);
            name.chars().all(is_path) && (name.ends_with(".rs") || name.ends_with('/'))
        });
        for name in names.flat_map(expanded) {
            named += 1;
            let is_there = root().join(&name).exists()
                || root().join("crates/antiphon").join(&name).exists()
                || sources.iter().any(|file| {
                    file.ends_with(&format!("/{name}")) || file.contains(&format!("/{name}"))
                });
            assert!(is_there, "{document} names `{name}`, which is not there");
        }
    }
    assert!(named > 30, "{named} names");
}
