//! A file that belongs to this process and ends with it.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Removes a file or a socket on drop, if it is still the same one.
#[derive(Debug)]
pub(crate) struct OwnedFile {
    path: PathBuf,
    inode: (u64, u64),
    is_removed: bool,
    /// As long as the file is open, the system gives its number to no other file.
    _open: Option<File>,
}

impl OwnedFile {
    /// The file that is at this path now.
    ///
    /// # Errors
    ///
    /// The error of the system if there is none.
    pub(crate) fn at(path: &Path) -> io::Result<Self> {
        let found = fs::symlink_metadata(path)?;
        Ok(Self::new(path, (found.dev(), found.ino()), None))
    }

    /// The file with this device and number, which is or will be at this path.
    pub(super) fn new(path: &Path, inode: (u64, u64), open: Option<File>) -> Self {
        Self {
            path: path.to_owned(),
            inode,
            is_removed: true,
            _open: open,
        }
    }

    /// Says whether the file is removed at the end. It stays as long as another process needs it.
    pub(crate) fn set_removed(&mut self, is_removed: bool) {
        self.is_removed = is_removed;
    }

    /// The same file after it was renamed.
    pub(crate) fn moved_to(mut self, path: &Path) -> Self {
        self.path = path.to_owned();
        self
    }
}

impl Drop for OwnedFile {
    fn drop(&mut self) {
        let is_same = || {
            fs::symlink_metadata(&self.path)
                .is_ok_and(|found| (found.dev(), found.ino()) == self.inode)
        };
        if self.is_removed && is_same() {
            let _ = fs::remove_file(&self.path);
        }
    }
}
