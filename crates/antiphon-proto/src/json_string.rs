//! Long strings as JSON text.

use std::io::Write;

use serde::Serializer as _;
use serde::ser::Error as _;
use serde_json::Error;
use serde_json::ser::Formatter;

use crate::scan::{BLOCK, is_special};

/// Strings from this length on are searched in blocks.
pub(crate) const LONG: usize = BLOCK;

/// The most bytes that are looked at one by one before plain blocks are looked for again.
const MAX_PART: usize = 4096;

/// Writes a long string: plain blocks as they are, and parts in which something has to be escaped
/// through serde_json.
pub(crate) fn write_long<W: Write + ?Sized>(writer: &mut W, mut text: &str) -> Result<(), Error> {
    let mut part = BLOCK;
    put(writer, "\"")?;
    while !text.is_empty() {
        let (plain, rest) = text.split_at(boundary(text, plain_length(text)));
        // Where much has to be escaped, looking for plain blocks is in vain.
        part = match plain.len() < part {
            true => (part * 2).min(MAX_PART),
            false => BLOCK,
        };
        let (next, rest) = rest.split_at(boundary(rest, part));
        if !plain.is_empty() {
            put(writer, plain)?;
        }
        serde_json::Serializer::with_formatter(&mut *writer, Unquoted).serialize_str(next)?;
        text = rest;
    }
    put(writer, "\"")
}

/// The length of the blocks before the first one with something to escape.
fn plain_length(text: &str) -> usize {
    // All bytes of a block are looked at, so that the compiler can vectorize it.
    let has_special = |block: &[u8]| block.iter().fold(false, |any, &b| any | is_special(b));
    let mut blocks = text.as_bytes().chunks_exact(BLOCK);
    let plain = blocks.position(has_special);
    plain.unwrap_or(text.len() / BLOCK) * BLOCK
}

/// The next boundary of a character at this position or behind it.
fn boundary(text: &str, at: usize) -> usize {
    let mut boundaries = at..text.len();
    boundaries
        .find(|&at| text.is_char_boundary(at))
        .unwrap_or(text.len())
}

#[inline]
pub(crate) fn put<W: Write + ?Sized>(writer: &mut W, text: &str) -> Result<(), Error> {
    writer.write_all(text.as_bytes()).map_err(Error::custom)
}

/// Formatter that writes of a string only what is between the quotes.
struct Unquoted;

impl Formatter for Unquoted {
    fn begin_string<W: Write + ?Sized>(&mut self, _: &mut W) -> std::io::Result<()> {
        Ok(())
    }

    fn end_string<W: Write + ?Sized>(&mut self, _: &mut W) -> std::io::Result<()> {
        Ok(())
    }
}
