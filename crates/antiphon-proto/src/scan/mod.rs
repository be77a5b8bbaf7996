//! Scanner of JSON text: the grammar of RFC 8259, the nesting depth, and the span of each value.
//!
//! The scanner neither decodes nor allocates. A number may be `1e400` and a string may contain
//! `\ud800`: both are valid grammar, and whether a type can hold them is checked when a parameter
//! is decoded. The scanner is iterative, so nesting needs no stack, and it stops at [`MAX_DEPTH`].
//! If the text is long enough to exceed the limit of values, it counts them and stops there, too.
//!
//! | file | what it does |
//! |---|---|
//! | `strings.rs` | strings: long plain parts in blocks, short ones in words |
//! | `numbers.rs` | numbers and words |

mod numbers;
mod strings;

use std::num::NonZeroU32;

pub(crate) use strings::{BLOCK, is_special};

/// The value 1 in each byte of a word.
const ONES: u64 = 0x0101_0101_0101_0101;

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
    /// The position of the next byte, at most the length of the text.
    at: usize,
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
            at: 0,
            depth: 0,
            seen: 0,
            escapes: false,
        }
    }

    pub(crate) fn at(&self) -> usize {
        self.at
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

    #[inline]
    pub(crate) fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// The byte after the next one.
    #[inline]
    pub(crate) fn second(&self) -> Option<u8> {
        self.text.get(self.at + 1).copied()
    }

    /// Skips white space (RFC 8259, section 2).
    #[inline]
    pub(crate) fn space(&mut self) {
        // Most texts have no white space, and a single comparison is enough.
        if let Some(..=b' ') = self.peek() {
            self.more_space();
        }
    }

    fn more_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\t' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    /// Consumes the next byte if it is `byte`.
    #[inline]
    pub(crate) fn accept(&mut self, byte: u8) -> bool {
        if self.peek() == Some(byte) {
            self.at += 1;
            return true;
        }
        false
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
        if self.accept(bracket) {
            self.depth -= 1;
            return true;
        }
        false
    }

    /// Scans the name of a member and the colon, and stops before the value.
    #[inline]
    pub(crate) fn key(&mut self) -> Result<Text, Fault> {
        self.expect(b'"')?;
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

    /// Consumes `bytes` if they are next.
    #[inline]
    fn accept_bytes<const N: usize>(&mut self, bytes: &[u8; N]) -> bool {
        let next = self.text.get(self.at..).and_then(<[u8]>::first_chunk);
        if next == Some(bytes) {
            self.at += N;
            return true;
        }
        false
    }

    /// Consumes the name of a member and the colon if they are written exactly like this, the usual
    /// form, and stops before the value.
    #[inline]
    pub(crate) fn accept_key<const N: usize>(&mut self, key: &[u8; N]) -> bool {
        let accepted = self.accept_bytes(key);
        if accepted {
            self.space();
        }
        accepted
    }

    /// Consumes a member whose value is a string, if it is written exactly like this: a name of
    /// `name` bytes with its quotes, a colon, the value. Returns the value.
    #[inline]
    pub(crate) fn accept_member<const N: usize>(
        &mut self,
        member: &[u8; N],
        name: usize,
    ) -> Result<Option<Span>, Fault> {
        let start = self.at + name + 1;
        if !self.accept_bytes(member) {
            return Ok(None);
        }
        self.count()?;
        Ok(Some(Span::new(start, self.at)))
    }

    /// Scans any value, including nested ones.
    #[inline]
    pub(crate) fn value(&mut self) -> Result<Span, Fault> {
        let start = self.at;
        match self.peek() {
            Some(b'{' | b'[') => self.container()?,
            first => self.scalar(first)?,
        }
        Ok(Span::new(start, self.at))
    }

    /// Scans a value that begins with this byte, which is no bracket.
    #[inline(always)]
    fn scalar(&mut self, first: Option<u8>) -> Result<(), Fault> {
        self.count()?;
        match first {
            Some(b'"') => {
                self.at += 1;
                self.string().map(drop)
            }
            Some(b'1'..=b'9') => {
                self.at += 1;
                self.more_digits();
                self.fraction()
            }
            Some(b'-' | b'0') => self.number(),
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
            match self.peek() {
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
                first => self.scalar(first)?,
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
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn whole(text: &str) -> bool {
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
}
