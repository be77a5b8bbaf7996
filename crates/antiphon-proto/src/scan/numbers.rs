//! Numbers and words of JSON text.

use super::{Fault, Scanner};

impl<const COUNTS: bool> Scanner<'_, COUNTS> {
    /// Scans a number (RFC 8259, section 6): no leading zero or plus, digits on both sides of the
    /// point.
    pub(super) fn number(&mut self) -> Result<(), Fault> {
        self.accept(b'-');
        if !self.accept(b'0') {
            self.digits()?;
        }
        self.fraction()
    }

    /// Scans what may follow the integer of a number.
    #[inline]
    pub(super) fn fraction(&mut self) -> Result<(), Fault> {
        match self.peek() {
            Some(b'.' | b'e' | b'E') => self.more_fraction(),
            _ => Ok(()),
        }
    }

    fn more_fraction(&mut self) -> Result<(), Fault> {
        if self.accept(b'.') {
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            let _sign = self.accept(b'+') || self.accept(b'-');
            self.digits()?;
        }
        Ok(())
    }

    #[inline]
    fn digits(&mut self) -> Result<(), Fault> {
        let first = self.at;
        self.more_digits();
        match self.at > first {
            true => Ok(()),
            false => Err(Fault),
        }
    }

    #[inline]
    pub(super) fn more_digits(&mut self) {
        let mut at = self.at;
        while let Some(b'0'..=b'9') = self.text.get(at) {
            at += 1;
        }
        self.at = at;
    }

    pub(super) fn literal<const N: usize>(&mut self, word: &[u8; N]) -> Result<(), Fault> {
        match self.accept_bytes(word) {
            true => Ok(()),
            false => Err(Fault),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::whole;

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
