//! Files of a running server: the PID file, the admin token, and those of Unix sockets.
//!
//! They are complete before anything is announced, and appear at their paths when the server is
//! ready. So a full disk keeps the server from starting, and a successor that fails leaves those of
//! its predecessor as they are.

use std::io;
use std::path::{Path, PathBuf};

use crate::admin_token::{PreparedToken, TokenFile};
use crate::files::owned::OwnedFile;
use crate::files::write::PreparedFile;
use crate::server::bound::token_file;
use crate::server::{ServeError, Settings};

/// The mode of the PID file: everybody may read it.
const PID_MODE: u32 = 0o644;

/// The files of this process. They are removed on drop.
#[derive(Debug, Default)]
pub(crate) struct RunFiles {
    token: Option<(PathBuf, PreparedToken)>,
    pid: Option<PreparedPid>,
    sockets: Vec<OwnedFile>,
    published: Vec<Published>,
}

#[derive(Debug)]
struct PreparedPid {
    path: PathBuf,
    file: PreparedFile,
}

/// Files that are at their paths, kept to be removed at the end.
#[derive(Debug)]
enum Published {
    Token { _file: TokenFile },
    Pid { _file: OwnedFile },
}

impl RunFiles {
    /// Writes the files that the settings ask for, with a known token or a new one, without showing
    /// them yet.
    ///
    /// # Errors
    ///
    /// [`ServeError::BadSetting`] if a file cannot be written.
    pub(crate) fn prepare(
        settings: &Settings,
        known_token: Option<&str>,
        sockets: Vec<OwnedFile>,
    ) -> Result<Self, ServeError> {
        let mut files = Self {
            sockets,
            ..Self::default()
        };
        if let Some(path) = &settings.admin_token_file {
            let made = token_file(path, PreparedToken::new(path, known_token))?;
            files.token = Some((path.clone(), made));
        }
        files.pid = Self::prepare_pid(settings)?.pid;
        Ok(files)
    }

    /// Writes the PID file alone, if there is to be one, without showing it yet.
    ///
    /// # Errors
    ///
    /// [`ServeError::BadSetting`] if the file cannot be written.
    pub(crate) fn prepare_pid(settings: &Settings) -> Result<Self, ServeError> {
        let mut files = Self::default();
        if let Some(path) = &settings.supervision.pid_file {
            let content = format!("{}\n", std::process::id());
            files.pid = Some(PreparedPid {
                file: pid_file(path, PreparedFile::new(path, &content, PID_MODE))?,
                path: path.clone(),
            });
        }
        Ok(files)
    }

    /// The text of the admin token.
    pub(crate) fn token(&self) -> Option<String> {
        let (_, prepared) = self.token.as_ref()?;
        Some(prepared.token.text().to_owned())
    }

    /// Shows the files at their paths. From now on the server is the one that removes them.
    ///
    /// # Errors
    ///
    /// [`ServeError::BadSetting`] if a file cannot be moved to its path.
    pub(crate) fn publish(&mut self) -> Result<(), ServeError> {
        if let Some((path, prepared)) = self.token.take() {
            let file = token_file(&path, prepared.publish())?;
            self.published.push(Published::Token { _file: file });
        }
        if let Some(PreparedPid { path, file }) = self.pid.take() {
            let file = pid_file(&path, file.publish())?;
            self.published.push(Published::Pid { _file: file });
        }
        for socket in &mut self.sockets {
            socket.set_removed(true);
        }
        Ok(())
    }

    /// Removes the sockets, except if another process serves on them.
    pub(crate) fn end_sockets(&mut self, are_removed: bool) {
        for mut socket in self.sockets.drain(..) {
            socket.set_removed(are_removed);
        }
    }
}

fn pid_file<T>(path: &Path, made: io::Result<T>) -> Result<T, ServeError> {
    made.map_err(|error| {
        let path = path.display();
        ServeError::BadSetting(format!("the PID file cannot be written to {path}: {error}"))
    })
}
