//! Checks of the modules and crates that the sources name.

use std::collections::{BTreeMap, BTreeSet};

use crate::root;
use crate::source::{self, Source, balanced, next_segments, words};

fn library() -> Vec<Source> {
    source::read(&root().join("crates/antiphon/src"))
}

/// The top-level module of a file; `None` for `lib.rs`.
fn module(file: &str) -> Option<&str> {
    let name = file.split('/').next()?.trim_end_matches(".rs");
    (name != "lib").then_some(name)
}

/// The number of modules around the content of a file.
fn depth(file: &str) -> usize {
    let parts = file.split('/').count();
    parts - usize::from(file.ends_with("/mod.rs"))
}

/// The names that `lib.rs` re-exports, with their modules. The code that macros generate names
/// `__private`, so a module that uses a macro depends on `__private`.
fn re_exported(library: &[Source]) -> BTreeMap<&str, &str> {
    let lib = library.iter().find(|source| source.file == "lib.rs");
    let text = &lib.expect("a lib.rs").text;
    let mut re_exported = BTreeMap::new();
    for part in text.split(';') {
        let Some((_, path)) = part.split_once("pub use ") else {
            continue;
        };
        let owner = words(path).next().map_or("", |(_, word)| word);
        let owner = match owner {
            "antiphon_macros" => "__private",
            owner => owner,
        };
        re_exported.extend(words(path).skip(1).map(|(_, name)| (name, owner)));
    }
    re_exported
}

/// The dependencies between top-level modules, with the files that have them.
fn uses(library: &[Source]) -> BTreeMap<(&str, &str), BTreeSet<&str>> {
    let modules: BTreeSet<&str> = library
        .iter()
        .filter_map(|source| module(&source.file))
        .collect();
    let re_exported = re_exported(library);
    let mut uses: BTreeMap<_, BTreeSet<&str>> = BTreeMap::new();
    for source in library {
        let Some(from) = module(&source.file) else {
            continue;
        };
        for name in names_from_the_root(source) {
            let owner = modules
                .get(name)
                .or_else(|| modules.get(re_exported.get(name)?));
            if let Some(&to) = owner
                && to != from
            {
                uses.entry((from, to)).or_default().insert(&source.file);
            }
        }
    }
    uses
}

/// The names after a path to the crate root (`crate`, `antiphon` or `super`) in a file.
fn names_from_the_root(source: &Source) -> Vec<&str> {
    let text = &source.text;
    let mut names = Vec::new();
    let mut up = 0;
    for (at, word) in words(text) {
        let end = at + word.len();
        let before = text[..at].trim_end();
        up = match word {
            "super" if before.ends_with("super::") => up + 1,
            "super" => 1,
            _ => 0,
        };
        // `$crate` is part of the generated code, not of this crate.
        let top = match word {
            "crate" => !before.ends_with('$'),
            "antiphon" => true,
            "super" => up == depth(&source.file),
            _ => false,
        };
        if top {
            names.extend(next_segments(&text[end..]));
        }
    }
    names
}

/// A dependency cycle, from a module back to itself.
fn cycle<'a>(uses: &BTreeMap<(&'a str, &'a str), BTreeSet<&'a str>>) -> Option<Vec<&'a str>> {
    fn walk<'a>(
        uses: &BTreeMap<(&'a str, &'a str), BTreeSet<&'a str>>,
        way: &mut Vec<&'a str>,
        done: &mut BTreeSet<&'a str>,
    ) -> bool {
        let here = *way.last().unwrap();
        for &(_, to) in uses.keys().filter(|(from, _)| *from == here) {
            if let Some(start) = way.iter().position(|module| *module == to) {
                way.drain(..start);
                way.push(to);
                return true;
            }
            if !done.contains(to) {
                way.push(to);
                if walk(uses, way, done) {
                    return true;
                }
                way.pop();
            }
        }
        done.insert(here);
        false
    }

    let mut done = BTreeSet::new();
    uses.keys().find_map(|&(from, _)| {
        let mut way = vec![from];
        walk(uses, &mut way, &mut done).then_some(way)
    })
}

#[test]
fn modules_of_the_library_form_no_cycle() {
    let library = library();
    let uses = uses(&library);
    // The scanner finds known dependencies.
    assert!(uses.contains_key(&("dispatch", "call")), "{uses:?}");
    assert!(uses.contains_key(&("router", "call")), "{uses:?}");
    if let Some(way) = cycle(&uses) {
        let steps = way.windows(2).map(|step| {
            let files = &uses[&(step[0], step[1])];
            format!("{} uses {} in {files:?}", step[0], step[1])
        });
        let steps: Vec<_> = steps.collect();
        panic!("{} is a cycle:\n{}", way.join(" → "), steps.join("\n"));
    }
}

#[test]
fn a_cycle_is_found() {
    let files = BTreeSet::from(["x.rs"]);
    let edges = |edges: &[(&'static str, &'static str)]| {
        let edges = edges.iter().map(|&edge| (edge, files.clone()));
        edges.collect::<BTreeMap<_, _>>()
    };
    let tree = [("a", "b"), ("a", "c"), ("b", "d"), ("c", "d")];
    assert_eq!(cycle(&edges(&tree)), None);
    let ring = [("a", "b"), ("b", "c"), ("b", "d"), ("d", "e"), ("e", "b")];
    assert_eq!(cycle(&edges(&ring)).unwrap(), ["b", "d", "e", "b"]);
}

#[test]
fn the_protocol_does_no_io() {
    const OUTSIDE: [&str; 7] = ["env", "fs", "io", "net", "os", "process", "thread"];
    const WORDS: [&str; 6] = [
        "Instant",
        "SystemTime",
        "async",
        "await",
        "tokio",
        "tracing",
    ];
    // A serializer writes into what its caller gives it, by the trait that serde_json asks for.
    const WRITERS: [&str; 2] = ["json_text.rs", "json_string.rs"];
    for source in source::read(&root().join("crates/antiphon-proto/src")) {
        let is_writer = WRITERS.iter().any(|file| source.file.ends_with(file));
        let text = &source.text;
        for (at, word) in words(text) {
            assert!(!WORDS.contains(&word), "`{word}` in {}", source.file);
            if word == "std" {
                for part in next_segments(&text[at + word.len()..]) {
                    let allowed = !OUTSIDE.contains(&part) || is_writer && part == "io";
                    assert!(allowed, "`std::{part}` in {}", source.file);
                }
            }
        }
    }
}

/// Transports only move bytes. Only `dispatch` parses messages.
#[test]
fn transports_never_parse_json() {
    const JSON: [&str; 6] = ["Entry", "Incoming", "Params", "message", "params", "parse"];
    for source in library() {
        if module(&source.file) != Some("transport") {
            continue;
        }
        for (at, word) in words(&source.text) {
            assert_ne!(word, "serde_json", "in {}", source.file);
            if word == "antiphon_proto" {
                for part in next_segments(&source.text[at + word.len()..]) {
                    assert!(!JSON.contains(&part), "`{word}::{part}` in {}", source.file);
                }
            }
        }
    }
}

#[test]
fn the_tool_uses_the_public_api_only() {
    for source in source::read(&root().join("crates/antiphon-cli/src")) {
        let hidden = words(&source.text).find(|(_, word)| word.starts_with("__"));
        assert_eq!(hidden, None, "in {}", source.file);
        let proto = words(&source.text).find(|(_, word)| *word == "antiphon_proto");
        assert_eq!(proto, None, "in {}", source.file);
    }
}

/// Generated code is compiled in the crates of users, with their features and names in scope. So it
/// has no `cfg`, and names only `::antiphon::__private`.
#[test]
fn generated_code_has_no_cfg_and_names_only_the_private_module() {
    let mut bodies = 0;
    for source in source::read(&root().join("crates/antiphon-macros/src")) {
        let text = &source.text;
        for (at, word) in words(text) {
            let after = &text[at + word.len()..];
            if !matches!(
                word,
                "quote" | "quote_spanned" | "parse_quote" | "parse_quote_spanned"
            ) || !after.starts_with('!')
            {
                continue;
            }
            let Some(open) = after.find(['(', '[', '{']) else {
                continue;
            };
            bodies += 1;
            check_body(&source.file, &after[balanced(after, open)]);
        }
    }
    assert!(bodies > 30, "only {bodies} found");
}

fn check_body(file: &str, body: &str) {
    for (at, word) in words(body) {
        let before = body[..at].trim_end();
        let after = &body[at + word.len()..];
        let is_inserted = before.ends_with('#');
        assert!(
            is_inserted || !matches!(word, "cfg" | "cfg_attr"),
            "`{word}` in {file}: {body}"
        );
        // The first segment of a path that begins with `::`. It cannot be shadowed.
        let absolute = before.strip_suffix("::").is_some_and(|before| {
            !before
                .trim_end()
                .ends_with(|c: char| c.is_alphanumeric() || "_>)]".contains(c))
        });
        if absolute {
            let next = next_segments(after);
            assert!(
                word == "antiphon" && next == ["__private"],
                "`::{word}` in {file}: {body}"
            );
        }
        let is_first = !before.ends_with("::") && !is_inserted;
        if is_first && after.starts_with("::") {
            let foreign = [
                "std",
                "core",
                "alloc",
                "antiphon",
                "serde",
                "serde_json",
                "tokio",
                "crate",
            ];
            assert!(!foreign.contains(&word), "`{word}::` in {file}: {body}");
        }
    }
}
