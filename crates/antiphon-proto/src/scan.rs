//! Scanner of JSON text: the grammar of RFC 8259, the nesting depth, and the span of each value.
//!
//! The scanner neither decodes nor allocates. A number may be `1e400` and a string may contain
//! `\ud800`: both are valid grammar, and whether a type can hold them is checked when a parameter
//! is decoded. The scanner is iterative, so nesting needs no stack, and it stops at [`MAX_DEPTH`].
//! If the text is long enough to exceed the limit of values, it counts them and stops there, too.

use std::num::NonZeroU32;

/// Maximum count of open brackets, counted from the start of the message.
pub(crate) const MAX_DEPTH: u32 = 128;

/// A byte range in a message. Messages are shorter than 4 GiB, which `parse` checks before
/// scanning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    start: u32,
    /// Never zero, because a value has at least one byte. So `Option<Span>` is as small as `Span`.
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

/// The span of a string without its quotes.
#[derive(Clone, Copy)]
pub(crate) struct Text {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) escaped: bool,
}

/// The text is not JSON, nested too deeply, or has too many values. `Scanner::at` is the position of
/// the error.
#[derive(Debug)]
pub(crate) struct Fault;

/// A scanner. Only one with `COUNTS` counts values, so that short texts do not pay for it.
pub(crate) struct Scanner<'a, const COUNTS: bool> {
    text: &'a [u8],
    /// The remaining text. Pattern matching on slices needs no bounds checks.
    rest: &'a [u8],
    depth: u32,
    /// Bitwise OR of the bytes in all strings. Its high bits tell whether all bytes are ASCII.
    seen: u64,
    /// Whether any string contains an escape.
    escapes: bool,
    /// How many more values the text may have.
    values: usize,
    /// Whether it has more.
    exceeded: bool,
}

/// Whether a text of `length` bytes may have more than `max` values: each takes a byte at least, and
/// all but the first one a separator or a bracket besides.
pub(crate) fn may_exceed(length: usize, max: usize) -> bool {
    length.div_ceil(2) > max
}

impl<'a, const COUNTS: bool> Scanner<'a, COUNTS> {
    pub(crate) fn new(text: &'a [u8], max_values: usize) -> Self {
        Self {
            values: max_values,
            exceeded: false,
            text,
            rest: text,
            depth: 0,
            seen: 0,
            escapes: false,
        }
    }

    pub(crate) fn at(&self) -> usize {
        self.text.len() - self.rest.len()
    }

    /// Whether the scanned text is ASCII, and therefore valid UTF-8. Outside of strings, the
    /// grammar allows only ASCII.
    pub(crate) fn is_ascii(&self) -> bool {
        self.seen & (ONES << 7) == 0
    }

    /// Whether no string so far contains an escape.
    pub(crate) fn is_plain(&self) -> bool {
        !self.escapes
    }

    /// Whether the scanner has stopped because there are too many values.
    pub(crate) fn is_exceeded(&self) -> bool {
        self.exceeded
    }

    /// Counts a value: an array or an object at its bracket, any other before it is scanned.
    #[inline]
    fn count(&mut self) -> Result<(), Fault> {
        if COUNTS {
            match self.values.checked_sub(1) {
                Some(left) => self.values = left,
                None => {
                    self.exceeded = true;
                    return Err(Fault);
                }
            }
        }
        Ok(())
    }

    pub(crate) fn bytes(&self, text: Text) -> &'a [u8] {
        self.text.get(text.start..text.end).unwrap_or_default()
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// The byte after the next one.
    pub(crate) fn second(&self) -> Option<u8> {
        self.rest.get(1).copied()
    }

    /// Skips white space (RFC 8259, section 2).
    #[inline]
    pub(crate) fn space(&mut self) {
        // Most texts have no white space, and a single comparison is enough.
        while let [byte @ ..=b' ', rest @ ..] = self.rest {
            if !matches!(byte, b' ' | b'\n' | b'\t' | b'\r') {
                return;
            }
            self.rest = rest;
        }
    }

    /// Consumes the next byte if it is `byte`.
    #[inline]
    pub(crate) fn accept(&mut self, byte: u8) -> bool {
        match self.rest {
            [first, rest @ ..] if *first == byte => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    #[inline]
    pub(crate) fn expect(&mut self, byte: u8) -> Result<(), Fault> {
        if self.accept(byte) {
            Ok(())
        } else {
            Err(Fault)
        }
    }

    /// Consumes an opening bracket and increments the depth.
    #[inline]
    pub(crate) fn open(&mut self, bracket: u8) -> Result<(), Fault> {
        self.count()?;
        self.expect(bracket)?;
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            Err(Fault)
        } else {
            Ok(())
        }
    }

    /// Consumes a closing bracket if it is next.
    #[inline]
    pub(crate) fn close(&mut self, bracket: u8) -> bool {
        let closed = self.accept(bracket);
        self.depth -= u32::from(closed);
        closed
    }

    /// Scans the name of a member and the colon, and stops before the value.
    #[inline]
    pub(crate) fn key(&mut self) -> Result<Text, Fault> {
        let name = self.string()?;
        self.colon()?;
        Ok(name)
    }

    #[inline]
    fn colon(&mut self) -> Result<(), Fault> {
        self.space();
        self.expect(b':')?;
        self.space();
        Ok(())
    }

    /// Consumes the name of a member if it is exactly `quoted`, the usual form without escapes.
    #[inline]
    pub(crate) fn accept_key(&mut self, quoted: &[u8]) -> Result<bool, Fault> {
        match self.rest.strip_prefix(quoted) {
            Some(rest) => {
                self.rest = rest;
                self.colon().map(|()| true)
            }
            None => Ok(false),
        }
    }

    /// Scans any value, including nested ones.
    #[inline]
    pub(crate) fn value(&mut self) -> Result<Span, Fault> {
        let start = self.at();
        match self.rest.first() {
            Some(b'{' | b'[') => self.container()?,
            _ => self.scalar()?,
        }
        Ok(Span::new(start, self.at()))
    }

    fn scalar(&mut self) -> Result<(), Fault> {
        self.count()?;
        match self.rest.first() {
            Some(b'"') => self.string().map(drop),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.literal(b"true"),
            Some(b'f') => self.literal(b"false"),
            Some(b'n') => self.literal(b"null"),
            _ => Err(Fault),
        }
    }

    /// Scans an array or an object.
    fn container(&mut self) -> Result<(), Fault> {
        let outside = self.depth;
        // One bit per open bracket of this value, the innermost in the lowest bit: 1 is an object.
        let mut kinds: u128 = 0;
        loop {
            match self.rest.first() {
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
                _ => self.scalar()?,
            }
            // After a value, its container continues or ends, and may end the enclosing ones.
            loop {
                if self.depth == outside {
                    return Ok(());
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

    /// Scans a string (RFC 8259, section 7): no raw control characters, only valid escapes.
    #[inline]
    pub(crate) fn string(&mut self) -> Result<Text, Fault> {
        self.expect(b'"')?;
        let start = self.at();
        let mut escaped = false;
        loop {
            let plain = self.plain_prefix();
            match self.rest.get(plain..) {
                Some([b'"', rest @ ..]) => {
                    self.rest = rest;
                    let end = self.at() - 1;
                    return Ok(Text {
                        start,
                        end,
                        escaped,
                    });
                }
                Some([b'\\', rest @ ..]) => {
                    escaped = true;
                    self.escapes = true;
                    self.rest = rest;
                    self.escape()?;
                }
                _ => return Err(Fault),
            }
        }
    }

    /// The count of bytes before the next quote, backslash or control character.
    #[inline]
    fn plain_prefix(&mut self) -> usize {
        let mut length = 0;
        let mut rest = self.rest;
        for _ in 0..SHORT / 8 {
            let Some((word, behind)) = rest.split_first_chunk::<8>() else {
                break;
            };
            let word = u64::from_le_bytes(*word);
            self.seen |= word;
            let ends = special(word);
            if ends != 0 {
                return length + ends.trailing_zeros() as usize / 8;
            }
            length += 8;
            rest = behind;
        }
        if length < SHORT {
            return length + self.plain_tail(rest);
        }
        let blocks = self.plain_blocks(rest);
        length + blocks + self.plain_tail(rest.get(blocks..).unwrap_or_default())
    }

    /// Scans long strings in blocks without an early exit, which the compiler vectorizes.
    fn plain_blocks(&mut self, bytes: &[u8]) -> usize {
        let mut length = 0;
        for block in bytes.chunks_exact(32) {
            let (ends, all) = block.iter().fold((false, 0), |(ends, all), &byte| {
                (ends | is_special(byte), all | byte)
            });
            if ends {
                break;
            }
            self.seen |= u64::from(all);
            length += 32;
        }
        length
    }

    fn plain_tail(&mut self, bytes: &[u8]) -> usize {
        let mut length = 0;
        for &byte in bytes {
            if is_special(byte) {
                break;
            }
            self.seen |= u64::from(byte);
            length += 1;
        }
        length
    }

    /// Scans an escape after its backslash.
    fn escape(&mut self) -> Result<(), Fault> {
        match self.rest {
            [
                b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't',
                rest @ ..,
            ] => {
                self.rest = rest;
                Ok(())
            }
            [b'u', a, b, c, d, rest @ ..]
                if [a, b, c, d].iter().all(|digit| digit.is_ascii_hexdigit()) =>
            {
                self.rest = rest;
                Ok(())
            }
            _ => Err(Fault),
        }
    }

    /// Scans a number (RFC 8259, section 6): no leading zero or plus, digits on both sides of the
    /// point.
    #[inline]
    fn number(&mut self) -> Result<(), Fault> {
        self.accept(b'-');
        if !self.accept(b'0') {
            self.digits()?;
        }
        if self.accept(b'.') {
            self.digits()?;
        }
        if let [b'e' | b'E', rest @ ..] = self.rest {
            self.rest = rest;
            let _sign = self.accept(b'+') || self.accept(b'-');
            self.digits()?;
        }
        Ok(())
    }

    #[inline]
    fn digits(&mut self) -> Result<(), Fault> {
        let [b'0'..=b'9', rest @ ..] = self.rest else {
            return Err(Fault);
        };
        self.rest = rest;
        while let [b'0'..=b'9', rest @ ..] = self.rest {
            self.rest = rest;
        }
        Ok(())
    }

    fn literal(&mut self, word: &[u8]) -> Result<(), Fault> {
        self.rest = self.rest.strip_prefix(word).ok_or(Fault)?;
        Ok(())
    }
}

/// Tests eight bytes at once: sets the high bit of each byte that ends the plain part of a string.
/// Only the lowest set bit is reliable, because the subtraction may borrow from the bytes above it.
#[inline]
fn special(word: u64) -> u64 {
    let below = |word: u64, bound: u8| word.wrapping_sub(ONES * u64::from(bound)) & !word;
    let equal = |byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
    (below(word, 0x20) | equal(b'"') | equal(b'\\')) & (ONES << 7)
}

fn is_special(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// Strings up to this length are scanned in words of eight bytes.
const SHORT: usize = 32;

/// The value 1 in each byte.
const ONES: u64 = 0x0101_0101_0101_0101;

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(text: &str) -> bool {
        let mut scanner = Scanner::<false>::new(text.as_bytes(), 0);
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
