//! The file of the admin token.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::AdminToken;

/// Random bytes in a token.
const LENGTH: usize = 32;

/// A file with an admin token; exists as long as the server runs.
#[derive(Debug)]
pub(crate) struct TokenFile {
    pub(crate) token: AdminToken,
    path: PathBuf,
    inode: (u64, u64),
}

impl TokenFile {
    /// Generates a token and writes it to a file that no other user can read (mode 0600). An
    /// existing file is replaced.
    pub(crate) fn write(path: &Path) -> io::Result<Self> {
        let mut random = [0; LENGTH];
        File::open("/dev/urandom")?.read_exact(&mut random)?;
        let token: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        Self::write_known(path, &token)
    }

    /// The same with an existing token.
    pub(crate) fn write_known(path: &Path, token: &str) -> io::Result<Self> {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{}", std::process::id()));
        let beside = PathBuf::from(name);
        let written = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&beside)
            .and_then(|mut file| {
                writeln!(file, "{token}")?;
                file.metadata()
            })
            .and_then(|made| fs::rename(&beside, path).map(|()| made));
        match written {
            Ok(made) => Ok(Self {
                token: AdminToken::new(token),
                path: path.to_owned(),
                inode: (made.dev(), made.ino()),
            }),
            Err(error) => {
                let _ = fs::remove_file(&beside);
                Err(error)
            }
        }
    }
}

impl Drop for TokenFile {
    /// Removes the file, since the token is no longer valid. A file that has replaced it is kept.
    fn drop(&mut self) {
        let ours =
            fs::metadata(&self.path).is_ok_and(|found| (found.dev(), found.ino()) == self.inode);
        if ours {
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_token_is_in_its_file_alone_and_goes_with_it() {
        let path = std::env::temp_dir().join(format!("antiphon-token-{}", std::process::id()));
        fs::write(&path, "what was there").unwrap();
        let file = TokenFile::write(&path).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.trim().len(), 2 * LENGTH);
        assert!(file.token.is_shown_by(format!("Bearer {text}").as_bytes()));
        assert!(!format!("{file:?}").contains(text.trim()));
        let second = TokenFile::write(&path).unwrap();
        assert_ne!(second.token.text(), text.trim());
        drop(file);
        assert!(path.exists(), "it is the second one's now");
        drop(second);
        assert!(!path.exists());
    }
}
