//! Walks over JSON text: RFC 8259 grammar, nesting depth, and where each value begins and ends.
//!
//! Nothing is decoded here and nothing is allocated. A number may be `1e400` and a string may hold
//! `\ud800`: both are legal grammar, and whether a type can hold them is asked when a parameter is
//! decoded. The walk is iterative, so depth costs no stack, and it stops at [`MAX_DEPTH`].

use std::num::NonZeroU32;

/// How many brackets may be open at once, counted from the first byte of a message.
pub(crate) const MAX_DEPTH: u32 = 128;

/// A place in a message. Messages are shorter than 4 GiB, which `parse` checks before it scans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    start: u32,
    /// Never zero: a value has at least one byte. So `Option<Span>` is no larger than `Span`.
    end: NonZeroU32,
}

impl Span {
    pub(crate) fn new(start: usize, end: usize) -> Self {
        let end = u32::try_from(end).unwrap_or(u32::MAX);
        Self {
            start: u32::try_from(start).unwrap_or(u32::MAX),
            end: NonZeroU32::new(end).unwrap_or(NonZeroU32::MIN),
        }
    }

    pub(crate) fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end.get() as usize
    }
}

/// A string in the text: where its characters are, without the quotes.
#[derive(Clone, Copy)]
pub(crate) struct Text {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) escaped: bool,
}

/// The text is not JSON, or nests too deep. Where it went wrong is `Scanner::at`.
#[derive(Debug)]
pub(crate) struct Fault;

pub(crate) struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
    depth: u32,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(text: &'a [u8]) -> Self {
        Self {
            text,
            at: 0,
            depth: 0,
        }
    }

    pub(crate) fn at(&self) -> usize {
        self.at
    }

    pub(crate) fn bytes(&self, text: Text) -> &'a [u8] {
        self.text.get(text.start..text.end).unwrap_or_default()
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// Skips white space (RFC 8259, section 2).
    pub(crate) fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\t' | b'\r')) {
            self.at += 1;
        }
    }

    /// Takes the next byte if it is `byte`.
    pub(crate) fn accept(&mut self, byte: u8) -> bool {
        let here = self.peek() == Some(byte);
        self.at += usize::from(here);
        here
    }

    pub(crate) fn expect(&mut self, byte: u8) -> Result<(), Fault> {
        if self.accept(byte) {
            Ok(())
        } else {
            Err(Fault)
        }
    }

    /// Takes an opening bracket and counts it.
    pub(crate) fn open(&mut self, bracket: u8) -> Result<(), Fault> {
        self.expect(bracket)?;
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            Err(Fault)
        } else {
            Ok(())
        }
    }

    /// Takes a closing bracket if it is next.
    pub(crate) fn close(&mut self, bracket: u8) -> bool {
        let closed = self.accept(bracket);
        self.depth -= u32::from(closed);
        closed
    }

    /// A member's name and the colon behind it; stops before the value.
    pub(crate) fn key(&mut self) -> Result<Text, Fault> {
        let name = self.string()?;
        self.space();
        self.expect(b':')?;
        self.space();
        Ok(name)
    }

    /// Any value, with all that is in it.
    pub(crate) fn value(&mut self) -> Result<Span, Fault> {
        let start = self.at;
        let outside = self.depth;
        // One bit for each bracket open in here, the innermost lowest: 1 is an object.
        let mut kinds: u128 = 0;
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.string()?;
                }
                Some(b'-' | b'0'..=b'9') => self.number()?,
                Some(b'{') => {
                    self.open(b'{')?;
                    self.space();
                    if !self.close(b'}') {
                        kinds = kinds << 1 | 1;
                        self.key()?;
                        continue;
                    }
                }
                Some(b'[') => {
                    self.open(b'[')?;
                    self.space();
                    if !self.close(b']') {
                        kinds <<= 1;
                        continue;
                    }
                }
                Some(b't') => self.literal(b"true")?,
                Some(b'f') => self.literal(b"false")?,
                Some(b'n') => self.literal(b"null")?,
                _ => return Err(Fault),
            }
            // Behind a value: its container goes on or ends, and perhaps the one around it too.
            loop {
                if self.depth == outside {
                    return Ok(Span::new(start, self.at));
                }
                self.space();
                let in_object = kinds & 1 == 1;
                if self.accept(b',') {
                    self.space();
                    if in_object {
                        self.key()?;
                    }
                    break;
                }
                if !self.close(if in_object { b'}' } else { b']' }) {
                    return Err(Fault);
                }
                kinds >>= 1;
            }
        }
    }

    /// A string (RFC 8259, section 7): no bare control character, escapes well formed.
    pub(crate) fn string(&mut self) -> Result<Text, Fault> {
        self.expect(b'"')?;
        let start = self.at;
        let mut escaped = false;
        loop {
            self.at += plain_prefix(self.text.get(self.at..).unwrap_or_default());
            match self.peek() {
                Some(b'"') => {
                    let end = self.at;
                    self.at += 1;
                    return Ok(Text {
                        start,
                        end,
                        escaped,
                    });
                }
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                _ => return Err(Fault),
            }
        }
    }

    fn escape(&mut self) -> Result<(), Fault> {
        self.at += 1;
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
            Some(b'u') => {
                self.at += 1;
                for _ in 0..4 {
                    match self.peek() {
                        Some(digit) if digit.is_ascii_hexdigit() => self.at += 1,
                        _ => return Err(Fault),
                    }
                }
            }
            _ => return Err(Fault),
        }
        Ok(())
    }

    /// A number (RFC 8259, section 6): no leading zero or plus, digits on both sides of a point.
    fn number(&mut self) -> Result<(), Fault> {
        self.accept(b'-');
        if !self.accept(b'0') {
            self.digits()?;
        }
        if self.accept(b'.') {
            self.digits()?;
        }
        if self.accept(b'e') || self.accept(b'E') {
            let _sign = self.accept(b'+') || self.accept(b'-');
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Fault> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start { Err(Fault) } else { Ok(()) }
    }

    fn literal(&mut self, word: &[u8]) -> Result<(), Fault> {
        if !self
            .text
            .get(self.at..)
            .unwrap_or_default()
            .starts_with(word)
        {
            return Err(Fault);
        }
        self.at += word.len();
        Ok(())
    }
}

/// How many bytes stand for themselves before a quote, a backslash or a control character.
fn plain_prefix(bytes: &[u8]) -> usize {
    let ends = |byte: u8| byte < 0x20 || byte == b'"' || byte == b'\\';
    let mut skipped = 0;
    let mut rest = bytes;
    // Names and short strings end within a few bytes; only longer ones are worth whole blocks,
    // which are folded without a branch so that the compiler makes vector instructions of them.
    if let Some((head, _)) = bytes.split_first_chunk::<16>() {
        if let Some(end) = head.iter().position(|&byte| ends(byte)) {
            return end;
        }
        let blocks = bytes.chunks_exact(32);
        for block in blocks {
            if block.iter().fold(false, |found, &byte| found | ends(byte)) {
                break;
            }
            skipped += 32;
        }
        rest = bytes.get(skipped..).unwrap_or_default();
    }
    let tail = rest.iter().position(|&byte| ends(byte));
    skipped + tail.unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(text: &str) -> bool {
        let mut scanner = Scanner::new(text.as_bytes());
        scanner.value().is_ok() && scanner.at() == text.len()
    }

    #[test]
    fn depth_is_counted_from_the_first_bracket_and_stops_at_the_cap() {
        let nested = |n: usize| "[".repeat(n) + &"]".repeat(n);
        assert!(whole(&nested(128)));
        assert!(!whole(&nested(129)));
        assert!(!whole(&"[".repeat(100_000)));
        let mixed = r#"{"a":["#.repeat(64) + "1" + &"]}".repeat(64);
        assert!(whole(&mixed));
        assert!(!whole(&format!("[{mixed}]")));
    }

    #[test]
    fn a_string_ends_at_its_quote_wherever_the_blocks_fall() {
        for length in 0..200 {
            let body = "x".repeat(length);
            assert!(whole(&format!(r#""{body}""#)), "{length}");
            assert!(!whole(&format!(r#""{body}"#)), "{length}");
            assert!(!whole(&format!("\"{body}\u{1}\"")), "{length}");
            assert!(whole(&format!(r#""{body}\u00e9\\""#)), "{length}");
            assert!(!whole(&format!(r#""{body}\x""#)), "{length}");
        }
    }

    #[test]
    fn numbers_keep_to_the_grammar() {
        for good in ["0", "-0", "10", "1.5", "1e400", "-1E+2", "0.0e-0"] {
            assert!(whole(good), "{good}");
        }
        for bad in [
            "01", "-", "+1", "1.", ".5", "1e", "1e+", "0x1", "--1", "1.e1",
        ] {
            assert!(!whole(bad), "{bad}");
        }
    }
}
