//! Lines of a token file: a subject, the hash of its token, and scopes.

use aws_lc_rs::digest;

use super::error::AuthSetupError;
use crate::identity::{Identity, is_scope};

/// The largest number of lines, comments included.
const MAX_LINES: usize = 10_000;

/// The longest subject in bytes.
const MAX_SUBJECT: usize = 256;

/// SHA-256 of a token.
pub(super) type Hash = [u8; 32];

/// The hash of a token.
pub(super) fn hash(token: &str) -> Hash {
    let mut hash = Hash::default();
    let digest = digest::digest(&digest::SHA256, token.as_bytes());
    for (to, from) in hash.iter_mut().zip(digest.as_ref()) {
        *to = *from;
    }
    hash
}

/// A line of a token file.
pub(super) fn line(subject: &str, hash: &Hash, scopes: &[&str]) -> String {
    use std::fmt::Write as _;

    let mut line = format!("{subject} ");
    for byte in hash {
        // A `String` takes everything.
        let _ = write!(line, "{byte:02x}");
    }
    for scope in scopes {
        line.push(' ');
        line.push_str(scope);
    }
    line
}

/// Reads the lines.
///
/// # Errors
///
/// With the number of the first line that is wrong.
pub(super) fn parse(text: &str) -> Result<Vec<(Hash, Identity)>, AuthSetupError> {
    let mut entries: Vec<(Hash, Identity)> = Vec::new();
    let mut known = std::collections::HashMap::new();
    for (number, line) in (1_usize..).zip(text.lines()) {
        let wrong = |reason: &str| AuthSetupError::new(format!("line {number}: {reason}"));
        if number > MAX_LINES {
            return Err(wrong("a token file has at most 10000 lines"));
        }
        let line = line.trim_ascii();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (hash, identity) = entry(line).map_err(wrong)?;
        if let Some(first) = known.insert(hash, number) {
            return Err(wrong(&format!("the hash is that of line {first}")));
        }
        entries.push((hash, identity));
    }
    Ok(entries)
}

fn entry(line: &str) -> Result<(Hash, Identity), &'static str> {
    let mut words = line.split_ascii_whitespace();
    let subject = words.next().unwrap_or_default();
    check_subject(subject)?;
    let hash = words
        .next()
        .and_then(unhex)
        .ok_or("the second word is no SHA-256 hash of 64 hexadecimal digits")?;
    let scopes: Vec<_> = words.collect();
    check_scopes(&scopes)?;
    Ok((hash, Identity::new(subject).scopes_from(scopes)))
}

/// Refuses a subject that cannot stand in a line, or in a log.
pub(super) fn check_subject(subject: &str) -> Result<(), &'static str> {
    let is_printable = |c: char| !c.is_whitespace() && antiphon_proto::is_printable(c);
    if subject.is_empty() || subject.len() > MAX_SUBJECT {
        return Err("a subject has 1 to 256 bytes");
    }
    if subject.starts_with('#') || !subject.chars().all(is_printable) {
        return Err("a subject has no spaces and no control characters, and no `#` first");
    }
    Ok(())
}

/// Refuses what is no scope.
pub(super) fn check_scopes(scopes: &[&str]) -> Result<(), &'static str> {
    match scopes.iter().all(|scope| is_scope(scope)) {
        true => Ok(()),
        false => Err("a scope has visible ASCII characters only, without `\"` and `\\`"),
    }
}

fn unhex(text: &str) -> Option<Hash> {
    let mut hash = Hash::default();
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != hash.len() || !rest.is_empty() {
        return None;
    }
    let digit = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|d| u8::try_from(d).ok())
    };
    for (byte, [high, low]) in hash.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_strictly() {
        let hash = "a".repeat(64);
        let other = "B".repeat(64);
        let long = "x".repeat(257);
        for (text, expected) in [
            (String::new(), Ok(0)),
            (format!("\n  \n# nobody {hash}\n  # {hash}"), Ok(0)),
            (format!("alice {hash}"), Ok(1)),
            (
                format!("  alice\t{hash}  a:b  c \r\nbob {other}\r\n"),
                Ok(2),
            ),
            (format!("alice {hash}\nalice {other}"), Ok(2)),
            ("alice".to_owned(), Err("line 1: the second word")),
            (format!("\n\nalice a{hash}"), Err("line 3: the second word")),
            (
                format!("alice {}g", "a".repeat(63)),
                Err("line 1: the second word"),
            ),
            (
                format!("alice {}é", "a".repeat(62)),
                Err("line 1: the second word"),
            ),
            (format!("{long} {hash}"), Err("line 1: a subject has")),
            (format!("a\u{7}b {hash}"), Err("line 1: a subject has no")),
            (
                format!("a\u{202e}b {hash}"),
                Err("line 1: a subject has no"),
            ),
            (format!("alice {hash} a\"b"), Err("line 1: a scope has")),
            (format!("alice {hash} ä"), Err("line 1: a scope has")),
            (
                format!("alice {other}\nbob {}", other.to_lowercase()),
                Err("line 2: the hash is that of line 1"),
            ),
            ("\n".repeat(10_001), Err("line 10001: a token file")),
            ("\n".repeat(10_000), Ok(0)),
        ] {
            let found = parse(&text).map(|entries| entries.len());
            match (found, expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{text}"),
                (Err(error), Err(part)) => {
                    let error = error.to_string();
                    assert!(error.starts_with(part), "{error}");
                    assert!(
                        !error.contains("alice") && !error.contains("aaa"),
                        "{error}"
                    );
                }
                (found, _) => panic!("{text:?}: {found:?}"),
            }
        }
    }

    #[test]
    fn a_line_that_was_written_is_read() {
        let hash = hash("abc");
        let line = line("alice", &hash, &["a:b", "c"]);
        assert_eq!(
            line,
            "alice ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad a:b c"
        );
        let expected = Identity::new("alice").scope("a:b").scope("c");
        assert_eq!(parse(&line).unwrap(), [(hash, expected)]);
    }
}
