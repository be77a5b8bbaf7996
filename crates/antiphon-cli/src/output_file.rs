//! Output files: complete or not there, and never written through a link of somebody else.

use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher as _, RandomState};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::exit::Failure;

/// Attempts to find a name that is not taken.
const ATTEMPTS: u64 = 16;

/// Writes a file, or replaces one. A link or a device, such as `/dev/stdout`, is written to.
///
/// # Errors
///
/// If the file cannot be written: it is as before then, or not there.
pub(crate) fn write(path: &str, content: &str) -> Result<(), Failure> {
    let target = Path::new(path);
    let written = match fs::symlink_metadata(target) {
        Ok(found) if !found.is_file() => write_into(target, &found, content),
        Ok(found) => replace(target, Some(&found), content),
        Err(_) => replace(target, None, content),
    };
    written.map_err(|error| Failure::io(path, &error))
}

/// Writes a new file beside the path, and renames it when it is complete.
fn replace(path: &Path, found: Option<&fs::Metadata>, content: &str) -> io::Result<()> {
    let (mut file, beside) = create_beside(path)?;
    let written = file
        .write_all(content.as_bytes())
        .and_then(|()| match found {
            Some(found) => file.set_permissions(found.permissions()),
            None => Ok(()),
        })
        .and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        let _ = fs::remove_file(beside);
    }
    written
}

/// Creates an empty file with a random name, which nobody can have created before as a link.
fn create_beside(path: &Path) -> io::Result<(File, PathBuf)> {
    let mut last = io::Error::from(io::ErrorKind::AlreadyExists);
    for attempt in 0..ATTEMPTS {
        let random = RandomState::new().hash_one(attempt);
        let beside = path.with_file_name(format!(".{random:016x}"));
        let opened = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&beside);
        match opened {
            Ok(file) => return Ok((file, beside)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => last = error,
            Err(error) => return Err(error),
        }
    }
    Err(last)
}

/// Writes to what is there: a device, a pipe, or the target of a link, which must exist.
fn write_into(path: &Path, found: &fs::Metadata, content: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).open(path)?;
    let opened = file.metadata()?;
    if found.is_symlink() && opened.is_file() && !is_trusted(found, &opened) {
        let text = "it is a link that another user has made";
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
    }
    if opened.is_file() {
        file.set_len(0)?;
    }
    file.write_all(content.as_bytes())
}

/// Whether the one who made the link may write to its target anyway.
#[cfg(unix)]
fn is_trusted(link: &fs::Metadata, target: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;

    link.uid() == 0 || link.uid() == target.uid()
}

#[cfg(not(unix))]
fn is_trusted(_: &fs::Metadata, _: &fs::Metadata) -> bool {
    true
}
