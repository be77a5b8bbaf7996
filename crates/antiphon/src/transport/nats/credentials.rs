//! Credentials for a NATS server: a login, a token, a key that signs what the server asks.

use std::fmt::Display;
use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use async_nats::{Auth, AuthError};
use nkeys::KeyPair;

use crate::address::{NatsAddress, NatsFiles};
use crate::files::read::read_text;
use crate::transport::tls::client::ClientTls;

/// The largest file, in bytes.
const MAX_FILE: u64 = 64 * 1024;

/// What a program says about itself when it connects. Its text is in no error.
#[derive(Clone)]
enum Secret {
    Login(String, String),
    Token(String),
    Key(String),
    /// A JSON Web Token, and the seed of its key.
    Creds(String, String),
}

/// Credentials that are read anew for each connection.
pub(super) struct Credentials {
    address: NatsAddress,
    /// What was read last, for as long as the file is not there.
    last: Mutex<Option<Secret>>,
}

impl Credentials {
    /// Reads the credentials of an address; `None` if it has none.
    ///
    /// # Errors
    ///
    /// If a file cannot be read, or has no credentials. The error names the file and shows nothing of it.
    pub(super) fn of(address: &NatsAddress) -> io::Result<Option<Self>> {
        let last = Secret::of(address)?;
        Ok(last.map(|secret| Self {
            address: address.clone(),
            last: Mutex::new(Some(secret)),
        }))
    }

    /// Answers what a NATS server asks: `nonce` is what a key has to sign.
    ///
    /// # Errors
    ///
    /// If the seed is that of no key.
    pub(super) fn answer(&self, nonce: &[u8]) -> Result<Auth, AuthError> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match Secret::of(&self.address) {
            Ok(secret) => *last = secret,
            // To give up would be to stay away for ever.
            Err(error) => tracing::warn!("the credentials of before are used: {error}"),
        }
        let mut auth = Auth::new();
        match last.as_ref() {
            Some(Secret::Login(user, password)) => {
                auth.username = Some(user.clone());
                auth.password = Some(password.clone());
            }
            Some(Secret::Token(token)) => auth.token = Some(token.clone()),
            Some(Secret::Key(seed)) => {
                let pair = key_pair(seed).map_err(AuthError::new)?;
                auth.nkey = Some(pair.public_key());
                auth.signature = Some(pair.sign(nonce).map_err(AuthError::new)?);
            }
            Some(Secret::Creds(token, seed)) => {
                let pair = key_pair(seed).map_err(AuthError::new)?;
                auth.jwt = Some(token.clone());
                auth.signature = Some(pair.sign(nonce).map_err(AuthError::new)?);
            }
            None => {}
        }
        Ok(auth)
    }
}

impl Secret {
    fn of(address: &NatsAddress) -> io::Result<Option<Self>> {
        if let Some((user, password)) = &address.login {
            return Ok(Some(Self::Login(user.clone(), password.clone())));
        }
        let NatsFiles {
            creds,
            nkey,
            token,
            login,
            ..
        } = &*address.files;
        let found = if let Some(path) = creds {
            let parse = |text: &str| {
                let (token, seed) = parse_creds(text)?;
                check_seed(&seed).map(|()| Self::Creds(token, seed))
            };
            Some(read(path, parse)?)
        } else if let Some(path) = nkey {
            let parse = |text: &str| check_seed(text).map(|()| Self::Key(text.to_owned()));
            Some(read(path, parse)?)
        } else if let Some(path) = token {
            let parse = |text: &str| match text.is_empty() {
                true => Err("it is empty"),
                false => Ok(Self::Token(text.to_owned())),
            };
            Some(read(path, parse)?)
        } else if let Some(path) = login {
            let parse = |text: &str| {
                let (user, password) = text.split_once(':').ok_or("it is no USER:PASSWORD")?;
                Ok(Self::Login(user.to_owned(), password.to_owned()))
            };
            Some(read(path, parse)?)
        } else {
            None
        };
        Ok(found)
    }
}

/// The TLS configuration that the files of an address ask for; `None` if they ask for none.
///
/// # Errors
///
/// If a file cannot be read, or used.
pub(crate) fn tls_of(files: &NatsFiles) -> io::Result<Option<ClientTls>> {
    if !files.has_tls() {
        return Ok(None);
    }
    let text = |path: &Path| read(path, |text| Ok(text.to_owned()));
    let tls = match &files.ca {
        Some(path) => {
            let pem = text(path)?;
            ClientTls::with_ca(pem.as_bytes()).map_err(|error| wrong(path, &error))?
        }
        None => ClientTls::platform().map_err(io::Error::other)?,
    };
    let Some(cert) = &files.cert else {
        return Ok(Some(tls));
    };
    let chain = text(cert)?;
    let key = match &files.key {
        Some(path) => text(path)?,
        None => chain.clone(),
    };
    let tls = tls.with_certificate(chain.as_bytes(), key.as_bytes());
    tls.map(Some).map_err(|error| wrong(cert, &error))
}

/// Reads a file and makes something of its text, without the space around it.
fn read<T>(path: &Path, parse: impl Fn(&str) -> Result<T, &'static str>) -> io::Result<T> {
    let text = read_text(path, MAX_FILE).map_err(|error| wrong(path, &error))?;
    parse(text.trim()).map_err(|fault| wrong(path, &fault))
}

fn wrong(path: &Path, fault: &dyn Display) -> io::Error {
    io::Error::other(format!("{} cannot be used: {fault}", path.display()))
}

fn key_pair(seed: &str) -> Result<KeyPair, &'static str> {
    // The error of the library could show a part of it.
    KeyPair::from_seed(seed).map_err(|_| "it has no seed of a key")
}

fn check_seed(seed: &str) -> Result<(), &'static str> {
    key_pair(seed).map(drop)
}

/// The token and the seed in the text of a credentials file: what stands between its lines of dashes.
fn parse_creds(text: &str) -> Result<(String, String), &'static str> {
    let mut parts = Vec::new();
    let mut open = None;
    for line in text.lines().map(str::trim) {
        match open.take() {
            _ if line.starts_with("-----BEGIN") => open = Some(String::new()),
            Some(part) if line.starts_with("-----") => parts.push(part),
            Some(part) => open = Some(part + line),
            None => {}
        }
    }
    match <[String; 2]>::try_from(parts) {
        Ok([token, seed]) if !token.is_empty() => Ok((token, seed)),
        _ => Err("it is no credentials file with a token and a seed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A seed that is in the documentation of NATS.
    const SEED: &str = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY";

    #[test]
    fn a_credentials_file_has_a_token_and_a_seed() {
        fn check(text: &str, expected: Option<(&str, &str)>) {
            let parsed = parse_creds(text).ok();
            let parsed = parsed.as_ref().map(|(token, seed)| (&**token, &**seed));
            assert_eq!(parsed, expected, "{text}");
        }
        let token = "-----BEGIN NATS USER JWT-----\neyJ0.e30.x\n------END NATS USER JWT------\n";
        let seed = "-----BEGIN USER NKEY SEED-----\r\nSUA1\r\n------END USER NKEY SEED------\r\n";
        let notes = "\n*** keep it secret ***\n";
        let whole = format!("{token}{notes}{seed}");
        check(&whole, Some(("eyJ0.e30.x", "SUA1")));
        check(token, None);
        check(&format!("{whole}{seed}"), None);
        check("", None);
        check("-----BEGIN A-----\n-----BEGIN B-----\nx\n-----END", None);
    }

    #[test]
    fn a_file_that_is_wrong_is_named_and_not_shown() {
        let path = std::env::temp_dir().join(format!("antiphon-nkey-{}", std::process::id()));
        let check = |text: &str, query: &str, expected: Option<&str>| {
            std::fs::write(&path, text).unwrap();
            let mut address = "nats://h/p".parse().unwrap();
            let crate::Address::Nats(nats) = &mut address else {
                panic!("{address}")
            };
            match query {
                "nkey" => nats.files.nkey = Some(path.clone()),
                "token" => nats.files.token = Some(path.clone()),
                "creds" => nats.files.creds = Some(path.clone()),
                _ => nats.files.login = Some(path.clone()),
            }
            let error = Credentials::of(nats).err().map(|error| error.to_string());
            match (&error, expected) {
                (None, None) => {}
                (Some(error), Some(expected)) => {
                    assert!(error.contains(expected), "{error}");
                    assert!(error.contains(&*path.to_string_lossy()), "{error}");
                    assert!(!error.contains("s3cret"), "{error}");
                }
                _ => panic!("{query}: {error:?}"),
            }
        };
        check(&format!(" {SEED}\n"), "nkey", None);
        check("SUAs3cret", "nkey", Some("no seed"));
        check("s3cret", "creds", Some("no credentials file"));
        check("s3cret\n", "token", None);
        check(" \n", "token", Some("empty"));
        check("s3cret", "login", Some("USER:PASSWORD"));
        check("alice:s3cret", "login", None);
        check(&"s3cret".repeat(11_000), "token", Some("longer than"));
        std::fs::remove_file(&path).unwrap();
    }
}
