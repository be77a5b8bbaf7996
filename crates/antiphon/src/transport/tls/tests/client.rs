//! Trust anchors of a client.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::super::client::ClientTls;
use super::super::trust::CertificateProblem;
use super::super::{H2, HTTP1, TlsError, VERSIONS, protocols, provider};
use super::{Authority, Names, Pair};

const LONG: Duration = Duration::from_secs(10);

/// Starts a server that echoes one byte over TLS; returns the client's end of the stream.
fn server(pair: &Pair, alpn: &[&[u8]]) -> DuplexStream {
    let chain = CertificateDer::pem_slice_iter(pair.certificate.as_bytes());
    let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).unwrap();
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(VERSIONS)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain.collect::<Result<_, _>>().unwrap(), key)
        .unwrap();
    config.alpn_protocols = protocols(alpn);
    let (ours, theirs) = duplex(64 * 1024);
    tokio::spawn(async move {
        let mut stream = TlsAcceptor::from(Arc::new(config)).accept(theirs).await?;
        let byte = stream.read_u8().await?;
        stream.write_u8(byte).await?;
        stream.shutdown().await
    });
    ours
}

async fn refusal(tls: &ClientTls, host: &str, pair: &Pair) -> (CertificateProblem, String) {
    let outcome = tls.connect(host, server(pair, &[]), &[], LONG).await;
    let error = outcome.map(drop).unwrap_err();
    let text = error.to_string();
    match error {
        TlsError::Certificate(why) => (why, text),
        other => panic!("{host}: {other:?}"),
    }
}

#[tokio::test]
async fn a_server_of_a_known_authority_is_trusted() {
    let authority = Authority::new("authority.test");
    let tls = ClientTls::with_ca(authority.pair.certificate.as_bytes()).unwrap();
    for host in [
        "server.test",
        "SERVER.test",
        "server.test.",
        "127.0.0.1",
        "[::1]",
    ] {
        let name = host.trim_matches(['[', ']']).trim_end_matches('.');
        let pair = authority.issue(&name.to_lowercase());
        let offers: [(Names, Names, Option<&[u8]>); 4] = [
            (&[], &[], None),
            (&[H2, HTTP1], &[H2, HTTP1], Some(H2)),
            (&[HTTP1], &[H2, HTTP1], Some(HTTP1)),
            (&[H2, HTTP1], &[], None),
        ];
        for (offered, known, settled) in offers {
            let stream = server(&pair, known);
            let mut stream = tls.connect(host, stream, offered, LONG).await.unwrap();
            assert_eq!(stream.get_ref().1.alpn_protocol(), settled, "{host}");
            stream.write_u8(7).await.unwrap();
            assert_eq!(stream.read_u8().await.unwrap(), 7);
            assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
        }
    }
}

#[tokio::test]
async fn each_reason_for_distrust_is_told_in_its_own_words() {
    let authority = Authority::new("authority.test");
    let other = Authority::new("other.test");
    let anew = Authority::new("authority.test");
    let tls = ClientTls::with_ca(authority.pair.certificate.as_bytes()).unwrap();
    let year = rcgen::date_time_ymd;
    let expired = authority.issue_with("server.test", |params| {
        params.not_before = year(2001, 1, 1);
        params.not_after = year(2002, 1, 1);
    });
    let early = authority.issue_with("server.test", |params| {
        params.not_before = year(2999, 1, 1);
        params.not_after = year(3000, 1, 1);
    });
    let (why, text) = refusal(&tls, "server.test", &expired).await;
    assert!(
        matches!(why, CertificateProblem::Expired(Some(_))),
        "{why:?}"
    );
    assert!(
        text.contains("has expired, ") && text.ends_with(" days ago"),
        "{text}"
    );
    let table = [
        (
            authority.issue("other.test"),
            CertificateProblem::WrongName {
                expected: "server.test".to_owned(),
                presented: vec!["other.test".to_owned()],
            },
            "is not for `server.test`, but for `other.test`",
        ),
        (early, CertificateProblem::NotYetValid, "is not valid yet"),
        (
            other.issue("server.test"),
            CertificateProblem::UnknownIssuer,
            "was issued by an authority that is not trusted here",
        ),
        (
            anew.issue("server.test"),
            CertificateProblem::OtherKey,
            "was not signed with its key",
        ),
        (
            Pair::self_signed("server.test"),
            CertificateProblem::SelfSigned,
            "is signed by itself only",
        ),
        (authority.pair, CertificateProblem::Authority, "CA:TRUE"),
    ];
    for (pair, expected, part) in table {
        let (why, text) = refusal(&tls, "server.test", &pair).await;
        assert_eq!(why, expected, "{text}");
        assert!(text.contains(part), "{text}");
    }
}

#[tokio::test]
async fn the_names_of_a_wrong_certificate_are_told_up_to_a_few() {
    let authority = Authority::new("authority.test");
    let tls = ClientTls::with_ca(authority.pair.certificate.as_bytes()).unwrap();
    let many = authority.issue_with("name0.test", |params| {
        let names = (1..100).map(|n| format!("name{n}.test"));
        let names = names.map(|name| rcgen::SanType::DnsName(name.try_into().unwrap()));
        params.subject_alt_names.extend(names);
    });
    let (_, text) = refusal(&tls, "server.test", &many).await;
    assert!(text.contains("`name4.test` and others"), "{text}");
    assert!(!text.contains("name5"), "{text}");

    let none = authority.issue_with("x", |params| params.subject_alt_names.clear());
    let (_, text) = refusal(&tls, "server.test", &none).await;
    assert!(
        text.ends_with("`server.test` nor for any other name"),
        "{text}"
    );

    let number = authority.issue("127.0.0.1");
    let (_, text) = refusal(&tls, "127.0.0.2", &number).await;
    assert!(text.ends_with("`127.0.0.2`, but for `127.0.0.1`"), "{text}");
}

#[tokio::test]
async fn a_certificate_signed_by_itself_is_trusted_when_it_is_given() {
    let pair = Pair::self_signed("server.test");
    let tls = ClientTls::with_ca(pair.certificate.as_bytes()).unwrap();
    let stream = server(&pair, &[]);
    assert!(tls.connect("server.test", stream, &[], LONG).await.is_ok());
    let (why, _) = refusal(&tls, "other.test", &pair).await;
    assert!(
        matches!(why, CertificateProblem::WrongName { .. }),
        "{why:?}"
    );
}

#[tokio::test]
async fn the_name_asked_for_can_differ_from_the_host() {
    let authority = Authority::new("authority.test");
    let tls = ClientTls::with_ca(authority.pair.certificate.as_bytes()).unwrap();
    let tls = tls.with_server_name("server.test").unwrap();
    let stream = server(&authority.issue("server.test"), &[]);
    assert!(tls.connect("127.0.0.1", stream, &[], LONG).await.is_ok());
    let (why, _) = refusal(&tls, "127.0.0.1", &authority.issue("127.0.0.1")).await;
    assert!(
        matches!(why, CertificateProblem::WrongName { .. }),
        "{why:?}"
    );
    let error = tls.with_server_name("a b").map(drop).unwrap_err();
    assert_eq!(error.to_string(), "no certificate can be for `a b`");
}

#[test]
fn authorities_that_cannot_be_used_are_told() {
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let table = [
        ("", "no CA certificate"),
        ("nothing", "no CA certificate"),
        (&Pair::self_signed("x").key, "no CA certificate"),
        (broken, "cannot be used"),
        (&broken.replace("AAAA", "?"), "cannot be read"),
        (broken.get(..40).unwrap(), "cannot be read"),
    ];
    for (pem, part) in table {
        let error = ClientTls::with_ca(pem.as_bytes()).map(drop).unwrap_err();
        assert!(error.to_string().contains(part), "{pem:?}: {error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_nothing_is_given_up() {
    let tls = ClientTls::with_ca(Pair::self_signed("x").certificate.as_bytes()).unwrap();
    let (ours, _theirs) = duplex(64 * 1024);
    let begun = tokio::time::Instant::now();
    let outcome = tls.connect("server.test", ours, &[], LONG).await;
    assert!(matches!(outcome, Err(TlsError::Deadline)));
    assert_eq!(begun.elapsed().as_secs(), LONG.as_secs());
}

#[tokio::test]
async fn a_server_that_speaks_something_else_is_told() {
    let tls = ClientTls::with_ca(Pair::self_signed("x").certificate.as_bytes()).unwrap();
    let table: [(&[u8], &str); 4] = [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "does not speak TLS"),
        (b"{\"jsonrpc\":\"2.0\"}\n", "does not speak TLS"),
        (b"", "has closed the connection"),
        (
            b"\x15\x03\x03\0\x02\x02\x28",
            "refuses it (HandshakeFailure)",
        ),
    ];
    for (answer, part) in table {
        let (ours, mut theirs) = duplex(64 * 1024);
        theirs.write_all(answer).await.unwrap();
        theirs.shutdown().await.unwrap();
        let outcome = tls.connect("server.test", ours, &[], LONG).await;
        let error = outcome.map(drop).unwrap_err();
        assert!(matches!(error, TlsError::Handshake(_)), "{error:?}");
        assert!(error.to_string().contains(part), "{error}");
    }
}

#[test]
fn the_platforms_authorities_can_be_asked() {
    // A machine may have no trust anchors; then this fails, and nothing else is trusted instead.
    match ClientTls::platform() {
        Ok(_) => {}
        Err(error) => assert!(error.to_string().contains("of this machine"), "{error}"),
    }
}
