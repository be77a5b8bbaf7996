//! The control socket of the server that is meant when nobody says which.

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use crate::exit::{Exit, Failure};

/// The only one of this user's at which somebody answers.
pub(super) fn find() -> Result<PathBuf, Failure> {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").unwrap_or_default();
    let folder = Path::new(&runtime).join("antiphon");
    let mut live = sockets(&folder);
    match (live.pop(), live.as_slice()) {
        (Some(path), []) => Ok(path),
        (Some(last), others) => {
            let mut names: Vec<_> = others
                .iter()
                .map(|path| path.display().to_string())
                .collect();
            names.push(last.display().to_string());
            Err(Failure::usage(format!(
                "several servers are running, say which with --control: {}",
                names.join(", ")
            )))
        }
        (None, _) => Err(Failure::new(
            Exit::Connection,
            "no server with workers was found; give its control socket with --control (a server \
             says at its start where that is)",
        )),
    }
}

/// All at which somebody answers, by name.
fn sockets(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut found: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "sock")
        })
        // What is left of a server that was killed refuses.
        .filter(|path| UnixStream::connect(path).is_ok())
        .collect();
    found.sort();
    found
}
