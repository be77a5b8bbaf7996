//! The flags that the documents name.

use std::collections::BTreeSet;

use super::document;
use crate::support::run;

/// Flags of other programs: cargo, docker, systemctl.
const OTHERS: &[&str] = &["from", "init", "kill-whom", "manifest-path", "release"];

/// Everything in a text that looks like a flag.
fn flags(text: &str) -> BTreeSet<&str> {
    let is_part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let words = text.split(|c: char| !is_part(c));
    let words = words.filter_map(|word| word.strip_prefix("--"));
    words
        .filter(|word| word.starts_with(|c: char| c.is_ascii_lowercase()))
        .collect()
}

#[test]
fn every_flag_that_the_documents_name_exists() {
    let mut help = String::new();
    for command in [
        "serve",
        "gateway",
        "call",
        "batch",
        "listen",
        "docs",
        "codegen",
        "token new",
        "ctl",
        "ctl status",
    ] {
        let args: Vec<_> = command.split(' ').chain(["--help"]).collect();
        let ended = run(&args, "");
        assert_eq!(ended.code, Some(0), "{command}: {}", ended.err);
        help.push_str(&ended.out);
    }
    let known = flags(&help);
    for path in [
        "docs/security.md",
        "docs/deploy.md",
        "docs/gateway.md",
        "docs/cluster.md",
        "docs/limits.md",
        "SECURITY.md",
    ] {
        let text = document(path);
        let unknown: Vec<_> = (flags(&text).into_iter())
            .filter(|flag| !known.contains(flag) && !OTHERS.contains(flag))
            .collect();
        assert!(unknown.is_empty(), "{path}: {unknown:?}");
    }
    assert_eq!(
        flags("`--a-b X`, --c=1; - -- --- a--d \"--e\" ---")
            .into_iter()
            .collect::<Vec<_>>(),
        ["a-b", "c", "e"]
    );
}
