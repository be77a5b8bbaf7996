//! Options of upstreams, as flags and as keys of the settings file.

use std::path::{Path, PathBuf};

use antiphon::client::{Client, Remote};
use antiphon::{Address, ByteSize, TimeLimit};
use clap::Args;
use serde::Deserialize;

use crate::args;
use crate::exit::Failure;

/// Limit of what is read of a file with a token, in bytes. A token has at most 16 KiB, too.
const MAX_TOKEN_FILE: u64 = 16 * 1024;

/// What holds for an upstream. Names of methods are those that the upstream uses; a star at the end of
/// one stands for any more characters.
#[derive(Args, Deserialize, Clone, Debug, Default)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct UpstreamOptions {
    /// Time for a call of an upstream [default: 30s]
    #[arg(
        long = "upstream-timeout",
        value_name = "TIME",
        env = "ANTIPHON_UPSTREAM_TIMEOUT"
    )]
    timeout: Option<TimeLimit>,

    /// Time between two questions to each server whether it is there, or `none` [default: 2s]
    #[arg(
        long = "upstream-check",
        value_name = "TIME",
        env = "ANTIPHON_UPSTREAM_CHECK"
    )]
    check: Option<TimeLimit>,

    /// Time between two questions which methods it has [default: 60s]
    #[arg(
        long = "upstream-refresh",
        value_name = "TIME",
        env = "ANTIPHON_UPSTREAM_REFRESH"
    )]
    refresh: Option<TimeLimit>,

    /// Size of an upstream's answer [default: 10MiB]
    #[arg(
        id = "upstream_max_response",
        long = "upstream-max-response",
        value_name = "SIZE",
        env = "ANTIPHON_UPSTREAM_MAX_RESPONSE"
    )]
    max_response: Option<ByteSize>,

    /// A file with the token by which upstreams know the gateway; read again when one refuses it
    #[arg(
        long = "upstream-token-file",
        value_name = "FILE",
        env = "ANTIPHON_UPSTREAM_TOKEN_FILE"
    )]
    token_file: Option<PathBuf>,

    /// Let that token go unencrypted over a network
    #[arg(long = "upstream-plaintext-token", num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    plaintext_token: Option<bool>,

    /// Certificate authorities of upstreams in place of the machine's own (PEM)
    #[arg(
        long = "upstream-ca-cert",
        value_name = "FILE",
        env = "ANTIPHON_UPSTREAM_CA_CERT"
    )]
    ca_cert: Option<PathBuf>,

    /// A certificate by which upstreams know the gateway (PEM)
    #[arg(
        long = "upstream-cert",
        value_name = "FILE",
        env = "ANTIPHON_UPSTREAM_CERT"
    )]
    cert: Option<PathBuf>,

    /// The private key of that certificate (PEM) [default: in its file]
    #[arg(
        long = "upstream-key",
        value_name = "FILE",
        env = "ANTIPHON_UPSTREAM_KEY"
    )]
    key: Option<PathBuf>,

    /// Forward only methods that upstreams describe
    #[arg(long, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    described_only: Option<bool>,

    /// A method whose calls may run twice, besides those of which an upstream says so; `name*` for all
    /// that begin so
    #[arg(long, value_name = "METHOD", value_delimiter = ',')]
    idempotent: Vec<String>,

    /// A method that changes nothing, besides those of which an upstream says so
    #[arg(long, value_name = "METHOD", value_delimiter = ',')]
    read_only: Vec<String>,

    /// A method that opens subscriptions, of which an upstream does not say so, and the one that ends
    /// them [default: rpc.unsubscribe]
    #[arg(long, value_name = "METHOD[=METHOD]", value_delimiter = ',')]
    subscription: Vec<String>,

    /// A method that tells of its progress: through NATS that passes only if it is said here
    #[arg(long, value_name = "METHOD", value_delimiter = ',')]
    progress: Vec<String>,

    /// Forward equal calls at the same time of methods that change nothing as one, or not [default: true]
    #[arg(long, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    share: Option<bool>,

    /// Keep the results of a method that changes nothing for so long
    #[arg(long, value_name = "METHOD=TIME", value_delimiter = ',')]
    cache: Vec<String>,

    /// Size of the results that are kept of each upstream [default: 16MiB]
    #[arg(long, value_name = "SIZE", env = "ANTIPHON_CACHE_SIZE")]
    cache_size: Option<ByteSize>,
}

impl UpstreamOptions {
    /// These options over others: each that is said here counts, and a list replaces the other one.
    pub(super) fn over(self, other: Self) -> Self {
        let list = |own: Vec<String>, other| if own.is_empty() { other } else { own };
        Self {
            timeout: self.timeout.or(other.timeout),
            check: self.check.or(other.check),
            refresh: self.refresh.or(other.refresh),
            max_response: self.max_response.or(other.max_response),
            token_file: self.token_file.or(other.token_file),
            plaintext_token: self.plaintext_token.or(other.plaintext_token),
            ca_cert: self.ca_cert.or(other.ca_cert),
            // A key belongs to its certificate.
            key: match &self.cert {
                Some(_) => self.key,
                None => self.key.or(other.key),
            },
            cert: self.cert.or(other.cert),
            described_only: self.described_only.or(other.described_only),
            idempotent: list(self.idempotent, other.idempotent),
            read_only: list(self.read_only, other.read_only),
            subscription: list(self.subscription, other.subscription),
            progress: list(self.progress, other.progress),
            share: self.share.or(other.share),
            cache: list(self.cache, other.cache),
            cache_size: self.cache_size.or(other.cache_size),
        }
    }

    /// A client of a server at this address. It does not connect yet.
    ///
    /// # Errors
    ///
    /// If the address, a file or an option is unusable.
    pub(super) fn client(&self, url: &str) -> Result<Client, Failure> {
        // Parsed here because the error needs no further context.
        let _: Address = url
            .parse()
            .map_err(|error| Failure::usage(format!("the address `{url}`: {error}")))?;
        let mut builder = Client::builder(url);
        if let Some(TimeLimit(time)) = self.timeout {
            builder = builder.timeout(time);
        }
        if let Some(ByteSize(bytes)) = self.max_response {
            builder = builder.max_response(bytes);
        }
        if let Some(path) = &self.ca_cert {
            builder = builder.ca_certificate(read(path)?);
        }
        if let Some(path) = &self.cert {
            let chain = read(path)?;
            let key = match &self.key {
                Some(key) => read(key)?,
                None => chain.clone(),
            };
            builder = builder.client_certificate(chain, key);
        }
        if let Some(path) = &self.token_file {
            // Now for the error, and later for what it has by then.
            token(path)?;
            let path = path.clone();
            builder = builder.bearer_from(move || {
                let token = token(&path).map_err(|failure| failure.to_string());
                async move { token }
            });
        }
        if self.plaintext_token == Some(true) {
            builder = builder.allow_plaintext_token();
        }
        Ok(builder.build()?)
    }

    /// Applies to an upstream what concerns its methods.
    ///
    /// # Errors
    ///
    /// If an option cannot be read.
    pub(super) fn apply(&self, mut remote: Remote) -> Result<Remote, Failure> {
        if let Some(TimeLimit(pause)) = self.check {
            remote = remote.check(pause);
        }
        if let Some(TimeLimit(pause)) = self.refresh {
            remote = remote.refresh(pause);
        }
        if let Some(yes) = self.described_only {
            remote = remote.described_only(yes);
        }
        if let Some(yes) = self.share {
            remote = remote.share(yes);
        }
        if let Some(ByteSize(bytes)) = self.cache_size {
            remote = remote.cache_size(bytes);
        }
        for method in &self.idempotent {
            remote = remote.idempotent(method);
        }
        for method in &self.read_only {
            remote = remote.read_only(method);
        }
        for method in &self.progress {
            remote = remote.progress(method);
        }
        for text in &self.subscription {
            remote = match text.split_once('=') {
                Some((method, ends)) => remote.subscription_with(method, ends),
                None => remote.subscription(text),
            };
        }
        for text in &self.cache {
            let (method, time) = text
                .split_once('=')
                .ok_or_else(|| Failure::usage(format!("`{text}`: write METHOD=TIME")))?;
            let TimeLimit(time) = time.parse().map_err(Failure::usage)?;
            let time = time.ok_or_else(|| {
                Failure::usage(format!("`{text}`: results cannot be kept for ever"))
            })?;
            remote = remote.cache(method, time);
        }
        Ok(remote)
    }
}

fn read(path: &Path) -> Result<String, Failure> {
    args::read(&path.to_string_lossy())
}

/// The token in a file.
fn token(path: &Path) -> Result<String, Failure> {
    let text = args::read_up_to(&path.to_string_lossy(), MAX_TOKEN_FILE)?;
    Ok(text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(text: &str) -> UpstreamOptions {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn what_an_upstream_says_itself_counts_before_what_all_say() {
        let all = r#"{"timeout":"5s","idempotent":["a"],"share":false,"cert":"c","key":"k"}"#;
        for (own, expected) in [
            ("{}", "5s [a] false c k"),
            (r#"{"timeout":"1s"}"#, "1s [a] false c k"),
            (r#"{"idempotent":["b","c"]}"#, "5s [b,c] false c k"),
            (r#"{"share":true}"#, "5s [a] true c k"),
            (r#"{"cert":"own"}"#, "5s [a] false own -"),
            (r#"{"key":"own"}"#, "5s [a] false c own"),
        ] {
            let both = options(own).over(options(all));
            let path = |path: &Option<PathBuf>| {
                let path = path.as_ref().map(|path| path.display().to_string());
                path.unwrap_or_else(|| "-".to_owned())
            };
            let TimeLimit(time) = both.timeout.unwrap();
            let found = format!(
                "{:?} [{}] {} {} {}",
                time.unwrap(),
                both.idempotent.join(","),
                both.share.unwrap(),
                path(&both.cert),
                path(&both.key)
            );
            assert_eq!(found, expected, "{own}");
        }
    }

    #[test]
    fn an_option_that_nobody_knows_is_an_error() {
        for text in [
            r#"{"tiemout":"5s"}"#,
            r#"{"timeout":"soon"}"#,
            r#"{"cache":"x"}"#,
        ] {
            assert!(
                serde_json::from_str::<UpstreamOptions>(text).is_err(),
                "{text}"
            );
        }
    }
}
