//! Path of the control socket.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use crate::server::ServeError;
use crate::server::Supervision;

/// The configured path, or else a path unique to this process in the default folder. `None` if
/// there is no default folder.
pub(crate) fn of(supervision: &Supervision, program: &str) -> Result<Option<PathBuf>, ServeError> {
    if let Some(path) = &supervision.control {
        return Ok(Some(path.clone()));
    }
    let Some(folder) = folder() else {
        return Ok(None);
    };
    create_private(&folder).map_err(|error| {
        let folder = folder.display();
        ServeError::BadSetting(format!("the control socket cannot be in {folder}: {error}"))
    })?;
    let name = format!("{program}-{}.sock", std::process::id());
    Ok(Some(folder.join(name)))
}

/// Default folder of control sockets: `$XDG_RUNTIME_DIR/antiphon`.
pub(crate) fn folder() -> Option<PathBuf> {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR")?;
    let runtime = Path::new(&runtime);
    (runtime.is_absolute() && runtime.is_dir()).then(|| runtime.join("antiphon"))
}

/// Creates the folder if it does not exist, and checks that it belongs to this user and is not
/// accessible to others (mode 0700).
fn create_private(folder: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    // An existing folder may belong to somebody else; a symbolic link is not followed.
    let found = fs::symlink_metadata(folder)?;
    let ours = found.uid() == rustix::process::geteuid().as_raw();
    if found.is_dir() && ours && found.mode() & 0o077 == 0 {
        return Ok(());
    }
    let text = "the folder has to be ours, and for nobody else (mode 0700)";
    Err(io::Error::new(io::ErrorKind::PermissionDenied, text))
}
