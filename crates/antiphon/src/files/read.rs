//! Bounded reads of regular files.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::path::Path;

/// Opens a regular file.
///
/// Opening a pipe waits for its writer, and a device may never end, so neither is opened: what reads
/// its settings at the start, or on a signal, must not wait for another program.
///
/// # Errors
///
/// `InvalidInput` if the path is no regular file; or the error of the system.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        use std::os::unix::fs::OpenOptionsExt as _;

        let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
        options.custom_flags(flags.bits().cast_signed());
    }
    let file = options.open(path)?;
    if file.metadata()?.is_file() {
        return Ok(file);
    }
    let text = "it is no regular file; a pipe or a device is not read";
    Err(io::Error::new(io::ErrorKind::InvalidInput, text))
}

/// Whether an open file has any of these bits in its mode, where the system tells. The path may have
/// been replaced since it was opened.
pub(crate) fn has_mode(file: &File, bits: u32) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;

        file.metadata()
            .is_ok_and(|data| data.permissions().mode() & bits != 0)
    }
    #[cfg(not(unix))]
    {
        let _ = (file, bits);
        false
    }
}

/// Reads an open file to its end.
///
/// # Errors
///
/// `FileTooLarge` if it has more bytes than `max`; or the error of the system.
pub(crate) fn read(file: &File, max: u64) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    let read = file.take(max.saturating_add(1)).read_to_end(&mut content)?;
    if u64::try_from(read).is_ok_and(|read| read <= max) {
        return Ok(content);
    }
    let text = format!("it is longer than {max} bytes");
    Err(io::Error::new(io::ErrorKind::FileTooLarge, text))
}

/// Reads a regular file as text.
///
/// # Errors
///
/// Those of [`open`] and [`read`]; `InvalidData` if it is no UTF-8.
pub(crate) fn read_text(path: &Path, max: u64) -> io::Result<String> {
    text_of(&open(path)?, max)
}

/// Reads an open file as text.
///
/// # Errors
///
/// Those of [`read`]; `InvalidData` if it is no UTF-8.
pub(crate) fn text_of(file: &File, max: u64) -> io::Result<String> {
    let text = "it is no UTF-8";
    String::from_utf8(read(file, max)?)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, text))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn only_regular_files_of_a_bounded_size_are_read() {
        let folder = std::env::temp_dir().join(format!("antiphon-read-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("file");
        std::fs::write(&file, "four").unwrap();
        let latin = folder.join("latin");
        std::fs::write(&latin, [0xe9]).unwrap();
        let pipe = folder.join("pipe");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &pipe,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
            0,
        )
        .unwrap();
        let table = [
            (file.as_path(), 4, Ok("four")),
            (file.as_path(), 3, Err(io::ErrorKind::FileTooLarge)),
            (latin.as_path(), 9, Err(io::ErrorKind::InvalidData)),
            (pipe.as_path(), 9, Err(io::ErrorKind::InvalidInput)),
            (folder.as_path(), 9, Err(io::ErrorKind::InvalidInput)),
            (Path::new("/dev/zero"), 9, Err(io::ErrorKind::InvalidInput)),
            (&folder.join("none"), 9, Err(io::ErrorKind::NotFound)),
        ];
        for (path, max, expected) in table {
            let read = read_text(path, max).map_err(|error| error.kind());
            let expected = expected.map(str::to_owned);
            assert_eq!(read, expected, "{}", path.display());
        }
        std::fs::remove_dir_all(folder).unwrap();
    }
}
