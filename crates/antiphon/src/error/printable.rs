//! Text of a peer, escaped for the log.

use std::fmt::{self, Write as _};

/// Text that may hold a peer's bytes, made safe for a log: no control character, no line break,
/// at most 1 KiB.
pub(crate) struct Printable<'a>(pub(crate) &'a dyn fmt::Display);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        struct Escape<'a, 'b>(&'a mut fmt::Formatter<'b>, usize);
        impl fmt::Write for Escape<'_, '_> {
            fn write_str(&mut self, text: &str) -> fmt::Result {
                for c in text.chars() {
                    if self.1 == 0 {
                        return Ok(());
                    }
                    self.1 -= 1;
                    match c {
                        '\u{2028}' | '\u{2029}' => write!(self.0, "{}", c.escape_unicode())?,
                        c if c.is_control() => write!(self.0, "{}", c.escape_default())?,
                        c => self.0.write_char(c)?,
                    }
                }
                Ok(())
            }
        }
        write!(Escape(f, 1024), "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_line_stays_one_line() {
        let hostile = "a\r\nb\u{1b}[31m\u{2028}c\u{85}";
        let shown = Printable(&hostile).to_string();
        assert_eq!(shown, "a\\r\\nb\\u{1b}[31m\\u{2028}c\\u{85}");
        assert_eq!(Printable(&"x".repeat(5000)).to_string().len(), 1024);
    }
}
