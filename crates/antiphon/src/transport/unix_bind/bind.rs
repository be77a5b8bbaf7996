//! A listening socket at a path. There is no moment at which more users than asked for can connect,
//! and what a dead server has left is replaced.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, MetadataExt as _};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::net;
use std::path::{Path, PathBuf};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::{Errno, FdFlags, fcntl_setfd};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType};

use super::group;
use super::lock::Lock;
use crate::address::SocketAccess;
use crate::files::owned::OwnedFile;
use crate::files::write::random_word;

/// The longest usable path in bytes: on Linux, `sun_path` has 108 bytes including a NUL.
const MAX_PATH: usize = 107;

/// Attempts to find a name for the private folder. A random one is taken only by chance.
const ATTEMPTS: usize = 16;

/// Listens at a path, for the users who are given access.
///
/// The socket is created in a private folder, gets its group and then its mode there, and is
/// renamed to its path. Meanwhile the path is locked, so that of two servers that start at the same
/// time one detects the other. Nothing here waits for another program, except for at most 2 s for
/// the lock.
///
/// # Errors
///
/// `AddrInUse` if another server listens there; `AlreadyExists` if the path exists and is no socket
/// (it is not changed); `InvalidInput` if the path is longer than 107 bytes; those of the lock and
/// of the group; or the system's error if the folder is missing.
pub(crate) async fn listen(
    path: &Path,
    access: &SocketAccess,
) -> io::Result<(net::UnixListener, OwnedFile)> {
    if path.as_os_str().len() > MAX_PATH {
        let text = format!("the path of a socket has at most {MAX_PATH} bytes");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    let group = match &access.group {
        Some(name) => Some((name, group::number(name)?)),
        None => None,
    };
    let _lock = Lock::take(path).await?;
    check(path)?;
    let private = PrivateFolder::beside(path)?;
    let socket = private.0.join("s");
    let listener = net::UnixListener::bind(&socket)?;
    if let Some((name, number)) = group {
        chown(&socket, None, Some(number)).map_err(|error| {
            let text = format!(
                "the socket cannot be given to the group {name}: {error}; that takes a member of \
                 the group, or root"
            );
            io::Error::new(error.kind(), text)
        })?;
    }
    fs::set_permissions(&socket, Permissions::from_mode(access.mode))?;
    let file = OwnedFile::at(&socket)?;
    fs::rename(&socket, path).map_err(|error| {
        let text = format!("the socket that was left there cannot be replaced: {error}");
        match path.exists() {
            true => io::Error::new(error.kind(), text),
            false => error,
        }
    })?;
    Ok((listener, file.moved_to(path)))
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
    match probe(path) {
        // Nobody listens, or it was removed in the meantime.
        Err(Errno::CONNREFUSED | Errno::NOENT) => Ok(()),
        Err(Errno::ACCESS | Errno::PERM) => {
            let user = found.uid();
            let text = format!(
                "a socket of the user {user} is there already, which this process may not use"
            );
            Err(io::Error::new(io::ErrorKind::PermissionDenied, text))
        }
        // Somebody listens: the connection was made, the queue is full, or it is a socket of
        // another type.
        Ok(()) | Err(Errno::AGAIN | Errno::INPROGRESS | Errno::PROTOTYPE) => Err(io::Error::new(
            io::ErrorKind::AddrInUse,
            "another server listens there; stop it, or choose another path",
        )),
        Err(error) => Err(error.into()),
    }
}

/// Connects without waiting: a stopped server with a full queue would make it wait for ever.
fn probe(path: &Path) -> Result<(), Errno> {
    let socket = rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None)?;
    fcntl_setfd(&socket, FdFlags::CLOEXEC)?;
    fcntl_setfl(&socket, fcntl_getfl(&socket)? | OFlags::NONBLOCK)?;
    rustix::net::connect(&socket, &SocketAddrUnix::new(path)?)
}

/// A private folder (mode 0700), removed on drop.
struct PrivateFolder(PathBuf);

impl PrivateFolder {
    fn beside(path: &Path) -> io::Result<Self> {
        let mut last = io::Error::from(io::ErrorKind::AlreadyExists);
        for _ in 0..ATTEMPTS {
            // The name is short, since the path of a socket has at most 107 bytes.
            let folder = path.with_file_name(format!(".{}", random_word()));
            match DirBuilder::new().mode(0o700).create(&folder) {
                Ok(()) => return Ok(Self(folder)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => last = error,
                Err(error) => return Err(error),
            }
        }
        Err(last)
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
    use std::os::unix::fs::symlink;
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

    async fn listen(path: &Path) -> io::Result<(UnixListener, OwnedFile)> {
        super::listen(path, &SocketAccess::default()).await
    }

    async fn kind(path: &Path) -> io::ErrorKind {
        listen(path).await.map(|_| ()).unwrap_err().kind()
    }

    fn access(query: &str) -> SocketAccess {
        let address = format!("unix:x{query}").parse();
        let Ok(crate::Address::Unix { access, .. }) = address else {
            panic!("{query}: {address:?}");
        };
        access
    }

    #[tokio::test]
    async fn a_socket_is_private_and_goes_with_its_server() {
        let folder = Folder::new("private");
        let path = folder.0.join("x.sock");
        let (_listener, file) = listen(&path).await.unwrap();
        let found = fs::symlink_metadata(&path).unwrap();
        assert_eq!(found.permissions().mode() & 0o777, 0o600);
        assert!(net::UnixStream::connect(&path).is_ok());
        drop(file);
        assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_socket_has_the_mode_and_the_group_that_were_asked_for() {
        let folder = Folder::new("access");
        let own = rustix::process::getegid().as_raw();
        let table = [
            (String::new(), 0o600, own),
            ("?mode=0666".to_owned(), 0o666, own),
            (format!("?mode=0660&group={own}"), 0o660, own),
        ];
        for (query, mode, group) in table {
            let path = folder.0.join("x.sock");
            let (_listener, _file) = super::listen(&path, &access(&query)).await.unwrap();
            let found = fs::symlink_metadata(&path).unwrap();
            assert_eq!(
                (found.mode() & 0o7777, found.gid()),
                (mode, group),
                "{query}"
            );
        }
        let path = folder.0.join("y.sock");
        let error = super::listen(&path, &access("?mode=0660&group=no-such-group")).await;
        let error = error.unwrap_err().to_string();
        assert!(error.contains("no group no-such-group"), "{error}");
        assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn what_is_left_of_a_dead_server_is_replaced_and_a_live_one_is_not() {
        let folder = Folder::new("stale");
        let path = folder.0.join("x.sock");
        drop(UnixListener::bind(&path).unwrap());
        let (_listener, first) = listen(&path).await.unwrap();
        assert_eq!(kind(&path).await, io::ErrorKind::AddrInUse);
        assert!(path.exists());
        // A socket that replaced it is not removed.
        fs::remove_file(&path).unwrap();
        let _other = UnixListener::bind(&path).unwrap();
        drop(first);
        assert!(path.exists());
    }

    #[tokio::test]
    async fn a_server_whose_queue_is_full_is_a_live_one() {
        let folder = Folder::new("queue");
        let path = folder.0.join("x.sock");
        let _listener = UnixListener::bind(&path).unwrap();
        let small = rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
        let path = folder.0.join("y.sock");
        rustix::net::bind(&small, &SocketAddrUnix::new(&path).unwrap()).unwrap();
        rustix::net::listen(&small, 0).unwrap();
        let _first = net::UnixStream::connect(&path).unwrap();
        assert_eq!(kind(&path).await, io::ErrorKind::AddrInUse);
        assert_eq!(kind(&path).await, io::ErrorKind::AddrInUse);
    }

    #[tokio::test]
    async fn nothing_but_a_socket_is_replaced() {
        let folder = Folder::new("other");
        let (file, link) = (folder.0.join("file"), folder.0.join("link"));
        fs::write(&file, "mine").unwrap();
        symlink(&file, &link).unwrap();
        let datagrams = folder.0.join("datagrams");
        let _datagrams = net::UnixDatagram::bind(&datagrams).unwrap();
        let table = [
            (file.clone(), io::ErrorKind::AlreadyExists),
            (link.clone(), io::ErrorKind::AlreadyExists),
            (folder.0.clone(), io::ErrorKind::AlreadyExists),
            (datagrams, io::ErrorKind::AddrInUse),
            (folder.0.join("no/x.sock"), io::ErrorKind::NotFound),
            (folder.0.join("x".repeat(200)), io::ErrorKind::InvalidInput),
        ];
        for (path, expected) in table {
            assert_eq!(kind(&path).await, expected, "{path:?}");
        }
        assert_eq!(fs::read_to_string(&link).unwrap(), "mine");
    }

    #[tokio::test]
    async fn a_lock_file_is_never_followed_nor_taken_from_somebody() {
        let folder = Folder::new("lock");
        let (path, lock) = (folder.0.join("x.sock"), folder.0.join("x.sock.lock"));
        // What a killed server has left is used again.
        fs::write(&lock, "").unwrap();
        drop(listen(&path).await.unwrap());
        assert!(!lock.exists());
        fs::write(&lock, "mine").unwrap();
        assert_eq!(kind(&path).await, io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&lock).unwrap(), "mine");
        fs::remove_file(&lock).unwrap();
        let target = folder.0.join("target");
        symlink(&target, &lock).unwrap();
        assert_eq!(kind(&path).await, io::ErrorKind::AlreadyExists);
        assert!(!target.exists());
    }

    #[tokio::test(start_paused = true)]
    async fn a_lock_that_another_program_holds_is_waited_for_within_a_bound() {
        use rustix::fs::{FlockOperation, flock};

        let folder = Folder::new("held");
        let path = folder.0.join("x.sock");
        // A lock on the folder is nobody's business.
        let held = fs::File::open(&folder.0).unwrap();
        flock(&held, FlockOperation::LockExclusive).unwrap();
        drop(listen(&path).await.unwrap());
        let lock = fs::File::create(folder.0.join("x.sock.lock")).unwrap();
        flock(&lock, FlockOperation::LockExclusive).unwrap();
        let before = tokio::time::Instant::now();
        assert_eq!(kind(&path).await, io::ErrorKind::TimedOut);
        assert_eq!(before.elapsed().as_secs(), 2);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 8)]
    async fn of_many_that_start_together_one_listens() {
        let folder = Folder::new("race");
        let path = folder.0.join("x.sock");
        let mut starts = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let path = path.clone();
            starts.spawn(async move { listen(&path).await });
        }
        let started = starts.join_all().await;
        let listening: Vec<_> = started.into_iter().filter_map(Result::ok).collect();
        assert_eq!(listening.len(), 1);
        assert!(net::UnixStream::connect(&path).is_ok());
    }
}
