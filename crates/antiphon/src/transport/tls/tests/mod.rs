//! TLS over in-memory streams, with certificates generated at run time.

mod client;
#[cfg(feature = "server")]
mod server;

use rcgen::{BasicConstraints, Certificate, CertificateParams, IsCa, Issuer, KeyPair};

/// ALPN protocol names.
type Names = &'static [&'static [u8]];

/// A certificate and its key, in PEM.
struct Pair {
    certificate: String,
    key: String,
}

impl Pair {
    fn new(certificate: &Certificate, key: &KeyPair) -> Self {
        Self {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        }
    }

    /// A self-signed certificate for this name.
    fn self_signed(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        Self::new(&params(name).self_signed(&key).unwrap(), &key)
    }
}

/// A certificate authority.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pair: Pair,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = params(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pair = Pair::new(&params.self_signed(&key).unwrap(), &key);
        let issuer = Issuer::new(params, key);
        Self { issuer, pair }
    }

    /// Issues a certificate for a name; `change` edits it before it is signed.
    fn issue_with(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Pair {
        let key = KeyPair::generate().unwrap();
        let mut params = params(name);
        change(&mut params);
        Pair::new(&params.signed_by(&key, &self.issuer).unwrap(), &key)
    }

    fn issue(&self, name: &str) -> Pair {
        self.issue_with(name, |_| ())
    }
}

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new([name.to_owned()]).unwrap();
    // The issuer is identified by this name, not by the subject alternative names.
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, name);
    params
}
