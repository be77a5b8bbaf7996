//! Scanner that finds names in Rust sources.

use std::fs;
use std::ops::Range;
use std::path::Path;

/// A source file without comments, literals and tests. Only their line breaks are left.
pub(crate) struct Source {
    /// The path relative to the folder, as `router/mod.rs`.
    pub(crate) file: String,
    pub(crate) text: String,
}

/// All source files below a folder, sorted by name, without files that contain only tests.
pub(crate) fn read(folder: &Path) -> Vec<Source> {
    let mut sources = Vec::new();
    collect(folder, "", &mut sources);
    assert!(!sources.is_empty(), "no sources in {}", folder.display());
    sources
}

fn collect(folder: &Path, prefix: &str, sources: &mut Vec<Source>) {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let mut entries: Vec<_> = entries.collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    let mut folders = Vec::new();
    let mut tests = Vec::new();
    for entry in entries {
        let name = entry.file_name().into_string().unwrap();
        let file = format!("{prefix}{name}");
        if entry.file_type().unwrap().is_dir() {
            folders.push((name, entry.path()));
        } else if name.ends_with(".rs") {
            let (text, modules) = without_tests(&blank(&fs::read_to_string(entry.path()).unwrap()));
            tests.extend(modules);
            sources.push(Source { file, text });
        }
    }
    let is_test = |name: &str| tests.iter().any(|test| test == name);
    sources.retain(|source| {
        let name = source.file.strip_prefix(prefix).unwrap_or_default();
        !is_test(name.trim_end_matches(".rs"))
    });
    for (name, path) in folders {
        if !is_test(&name) {
            collect(&path, &format!("{prefix}{name}/"), sources);
        }
    }
}

/// Blanks out comments, string literals and character literals.
fn blank(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let rest = &text[at..];
        let is_word = at > 0 && is_word(bytes[at - 1]);
        let hidden = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            comment(rest)
        } else if rest.starts_with('"') {
            string(rest)
        } else if !is_word && let Some(length) = raw_string(rest) {
            length
        } else if rest.starts_with('\'') {
            character(rest)
        } else {
            0
        };
        if hidden == 0 {
            out.push(bytes[at]);
            at += 1;
        } else {
            // A string stays one token, so that the tokens around it are not joined.
            let hide = |byte: &u8| if *byte == b'\n' { b'\n' } else { b' ' };
            out.extend(bytes[at..at + hidden].iter().map(hide));
            at += hidden;
        }
    }
    String::from_utf8(out).unwrap()
}

fn comment(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        match &text.as_bytes()[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn string(text: &str) -> usize {
    let mut escaped = false;
    let end = text.bytes().skip(1).position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    end.map_or(text.len(), |end| end + 2)
}

/// The length of `r"…"` or `r#"…"#`, with an optional `b` or `c` before; `None` if there is none.
fn raw_string(text: &str) -> Option<usize> {
    let after = text.trim_start_matches(['b', 'c']).strip_prefix('r')?;
    let inner = after.trim_start_matches('#');
    let hashes = &after[..after.len() - inner.len()];
    let inner = inner.strip_prefix('"')?;
    let close = format!("\"{hashes}");
    let before = text.len() - inner.len();
    Some(
        inner
            .find(&close)
            .map_or(text.len(), |end| before + end + close.len()),
    )
}

/// The length of `'x'`, 0 for a lifetime.
fn character(text: &str) -> usize {
    let mut inside = text.char_indices().skip(1);
    let end = match (inside.next(), inside.next()) {
        (Some((_, '\\')), Some((escape, _))) => {
            text[escape + 1..].find('\'').map(|end| escape + 1 + end)
        }
        (Some(_), Some((end, '\''))) => Some(end),
        _ => None,
    };
    end.map_or(0, |end| end + 1)
}

/// Removes every item under `#[cfg(test)]`, and returns the names of removed file modules.
fn without_tests(text: &str) -> (String, Vec<String>) {
    const MARK: &str = "#[cfg(test)]";
    let (mut out, mut modules) = (String::new(), Vec::new());
    let mut rest = text;
    while let Some(at) = rest.find(MARK) {
        let (before, item) = rest.split_at(at);
        out.push_str(before);
        let item = &item[MARK.len()..];
        let head = item.find(['{', ';']).unwrap_or(item.len());
        let end = if item[head..].starts_with('{') {
            balanced(item, head).end
        } else {
            let words: Vec<_> = item[..head].split_whitespace().collect();
            if let [.., "mod", name] = words[..] {
                modules.push(name.to_owned());
            }
            (head + 1).min(item.len())
        };
        rest = &item[end..];
    }
    out.push_str(rest);
    (out, modules)
}

/// The range from the bracket at `open` to the matching one.
pub(crate) fn balanced(text: &str, open: usize) -> Range<usize> {
    let mut depth = 0;
    for (at, byte) in text.bytes().enumerate().skip(open) {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return open..at + 1;
        }
    }
    open..text.len()
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// All words of a text, with their positions.
pub(crate) fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = &text[at..];
        let start = at + rest.find(|c: char| c.is_alphanumeric() || c == '_')?;
        let word = &text[start..];
        let length = word
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(word.len());
        at = start + length;
        Some((start, &word[..length]))
    })
}

/// The next path segments at the start of `rest`: the `a` of `::a::b`, or `a` and `c` of
/// `::{a::b, c}`. Macro calls are left out.
pub(crate) fn next_segments(rest: &str) -> Vec<&str> {
    let Some(rest) = rest.trim_start().strip_prefix("::") else {
        return Vec::new();
    };
    let rest = rest.trim_start();
    if !rest.starts_with('{') {
        return first_word(rest).into_iter().collect();
    }
    let group = balanced(rest, 0);
    let group = &rest[1..group.end - 1];
    let mut depth = 0;
    group
        .split(|c| {
            depth += i32::from(c == '{') - i32::from(c == '}');
            c == ',' && depth == 0
        })
        .filter_map(|part| first_word(part.trim_start()))
        .collect()
}

fn first_word(text: &str) -> Option<&str> {
    let (start, word) = words(text).next()?;
    let is_macro = text[word.len()..].starts_with('!');
    (start == 0 && !is_macro).then_some(word)
}

#[test]
fn names_are_found_but_not_in_literals() {
    let text = r##"
        use crate::{a::X, b, c::{d, e}}; // crate::no
        fn f<'a>(x: &'a str) -> char { crate::g::h("crate::no", r#"crate::"no""#, '"', '\'') }
        /* crate::no /* crate::no */ crate::no */ #[cfg(test)] mod tests { use crate::no; }
        #[cfg(test)] mod more; crate::call!(crate::i::J);
    "##;
    let (text, tests) = without_tests(&blank(text));
    assert_eq!(tests, ["more"]);
    let found: Vec<_> = words(&text)
        .filter(|(_, word)| *word == "crate")
        .flat_map(|(at, word)| next_segments(&text[at + word.len()..]))
        .collect();
    assert_eq!(found, ["a", "b", "c", "g", "i"]);
}
