//! New files: complete before they are at their path, and never written through a link.

use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher as _, RandomState};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::owned::OwnedFile;

/// Attempts to find a name that is not taken. A random name is taken only by a program that guesses.
const ATTEMPTS: usize = 16;

/// A complete file beside its path. It is removed on drop, unless it was published.
///
/// The content is not forced to the disk: it is about a running process, and ends with it.
#[derive(Debug)]
pub(crate) struct PreparedFile {
    file: OwnedFile,
    beside: PathBuf,
    path: PathBuf,
}

impl PreparedFile {
    /// Writes the content to a new file with a random name, in the folder of the path. It has its
    /// mode from the first moment, and other users cannot have created it.
    ///
    /// # Errors
    ///
    /// `AlreadyExists` if what is at the path is neither a file nor a link; or the error of the
    /// system, for example if the disk is full.
    pub(crate) fn new(path: &Path, content: &str, mode: u32) -> io::Result<Self> {
        if fs::symlink_metadata(path).is_ok_and(|found| !(found.is_file() || found.is_symlink())) {
            let text = "something that is no file is there already, and stays";
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, text));
        }
        let (mut file, beside) = create_beside(path, mode)?;
        let made = match file.metadata() {
            Ok(made) => made,
            Err(error) => {
                let _ = fs::remove_file(&beside);
                return Err(error);
            }
        };
        // From here on a failure removes the file.
        let open = file.try_clone().ok();
        let owned = OwnedFile::new(&beside, (made.dev(), made.ino()), open);
        file.write_all(content.as_bytes())?;
        Ok(Self {
            file: owned,
            beside,
            path: path.to_owned(),
        })
    }

    /// Moves the file to its path. A file or a link that is there is replaced.
    ///
    /// # Errors
    ///
    /// The error of the system; the file is removed then.
    pub(crate) fn publish(self) -> io::Result<OwnedFile> {
        fs::rename(&self.beside, &self.path)?;
        Ok(self.file.moved_to(&self.path))
    }
}

/// Creates an empty file with a random name. `create_new` follows no link.
fn create_beside(path: &Path, mode: u32) -> io::Result<(File, PathBuf)> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(mode);
    let mut last = io::Error::from(io::ErrorKind::AlreadyExists);
    for _ in 0..ATTEMPTS {
        let beside = path.with_file_name(format!(".{}", random_word()));
        match options.open(&beside) {
            Ok(file) => return Ok((file, beside)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => last = error,
            Err(error) => return Err(error),
        }
    }
    Err(last)
}

/// Six letters and digits that nobody can predict. They are few, because the path of a socket is
/// short.
pub(crate) fn random_word() -> String {
    // The keys of the hasher are random, and differ with each call.
    let mut random = RandomState::new().hash_one(std::process::id());
    let mut word = String::with_capacity(6);
    for _ in 0..6 {
        // Below 36, so it is a digit in that base.
        let digit = u32::try_from(random % 36).unwrap_or_default();
        word.extend(char::from_digit(digit, 36));
        random /= 36;
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// A temporary folder, removed on drop.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let name = format!("antiphon-write-{name}-{}", std::process::id());
            let path = std::env::temp_dir().join(name);
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn names(&self) -> Vec<String> {
            let entries = fs::read_dir(&self.0).unwrap();
            let name = |entry: io::Result<fs::DirEntry>| entry.unwrap().file_name();
            let mut names: Vec<_> = entries
                .map(|entry| name(entry).into_string().unwrap())
                .collect();
            names.sort();
            names
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_file_is_complete_when_it_appears_and_goes_with_its_owner() {
        let folder = Folder::new("whole");
        let path = folder.0.join("x");
        let prepared = PreparedFile::new(&path, "content", 0o600).unwrap();
        assert!(!path.exists());
        let file = prepared.publish().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "content");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        let second = PreparedFile::new(&path, "more", 0o600).unwrap();
        let second = second.publish().unwrap();
        drop(file);
        assert_eq!(fs::read_to_string(&path).unwrap(), "more", "the second's");
        drop(second);
        drop(PreparedFile::new(&path, "never shown", 0o600).unwrap());
        assert!(folder.names().is_empty(), "{:?}", folder.names());
    }

    #[test]
    fn a_planted_link_is_replaced_and_its_target_stays() {
        let folder = Folder::new("link");
        let (target, path) = (folder.0.join("target"), folder.0.join("x"));
        fs::write(&target, "mine").unwrap();
        symlink(&target, &path).unwrap();
        let _file = PreparedFile::new(&path, "content", 0o600)
            .unwrap()
            .publish()
            .unwrap();
        assert_eq!(fs::read_to_string(&target).unwrap(), "mine");
        assert_eq!(fs::read_to_string(&path).unwrap(), "content");
        assert!(!path.is_symlink());
    }

    #[test]
    fn what_cannot_be_written_leaves_nothing_behind() {
        let folder = Folder::new("refused");
        let path = folder.0.join("folder");
        fs::create_dir(&path).unwrap();
        let kind = |path: &Path| {
            let refused = PreparedFile::new(path, "x", 0o600).unwrap_err();
            refused.kind()
        };
        assert_eq!(kind(&path), io::ErrorKind::AlreadyExists);
        assert_eq!(kind(Path::new("/dev/null")), io::ErrorKind::AlreadyExists);
        assert_eq!(kind(&folder.0.join("no/x")), io::ErrorKind::NotFound);
        let file = folder.0.join("file");
        let prepared = PreparedFile::new(&file, "x", 0o600).unwrap();
        fs::create_dir(&file).unwrap();
        assert!(prepared.publish().is_err());
        assert_eq!(folder.names(), ["file", "folder"]);
    }

    #[test]
    fn names_are_not_repeated() {
        let words: std::collections::HashSet<_> = (0..1000).map(|_| random_word()).collect();
        assert!(words.len() > 995, "{}", words.len());
        assert!(words.iter().all(|word| word.len() == 6), "{words:?}");
    }
}
