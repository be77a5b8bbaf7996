//! Clients with certificates.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use antiphon::{ClientCertificates, Server};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, SanType};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, HandshakeKind, RootCertStore, version};

use super::*;
use crate::support::folder::Folder;

/// An authority.
struct Authority(rcgen::Issuer<'static, KeyPair>, String);

/// A certificate and its key, in PEM.
type Pair = (String, String);

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self(rcgen::Issuer::new(params, key), pem)
    }

    fn issue(&self, name: SanType, change: impl FnOnce(&mut CertificateParams)) -> Pair {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![name];
        change(&mut params);
        let certificate = params.signed_by(&key, &self.0).unwrap();
        (certificate.pem(), key.serialize_pem())
    }
}

fn uri(name: &str) -> SanType {
    SanType::URI(name.try_into().unwrap())
}

fn client(authority: &Authority, pair: Option<&Pair>) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(authority.1.as_bytes()).unwrap())
        .unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])
        .unwrap()
        .with_root_certificates(roots);
    Arc::new(match pair {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
            let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
            builder
                .with_client_auth_cert(vec![certificate], key)
                .unwrap()
        }
    })
}

/// The status of a call and its result, if the handshake succeeds.
async fn ask(
    address: SocketAddr,
    client: &Arc<ClientConfig>,
    header: &str,
) -> std::io::Result<(u16, Value, Option<HandshakeKind>)> {
    let socket = TcpStream::connect(address).await?;
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = TlsConnector::from(Arc::clone(client))
        .connect(name, socket)
        .await?;
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"who"}"#;
    let length = body.len();
    let request = format!(
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{header}\
         Connection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let status = answer.split(' ').nth(1).unwrap_or("0").parse().unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    let body = serde_json::from_str(body).unwrap_or_default();
    Ok((status, body, stream.get_ref().1.handshake_kind()))
}

/// The server's files.
fn files(folder: &Folder, authority: &Authority) -> (PathBuf, PathBuf) {
    let (chain, key) = authority.issue(SanType::DnsName("localhost".try_into().unwrap()), |_| ());
    (
        folder.file("chain.pem", &chain),
        folder.file("key.pem", &key),
    )
}

#[tokio::test]
async fn a_client_is_known_by_the_certificate_of_an_authority() {
    let folder = Folder::new();
    let (own, foreign) = (Authority::new("own"), Authority::new("foreign"));
    let (chain, key) = files(&folder, &own);
    let authorities = folder.file("clients.pem", &own.1);
    let expired = own.issue(uri("spiffe://example/billing"), |params| {
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2021, 1, 1);
    });
    let billing = own.issue(uri("spiffe://example/billing"), |_| ());
    let reports = own.issue(uri("spiffe://example/reports"), |_| ());
    let stranger = foreign.issue(uri("spiffe://example/billing"), |_| ());
    for required in [false, true] {
        let ran = Counter::default();
        let certificates = ClientCertificates::new().scopes("spiffe://example/billing", ["a", "b"]);
        let server = Server::new(router(&ran))
            .bind("127.0.0.1:0")
            .tls(&chain, &key)
            .tls_client_ca(&authorities)
            .configure(|settings| settings.tls_client_required = required)
            .authenticate(certificates);
        let server = server.listen().await.unwrap();
        let address = server.addresses()[0];
        let serving = tokio::spawn(server.serve());
        for (pair, expected) in [
            (&billing, json!(["spiffe://example/billing", ["a", "b"]])),
            (&reports, json!(["spiffe://example/reports", []])),
        ] {
            let client = client(&own, Some(pair));
            for _ in 0..3 {
                let (_, body, kind) = ask(address, &client, "").await.unwrap();
                assert_eq!(body["result"], expected);
                // No session is resumed: nobody would verify the certificate.
                assert_ne!(kind, Some(HandshakeKind::Resumed));
            }
            let before = ran.get();
            let wrong = "Authorization: Bearer wrong\r\n";
            assert_eq!(ask(address, &client, wrong).await.unwrap().0, 401);
            assert_eq!(ran.get(), before);
        }
        let before = ran.get();
        for pair in [&stranger, &expired] {
            let client = client(&own, Some(pair));
            // In TLS 1.3 the client learns of it when it reads.
            let asked = ask(address, &client, "").await;
            assert!(asked.is_err() || asked.is_ok_and(|(status, ..)| status == 0));
        }
        let anonymous = ask(address, &client(&own, None), "").await;
        match required {
            true => assert!(anonymous.is_err() || anonymous.is_ok_and(|(status, ..)| status == 0)),
            false => assert_eq!(anonymous.unwrap().1["error"]["code"], -32006),
        }
        assert_eq!(ran.get(), before);
        serving.abort();
    }
}

#[tokio::test]
async fn authorities_that_cannot_be_used_are_refused_at_the_start() {
    let folder = Folder::new();
    let own = Authority::new("own");
    let (chain, key) = files(&folder, &own);
    let rubbish = folder.file("rubbish.pem", "rubbish");
    for (file, part) in [
        (folder.path("none"), "none"),
        (rubbish, "no certificate (PEM)"),
    ] {
        let server = Server::new(router(&Counter::default()))
            .bind("127.0.0.1:0")
            .tls(&chain, &key)
            .tls_client_ca(file);
        let error = server.listen().await.unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
}
