//! Reasons why a certificate is not trusted, in terms that help to fix the problem.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    CertificateError, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme,
};

/// How many names of a certificate for another host are listed.
const MAX_NAMES: usize = 5;

/// Why a server's certificate is not accepted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum CertificateProblem {
    /// The chain does not end at a trust anchor.
    UnknownIssuer,
    /// It is self-signed and not trusted.
    SelfSigned,
    /// Its issuer has the name of a trust anchor but another key: the certificate or the CA has
    /// been recreated.
    OtherKey,
    /// It is valid, but for other host names.
    WrongName {
        expected: String,
        presented: Vec<String>,
    },
    /// It expired this long ago.
    Expired(Option<Duration>),
    NotYetValid,
    /// It is a CA certificate, not a server certificate.
    Authority,
    Other(String),
}

impl CertificateProblem {
    pub(super) fn of(error: &CertificateError) -> Self {
        match error {
            CertificateError::UnknownIssuer => Self::UnknownIssuer,
            CertificateError::NotValidForNameContext {
                expected,
                presented,
            } => Self::WrongName {
                expected: expected.to_str().into_owned(),
                presented: presented.iter().map(|name| bare(name)).collect(),
            },
            CertificateError::ExpiredContext { time, not_after } => Self::Expired(Some(
                Duration::from_secs(time.as_secs().saturating_sub(not_after.as_secs())),
            )),
            CertificateError::Expired => Self::Expired(None),
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                Self::NotYetValid
            }
            CertificateError::Other(OtherError(why)) => match why.downcast_ref() {
                Some(Diagnosis::SelfSigned) => Self::SelfSigned,
                Some(Diagnosis::OtherKey) => Self::OtherKey,
                // rustls passes this error of webpki on only as text.
                None if why.to_string() == "CaUsedAsEndEntity" => Self::Authority,
                None => Self::Other(error.to_string()),
            },
            other => Self::Other(other.to_string()),
        }
    }
}

/// Extracts `example.com` from `DnsName("example.com")`, the form in which rustls reports names.
fn bare(name: &str) -> String {
    let inner = name.split_once('(').map_or(name, |(_, inner)| inner);
    inner.trim_end_matches(')').trim_matches('"').to_owned()
}

impl fmt::Display for CertificateProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the server's certificate ")?;
        match self {
            Self::UnknownIssuer => {
                f.write_str("was issued by an authority that is not trusted here")
            }
            Self::SelfSigned => f.write_str("is signed by itself only, and it is not trusted here"),
            Self::OtherKey => f.write_str(
                "names an authority that is trusted here, but was not signed with its key",
            ),
            Self::WrongName {
                expected,
                presented,
            } => {
                write!(f, "is not for `{expected}`")?;
                for (index, name) in presented.iter().take(MAX_NAMES).enumerate() {
                    let before = if index == 0 { ", but for" } else { "," };
                    write!(f, "{before} `{name}`")?;
                }
                match presented.len() {
                    0 => f.write_str(" nor for any other name"),
                    count if count > MAX_NAMES => f.write_str(" and others"),
                    _ => Ok(()),
                }
            }
            Self::Expired(Some(since)) => match since.as_secs() / (24 * 60 * 60) {
                0 => f.write_str("has expired, less than a day ago"),
                1 => f.write_str("has expired, a day ago"),
                days => write!(f, "has expired, {days} days ago"),
            },
            Self::Expired(None) => f.write_str("has expired"),
            Self::NotYetValid => {
                f.write_str("is not valid yet; one of the two clocks may be wrong")
            }
            Self::Authority => f.write_str(
                "is one of an authority, to issue others with (CA:TRUE); a server needs one of \
                 its own",
            ),
            Self::Other(why) => write!(f, "is not accepted: {why}"),
        }
    }
}

/// Verifies with the inner verifier, and finds a more precise reason if that rejects a certificate.
#[derive(Debug)]
pub(super) struct ExplainingVerifier {
    inner: Arc<dyn ServerCertVerifier>,
    provider: Arc<CryptoProvider>,
}

/// A more precise reason.
#[derive(Debug)]
enum Diagnosis {
    SelfSigned,
    OtherKey,
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SelfSigned => "self-signed",
            Self::OtherKey => "signed with another key than the authority's",
        })
    }
}

impl std::error::Error for Diagnosis {}

impl ExplainingVerifier {
    pub(super) fn new(inner: Arc<dyn ServerCertVerifier>, provider: Arc<CryptoProvider>) -> Self {
        Self { inner, provider }
    }

    /// Whether the certificate is valid with itself as trust anchor. The result only affects the
    /// error message.
    fn is_self_signed(
        &self,
        certificate: &CertificateDer<'_>,
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> bool {
        let mut roots = RootCertStore::empty();
        if roots.add(certificate.clone().into_owned()).is_err() {
            return false;
        }
        let provider = Arc::clone(&self.provider);
        let Ok(verifier) =
            WebPkiServerVerifier::builder_with_provider(roots.into(), provider).build()
        else {
            return false;
        };
        let outcome = verifier.verify_server_cert(certificate, &[], name, &[], now);
        !matches!(
            outcome,
            Err(Error::InvalidCertificate(
                CertificateError::UnknownIssuer | CertificateError::BadSignature
            ))
        )
    }
}

impl ServerCertVerifier for ExplainingVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let outcome =
            self.inner
                .verify_server_cert(end_entity, intermediates, name, ocsp_response, now);
        let Err(Error::InvalidCertificate(why)) = &outcome else {
            return outcome;
        };
        let closer = match why {
            CertificateError::UnknownIssuer | CertificateError::BadSignature
                if self.is_self_signed(end_entity, name, now) =>
            {
                Diagnosis::SelfSigned
            }
            CertificateError::BadSignature => Diagnosis::OtherKey,
            _ => return outcome,
        };
        let why = CertificateError::Other(OtherError(Arc::new(closer)));
        Err(Error::InvalidCertificate(why))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner
            .verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner
            .verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}
