//! Files that an address behind NATS servers names: credentials and certificates.

use std::fmt;
use std::path::PathBuf;

/// Files with what a program shows to a NATS server, and with what it trusts. Their paths are in the query of a
/// [`NatsAddress`](super::NatsAddress), and hold none of `?`, `&`, `#` and commas. Each has at most 64 KiB.
///
/// Credentials are read for every connection, so those that are renewed hold from the next one on.
///
/// ```
/// use antiphon::Address;
///
/// let Address::Nats(address) = "nats://localhost/shop?creds=shop.creds&ca=ca.pem".parse()? else { panic!() };
/// assert_eq!(address.files.creds.unwrap().to_str(), Some("shop.creds"));
/// # Ok::<(), antiphon::AddressError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct NatsFiles {
    /// `creds`: a credentials file, as `nsc` writes it: a JSON Web Token and the seed of its key.
    pub creds: Option<PathBuf>,
    /// `nkey`: the seed of a key pair, `SU…`.
    pub nkey: Option<PathBuf>,
    /// `token`: a token.
    pub token: Option<PathBuf>,
    /// `login`: a line `USER:PASSWORD`.
    pub login: Option<PathBuf>,
    /// `identity`: keys with which the identities of callers are signed, a line each, of at least 32 characters. Who
    /// passes callers on and who believes it have the same.
    pub identity: Option<PathBuf>,
    /// `ca`: certificate authorities to trust in place of the machine's own, in PEM.
    pub ca: Option<PathBuf>,
    /// `cert`: the certificate of this program, in PEM, for NATS servers that ask for one.
    pub cert: Option<PathBuf>,
    /// `key`: its private key, in PEM; by default it is in the file of `cert`.
    pub key: Option<PathBuf>,
}

/// The names of the files in a query.
const NAMES: &str = "`creds`, `nkey`, `token`, `login`, `identity`, `ca`, `cert` and `key`";

impl NatsFiles {
    /// Parses a query, without its question mark.
    pub(super) fn parse(query: &str) -> Result<Self, String> {
        let mut files = Self::default();
        for part in query.split('&') {
            let (name, path) = part.split_once('=').unwrap_or((part, ""));
            let Some(slot) = files.slot(name) else {
                return Err(format!("`{name}` is none of the files {NAMES}"));
            };
            if path.is_empty() || path.contains(['?', '#', ',']) {
                return Err(format!("`{name}=` needs the path of a file"));
            }
            if slot.replace(PathBuf::from(path)).is_some() {
                return Err(format!("`{name}=` is there twice"));
            }
        }
        if files.key.is_some() && files.cert.is_none() {
            return Err("`key=` is for the certificate of `cert=`".to_owned());
        }
        Ok(files)
    }

    fn slot(&mut self, name: &str) -> Option<&mut Option<PathBuf>> {
        Some(match name {
            "creds" => &mut self.creds,
            "nkey" => &mut self.nkey,
            "token" => &mut self.token,
            "login" => &mut self.login,
            "identity" => &mut self.identity,
            "ca" => &mut self.ca,
            "cert" => &mut self.cert,
            "key" => &mut self.key,
            _ => return None,
        })
    }

    fn all(&self) -> [(&'static str, Option<&PathBuf>); 8] {
        [
            ("creds", self.creds.as_ref()),
            ("nkey", self.nkey.as_ref()),
            ("token", self.token.as_ref()),
            ("login", self.login.as_ref()),
            ("identity", self.identity.as_ref()),
            ("ca", self.ca.as_ref()),
            ("cert", self.cert.as_ref()),
            ("key", self.key.as_ref()),
        ]
    }

    /// How many of them say who this is.
    pub(super) fn credentials(&self) -> usize {
        let credentials = [&self.creds, &self.nkey, &self.token, &self.login];
        credentials.iter().filter(|file| file.is_some()).count()
    }

    /// Whether any of them is about TLS.
    #[cfg(feature = "nats")]
    pub(crate) fn has_tls(&self) -> bool {
        self.ca.is_some() || self.cert.is_some()
    }
}

/// The query with its question mark; nothing if there are no files.
impl fmt::Display for NatsFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut mark = '?';
        for (name, path) in self.all() {
            if let Some(path) = path {
                write!(f, "{mark}{name}={}", path.display())?;
                mark = '&';
            }
        }
        Ok(())
    }
}
