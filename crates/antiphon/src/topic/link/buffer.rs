//! Buffer that cuts messages out of the bytes that were read.

/// Bytes of the length before each message.
pub(in crate::topic) const LENGTH: usize = 4;

/// The most bytes of the text of an item on its way to the supervisor.
pub(in crate::topic) const MAX_TEXT: usize = 32 * 1024 * 1024;

/// The most bytes of a message: an item with its key.
const MAX_FRAME: usize = MAX_TEXT + 1024;

/// The most bytes of the name of a topic that workers share.
pub(in crate::topic) const MAX_NAME: usize = 4096;

/// How much is read at once.
const READ: usize = 64 * 1024;

/// The other end does not speak as it should.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Malformed;

/// Bytes that were read, and are cut into messages.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    bytes: Vec<u8>,
    /// What is behind the messages that were taken, and before what has not been read.
    start: usize,
    end: usize,
}

impl Frames {
    /// Room for what is read next.
    pub(crate) fn room(&mut self) -> &mut [u8] {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
            if self.bytes.len() > 2 * READ {
                self.bytes = Vec::new();
            }
        }
        if self.start > 0 && self.bytes.len() < self.end + READ / 2 {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.bytes.len() < self.end + READ / 2 {
            // Doubles, so that a large message is not moved for each piece of it.
            let length = self.end + READ.max(self.end);
            self.bytes.resize(length, 0);
        }
        self.bytes.get_mut(self.end..).unwrap_or_default()
    }

    /// This many bytes were read into the room.
    pub(crate) fn filled(&mut self, count: usize) {
        self.end = (self.end + count).min(self.bytes.len());
    }

    /// Takes the next message; `None` if it is not complete.
    ///
    /// # Errors
    ///
    /// If it is too long.
    pub(crate) fn next(&mut self) -> Result<Option<&[u8]>, Malformed> {
        let read = self.bytes.get(self.start..self.end).unwrap_or_default();
        let Some((length, rest)) = read.split_first_chunk::<LENGTH>() else {
            return Ok(None);
        };
        let length = u32::from_le_bytes(*length) as usize;
        if length > MAX_FRAME {
            return Err(Malformed);
        }
        if rest.len() < length {
            return Ok(None);
        }
        let from = self.start + LENGTH;
        self.start = from + length;
        Ok(self.bytes.get(from..self.start))
    }

    /// Adds what was not read into the room.
    pub(in crate::topic) fn add(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = self.room();
            let count = room.len().min(bytes.len());
            room[..count].copy_from_slice(&bytes[..count]);
            self.filled(count);
            bytes = &bytes[count..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_of_any_length_is_found_and_its_memory_returned() {
        let mut frames = Frames::default();
        for length in [0, 1, READ, 3 * READ, 10_000_000, 5] {
            let mut bytes = u32::to_le_bytes(length as u32).to_vec();
            bytes.resize(LENGTH + length, 7);
            for piece in bytes.chunks(100_000) {
                assert_eq!(frames.next(), Ok(None));
                frames.add(piece);
            }
            assert_eq!(frames.next().unwrap().map(<[u8]>::len), Some(length));
        }
        frames.room();
        assert!(frames.bytes.len() <= 2 * READ, "{}", frames.bytes.len());
        frames.add(&u32::MAX.to_le_bytes());
        assert_eq!(frames.next(), Err(Malformed));
    }
}
