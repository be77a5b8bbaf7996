//! PID file of the supervisor.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Removed when it is dropped, if it still names this process.
#[derive(Debug)]
pub(crate) struct PidFile(PathBuf);

impl PidFile {
    /// Writes the file in one step, in place of what was there.
    pub(crate) fn write(path: &Path) -> io::Result<Self> {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{}", std::process::id()));
        let beside = PathBuf::from(name);
        fs::write(&beside, format!("{}\n", std::process::id()))?;
        fs::rename(&beside, path)?;
        Ok(Self(path.to_owned()))
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        let own = std::process::id().to_string();
        if fs::read_to_string(&self.0).is_ok_and(|text| text.trim() == own) {
            let _ = fs::remove_file(&self.0);
        }
    }
}
