//! Lock on the path of a socket, while a server looks whether it is free.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, OFlags, flock};
use tokio::time::{Instant, sleep};

/// How long to wait for another server that opens a socket at the same path. It takes milliseconds.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Pause between two attempts.
const PAUSE: Duration = Duration::from_millis(10);

/// The lock: a file of our own beside the socket. A lock on the folder could be held by everybody
/// who can read it. The file is removed on drop; one that a killed server has left is used again.
#[derive(Debug)]
pub(super) struct Lock {
    path: PathBuf,
    _held: File,
}

impl Lock {
    /// Takes the lock for a socket at this path.
    ///
    /// # Errors
    ///
    /// `TimedOut` if another program holds it; `PermissionDenied` if the file belongs to another
    /// user; `AlreadyExists` if it is something else; or the error of the system.
    pub(super) async fn take(socket: &Path) -> io::Result<Self> {
        let mut path = socket.as_os_str().to_owned();
        path.push(".lock");
        let path = PathBuf::from(path);
        let until = Instant::now() + TIMEOUT;
        loop {
            if let Some(held) = attempt(&path)? {
                return Ok(Self { path, _held: held });
            }
            if until <= Instant::now() {
                let path = path.display();
                let text = format!(
                    "another program holds the lock {path}; end that program, or choose another path"
                );
                return Err(io::Error::new(io::ErrorKind::TimedOut, text));
            }
            sleep(PAUSE).await;
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Who waits for the lock then sees that the file is gone, and makes a new one.
        let _ = fs::remove_file(&self.path);
    }
}

/// The locked file; `None` if another program has locked it, or has just removed it.
fn attempt(path: &Path) -> io::Result<Option<File>> {
    let mut options = OpenOptions::new();
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    options.write(true).create(true).truncate(false).mode(0o600);
    let opened = options.custom_flags(flags.bits().cast_signed()).open(path);
    let file = match opened {
        Ok(file) => file,
        Err(_) if fs::symlink_metadata(path).is_ok_and(|found| !found.is_file()) => {
            return Err(unfit(path, io::ErrorKind::AlreadyExists, "is no file"));
        }
        Err(error) => {
            let text = format!("the lock {} cannot be opened: {error}", path.display());
            return Err(io::Error::new(error.kind(), text));
        }
    };
    let made = file.metadata()?;
    if made.uid() != rustix::process::geteuid().as_raw() {
        let text = "belongs to another user";
        return Err(unfit(path, io::ErrorKind::PermissionDenied, text));
    }
    // Ours has no content and is removed at the end; this one is somebody's.
    if !made.is_file() || made.len() > 0 {
        return Err(unfit(path, io::ErrorKind::AlreadyExists, "is no lock"));
    }
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    let is_there = fs::symlink_metadata(path)
        .is_ok_and(|found| (found.dev(), found.ino()) == (made.dev(), made.ino()));
    Ok(is_there.then_some(file))
}

fn unfit(path: &Path, kind: io::ErrorKind, what: &str) -> io::Error {
    let text = format!(
        "{} {what}, and is needed as a lock; remove it, or choose another path",
        path.display()
    );
    io::Error::new(kind, text)
}
