//! New tokens: random text, and the line of a token file that lets it in.

use std::fmt;
use std::path::Path;

use super::bearer::read_text;
use super::error::AuthSetupError;
use super::token_file::{check_scopes, check_subject, hash, line, parse};
use crate::files::append::append_line;

/// By this a token is recognised, for example by a program that searches source code for secrets.
const PREFIX: &str = "ap_";

/// A random token, and its line for the file of
/// [`BearerTokens`](crate::BearerTokens).
///
/// The token is nowhere but in this value: the line has its hash only. `Debug` does not show it.
///
/// ```
/// use antiphon::NewToken;
///
/// let new = NewToken::generate("alice", ["calc:random"])?;
/// assert!(new.token().starts_with("ap_"));
/// assert!(new.line().starts_with("alice "));
/// # Ok::<(), antiphon::AuthSetupError>(())
/// ```
pub struct NewToken {
    token: String,
    line: String,
}

impl NewToken {
    /// Makes a token of 256 random bits for a subject with these scopes.
    ///
    /// # Errors
    ///
    /// If the subject is empty, longer than 256 bytes, or has spaces or control characters; if a scope
    /// is none; or if the system has no random numbers.
    pub fn generate<S: AsRef<str>>(
        subject: &str,
        scopes: impl IntoIterator<Item = S>,
    ) -> Result<Self, AuthSetupError> {
        let scopes: Vec<S> = scopes.into_iter().collect();
        let scopes: Vec<_> = scopes.iter().map(AsRef::as_ref).collect();
        check_subject(subject).map_err(AuthSetupError::new)?;
        check_scopes(&scopes).map_err(AuthSetupError::new)?;
        let mut random = [0; 32];
        aws_lc_rs::rand::fill(&mut random)
            .map_err(|_| AuthSetupError::new("the system has no random numbers"))?;
        let token = format!("{PREFIX}{}", base64url(&random));
        let line = line(subject, &hash(&token), &scopes);
        Ok(Self { token, line })
    }

    /// The token, for the caller.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The line, for the file.
    #[must_use]
    pub fn line(&self) -> &str {
        &self.line
    }

    /// Appends the line to a token file. A new file can be read by its owner only (mode 0600).
    ///
    /// ```no_run
    /// antiphon::NewToken::generate("alice", ["calc:random"])?.append_to("tokens")?;
    /// # Ok::<(), antiphon::AuthSetupError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the file is no token file, has the line already, or cannot be written.
    pub fn append_to(&self, path: impl AsRef<Path>) -> Result<(), AuthSetupError> {
        let path = path.as_ref();
        if std::fs::symlink_metadata(path).is_ok() {
            let text = read_text(path)?;
            let whole = format!("{}\n{}", text.trim_end(), self.line);
            parse(&whole).map_err(|error| AuthSetupError::of(path, error))?;
        }
        append_line(path, &self.line).map_err(|error| AuthSetupError::of(path, error))
    }
}

impl fmt::Debug for NewToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NewToken(…)")
    }
}

/// Base64 for URLs, without padding (RFC 4648, section 5).
pub(super) fn base64url(bytes: &[u8]) -> String {
    let digit = |six: u32| {
        let six = u8::try_from(six & 63).unwrap_or_default();
        char::from(match six {
            0..=25 => b'A' + six,
            26..=51 => b'a' + six - 26,
            52..=61 => b'0' + six - 52,
            62 => b'-',
            _ => b'_',
        })
    };
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for piece in bytes.chunks(3) {
        let byte = |at: usize| u32::from(piece.get(at).copied().unwrap_or_default());
        let all = byte(0) << 16 | byte(1) << 8 | byte(2);
        let digits = [all >> 18, all >> 12, all >> 6, all];
        text.extend(digits.into_iter().take(piece.len() + 1).map(digit));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_rfc() {
        for (bytes, expected) in [
            (&b""[..], ""),
            (b"f", "Zg"),
            (b"fo", "Zm8"),
            (b"foo", "Zm9v"),
            (b"foobar", "Zm9vYmFy"),
            (&[0xfb, 0xff, 0xbf], "-_-_"),
        ] {
            assert_eq!(base64url(bytes), expected);
        }
    }

    #[test]
    fn tokens_differ_and_have_256_bits() {
        let [a, b] = [(), ()].map(|()| NewToken::generate("a", ["s"]).unwrap());
        assert_ne!(a.token(), b.token());
        assert_eq!(a.token().len(), PREFIX.len() + 43);
        for (subject, scope) in [
            ("", "s"),
            ("a b", "s"),
            ("#a", "s"),
            ("a", "s t"),
            ("a", ""),
        ] {
            assert!(
                NewToken::generate(subject, [scope]).is_err(),
                "{subject} {scope}"
            );
        }
    }

    #[test]
    fn a_line_is_appended_to_token_files_only() {
        let path = std::env::temp_dir().join(format!("antiphon-append-{}", std::process::id()));
        let new = |name| NewToken::generate(name, ["s"]).unwrap();
        let (first, second) = (new("first"), new("second"));
        first.append_to(&path).unwrap();
        second.append_to(&path).unwrap();
        let expected = format!("{}\n{}\n", first.line(), second.line());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), expected);
        // An editor may leave the last line without an end.
        std::fs::write(&path, first.line()).unwrap();
        second.append_to(&path).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), expected);
        assert!(second.append_to(&path).is_err(), "it is there already");
        std::fs::write(&path, "something else").unwrap();
        assert!(first.append_to(&path).is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "something else");
        std::fs::remove_file(path).unwrap();
    }
}
