//! A line of the log: one line, whatever texts of peers or of other libraries are in it.

use std::borrow::Cow;
use std::fmt::Write as _;

use antiphon_proto::is_printable;

/// The longest line, in bytes.
const MAX_LINE: usize = 16 * 1024;

/// What a line that was cut ends with.
const CUT: &str = "… (cut)";

/// Escapes what is not printable, and cuts the line at its maximum. The colours that the formatter
/// of the log writes stay.
pub(super) fn clean(line: &[u8]) -> Cow<'_, [u8]> {
    let text = line.strip_suffix(b"\n").unwrap_or(line);
    if line.len() > text.len()
        && text.len() <= MAX_LINE
        && text.iter().all(|b| (b' '..=b'~').contains(b))
    {
        return Cow::Borrowed(line);
    }
    let text = String::from_utf8_lossy(text);
    let mut out = String::with_capacity(text.len() + 1);
    let mut rest = &*text;
    while let Some(c) = rest.chars().next() {
        if out.len() >= MAX_LINE {
            out.push_str(CUT);
            break;
        }
        let (shown, length) = match (c, color(rest)) {
            (_, Some(length)) => (true, length),
            (c, None) => (is_printable(c), c.len_utf8()),
        };
        let (piece, behind) = rest.split_at(length);
        rest = behind;
        match shown {
            true => out.push_str(piece),
            false if matches!(c, '\n' | '\r' | '\t') => out.extend(c.escape_default()),
            // Writing to a string cannot fail.
            false => drop(write!(out, "{}", c.escape_unicode())),
        }
    }
    out.push('\n');
    Cow::Owned(out.into_bytes())
}

/// The length of the colour that a text begins with: `ESC [ 1 ; 31 m`. The formatter escapes those in
/// messages before.
fn color(text: &str) -> Option<usize> {
    let parameters = text.strip_prefix("\u{1b}[")?;
    let is_parameter = |c: char| c.is_ascii_digit() || c == ';';
    let end = parameters.find(|c| !is_parameter(c))?;
    parameters[end..]
        .starts_with('m')
        .then_some(text.len() - parameters.len() + end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_in_it_a_line_is_one_line() {
        let table: [(&[u8], &str); 8] = [
            (b"plain a=1\n", "plain a=1\n"),
            (b"no end", "no end\n"),
            (b"a\nERROR forged\r\tb\n", "a\\nERROR forged\\r\\tb\n"),
            (
                "\u{1b}[2mdim\u{1b}[0m é\n".as_bytes(),
                "\u{1b}[2mdim\u{1b}[0m é\n",
            ),
            (b"\x1b[2J\x1b]0;x\x07\n", "\\u{1b}[2J\\u{1b}]0;x\\u{7}\n"),
            ("a\u{202e}b\u{2028}\n".as_bytes(), "a\\u{202e}b\\u{2028}\n"),
            (b"\xff\n", "\u{fffd}\n"),
            (b"\n", "\n"),
        ];
        for (line, expected) in table {
            assert_eq!(String::from_utf8_lossy(&clean(line)), expected);
        }
    }

    #[test]
    fn a_long_line_is_cut() {
        for text in ["x", "é", "\n"] {
            let line = format!("{}\n", text.repeat(1_000_000));
            let line = String::from_utf8(clean(line.as_bytes()).into_owned()).unwrap();
            assert!(line.len() <= MAX_LINE + 32, "{}", line.len());
            assert!(line.ends_with("(cut)\n"));
        }
    }
}
