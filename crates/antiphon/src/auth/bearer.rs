//! Bearer tokens whose hashes are in a file.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::constant_time::verify_slices_are_equal;

use super::error::AuthSetupError;
use super::token_file::{Hash, hash, parse};
use crate::files::read;
use crate::identity::{AuthenticationError, Authenticator, Credentials, Identity};

/// Size limit of a token file in bytes.
const MAX_FILE: u64 = 1024 * 1024;

/// The longest token in bytes. What is longer is not hashed.
const MAX_TOKEN: usize = 4096;

/// An [`Authenticator`] for bearer tokens whose SHA-256 hashes are in a file. Cheap to clone; a
/// [`reload`](Self::reload) affects all clones.
///
/// A line of the file is a subject, the hash in hexadecimal digits, and any number of scopes, separated
/// by spaces. Blank lines and lines that begin with `#` do not count. The file has at most 1 MiB and
/// 10,000 lines. `antiphon token new`, or [`NewToken`](crate::NewToken), makes a token and its line.
///
/// Tokens have to be random, with at least 128 bits: a hash does not hide a word that can be guessed.
///
/// ```
/// use antiphon::{BearerTokens, NewToken, Router, Server};
///
/// let token = NewToken::generate("reports", ["accounts:read"])?;
/// let tokens = BearerTokens::from_lines(token.line())?;
/// let server = Server::new(Router::new()).authenticate(tokens);
/// # Ok::<(), antiphon::AuthSetupError>(())
/// ```
#[derive(Clone)]
pub struct BearerTokens {
    path: Option<Arc<PathBuf>>,
    now: Arc<RwLock<Arc<Table>>>,
}

/// The entries by the first bytes of their hashes. The whole hashes are compared in constant time.
#[derive(Default)]
struct Table(HashMap<u64, Vec<(Hash, Identity)>>);

impl BearerTokens {
    /// Reads a token file.
    ///
    /// A file that others than its owner can read is taken, with a warning in the log.
    ///
    /// ```no_run
    /// use antiphon::{BearerTokens, Router, Server};
    ///
    /// let tokens = BearerTokens::load("/etc/calculator/tokens")?;
    /// let server = Server::new(Router::new()).authenticate(tokens);
    /// # Ok::<(), antiphon::AuthSetupError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the file cannot be read, is too large, or has a line that is wrong. The error tells which
    /// one, and nothing of its content.
    pub fn load(path: impl Into<PathBuf>) -> Result<Self, AuthSetupError> {
        let path = path.into();
        let table = Table::load(&path)?;
        Ok(Self {
            path: Some(Arc::new(path)),
            now: Arc::new(RwLock::new(Arc::new(table))),
        })
    }

    /// Takes the lines of a token file from a text.
    ///
    /// # Errors
    ///
    /// If a line is wrong.
    pub fn from_lines(lines: &str) -> Result<Self, AuthSetupError> {
        Ok(Self {
            path: None,
            now: Arc::new(RwLock::new(Arc::new(Table::new(lines)?))),
        })
    }

    /// Reads the file again. Removed tokens are refused from then on; sessions that have begun with
    /// one go on. Tokens that came from a text stay.
    ///
    /// # Errors
    ///
    /// Those of [`load`](Self::load); the old tokens stay in use.
    pub fn reload(&self) -> Result<(), AuthSetupError> {
        if let Some(path) = &self.path {
            let table = Arc::new(Table::load(path)?);
            *self.now.write().unwrap_or_else(PoisonError::into_inner) = table;
        }
        Ok(())
    }

    fn find(&self, token: &str) -> Option<Identity> {
        let now = Arc::clone(&self.now.read().unwrap_or_else(PoisonError::into_inner));
        now.find(&hash(token)).cloned()
    }
}

impl Table {
    fn load(path: &Path) -> Result<Self, AuthSetupError> {
        Self::new(&read_text(path)?).map_err(|error| AuthSetupError::of(path, error))
    }

    fn new(lines: &str) -> Result<Self, AuthSetupError> {
        let mut table = Self::default();
        for (hash, identity) in parse(lines)? {
            let place = table.0.entry(index(&hash)).or_default();
            place.push((hash, identity));
        }
        Ok(table)
    }

    fn find(&self, hash: &Hash) -> Option<&Identity> {
        let place = self.0.get(&index(hash))?;
        let is_same = |known: &Hash| verify_slices_are_equal(known, hash).is_ok();
        let (_, identity) = place.iter().find(|(known, _)| is_same(known))?;
        Some(identity)
    }
}

/// Reads a token file as text.
pub(super) fn read_text(path: &Path) -> Result<String, AuthSetupError> {
    let wrong = |reason: &dyn fmt::Display| AuthSetupError::of(path, reason);
    let file = read::open(path).map_err(|error| wrong(&error))?;
    if read::has_mode(&file, 0o044) {
        let path = path.display();
        tracing::warn!("others than its owner can read the tokens' hashes in {path}");
    }
    read::text_of(&file, MAX_FILE).map_err(|error| wrong(&error))
}

/// The first eight bytes.
fn index(hash: &Hash) -> u64 {
    hash.first_chunk()
        .map_or(0, |first| u64::from_le_bytes(*first))
}

impl Authenticator for BearerTokens {
    async fn authenticate(
        &self,
        credentials: &Credentials,
    ) -> Result<Option<Identity>, AuthenticationError> {
        // An unknown token may be known to another authenticator. If it is not, it is refused.
        let token = credentials
            .bearer()
            .filter(|token| token.len() <= MAX_TOKEN);
        Ok(token.and_then(|token| self.find(token)))
    }
}

impl fmt::Debug for BearerTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.as_deref();
        f.debug_struct("BearerTokens")
            .field("path", &path)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NewToken;

    async fn subject(tokens: &BearerTokens, token: &str) -> Option<String> {
        let found = tokens.authenticate(&Credentials::of_token(token)).await;
        found.unwrap().map(|identity| identity.subject().to_owned())
    }

    #[tokio::test]
    async fn a_token_is_known_by_its_hash_alone() {
        let alice = NewToken::generate("alice", ["a"]).unwrap();
        let bob = NewToken::generate("bob", [""; 0]).unwrap();
        let lines = format!("{}\n{}\n", alice.line(), bob.line());
        let tokens = BearerTokens::from_lines(&lines).unwrap();
        assert_eq!(
            subject(&tokens, alice.token()).await.as_deref(),
            Some("alice")
        );
        assert_eq!(subject(&tokens, bob.token()).await.as_deref(), Some("bob"));
        let cut = &alice.token()[..alice.token().len() - 1];
        let hash = alice.line().split(' ').nth(1).unwrap();
        for wrong in [
            cut,
            hash,
            "",
            " ",
            &format!("{}x", bob.token()),
            &"x".repeat(5000),
        ] {
            assert_eq!(subject(&tokens, wrong).await, None, "{wrong}");
        }
        let none = tokens.authenticate(&Credentials::default()).await;
        assert_eq!(none.unwrap(), None);
        let shown = format!("{tokens:?} {alice:?}");
        assert!(
            !shown.contains(hash) && !shown.contains(alice.token()),
            "{shown}"
        );
    }

    #[tokio::test]
    async fn the_file_is_read_again_and_the_old_one_stays_if_the_new_one_is_wrong() {
        let path = std::env::temp_dir().join(format!("antiphon-tokens-{}", std::process::id()));
        let one = NewToken::generate("one", ["a"]).unwrap();
        let two = NewToken::generate("two", ["a"]).unwrap();
        std::fs::write(&path, one.line()).unwrap();
        let tokens = BearerTokens::load(&path).unwrap();
        let clone = tokens.clone();
        std::fs::write(&path, two.line()).unwrap();
        assert!(subject(&tokens, one.token()).await.is_some());
        tokens.reload().unwrap();
        assert!(subject(&clone, one.token()).await.is_none());
        assert!(subject(&clone, two.token()).await.is_some());
        for wrong in ["word".to_owned(), "\n".repeat(2 * 1024 * 1024)] {
            std::fs::write(&path, wrong).unwrap();
            let error = tokens.reload().unwrap_err().to_string();
            assert!(error.starts_with(path.to_str().unwrap()), "{error}");
            assert!(subject(&tokens, two.token()).await.is_some());
        }
        std::fs::remove_file(&path).unwrap();
        assert!(tokens.reload().is_err() && BearerTokens::load(&path).is_err());
        assert!(subject(&tokens, two.token()).await.is_some());
    }
}
