//! Escapes of Markdown: punctuation, code, table cells, destinations of links.

use antiphon_proto::is_printable;

/// A plain text on one line.
pub(super) fn plain(text: &str) -> String {
    let line = escaped(&text.replace(['\n', '\r', '\t'], " "));
    guarded(line.trim())
}

/// Formats text as code on one line; text with backquotes gets more of them around it.
pub(super) fn code(text: &str) -> String {
    let shown = text.chars().map(|c| match c {
        '\n' | '\r' | '\t' => ' ',
        c if is_printable(c) => c,
        _ => char::REPLACEMENT_CHARACTER,
    });
    let text: String = shown.collect();
    match longest_run(&text) {
        // Two backquotes with nothing between them would begin a longer span.
        0 if text.is_empty() => "` `".to_owned(),
        0 => format!("`{text}`"),
        longest => {
            let marks = "`".repeat(longest + 1);
            format!("{marks} {text} {marks}")
        }
    }
}

/// Formats Markdown for a table cell: on one line, with `|` escaped.
pub(super) fn cell(text: &str) -> String {
    let lines = text.lines().map(str::trim);
    let lines: Vec<_> = lines.filter(|line| !line.is_empty()).collect();
    let mut out = String::new();
    let mut backslashes = 0;
    for c in lines.join(" ").chars() {
        if c == '|' {
            // A single backslash in code would escape ours.
            out.push_str(if backslashes % 2 == 1 { " \\" } else { "\\" });
        }
        out.push(c);
        backslashes = if c == '\\' { backslashes + 1 } else { 0 };
    }
    out
}

/// Whether a link may be kept: it leads to the web, or into the page.
pub(super) fn is_link(url: &str) -> bool {
    let url = url.to_ascii_lowercase();
    let known = ["#", "http://", "https://", "mailto:"];
    known.iter().any(|start| url.starts_with(start))
}

/// The destination of a link, in the form `<…>`.
pub(super) fn destination(url: &str) -> String {
    let mut out = String::from("<");
    for c in url.chars() {
        if is_printable(c) && !" <>\\`|&\"".contains(c) {
            out.push(c);
        } else if c == '&' {
            out.push_str("&amp;");
        } else {
            for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                out.push_str(&format!("%{byte:02X}"));
            }
        }
    }
    out.push('>');
    out
}

/// A code block. Its fence is longer than any in it.
pub(super) fn fenced(text: &str) -> String {
    let shown: String = text
        .chars()
        .map(|c| match is_printable(c) || matches!(c, '\n' | '\t') {
            true => c,
            false => char::REPLACEMENT_CHARACTER,
        })
        .collect();
    let fence = "`".repeat((longest_run(&shown) + 1).max(3));
    format!("{fence}\n{}\n{fence}", shown.trim_end_matches('\n'))
}

/// The longest run of backquotes.
fn longest_run(text: &str) -> usize {
    let runs = text.split(|c| c != '`').map(str::len);
    runs.max().unwrap_or(0)
}

/// Escapes what has a meaning within a line.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut before = ' ';
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let after = chars.peek().copied().unwrap_or(' ');
        let is_special = match c {
            '\\' | '`' | '*' | '[' | ']' | '<' | '~' => true,
            '_' => !(before.is_alphanumeric() && after.is_alphanumeric()),
            '&' => after == '#' || after.is_alphabetic(),
            _ => false,
        };
        if is_special {
            out.push('\\');
        }
        out.push(match c {
            '\n' => c,
            c if is_printable(c) => c,
            '\t' | '\r' => ' ',
            _ => char::REPLACEMENT_CHARACTER,
        });
        before = c;
    }
    out
}

/// Escapes what has a meaning at the start of a line: headings, lists, quotes, rules, tables.
pub(super) fn guarded(text: &str) -> String {
    let lines = text.lines().map(|line| {
        let line = line.trim_start();
        let digits = line.bytes().take_while(u8::is_ascii_digit).count();
        let mut rest = line.chars().skip(digits);
        let (mark, after) = (rest.next().unwrap_or(' '), rest.next().unwrap_or(' '));
        let is_special = match mark {
            '#' | '>' | '=' | '|' => digits == 0,
            '-' | '+' | ':' => digits == 0 && !after.is_alphanumeric(),
            '.' | ')' => digits > 0 && after == ' ',
            _ => false,
        };
        match is_special {
            true => {
                let (before, rest) = line.split_at(digits);
                format!("{before}\\{rest}")
            }
            false => line.to_owned(),
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_text_is_one_line_without_markup() {
        for (text, expected) in [
            ("Sums of snake_case", "Sums of snake_case"),
            ("<img src=x onerror=y>", "\\<img src=x onerror=y>"),
            ("a\n# b", "a # b"),
            ("# b", "\\# b"),
            (
                "[x](javascript:y) ![z](w)",
                "\\[x\\](javascript:y) !\\[z\\](w)",
            ),
            (
                "`a` *b* _c_ ~~d~~ \\",
                "\\`a\\` \\*b\\* \\_c\\_ \\~\\~d\\~\\~ \\\\",
            ),
            ("&lt; & &#60;", "\\&lt; & \\&#60;"),
            ("1. a", "1\\. a"),
            ("---", "\\---"),
            ("-5 and - 5", "-5 and - 5"),
            ("a\u{202e}b\u{1b}", "a\u{fffd}b\u{fffd}"),
        ] {
            assert_eq!(plain(text), expected, "{text}");
        }
    }

    #[test]
    fn what_would_end_a_cell_or_code_does_not() {
        assert_eq!(cell("a | b\n  c"), "a \\| b c");
        assert_eq!(cell("`a\\|b`"), "`a\\ \\|b`");
        assert_eq!(code("a`b"), "`` a`b ``");
        assert_eq!(code("a``b`\nc"), "``` a``b` c ```");
        assert_eq!(code(""), "` `");
    }
}
