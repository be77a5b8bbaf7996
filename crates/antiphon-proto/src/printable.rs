//! Text of a peer, escaped for a log or a terminal.

use std::fmt::{self, Write as _};

/// The longest text that [`Printable`] shows, in characters before they are escaped.
const MAX_CHARS: usize = 1024;

/// Whether a character may be shown in a log or on a terminal as it is.
///
/// It may not if it controls the terminal, ends a line, reorders the text around it, or is
/// invisible: then a peer could forge lines, or make a text read as another one. These are the
/// control characters, the separators U+2028 and U+2029, the bidirectional controls, the zero-width
/// space and the other format characters without a shape, and the tag characters. The joiners U+200C
/// and U+200D may be shown: Persian, Indic scripts and emoji need them.
///
/// ```
/// use antiphon_proto::is_printable;
///
/// assert!("é 語 👩‍🚀".chars().all(is_printable));
/// assert!(!is_printable('\u{1b}') && !is_printable('\n') && !is_printable('\u{202e}'));
/// ```
#[must_use]
pub fn is_printable(c: char) -> bool {
    match c {
        ' '..='~' => true,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' => false,
        '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' => false,
        '\u{fff9}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e007f}' => false,
        c => !c.is_control(),
    }
}

/// A text of a peer, as a log or a terminal may show it: on one line, with everything escaped that
/// [is not printable](is_printable), and at most 1,024 characters of it.
///
/// ```
/// use antiphon_proto::Printable;
///
/// let hostile = "saved\n\u{1b}[2Jerror: \u{202e}txt.exe";
/// assert_eq!(Printable(hostile).to_string(), r"saved\n\u{1b}[2Jerror: \u{202e}txt.exe");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Printable<T>(pub T);

impl<T: fmt::Display> fmt::Display for Printable<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = Escape {
            out: f,
            left: MAX_CHARS,
        };
        write!(shown, "{}", self.0)
    }
}

struct Escape<'a, 'b> {
    out: &'a mut fmt::Formatter<'b>,
    left: usize,
}

impl fmt::Write for Escape<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars().take(self.left) {
            self.left -= 1;
            match c {
                c if is_printable(c) => self.out.write_char(c)?,
                '\n' | '\r' | '\t' => write!(self.out, "{}", c.escape_default())?,
                c => write!(self.out, "{}", c.escape_unicode())?,
            }
        }
        Ok(())
    }
}

/// JSON text in which the characters that are not printable are escaped. It has the same value: such
/// characters can only stand in its strings, or between its tokens, where a space replaces them.
pub(crate) struct PrintableJson<'a>(pub(crate) &'a str);

impl fmt::Display for PrintableJson<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                c if is_printable(c) => f.write_char(c)?,
                '\n' | '\r' | '\t' => f.write_char(' ')?,
                c => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        write!(f, "\\u{unit:04x}")?;
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_stays_one_line_in_the_order_in_which_it_was_written() {
        for (text, shown) in [
            ("a\r\nb\tc\u{1b}[31m", "a\\r\\nb\\tc\\u{1b}[31m"),
            (
                "a\u{2028}b\u{2029}c\u{85}\u{7f}",
                "a\\u{2028}b\\u{2029}c\\u{85}\\u{7f}",
            ),
            ("\u{202e}txt.exe\u{202c}", "\\u{202e}txt.exe\\u{202c}"),
            (
                "\u{2066}a\u{2069}\u{61c}\u{200e}",
                "\\u{2066}a\\u{2069}\\u{61c}\\u{200e}",
            ),
            (
                "x\u{200b}y\u{feff}\u{2060}",
                "x\\u{200b}y\\u{feff}\\u{2060}",
            ),
            ("\u{e0041}\u{fff9}", "\\u{e0041}\\u{fff9}"),
            (
                "é 語 👩\u{200d}🚀 می\u{200c}خواهم",
                "é 語 👩\u{200d}🚀 می\u{200c}خواهم",
            ),
            ("\"\\'", "\"\\'"),
        ] {
            assert_eq!(Printable(text).to_string(), shown);
        }
    }

    #[test]
    fn a_long_text_is_cut() {
        assert_eq!(Printable("x".repeat(5000)).to_string().len(), MAX_CHARS);
        let pieces = format_args!("{}{}", "x".repeat(1000), "\n".repeat(1000)).to_string();
        assert_eq!(Printable(pieces).to_string().len(), 1000 + 2 * 24);
    }

    #[test]
    fn json_keeps_its_value() {
        for text in [
            "\"a\u{202e}b\u{7f}\u{e0041}\"",
            "[\"\u{feff}\",\n\t1e400]",
            r#"{"a":"\u202e"}"#,
        ] {
            let shown = PrintableJson(text).to_string();
            assert!(shown.chars().all(is_printable), "{shown}");
            let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).ok();
            assert_eq!(value(&shown), value(text), "{shown}");
        }
        assert_eq!(
            PrintableJson("\"\u{e0041}\"").to_string(),
            r#""\udb40\udc41""#
        );
    }
}
