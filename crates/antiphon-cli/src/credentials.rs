//! Credentials of a command: a token, a certificate.

use std::env::{self, VarError};

use antiphon::client::ClientBuilder;
use clap::Args;

use crate::args;
use crate::exit::Failure;

/// The variable with a token for commands that are given none.
const VARIABLE: &str = "ANTIPHON_TOKEN";

/// Limit of what is read of a file with a token, in bytes. A token has at most 16 KiB, too.
const MAX_TOKEN_FILE: u64 = 16 * 1024;

/// Who calls.
#[derive(Args)]
pub(crate) struct Credentials {
    /// A token that says who calls; @FILE reads it from a file, @- from standard input. Other users can see the arguments
    /// of a process, so a file or the variable ANTIPHON_TOKEN is better than a TOKEN
    #[arg(long, value_name = "TOKEN")]
    bearer: Option<String>,

    /// Let the token go unencrypted over a network
    #[arg(long)]
    allow_plaintext_token: bool,

    /// A certificate that says who calls, for https:, wss: and tls: (PEM)
    #[arg(long, value_name = "FILE")]
    cert: Option<String>,

    /// The private key of the certificate (PEM) [default: in the file of --cert]
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<String>,
}

impl Credentials {
    /// Adds them to a client. `is_said` tells that a header says who calls; then the variable has
    /// no effect.
    pub(crate) fn give(
        &self,
        mut builder: ClientBuilder,
        is_said: bool,
    ) -> Result<ClientBuilder, Failure> {
        let token = match &self.bearer {
            Some(bearer) => Some(given(bearer)?),
            None if is_said => None,
            None => from_environment()?,
        };
        if let Some(token) = token {
            builder = builder.bearer(token);
        }
        if self.allow_plaintext_token {
            builder = builder.allow_plaintext_token();
        }
        if let Some(cert) = &self.cert {
            let chain = args::read(cert)?;
            let key = match &self.key {
                Some(key) => args::read(key)?,
                None => chain.clone(),
            };
            builder = builder.client_certificate(chain, key);
        }
        Ok(builder)
    }
}

/// A token from the command line, or from the file that it names.
fn given(bearer: &str) -> Result<String, Failure> {
    let text = match bearer.strip_prefix('@') {
        Some(path) => &args::read_up_to(path, MAX_TOKEN_FILE)?,
        None => bearer,
    };
    Ok(text.trim().to_owned())
}

fn from_environment() -> Result<Option<String>, Failure> {
    match env::var(VARIABLE) {
        Ok(token) => Ok(Some(token.trim().to_owned()).filter(|token| !token.is_empty())),
        Err(VarError::NotPresent) => Ok(None),
        // The error would show the value.
        Err(VarError::NotUnicode(_)) => {
            let text = format!("the token in {VARIABLE} has characters that a token cannot have");
            Err(Failure::usage(text))
        }
    }
}
