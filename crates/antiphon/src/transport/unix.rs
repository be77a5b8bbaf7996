//! Unix sockets. They are created without a moment at which other users could connect, they replace
//! stale socket files, and their file is removed at the end.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net;
use std::path::{Path, PathBuf};
use std::time::Duration;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{FlockOperation, flock};
use tokio::io::Interest;
pub(crate) use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::transport::byte_stream::{Socket, says_gone};

/// The longest usable path in bytes: on Linux, `sun_path` has 108 bytes including a NUL.
const MAX_PATH: usize = 107;

/// Timeout for connecting. The kernel connects at once, unless the accept queue of the server is
/// full.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Connects to a socket.
pub(crate) async fn connect(path: &Path) -> io::Result<UnixStream> {
    timeout(CONNECT_TIMEOUT, UnixStream::connect(path)).await?
}

impl Socket for UnixStream {
    fn is_hung_up(&self) -> bool {
        says_gone(self.ready(Interest::READABLE))
    }
}

/// A listening socket. It is registered with the runtime in which it was created.
#[derive(Debug)]
pub(crate) struct UnixListener(tokio::net::UnixListener);

impl UnixListener {
    /// Opens a socket at a path; see [`listen`].
    pub(crate) fn open(path: &Path) -> io::Result<(Self, Cleanup)> {
        let (listener, cleanup) = listen(path)?;
        Ok((Self::from_std(listener)?, cleanup))
    }

    /// Wraps a socket that is already listening.
    pub(crate) fn from_fd(socket: OwnedFd) -> io::Result<Self> {
        Self::from_std(net::UnixListener::from(socket))
    }

    fn from_std(listener: net::UnixListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self(tokio::net::UnixListener::from_std(listener)?))
    }

    pub(crate) async fn accept(&self) -> io::Result<UnixStream> {
        Ok(self.0.accept().await?.0)
    }

    /// Deregisters the socket from the runtime, but keeps it open.
    pub(crate) fn into_queue(self) -> io::Result<UnixQueue> {
        Ok(UnixQueue(self.0.into_std()?))
    }
}

impl AsFd for UnixListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// A listening socket outside the runtime, with the connections in its accept queue.
#[derive(Debug)]
pub(crate) struct UnixQueue(net::UnixListener);

impl UnixQueue {
    /// Accepts the next connection; fails with `WouldBlock` if the queue is empty.
    pub(crate) fn accept(&self) -> io::Result<UnixStream> {
        let (socket, _) = self.0.accept()?;
        socket.set_nonblocking(true)?;
        UnixStream::from_std(socket)
    }
}

impl From<UnixQueue> for OwnedFd {
    fn from(queue: UnixQueue) -> Self {
        queue.0.into()
    }
}

/// Removes the socket file on drop, if it is still the same file.
#[derive(Debug)]
pub(crate) struct Cleanup {
    path: PathBuf,
    inode: (u64, u64),
}

#[cfg(feature = "supervisor")]
impl Cleanup {
    /// Cleans up a socket that another process has created.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        let made = fs::symlink_metadata(path)?;
        Ok(Self {
            path: path.to_owned(),
            inode: (made.dev(), made.ino()),
        })
    }

    /// Keeps the file.
    pub(crate) fn leave(mut self) {
        self.inode = (0, 0);
    }
}

impl Drop for Cleanup {
    fn drop(&mut self) {
        let ours = fs::symlink_metadata(&self.path)
            .is_ok_and(|found| (found.dev(), found.ino()) == self.inode);
        if ours {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Listens at a path that only the current user can connect to (mode 0600).
///
/// The socket is created in a private folder, and renamed to its path when its mode is set.
/// Meanwhile the folder of the path is locked, so that of two servers that start at the same time
/// one detects the other.
///
/// # Errors
///
/// `AddrInUse` if another server listens there; `AlreadyExists` if the path exists and is no socket
/// (it is not changed); `InvalidInput` if the path is longer than 107 bytes; or the system's error
/// if the folder is missing.
fn listen(path: &Path) -> io::Result<(net::UnixListener, Cleanup)> {
    if path.as_os_str().len() > MAX_PATH {
        let text = format!("the path of a socket has at most {MAX_PATH} bytes");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let lock = File::open(folder)?;
    flock(&lock, FlockOperation::LockExclusive)?;
    check(path)?;
    let private = PrivateFolder::new(folder)?;
    let socket = private.0.join("s");
    let listener = net::UnixListener::bind(&socket)?;
    fs::set_permissions(&socket, Permissions::from_mode(0o600))?;
    let made = fs::symlink_metadata(&socket)?;
    fs::rename(&socket, path)?;
    let cleanup = Cleanup {
        path: path.to_owned(),
        inode: (made.dev(), made.ino()),
    };
    Ok((listener, cleanup))
}

/// Checks that the path is free, or that it is a socket without a listener.
fn check(path: &Path) -> io::Result<()> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !found.file_type().is_socket() {
        let text = "something that is no socket is there already, and stays";
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, text));
    }
    match net::UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
        // It was removed in the meantime.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
        // The accept queue is full, or the connection was accepted: there is a listener.
        _ => Err(io::Error::new(
            io::ErrorKind::AddrInUse,
            "another server answers there",
        )),
    }
}

/// A private folder (mode 0700), removed on drop.
struct PrivateFolder(PathBuf);

impl PrivateFolder {
    fn new(beside: &Path) -> io::Result<Self> {
        // The name is short, since the path of a socket has at most 107 bytes.
        for number in 0..100 {
            let path = beside.join(format!(".{}{number}", std::process::id()));
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }
}

impl Drop for PrivateFolder {
    fn drop(&mut self) {
        let _ = fs::remove_file(self.0.join("s"));
        let _ = fs::remove_dir(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    /// A temporary folder, removed on drop.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("antiphon-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn kind(path: &Path) -> io::ErrorKind {
        listen(path).map(|_| ()).unwrap_err().kind()
    }

    #[test]
    fn a_socket_is_private_and_goes_with_its_server() {
        let folder = Folder::new("private");
        let path = folder.0.join("x.sock");
        let (_listener, cleanup) = listen(&path).unwrap();
        let found = fs::symlink_metadata(&path).unwrap();
        assert_eq!(found.permissions().mode() & 0o777, 0o600);
        assert!(net::UnixStream::connect(&path).is_ok());
        drop(cleanup);
        assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 0);
    }

    #[test]
    fn what_is_left_of_a_dead_server_is_replaced_and_a_live_one_is_not() {
        let folder = Folder::new("stale");
        let path = folder.0.join("x.sock");
        drop(UnixListener::bind(&path).unwrap());
        let (_listener, first) = listen(&path).unwrap();
        assert_eq!(kind(&path), io::ErrorKind::AddrInUse);
        assert!(path.exists());
        // A socket that replaced it is not removed.
        fs::remove_file(&path).unwrap();
        let _other = UnixListener::bind(&path).unwrap();
        drop(first);
        assert!(path.exists());
    }

    #[test]
    fn nothing_but_a_socket_is_replaced() {
        let folder = Folder::new("other");
        let (file, link) = (folder.0.join("file"), folder.0.join("link"));
        fs::write(&file, "mine").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        for path in [&file, &link, &folder.0] {
            assert_eq!(kind(path), io::ErrorKind::AlreadyExists, "{path:?}");
        }
        assert_eq!(fs::read_to_string(&link).unwrap(), "mine");
        assert_eq!(kind(&folder.0.join("no/x.sock")), io::ErrorKind::NotFound);
        let long = folder.0.join("x".repeat(200));
        assert_eq!(kind(&long), io::ErrorKind::InvalidInput);
    }

    #[test]
    fn of_many_that_start_together_one_listens() {
        let folder = Folder::new("race");
        let path = folder.0.join("x.sock");
        let starts: Vec<_> = (0..8)
            .map(|_| {
                let path = path.clone();
                std::thread::spawn(move || listen(&path))
            })
            .collect();
        let started = starts.into_iter().map(|start| start.join().unwrap());
        let listening: Vec<_> = started.filter_map(Result::ok).collect();
        assert_eq!(listening.len(), 1);
        assert!(net::UnixStream::connect(&path).is_ok());
    }
}
