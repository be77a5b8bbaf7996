//! Escaping of texts from a document for comments and literals.

use std::fmt::Write;

use antiphon::is_printable;

/// Splits documentation into lines without line terminators and invisible characters.
pub(crate) fn lines(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for line in text.replace("\r\n", "\n").split(ends_line) {
        let shown: String = line.chars().filter(|&c| !hides(c)).collect();
        let line = shown.replace('\t', "    ").trim_end().to_owned();
        // Collapse successive empty lines.
        if !(line.is_empty() && lines.last().is_none_or(String::is_empty)) {
            lines.push(line);
        }
    }
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    lines
}

/// Joins paragraphs with an empty line between them.
pub(crate) fn paragraphs(parts: &[&str]) -> String {
    let parts: Vec<_> = parts.iter().map(|part| part.trim()).collect();
    let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join("\n\n")
}

/// Joins all lines into one.
pub(crate) fn one_line(text: &str) -> String {
    let lines = lines(text);
    let lines: Vec<_> = lines
        .iter()
        .map(|line| line.trim())
        .filter(|line| !line.is_empty())
        .collect();
    lines.join(" ")
}

/// A string literal with escapes common to Python and TypeScript. It has double quotes, unless
/// single quotes need fewer escapes.
pub(crate) fn quoted(text: &str) -> String {
    let count = |quote| text.chars().filter(|&c| c == quote).count();
    let quote = if count('"') > count('\'') { '\'' } else { '"' };
    let mut quoted = String::from(quote);
    for c in text.chars() {
        match c {
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            c if c == quote => quoted.extend(['\\', c]),
            // The two languages have no common escape of characters beyond U+FFFF.
            c if c <= '\u{ffff}' && (hides(c) || ends_line(c) || c == '\t') => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push(quote);
    quoted
}

/// Whether any target language treats the character as a line terminator.
pub(crate) fn ends_line(c: char) -> bool {
    matches!(
        c,
        '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}'
    )
}

/// Whether the character is invisible. Bidirectional controls can disguise code, and so can joiners.
pub(crate) fn hides(c: char) -> bool {
    !is_printable(c) && c != '\t' || matches!(c, '\u{200c}' | '\u{200d}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_are_quoted() {
        let table = [
            ("plain", "\"plain\""),
            ("it's", "\"it's\""),
            ("say \"x\"", "'say \"x\"'"),
            ("'\"", "\"'\\\"\""),
            ("a\\\n\r\t\0", "\"a\\\\\\n\\u000d\\u0009\\u0000\""),
            ("\u{2028}\u{202e}ä😀", "\"\\u2028\\u202eä😀\""),
        ];
        for (text, expected) in table {
            assert_eq!(quoted(text), expected);
        }
    }

    #[test]
    fn lines_have_nothing_that_ends_or_hides_them() {
        assert_eq!(
            lines("\n\na\r\nb\rc\n\n\n\td \u{202e}\u{1b}[31m\u{e0041}\u{180e}\n\n"),
            ["a", "b", "c", "", "    d [31m"]
        );
        assert_eq!(one_line(" a\n\n  b\u{2029}c "), "a b c");
        assert_eq!(paragraphs(&["", " a ", "\n", "b"]), "a\n\nb");
    }
}
