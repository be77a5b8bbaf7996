//! Header of a frame: `Content-Length`, and what may stand beside it.

use bytes::BytesMut;

use super::FramingError;

/// Longest header line of [`Framing::ContentLength`] in bytes, without its line ending.
pub(super) const MAX_HEADER_LINE: usize = 1024;
/// Longest header block in bytes, line endings included.
pub(super) const MAX_HEADER_BLOCK: usize = 4096;
/// Most header lines of one message.
pub(super) const MAX_HEADER_LINES: usize = 16;

/// What is known of the header of a message that has begun. Lines leave the buffer as they are read.
#[derive(Debug, Default)]
pub(super) struct Header {
    pub(super) lines: usize,
    pub(super) bytes: usize,
    /// Whether the name of the line at the front of the buffer has ended.
    pub(super) named: bool,
    pub(super) length: Option<usize>,
    /// Whether the empty line has been read: `length` bytes of body are next.
    pub(super) complete: bool,
}

impl Header {
    /// Finds the `\n` of the line at the front, and refuses a line as soon as it cannot be a header.
    pub(super) fn line_end(
        &mut self,
        buffer: &BytesMut,
        scanned: &mut usize,
    ) -> Result<Option<usize>, FramingError> {
        for (at, &byte) in buffer.iter().enumerate().skip(*scanned) {
            if self.bytes + at >= MAX_HEADER_BLOCK {
                return Err(FramingError::BadHeader("more than 4 KiB"));
            }
            match byte {
                b'\n' => {
                    self.named = false;
                    return Ok(Some(at));
                }
                // The line ending may follow the longest line.
                b'\r' if at <= MAX_HEADER_LINE && (self.named || at == 0) => {}
                _ if at >= MAX_HEADER_LINE => {
                    return Err(FramingError::BadHeader("line longer than 1 KiB"));
                }
                b':' if at > 0 => self.named = true,
                _ if self.named || is_token(byte) => {}
                _ => return Err(FramingError::BadHeader("line is not `name: value`")),
            }
        }
        *scanned = buffer.len();
        Ok(None)
    }

    /// Reads one line, given without its ending.
    pub(super) fn read(&mut self, line: &[u8], max_message: usize) -> Result<(), FramingError> {
        if line.is_empty() {
            self.complete = true;
            return match self.length {
                Some(_) => Ok(()),
                None => Err(FramingError::BadHeader("no Content-Length")),
            };
        }
        self.lines += 1;
        if self.lines > MAX_HEADER_LINES {
            return Err(FramingError::BadHeader("more than 16 lines"));
        }
        // Also a lone `\r`, which some readers take for the end of the line.
        if line
            .iter()
            .any(|&byte| byte.is_ascii_control() && byte != b'\t')
        {
            return Err(FramingError::BadHeader("control character in a line"));
        }
        let Some(colon) = line.iter().position(|&byte| byte == b':') else {
            return Err(FramingError::BadHeader("line is not `name: value`"));
        };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"content-length") {
            if self.length.is_some() {
                return Err(FramingError::BadHeader("more than one Content-Length"));
            }
            let length = parse_length(value).ok_or(FramingError::BadHeader(
                "Content-Length is not a number of bytes",
            ))?;
            // What exceeds this platform's `usize` exceeds every limit as well.
            self.length = match usize::try_from(length) {
                Ok(length) if length <= max_message => Some(length),
                _ => return Err(FramingError::TooLong(max_message)),
            };
        } else if name.eq_ignore_ascii_case(b"content-type") && !is_utf8(value) {
            return Err(FramingError::BadHeader("charset is not utf-8"));
        }
        Ok(())
    }
}

/// Digits alone: `parse` would take a plus sign. `None` also for what exceeds 64 bits.
fn parse_length(value: &[u8]) -> Option<u64> {
    if value.is_empty() {
        return None;
    }
    value.iter().try_fold(0_u64, |length, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        length.checked_mul(10)?.checked_add(digit)
    })
}

/// The characters of a header name (RFC 9110 §5.6.2, to which the base protocol refers).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~')
}

/// Whether a media type names no charset, or the only one that JSON has. `utf8` is what early
/// versions of LSP wrote.
fn is_utf8(media_type: &[u8]) -> bool {
    media_type
        .split(|&byte| byte == b';')
        .skip(1)
        .all(|parameter| {
            let equals = parameter.iter().position(|&byte| byte == b'=');
            let (name, value) = parameter.split_at(equals.unwrap_or(parameter.len()));
            let value = value.get(1..).unwrap_or_default().trim_ascii();
            let value = value.strip_prefix(b"\"").unwrap_or(value);
            let value = value.strip_suffix(b"\"").unwrap_or(value);
            !name.trim_ascii().eq_ignore_ascii_case(b"charset")
                || value.eq_ignore_ascii_case(b"utf-8")
                || value.eq_ignore_ascii_case(b"utf8")
        })
}
