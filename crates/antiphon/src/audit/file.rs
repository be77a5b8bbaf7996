//! File or pipe that lines go to.

use std::fs::{File, Metadata};
use std::io::{self, Write};
use std::path::Path;

use crate::files::append::{append_options, ends_line};
use crate::files::line_output::LineOutput;

/// The path that stands for standard output.
const STANDARD_OUTPUT: &str = "-";

/// A file that is written to only if it takes at least a line now, where the system can tell.
#[derive(Debug)]
pub(super) struct Target(File);

impl Write for Target {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        match is_writable(&self.0)? {
            true => self.0.write(lines),
            false => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Opens a file to append to, a named pipe or a device; or standard output. A new file can be read by its
/// owner only, where the system has modes. A link is not followed.
///
/// # Errors
///
/// The error of the system; `InvalidInput` for what no line can be written to.
pub(super) fn open(path: &Path) -> io::Result<LineOutput<Target>> {
    if path == Path::new(STANDARD_OUTPUT) {
        return Ok(LineOutput::new(Target(standard_output()?), false));
    }
    let known = std::fs::symlink_metadata(path).ok();
    if known.is_some_and(|known| is_stream(&known)) {
        // Not to be read: who opens a pipe for that is one of its readers.
        return Ok(LineOutput::new(Target(append_options().open(path)?), false));
    }
    let mut file = append_options().read(true).open(path)?;
    if !file.metadata()?.is_file() {
        let text = "it is no file, pipe or device";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    let is_torn = !ends_line(&mut file)?;
    Ok(LineOutput::new(Target(file), is_torn))
}

#[cfg(unix)]
fn is_stream(metadata: &Metadata) -> bool {
    use std::os::unix::fs::FileTypeExt as _;
    let kind = metadata.file_type();
    kind.is_fifo() || kind.is_char_device()
}

/// Whether a write does not have to wait. A pipe that can be written to takes 4 KiB (`PIPE_BUF`).
#[cfg(unix)]
fn is_writable(file: &File) -> io::Result<bool> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    Ok(poll(&mut [PollFd::new(file, PollFlags::OUT)], Some(&now))? > 0)
}

#[cfg(not(unix))]
fn is_writable(_: &File) -> io::Result<bool> {
    Ok(true)
}

#[cfg(not(unix))]
fn is_stream(_: &Metadata) -> bool {
    false
}

/// A copy of standard output, so that nothing gathers in the buffer of the standard library.
#[cfg(unix)]
fn standard_output() -> io::Result<File> {
    use std::os::fd::AsFd as _;
    Ok(io::stdout().as_fd().try_clone_to_owned()?.into())
}

#[cfg(windows)]
fn standard_output() -> io::Result<File> {
    use std::os::windows::io::AsHandle as _;
    Ok(io::stdout().as_handle().try_clone_to_owned()?.into())
}

#[cfg(not(any(unix, windows)))]
fn standard_output() -> io::Result<File> {
    Err(io::ErrorKind::Unsupported.into())
}
