//! Comments and literals in Rust.

use std::fmt::Write;

use super::code::Code;
use super::text::{ends_line, hides, lines};

/// A Rust string literal.
pub(crate) fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '\\' | '"' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            c if hides(c) || ends_line(c) || c == '\t' => {
                let _ = write!(quoted, "\\u{{{:x}}}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// Writes doc comments for the following item.
pub(crate) fn comment(doc: &str, code: &mut Code) {
    for line in markdown(doc) {
        code.line(format!("/// {line}").trim_end());
    }
}

/// Writes doc comments for the file.
pub(crate) fn header(doc: &str, code: &mut Code) {
    for line in markdown(doc) {
        code.line(format!("//! {line}").trim_end());
    }
}

/// Rewrites Markdown so that it contains no Rust code: `cargo test` would run code blocks as doc
/// tests, and a document must not decide what runs.
///
/// Code blocks are fenced or indented by four spaces, or by less within lists. So each fence is
/// rewritten with the language `text`. Outside of fences, no line has four spaces in a row, and
/// none begins an HTML block, in which fences would have no effect.
/// a row, and none begins HTML, in which fences would be none.
fn markdown(doc: &str) -> Vec<String> {
    let mut written = Vec::new();
    let mut fenced = false;
    for line in lines(doc) {
        let bare = line.trim();
        let is_fence = bare.starts_with("```") || bare.starts_with("~~~");
        if fenced && is_fence && bare.chars().all(|c| matches!(c, '`' | '~')) {
            fenced = false;
            written.push("```".to_owned());
        } else if fenced {
            written.push(plain(&line));
        } else if is_fence {
            fenced = true;
            written.push("```text".to_owned());
        } else {
            written.push(no_code(&line));
        }
    }
    if fenced {
        written.push("```".to_owned());
    }
    written
}

/// Replaces fences in a line.
fn plain(line: &str) -> String {
    line.replace("```", "'''").replace("~~~", "---")
}

fn no_code(line: &str) -> String {
    let mut line = plain(line);
    while line.contains("    ") {
        line = line.replace("    ", "   ");
    }
    // Everything that may precede a block: white space, quote markers and list markers.
    let marks = |c: char| c.is_whitespace() || c.is_ascii_digit() || ">-+*.)".contains(c);
    match line.find(|c: char| !marks(c)) {
        Some(at) if line[at..].starts_with('<') => format!("{}\\{}", &line[..at], &line[at..]),
        _ => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_are_quoted() {
        let table = [
            ("plain", r#""plain""#),
            ("it's \"x\"", r#""it's \"x\"""#),
            ("a\\\n\r\t\0", r#""a\\\n\u{d}\u{9}\u{0}""#),
            ("\u{2028}\u{202e}ä😀{}", r#""\u{2028}\u{202e}ä😀{}""#),
        ];
        for (text, expected) in table {
            assert_eq!(quoted(text), expected);
        }
    }

    #[test]
    fn no_code_in_documentation_is_rust() {
        let table: &[(&str, &[&str])] = &[
            ("Adds.\n\nSee [it].", &["Adds.", "", "See [it]."]),
            ("```\nx\n```", &["```text", "x", "```"]),
            ("```rust\nx\n~~~\ny", &["```text", "x", "```", "y"]),
            ("~~~should_panic\n    x", &["```text", "    x", "```"]),
            ("````\n```rust\n````", &["```text", "'''rust", "```"]),
            ("> ```\n> x", &["> '''", "> x"]),
            ("- a\n-     b\n\n        c", &["- a", "-   b", "", "   c"]),
            (
                "<pre>\n- <!--\n1. > <b>",
                &["\\<pre>", "- \\<!--", "1. > \\<b>"],
            ),
            ("a <b> c", &["a <b> c"]),
        ];
        for (doc, expected) in table {
            assert_eq!(markdown(doc), *expected, "{doc:?}");
        }
    }
}
