//! Header of a message: `Content-Length` and other header lines.

use bytes::BytesMut;

use super::FramingError;

/// Maximum length of a header line of [`Framing::ContentLength`] in bytes, without its line ending.
pub(super) const MAX_HEADER_LINE: usize = 1024;
/// Maximum length of a header block in bytes, line endings included.
pub(super) const MAX_HEADER_BLOCK: usize = 4096;
/// Maximum count of header lines per message.
pub(super) const MAX_HEADER_LINES: usize = 16;

/// The state of a partially received header. Each line is removed from the buffer once it is
/// parsed.
#[derive(Debug, Default)]
pub(super) struct Header {
    pub(super) lines: usize,
    pub(super) bytes: usize,
    /// Whether the current line has reached the `:` after the name.
    pub(super) named: bool,
    pub(super) length: Option<usize>,
    /// Whether the empty line has been read, so that `length` bytes of body follow.
    pub(super) complete: bool,
}

impl Header {
    /// Finds the `\n` of the first line. Rejects a line as soon as it cannot be a header line.
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
                // The line ending does not count towards the limit.
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

    /// Parses one line, given without its line ending.
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
        // Includes a lone `\r`, which some parsers treat as the end of the line.
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
            // A length beyond `usize` exceeds every limit as well.
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

/// Parses decimal digits only; `str::parse` would accept a plus sign. `None` also beyond 64 bits.
fn parse_length(value: &[u8]) -> Option<u64> {
    if value.is_empty() {
        return None;
    }
    value.iter().try_fold(0_u64, |length, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        length.checked_mul(10)?.checked_add(digit)
    })
}

/// Whether the byte is allowed in a header name (RFC 9110 §5.6.2, to which the base protocol
/// refers).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~')
}

/// Whether the media type has no charset, or the only charset of JSON. Early versions of LSP wrote
/// `utf8`.
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
