//! The file of the admin token.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use super::AdminToken;
use crate::files::owned::OwnedFile;
use crate::files::write::PreparedFile;

/// Random bytes in a token.
const LENGTH: usize = 32;

/// A token whose file is complete, but not at its path yet.
#[derive(Debug)]
pub(crate) struct PreparedToken {
    pub(crate) token: AdminToken,
    file: PreparedFile,
}

impl PreparedToken {
    /// Generates a token, or takes a known one, and writes it to a file that no other user can read
    /// (mode 0600).
    pub(crate) fn new(path: &Path, known: Option<&str>) -> io::Result<Self> {
        let token = match known {
            Some(token) => token.to_owned(),
            None => generate()?,
        };
        Ok(Self {
            file: PreparedFile::new(path, &format!("{token}\n"), 0o600)?,
            token: AdminToken::new(&token),
        })
    }

    /// Shows the file at its path, in place of an existing one.
    pub(crate) fn publish(self) -> io::Result<TokenFile> {
        Ok(TokenFile {
            _file: self.file.publish()?,
        })
    }
}

/// A file with an admin token. It is removed on drop, since the token is no longer valid then.
#[derive(Debug)]
pub(crate) struct TokenFile {
    _file: OwnedFile,
}

fn generate() -> io::Result<String> {
    let mut random = [0; LENGTH];
    File::open("/dev/urandom")?.read_exact(&mut random)?;
    Ok(random.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_token_is_in_its_file_alone_and_goes_with_it() {
        let path = std::env::temp_dir().join(format!("antiphon-token-{}", std::process::id()));
        fs::write(&path, "what was there").unwrap();
        let prepared = PreparedToken::new(&path, None).unwrap();
        let token = prepared.token.clone();
        let file = prepared.publish().unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.trim().len(), 2 * LENGTH);
        assert!(token.is_shown_by(format!("Bearer {text}").as_bytes()));
        let second = PreparedToken::new(&path, None).unwrap();
        assert!(!format!("{second:?}").contains(second.token.text()));
        assert_ne!(second.token.text(), text.trim());
        let second = second.publish().unwrap();
        drop(file);
        assert!(path.exists(), "it is the second one's now");
        drop(second);
        assert!(!path.exists());
    }
}
