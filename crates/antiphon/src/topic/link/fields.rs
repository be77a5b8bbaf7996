//! Fields of messages: numbers little endian, a key behind its length in two bytes, a text to the end.

use super::buffer::{LENGTH, Malformed};

/// The numbers of an item.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::topic) struct ItemPlace {
    pub(in crate::topic) channel: u64,
    pub(in crate::topic) number: u64,
    pub(in crate::topic) serial: u64,
}

/// Writes one message behind others.
pub(super) struct Writer<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
}

impl<'a> Writer<'a> {
    pub(super) fn begin(out: &'a mut Vec<u8>, kind: u8) -> Self {
        let start = out.len();
        out.extend_from_slice(&[0; LENGTH]);
        out.push(kind);
        Self { out, start }
    }

    pub(super) fn byte(self, value: bool) -> Self {
        self.out.push(u8::from(value));
        self
    }

    pub(super) fn short(self, value: u32) -> Self {
        self.out.extend_from_slice(&value.to_le_bytes());
        self
    }

    pub(super) fn long(self, value: u64) -> Self {
        self.out.extend_from_slice(&value.to_le_bytes());
        self
    }

    pub(super) fn place(self, place: ItemPlace) -> Self {
        self.long(place.channel)
            .long(place.number)
            .long(place.serial)
    }

    /// Keys have at most 256 bytes.
    pub(super) fn key(self, key: &str) -> Self {
        let length = u16::try_from(key.len()).unwrap_or(u16::MAX);
        self.out.extend_from_slice(&length.to_le_bytes());
        self.rest(key.as_bytes())
    }

    pub(super) fn rest(self, text: &[u8]) -> Self {
        self.out.extend_from_slice(text);
        self
    }

    pub(super) fn end(self) {
        let Self { out, start } = self;
        let length = out.len() - start - LENGTH;
        let length = u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
        if let Some(place) = out.get_mut(start..start + LENGTH) {
            place.copy_from_slice(&length);
        }
    }
}

/// Reads the fields of one message.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        self.take(N)?.try_into().map_err(|_| Malformed)
    }

    pub(super) fn byte(&mut self) -> Result<bool, Malformed> {
        let [value] = self.array()?;
        Ok(value != 0)
    }

    pub(super) fn short(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn long(&mut self) -> Result<u64, Malformed> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn place(&mut self) -> Result<ItemPlace, Malformed> {
        Ok(ItemPlace {
            channel: self.long()?,
            number: self.long()?,
            serial: self.long()?,
        })
    }

    pub(super) fn key(&mut self) -> Result<&'a str, Malformed> {
        let length = self.array().map(u16::from_le_bytes)?;
        let key = self.take(length.into())?;
        std::str::from_utf8(key).map_err(|_| Malformed)
    }

    pub(super) fn text(&mut self) -> Result<&'a str, Malformed> {
        std::str::from_utf8(self.rest()).map_err(|_| Malformed)
    }

    pub(super) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }
}
