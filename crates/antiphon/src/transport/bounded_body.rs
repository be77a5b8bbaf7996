//! Collects an HTTP body in memory, up to a size limit.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use http_body::SizeHint;

/// The data of a body received so far.
///
/// Nothing is allocated for the announced length: memory grows with the data received. A body that
/// arrives in one piece, as most do, is not copied.
#[derive(Debug)]
pub(crate) struct Collector {
    max: usize,
    first: Bytes,
    rest: BytesMut,
}

/// The body is longer than the limit.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

impl Collector {
    /// Creates a collector of at most `max` bytes.
    ///
    /// # Errors
    ///
    /// [`TooLong`] if the body announces more.
    #[inline]
    pub(crate) fn new(max: usize, announced: &SizeHint) -> Result<Self, TooLong> {
        if usize::try_from(announced.lower()).map_or(true, |announced| announced > max) {
            return Err(TooLong);
        }
        Ok(Self {
            max,
            first: Bytes::new(),
            rest: BytesMut::new(),
        })
    }

    /// The number of bytes received so far.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.first.len() + self.rest.len()
    }

    /// Whether so many more bytes fit.
    #[inline]
    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        bytes <= self.max - self.len()
    }

    /// Appends received data.
    ///
    /// # Errors
    ///
    /// [`TooLong`] if the limit would be exceeded; nothing is added then.
    #[inline]
    pub(crate) fn push(&mut self, mut data: impl Buf) -> Result<(), TooLong> {
        let length = data.remaining();
        if !self.has_room(length) {
            return Err(TooLong);
        }
        if self.len() == 0 {
            self.first = data.copy_to_bytes(length);
        } else {
            self.rest.put(std::mem::take(&mut self.first));
            self.rest.put(data);
        }
        Ok(())
    }

    /// Returns the whole body.
    #[inline]
    pub(crate) fn finish(self) -> Bytes {
        if self.rest.is_empty() {
            self.first
        } else {
            self.rest.freeze()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collector(max: usize) -> Collector {
        Collector::new(max, &SizeHint::default()).unwrap()
    }

    #[test]
    fn pieces_are_joined_and_one_piece_is_not_copied() {
        let only = Bytes::from_static(b"abc");
        let mut one = collector(3);
        one.push(only.clone()).unwrap();
        assert_eq!(one.finish().as_ptr(), only.as_ptr());
        let mut several = collector(9);
        for piece in ["", "ab", "", "cde", "f"] {
            several.push(piece.as_bytes()).unwrap();
        }
        assert_eq!(several.len(), 6);
        assert_eq!(several.finish(), "abcdef");
        assert_eq!(collector(0).finish(), "");
    }

    #[test]
    fn one_byte_too_many_is_refused_whether_it_is_announced_or_not() {
        let announced = Collector::new(3, &SizeHint::with_exact(4));
        assert_eq!(announced.map(|_| ()), Err(TooLong));
        assert!(Collector::new(3, &SizeHint::with_exact(3)).is_ok());
        let mut body = collector(3);
        assert_eq!(body.push(&b"abcd"[..]), Err(TooLong));
        body.push(&b"ab"[..]).unwrap();
        assert_eq!(body.push(&b"cd"[..]), Err(TooLong));
        body.push(&b"c"[..]).unwrap();
        assert_eq!(body.finish(), "abc");
    }
}
