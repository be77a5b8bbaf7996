//! Keys with which identities are signed and believed, from a file.

use std::fmt;
use std::io;
use std::path::Path;

use aws_lc_rs::{digest, hmac};

use crate::files::read::read_text;

/// The largest file, in bytes.
const MAX_FILE: u64 = 64 * 1024;

/// The shortest key, in bytes, and the most keys.
const SHORTEST: usize = 32;
const MOST: usize = 16;

/// One or more keys. The first one signs; what any of them has signed is believed. So a key is replaced
/// without an outage: added below, moved to the top, and the old one removed.
pub(super) struct IdentityKeys(Vec<hmac::Key>);

impl IdentityKeys {
    /// Reads a file with one key a line; empty lines and those that begin with `#` are left out.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or has no key, or one that is too short. The error shows nothing of it.
    pub(super) fn read(path: &Path) -> io::Result<Self> {
        let wrong = |fault: &dyn fmt::Display| {
            io::Error::other(format!("{} cannot be used: {fault}", path.display()))
        };
        let text = read_text(path, MAX_FILE).map_err(|error| wrong(&error))?;
        Self::parse(&text).map_err(|fault| wrong(&fault))
    }

    fn parse(text: &str) -> Result<Self, &'static str> {
        let lines = text.lines().map(str::trim);
        let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        let mut keys = Vec::new();
        for line in lines {
            if line.len() < SHORTEST {
                return Err("a key has at least 32 characters");
            }
            if keys.len() == MOST {
                return Err("there are more than 16 keys");
            }
            keys.push(hmac::Key::new(hmac::HMAC_SHA256, line.as_bytes()));
        }
        match keys.is_empty() {
            true => Err("it has no key"),
            false => Ok(Self(keys)),
        }
    }

    /// The signature of these bytes, in hexadecimal digits.
    pub(super) fn sign(&self, bytes: &[u8]) -> String {
        let signature = self.0.first().map(|key| hmac::sign(key, bytes));
        signature.map_or_else(String::new, |tag| hex(tag.as_ref()))
    }

    /// Whether one of the keys has signed these bytes.
    pub(super) fn have_signed(&self, bytes: &[u8], signature: &str) -> bool {
        let Some(signature) = unhex(signature) else {
            return false;
        };
        let signed = |key: &hmac::Key| hmac::verify(key, bytes, &signature).is_ok();
        self.0.iter().any(signed)
    }
}

/// The hash of a message, in hexadecimal digits.
pub(super) fn hash(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    let digits = text.as_bytes();
    if digits.len() != 64 {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
        let digit = |index: usize| char::from(*pair.get(index)?).to_digit(16);
        *byte = u8::try_from(digit(0)? * 16 + digit(1)?).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "0123456789abcdef0123456789abcdef";
    const NEW: &str = "fedcba9876543210fedcba9876543210";

    #[test]
    fn a_file_has_keys_of_enough_characters() {
        fn check(text: &str, expected: bool) {
            assert_eq!(IdentityKeys::parse(text).is_ok(), expected, "{text:?}");
        }
        check(OLD, true);
        check(&format!("# new\n{NEW}\n\n  {OLD}  \n"), true);
        check("", false);
        check("# nothing\n", false);
        check("short", false);
        check(&format!("{OLD}\nshort"), false);
        check(&format!("{OLD}\n").repeat(17), false);
    }

    #[test]
    fn what_any_of_the_keys_has_signed_is_believed() {
        let keys = |text: &str| IdentityKeys::parse(text).unwrap();
        let check = |signing: &str, believing: &str, text: &str, expected: bool| {
            let signature = keys(signing).sign(b"text");
            let believed = keys(believing).have_signed(text.as_bytes(), &signature);
            assert_eq!(believed, expected);
        };
        let both = format!("{NEW}\n{OLD}");
        check(OLD, OLD, "text", true);
        check(OLD, &both, "text", true);
        check(&both, NEW, "text", true);
        check(&both, OLD, "text", false);
        check(OLD, OLD, "texts", false);
        for signature in ["", "zz", &"0".repeat(64), &"é".repeat(32)] {
            assert!(!keys(OLD).have_signed(b"text", signature));
        }
    }
}
