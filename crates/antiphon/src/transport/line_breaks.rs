//! Line breaks in messages whose end is a line break.

/// Replaces line breaks by spaces. JSON that a method has formatted itself may have some; between tokens
/// a space means the same.
pub(super) fn join_lines(message: &mut [u8]) {
    // Every byte is stored, without a branch, so that the compiler can vectorize it.
    for byte in message {
        let is_break = *byte == b'\n' || *byte == b'\r';
        *byte = if is_break { b' ' } else { *byte };
    }
}
