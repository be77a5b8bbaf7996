//! Authorities that the certificate behind a JWKS URL has to come from.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::spawn_blocking;

use crate::auth::error::AuthSetupError;
use crate::files::read;
use crate::transport::tls::client::ClientTls;

/// Size limit of a file in bytes.
const MAX_FILE: u64 = 1024 * 1024;

/// Authorities of a JWKS URL. Reading them again affects all who share them.
pub(super) struct Authorities {
    source: Source,
    current: Arc<Mutex<Current>>,
    /// Held by the one thread that reads the authorities of the platform.
    reading: Arc<tokio::sync::Mutex<()>>,
}

/// The authorities in use.
#[derive(Default)]
struct Current {
    tls: Option<ClientTls>,
    /// The text of their file, if they come from one.
    pem: Vec<u8>,
    /// How often they were read again.
    reloads: u64,
}

enum Source {
    /// Those of the operating system, read for the first fetch that needs them.
    Platform,
    Pem(Vec<u8>),
    File(PathBuf),
}

impl Authorities {
    pub(super) fn platform() -> Self {
        Self::new(Source::Platform, Current::default())
    }

    /// Those of a PEM text, besides those of the texts before it.
    pub(super) fn with_pem(&self, pem: &[u8]) -> Result<Self, AuthSetupError> {
        let mut all = match &self.source {
            Source::Pem(known) => known.clone(),
            Source::Platform | Source::File(_) => Vec::new(),
        };
        all.extend_from_slice(pem);
        // The next one begins on a line of its own.
        all.push(b'\n');
        let tls = ClientTls::with_ca(&all);
        let tls = tls.map_err(|error| AuthSetupError::new(error.to_string()))?;
        let current = Current {
            tls: Some(tls),
            ..Current::default()
        };
        Ok(Self::new(Source::Pem(all), current))
    }

    /// Those of a PEM file.
    pub(super) fn file(path: PathBuf) -> Result<Self, AuthSetupError> {
        let (tls, pem) = read_file(&path)?;
        let current = Current {
            tls: Some(tls),
            pem,
            reloads: 0,
        };
        Ok(Self::new(Source::File(path), current))
    }

    fn new(source: Source, current: Current) -> Self {
        Self {
            source,
            current: Arc::new(Mutex::new(current)),
            reading: Arc::default(),
        }
    }

    /// Reads a file again, and says whether it has changed; those of the platform are read again for the
    /// next fetch.
    ///
    /// # Errors
    ///
    /// If the file cannot be used; the old authorities stay in use.
    pub(super) fn reload(&self) -> Result<bool, AuthSetupError> {
        let (tls, pem) = match &self.source {
            Source::Platform => (None, Vec::new()),
            Source::Pem(_) => return Ok(false),
            Source::File(path) => {
                let (tls, pem) = read_file(path)?;
                (Some(tls), pem)
            }
        };
        let mut current = lock(&self.current);
        let has_changed = current.pem != pem;
        *current = Current {
            tls,
            pem,
            reloads: current.reloads + 1,
        };
        Ok(has_changed)
    }

    /// The TLS configuration that trusts them. On some systems those of the platform are hundreds of
    /// files, so a thread for blocking work reads them, and what it has found is kept. A failure is
    /// not kept.
    ///
    /// # Errors
    ///
    /// The reason why the platform has none, or that they are being read for too long.
    pub(super) async fn tls(&self) -> Result<ClientTls, String> {
        let reloads = match &*lock(&self.current) {
            Current { tls: Some(tls), .. } => return Ok(tls.clone()),
            Current { reloads, .. } => *reloads,
        };
        // A fetch that was given up leaves its thread behind. There is never more than one.
        let Ok(reading) = Arc::clone(&self.reading).try_lock_owned() else {
            return Err("the certificate authorities of this machine are still being read".into());
        };
        let current = Arc::clone(&self.current);
        let read = spawn_blocking(move || {
            let _reading = reading;
            let tls = ClientTls::platform().map_err(|error| error.to_string())?;
            let mut current = lock(&current);
            if current.reloads == reloads {
                current.tls = Some(tls.clone());
            }
            Ok(tls)
        });
        let aborted = |_| "the certificate authorities of this machine were not read".to_owned();
        read.await.map_err(aborted)?
    }
}

fn lock(current: &Mutex<Current>) -> MutexGuard<'_, Current> {
    current.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read_file(path: &Path) -> Result<(ClientTls, Vec<u8>), AuthSetupError> {
    let file = read::open(path).map_err(|error| AuthSetupError::of(path, error))?;
    let pem = read::read(&file, MAX_FILE).map_err(|error| AuthSetupError::of(path, error))?;
    let tls = ClientTls::with_ca(&pem).map_err(|error| AuthSetupError::of(path, error))?;
    Ok((tls, pem))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_platform_is_read_once_and_again_after_a_reload() {
        let authorities = Authorities::platform();
        assert!(lock(&authorities.current).tls.is_none());
        // A machine without authorities is asked again each time.
        let is_read = authorities.tls().await.is_ok();
        assert_eq!(lock(&authorities.current).tls.is_some(), is_read);
        authorities.reload().unwrap();
        assert!(lock(&authorities.current).tls.is_none());
        assert_eq!(authorities.tls().await.is_ok(), is_read);
    }

    #[tokio::test]
    async fn the_platform_is_read_by_one_thread_at_a_time() {
        let authorities = Authorities::platform();
        let reading = Arc::clone(&authorities.reading).lock_owned().await;
        let refused = authorities.tls().await.err().unwrap();
        assert!(refused.contains("still being read"), "{refused}");
        drop(reading);
        if let Err(error) = authorities.tls().await {
            assert!(error.contains("cannot be used"), "{error}");
        }
    }
}
