//! Certificates of a URL of keys, and the authorities that are trusted for it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::time::{Duration, advance, pause, resume};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use super::remote::response;
use super::*;

/// A certificate authority.
struct Authority {
    issuer: rcgen::Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        let issuer = rcgen::Issuer::new(params, key);
        Self { issuer, pem }
    }

    /// Serves a document with a certificate for `localhost`, and returns the port.
    async fn serve(&self, document: String) -> u16 {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key);
        let acceptor = TlsAcceptor::from(Arc::new(config.unwrap()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                if let Ok(mut stream) = acceptor.accept(socket).await {
                    let mut request = [0; 4096];
                    let read = stream.read(&mut request).await.unwrap();
                    assert!(request[..read].starts_with(b"GET /keys HTTP/1.1\r\n"));
                    let answer = response("200 OK", "", &document);
                    stream.write_all(&answer).await.unwrap();
                    stream.shutdown().await.unwrap();
                }
            }
        });
        port
    }
}

/// A PEM file, removed on drop.
struct PemFile(PathBuf);

impl PemFile {
    fn new(pem: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let (process, next) = (std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(format!("antiphon-jwks-ca-{process}-{next}.pem"));
        std::fs::write(&path, pem).unwrap();
        Self(path)
    }

    fn write(&self, pem: &str) {
        std::fs::write(&self.0, pem).unwrap();
    }
}

impl Drop for PemFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[tokio::test]
async fn keys_come_only_from_who_proves_the_name_to_a_trusted_authority() {
    let (ours, foreign) = (Authority::new("ours"), Authority::new("foreign"));
    let issuer = Issuer::ed();
    let port = ours.serve(jwks(&[issuer.jwk("one")])).await;
    let token = issuer.token("EdDSA", &claims());
    let url = |host: &str| JwtKeys::url(&format!("https://{host}:{port}/keys")).unwrap();
    let pem = |host: &str, pem: &str| url(host).ca_certificate(pem).unwrap();
    let file = |authority: &Authority| {
        let file = PemFile::new(&authority.pem);
        url("localhost").ca_certificate_file(&file.0).unwrap()
    };
    for (keys, expected) in [
        (pem("localhost", &ours.pem), "alice"),
        (pem("localhost", &foreign.pem), "unavailable"),
        // It is for another name.
        (pem("127.0.0.1", &ours.pem), "unavailable"),
        // Several authorities, in one text or in several.
        (
            pem("localhost", &format!("{}{}", foreign.pem, ours.pem)),
            "alice",
        ),
        (
            pem("localhost", foreign.pem.trim_end())
                .ca_certificate(ours.pem.trim_end())
                .unwrap(),
            "alice",
        ),
        (file(&ours), "alice"),
        (file(&foreign), "unavailable"),
        // The last one of them counts.
        (file(&foreign).ca_certificate(&ours.pem).unwrap(), "alice"),
        // The authorities of the platform do not know ours.
        (url("localhost"), "unavailable"),
    ] {
        assert_eq!(outcome(&jwt(keys), &token).await, expected);
    }
}

#[test]
fn an_authority_that_cannot_be_used_is_refused() {
    let good = Authority::new("ours").pem;
    let missing = std::env::temp_dir().join("antiphon-jwks-ca-none.pem");
    let empty = PemFile::new("");
    let secure = || JwtKeys::url("https://issuer.example/keys").unwrap();
    let plain = || JwtKeys::url("http://localhost/keys").unwrap();
    let text = || JwtKeys::text(&Issuer::ed().pem()).unwrap();
    for (refused, part) in [
        (secure().ca_certificate("nothing"), "no CA certificate"),
        (
            secure().ca_certificate("-----BEGIN CERTIFICATE-----\nx\n"),
            "a CA certificate cannot be read",
        ),
        (secure().ca_certificate_file(&missing), "none.pem: No such"),
        (secure().ca_certificate_file(&empty.0), "no CA certificate"),
        (plain().ca_certificate(&good), "an `https://` URL"),
        (text().ca_certificate(&good), "an `https://` URL"),
        (text().ca_certificate_file(&missing), "an `https://` URL"),
    ] {
        let error = refused.unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
}

#[tokio::test]
async fn a_file_of_authorities_is_read_again() {
    let (ours, foreign) = (Authority::new("ours"), Authority::new("foreign"));
    let issuer = Issuer::ed();
    let port = ours.serve(jwks(&[issuer.jwk("one")])).await;
    let token = issuer.token("EdDSA", &claims());
    let file = PemFile::new(&foreign.pem);
    let keys = JwtKeys::url(&format!("https://localhost:{port}/keys")).unwrap();
    let jwt = jwt(keys.ca_certificate_file(&file.0).unwrap());
    let next = async || {
        // Between two fetches that fail there is a pause.
        pause();
        advance(Duration::from_secs(6)).await;
        resume();
        outcome(&jwt, &token).await
    };
    assert_eq!(next().await, "unavailable");
    file.write("");
    let error = jwt.reload().unwrap_err().to_string();
    assert!(error.contains("no CA certificate"), "{error}");
    assert_eq!(next().await, "unavailable");
    file.write(&ours.pem);
    assert_eq!(next().await, "unavailable");
    jwt.reload().unwrap();
    assert_eq!(next().await, "alice");
    jwt.reload().unwrap();
    assert_eq!(next().await, "alice");
    // What was fetched and verified under authorities that are gone does not count any more.
    file.write(&foreign.pem);
    jwt.reload().unwrap();
    assert_eq!(outcome(&jwt, &token).await, "unavailable");
    file.write(&ours.pem);
    jwt.reload().unwrap();
    assert_eq!(outcome(&jwt, &token).await, "alice");
}
