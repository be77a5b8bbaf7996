//! Lines at the end of a file.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

/// Options that open a file to append to, without waiting. A new one can be read by its owner only, where
/// the system has modes. A link is not followed.
pub(crate) fn append_options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        use std::os::unix::fs::OpenOptionsExt as _;

        let flags = OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::NOFOLLOW;
        options.mode(0o600).custom_flags(flags.bits().cast_signed());
    }
    options
}

/// Whether a file is empty, or ends with the end of a line. It has to be readable.
///
/// # Errors
///
/// The error of the system.
pub(crate) fn ends_line(file: &mut File) -> io::Result<bool> {
    let mut last = [b'\n'];
    if file.seek(SeekFrom::End(0))? > 0 {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
    }
    Ok(last == *b"\n")
}

/// Appends a line to a regular file, in one write.
///
/// # Errors
///
/// `InvalidInput` if the path is no regular file; or the error of the system.
pub(crate) fn append_line(path: &Path, line: &str) -> io::Result<()> {
    let mut file = append_options().read(true).open(path)?;
    if !file.metadata()?.is_file() {
        let text = "it is no regular file";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    let separator = if ends_line(&mut file)? { "" } else { "\n" };
    file.write_all(format!("{separator}{line}\n").as_bytes())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_new_file_is_its_owners_and_a_link_is_left_alone() {
        let folder = std::env::temp_dir().join(format!("antiphon-line-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("file");
        append_line(&file, "one").unwrap();
        append_line(&file, "two").unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "one\ntwo\n");
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let link = folder.join("link");
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert!(append_line(&link, "three").is_err());
        assert!(append_line(&folder, "three").is_err());
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "one\ntwo\n");
        std::fs::remove_dir_all(folder).unwrap();
    }
}
