//! Strings of JSON text: long plain parts in blocks, short ones in words of eight bytes.

use super::{Fault, ONES, Scanner, Text};

impl<const COUNTS: bool> Scanner<'_, COUNTS> {
    /// Scans a string behind its first quote (RFC 8259, section 7): no raw control characters, only
    /// valid escapes.
    #[inline]
    pub(super) fn string(&mut self) -> Result<Text, Fault> {
        let start = self.at;
        let mut escaped = false;
        loop {
            self.plain();
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
                    self.escapes = true;
                    self.at += 1;
                    self.escape()?;
                }
                _ => return Err(Fault),
            }
        }
    }

    /// Stops before the next quote, backslash or control character, or at the end.
    #[inline]
    fn plain(&mut self) {
        let end = self.at + SHORT;
        while let Some(word) = self.text.get(self.at..).and_then(<[u8]>::first_chunk::<8>) {
            let word = u64::from_le_bytes(*word);
            self.seen |= word;
            let ends = special(word);
            if ends != 0 {
                self.at += ends.trailing_zeros() as usize / 8;
                return;
            }
            self.at += 8;
            if self.at >= end {
                self.plain_blocks();
                break;
            }
        }
        self.plain_tail();
    }

    /// Skips plain parts of long strings in blocks without an early exit, which the compiler
    /// vectorizes.
    fn plain_blocks(&mut self) {
        let rest = self.text.get(self.at..).unwrap_or_default();
        for block in rest.chunks_exact(BLOCK) {
            let (mut ends, mut all) = (0, 0);
            for &byte in block {
                ends |= u8::from(byte < 0x20) | u8::from(byte == b'"') | u8::from(byte == b'\\');
                all |= byte;
            }
            if ends != 0 {
                break;
            }
            self.seen |= u64::from(all);
            self.at += BLOCK;
        }
    }

    fn plain_tail(&mut self) {
        while let Some(byte) = self.peek()
            && !is_special(byte)
        {
            self.seen |= u64::from(byte);
            self.at += 1;
        }
    }

    /// Scans an escape after its backslash.
    fn escape(&mut self) -> Result<(), Fault> {
        match self.text.get(self.at..).unwrap_or_default() {
            [b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => {
                self.at += 1;
                Ok(())
            }
            [b'u', a, b, c, d, ..]
                if [a, b, c, d].iter().all(|digit| digit.is_ascii_hexdigit()) =>
            {
                self.at += 5;
                Ok(())
            }
            _ => Err(Fault),
        }
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

pub(crate) fn is_special(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// Strings up to this length are scanned in words of eight bytes.
const SHORT: usize = 32;

/// The length of the blocks in which longer ones are scanned.
pub(crate) const BLOCK: usize = 64;

#[cfg(test)]
mod tests {
    use super::super::tests::whole;

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
}
