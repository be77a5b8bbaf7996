//! Handshakes of a server, and its certificate files.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{
    ClientConfig, HandshakeKind, ProtocolVersion, RootCertStore, SupportedProtocolVersion, version,
};

use super::super::server::{ClientAuthorities, HANDSHAKE_TIMEOUT, ServerTls, TlsPayload};
use super::super::{H2, HTTP1, TlsError, protocols, provider};
use super::{Authority, Names, Pair};

/// A temporary folder with the files of a server, removed on drop.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let (process, next) = (std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(format!("antiphon-tls-{process}-{next}"));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn of(pair: &Pair) -> Self {
        let folder = Self::new();
        folder.put(pair);
        folder
    }

    fn put(&self, pair: &Pair) {
        fs::write(self.certificate(), &pair.certificate).unwrap();
        fs::write(self.key(), &pair.key).unwrap();
    }

    fn certificate(&self) -> PathBuf {
        self.0.join("certificate.pem")
    }

    fn key(&self) -> PathBuf {
        self.0.join("key.pem")
    }

    fn load(&self) -> Result<ServerTls, TlsError> {
        ServerTls::load(&self.certificate(), &self.key(), None)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A client that trusts this certificate.
fn client(pem: &str, versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap())
        .unwrap();
    ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// The result of a handshake.
#[derive(PartialEq, Debug)]
struct Settled {
    version: Option<ProtocolVersion>,
    alpn: Option<Vec<u8>>,
    kind: Option<HandshakeKind>,
    certificate: Vec<u8>,
}

/// Performs a handshake and sends one byte each way.
async fn shake(
    server: &ServerTls,
    client: Arc<ClientConfig>,
    carries: TlsPayload,
) -> std::io::Result<Settled> {
    let (near, far) = duplex(64 * 1024);
    let server = server.clone();
    let serving = tokio::spawn(async move {
        let mut stream = server.accept(far, carries, HANDSHAKE_TIMEOUT).await?;
        let byte = stream.read_u8().await.unwrap();
        stream.write_u8(byte).await.unwrap();
        stream.shutdown().await.unwrap();
        Ok::<_, TlsError>(())
    });
    let name = ServerName::try_from("server.test").unwrap();
    let mut stream = TlsConnector::from(client).connect(name, near).await?;
    stream.write_u8(1).await?;
    assert_eq!(stream.read_u8().await?, 1);
    serving.await.unwrap().unwrap();
    let session = stream.get_ref().1;
    Ok(Settled {
        version: session.protocol_version(),
        alpn: session.alpn_protocol().map(<[u8]>::to_vec),
        kind: session.handshake_kind(),
        certificate: session.peer_certificates().unwrap()[0].to_vec(),
    })
}

/// Sends these bytes to a server; returns its answer and its error.
async fn answer(server: &ServerTls, bytes: &[u8]) -> (Vec<u8>, TlsError) {
    let (mut near, far) = duplex(64 * 1024);
    near.write_all(bytes).await.unwrap();
    let outcome = server
        .accept(far, TlsPayload::Http, HANDSHAKE_TIMEOUT)
        .await;
    let error = outcome.map(drop).unwrap_err();
    let mut answer = Vec::new();
    near.read_to_end(&mut answer).await.unwrap();
    (answer, error)
}

#[tokio::test]
async fn tls_1_2_and_1_3_are_spoken_and_alpn_settles_http() {
    let pair = Pair::self_signed("server.test");
    let server = Folder::of(&pair).load().unwrap();
    for (version, expected) in [
        (&version::TLS12, ProtocolVersion::TLSv1_2),
        (&version::TLS13, ProtocolVersion::TLSv1_3),
    ] {
        let table: [(TlsPayload, Names, Option<&[u8]>); 6] = [
            (TlsPayload::Http, &[], None),
            (TlsPayload::Http, &[H2, HTTP1], Some(H2)),
            (TlsPayload::Http, &[HTTP1, H2], Some(H2)),
            (TlsPayload::Http, &[HTTP1], Some(HTTP1)),
            (TlsPayload::Raw, &[], None),
            (TlsPayload::Raw, &[H2, b"x"], None),
        ];
        for (carries, offered, alpn) in table {
            let mut client = client(&pair.certificate, &[version]);
            client.alpn_protocols = protocols(offered);
            let settled = shake(&server, Arc::new(client), carries).await.unwrap();
            assert_eq!(settled.version, Some(expected));
            assert_eq!(settled.alpn.as_deref(), alpn);
        }
        // A client that offers only other protocols gets an error.
        let mut client = client(&pair.certificate, &[version]);
        client.alpn_protocols = protocols(&[b"x"]);
        let outcome = shake(&server, Arc::new(client), TlsPayload::Http).await;
        let error = outcome.unwrap_err().to_string();
        assert!(error.contains("NoApplicationProtocol"), "{error}");
    }
}

#[tokio::test]
async fn a_session_is_resumed_but_not_over_a_reload() {
    let pair = Pair::self_signed("server.test");
    let folder = Folder::of(&pair);
    let server = folder.load().unwrap();
    for version in [&version::TLS12, &version::TLS13] {
        let client = Arc::new(client(&pair.certificate, &[version]));
        let mut resumed = Vec::new();
        for round in 0..3 {
            if round == 2 {
                server.reload().unwrap();
            }
            let settled = shake(&server, Arc::clone(&client), TlsPayload::Raw).await;
            resumed.push(settled.unwrap().kind == Some(HandshakeKind::Resumed));
        }
        assert_eq!(resumed, [false, true, false]);
    }
}

#[tokio::test]
async fn the_next_handshake_sees_a_new_certificate_and_a_broken_one_changes_nothing() {
    let (old, new) = (
        Pair::self_signed("server.test"),
        Pair::self_signed("server.test"),
    );
    let folder = Folder::of(&old);
    let server = folder.load().unwrap();
    let copy = server.clone();
    let shown = async |pair: &Pair| {
        let client = client(&pair.certificate, super::super::VERSIONS);
        let settled = shake(&copy, Arc::new(client), TlsPayload::Http).await;
        settled.is_ok_and(|settled| {
            let expected = CertificateDer::from_pem_slice(pair.certificate.as_bytes()).unwrap();
            settled.certificate == expected.as_ref()
        })
    };
    assert!(shown(&old).await);

    // Each step writes a file, reloads, and checks which certificate is in use afterwards.
    fs::write(folder.certificate(), &new.certificate).unwrap();
    let error = server.reload().unwrap_err().to_string();
    assert!(
        error.contains("is not the key of the certificate"),
        "{error}"
    );
    assert!(shown(&old).await);

    fs::write(folder.certificate(), "").unwrap();
    assert!(server.reload().is_err());
    fs::remove_file(folder.certificate()).unwrap();
    assert!(server.reload().is_err());
    assert!(shown(&old).await);

    folder.put(&new);
    assert!(shown(&old).await);
    server.reload().unwrap();
    assert!(shown(&new).await);
    // A client that trusts only the old certificate rejects the new one.
    let client = client(&old.certificate, super::super::VERSIONS);
    let (near, far) = duplex(64 * 1024);
    let serving = tokio::spawn(async move {
        let outcome = copy.accept(far, TlsPayload::Http, HANDSHAKE_TIMEOUT).await;
        outcome.map(drop).unwrap_err().to_string()
    });
    let name = ServerName::try_from("server.test").unwrap();
    let outcome = TlsConnector::from(Arc::new(client))
        .connect(name, near)
        .await;
    assert!(outcome.is_err());
    let told = serving.await.unwrap();
    assert!(told.contains("the other end refuses it"), "{told}");
}

#[test]
fn files_that_cannot_be_used_are_told() {
    let authority = Authority::new("authority.test");
    let (good, other) = (authority.issue("a.test"), authority.issue("b.test"));
    let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let encrypted = good.key.replace("PRIVATE", "ENCRYPTED PRIVATE");
    let sealed = good
        .key
        .replacen("KEY-----\n", "KEY-----\nProc-Type: 4,ENCRYPTED\n\n", 1);
    let bad_key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    let long = "#".repeat(1024 * 1024 + 1);
    let whole = (
        good.certificate.clone() + &authority.pair.certificate,
        good.key.clone(),
    );
    let table: [(&str, &str, Result<(), &str>); 13] = [
        (&good.certificate, &good.key, Ok(())),
        (&whole.0, &whole.1, Ok(())),
        // Certificate and key in the same file.
        (
            &(good.certificate.clone() + &good.key),
            &(good.certificate.clone() + &good.key),
            Ok(()),
        ),
        ("", &good.key, Err("there is no certificate (PEM) in ")),
        (
            &good.key,
            &good.key,
            Err("there is no certificate (PEM) in "),
        ),
        (garbage, &good.key, Err("the certificate")),
        (
            &good.certificate,
            "",
            Err("there is no private key (PEM) in "),
        ),
        (
            &good.certificate,
            &good.certificate,
            Err("there is no private key (PEM) in "),
        ),
        (&good.certificate, bad_key, Err("the private key in ")),
        (&good.certificate, &encrypted, Err("is encrypted")),
        (&good.certificate, &sealed, Err("is encrypted")),
        (
            &good.certificate,
            &other.key,
            Err("is not the key of the certificate in "),
        ),
        (&long, &good.key, Err("is longer than 1048576 bytes")),
    ];
    for (index, (certificate, key, expected)) in table.into_iter().enumerate() {
        let folder = Folder::of(&Pair {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
        });
        match (folder.load(), expected) {
            (Ok(_), Ok(())) => {}
            (Err(error), Err(part)) => {
                let error = error.to_string();
                assert!(error.contains(part), "{index}: {error}");
                assert!(error.contains("antiphon-tls-"), "{index}: {error}");
                assert!(!error.contains("AAAA"), "{index}: {error}");
            }
            (outcome, _) => panic!("{index}: {:?}", outcome.map(drop)),
        }
    }
    let nowhere = Path::new("/nowhere/certificate.pem");
    let error = ServerTls::load(nowhere, nowhere, None)
        .map(drop)
        .unwrap_err();
    let error = error.to_string();
    assert!(
        error.starts_with("cannot read /nowhere/certificate.pem: "),
        "{error}"
    );
}

#[cfg(unix)]
#[tokio::test]
async fn a_key_that_all_can_read_is_used_nevertheless() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = Folder::of(&Pair::self_signed("server.test"));
    for mode in [0o600, 0o640, 0o644] {
        fs::set_permissions(folder.key(), fs::Permissions::from_mode(mode)).unwrap();
        let file = fs::File::open(folder.key()).unwrap();
        let open = super::super::server::is_open_to_all(&file);
        assert_eq!(open, mode == 0o644, "{mode:o}");
        assert!(folder.load().is_ok());
    }
}

#[tokio::test]
async fn cleartext_gets_no_cleartext() {
    let server = Folder::of(&Pair::self_signed("server.test"))
        .load()
        .unwrap();
    for bytes in [
        &b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"[..],
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
        b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\"}\n",
        b"Content-Length: 2\r\n\r\n{}",
    ] {
        let (answer, error) = answer(&server, bytes).await;
        // Nothing, or an alert record (type 21) at level fatal (2) and nothing else.
        assert!(answer.is_empty() || (answer.len() == 7 && answer[0] == 21 && answer[5] == 2));
        let text = "the TLS handshake failed: the other end does not speak TLS";
        assert_eq!(error.to_string(), text);
    }
}

/// A ClientHello whose highest version is this one.
fn old_hello(version: [u8; 2]) -> Vec<u8> {
    let mut body = version.to_vec();
    body.extend([7; 32]); // random
    body.push(0); // no session
    body.extend([0, 4, 0xc0, 0x13, 0, 0x2f]); // ECDHE_RSA and RSA with AES 128 and SHA
    body.extend([1, 0]); // no compression
    // One extension: signature_algorithms with RSA and ECDSA over SHA-256.
    body.extend([0, 10, 0, 13, 0, 6, 0, 4, 4, 1, 4, 3]);
    let length = u8::try_from(body.len()).unwrap();
    let mut hello = vec![0x16, 0x03, 0x01, 0, length + 4, 1, 0, 0, length];
    hello.extend(body);
    hello
}

#[tokio::test]
async fn tls_1_1_and_older_are_refused() {
    let server = Folder::of(&Pair::self_signed("server.test"))
        .load()
        .unwrap();
    for version in [[3, 2], [3, 1], [3, 0]] {
        let hello = old_hello(version);
        let (answer, error) = answer(&server, &hello).await;
        assert!(matches!(error, TlsError::Handshake(_)), "{error:?}");
        // Fatal: protocol_version (70).
        assert_eq!(
            (answer[0], &answer[3..]),
            (21, &[0, 2, 2, 70][..]),
            "{error}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_stops_is_cut_off_at_the_deadline() {
    let server = Folder::of(&Pair::self_signed("server.test"))
        .load()
        .unwrap();
    // The third begins a record that is never completed.
    for begins in [&b""[..], b"\x16", b"\x16\x03\x01\x02\0\x01"] {
        let (mut near, far) = duplex(1024);
        near.write_all(begins).await.unwrap();
        let begun = tokio::time::Instant::now();
        let outcome = server.accept(far, TlsPayload::Raw, HANDSHAKE_TIMEOUT).await;
        assert!(matches!(outcome, Err(TlsError::Deadline)), "{begins:?}");
        assert_eq!(begun.elapsed().as_secs(), HANDSHAKE_TIMEOUT.as_secs());
        assert_eq!(near.read(&mut [0]).await.unwrap(), 0);
    }
}

#[tokio::test]
async fn a_handshake_without_end_is_cut_off_by_its_size() {
    let server = Folder::of(&Pair::self_signed("server.test"))
        .load()
        .unwrap();
    // A ClientHello that announces 16 MiB, in records of 16 KiB.
    let mut record = vec![0x16, 0x03, 0x01, 0x40, 0];
    record.extend([1, 0xff, 0xff, 0xff]);
    record.resize(5 + 0x4000, 0);
    let (mut near, far) = duplex(1024);
    let writing = tokio::spawn(async move {
        for count in 0..1000 {
            if near.write_all(&record).await.is_err() {
                return count;
            }
        }
        1000
    });
    let outcome = server.accept(far, TlsPayload::Raw, HANDSHAKE_TIMEOUT).await;
    assert!(matches!(outcome, Err(TlsError::Handshake(_))));
    let count = writing.await.unwrap();
    assert!(count < 16, "{count} records were read");
}

#[tokio::test]
async fn authorities_of_clients_are_read_again_with_the_certificate() {
    let (one, two, own) = (
        Authority::new("one.test"),
        Authority::new("two.test"),
        Authority::new("own.test"),
    );
    let folder = Folder::of(&own.issue("server.test"));
    let file = folder.0.join("clients.pem");
    fs::write(&file, &one.pair.certificate).unwrap();
    let clients = ClientAuthorities {
        file: file.clone(),
        is_required: true,
    };
    let server = ServerTls::load(&folder.certificate(), &folder.key(), Some(clients)).unwrap();
    let with = |pair: &Pair| {
        let mut roots = RootCertStore::empty();
        let root = CertificateDer::from_pem_slice(own.pair.certificate.as_bytes()).unwrap();
        roots.add(root).unwrap();
        let config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&version::TLS13])
            .unwrap()
            .with_root_certificates(roots)
            .with_client_auth_cert(
                vec![CertificateDer::from_pem_slice(pair.certificate.as_bytes()).unwrap()],
                PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).unwrap(),
            );
        Arc::new(config.unwrap())
    };
    let (first, second) = (one.issue("a.test"), two.issue("a.test"));
    let shakes = async |pair: &Pair| shake(&server, with(pair), TlsPayload::Raw).await.is_ok();
    assert!(shakes(&first).await && !shakes(&second).await);
    fs::write(&file, &two.pair.certificate).unwrap();
    server.reload().unwrap();
    assert!(!shakes(&first).await && shakes(&second).await);
    // What cannot be used leaves all as it is.
    fs::write(&file, "rubbish").unwrap();
    assert!(server.reload().is_err());
    assert!(!shakes(&first).await && shakes(&second).await);
}
