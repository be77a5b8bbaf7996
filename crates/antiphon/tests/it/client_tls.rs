//! Tests of the client over TLS: HTTP version, certificates, and errors of the handshake.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use antiphon::client::{Body, Client, ClientBuilder, ErrorKind};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use crate::client_support::{listen, wire};

/// A certificate authority, and servers with certificates that it has signed.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let text = rcgen::DnType::CommonName;
        params.distinguished_name.push(text, name);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(params, key);
        Self { issuer, pem }
    }

    fn server(&self, name: &str, alpn: &[&str]) -> TlsAcceptor {
        self.server_with(name, alpn, |_| ())
    }

    fn server_with(
        &self,
        name: &str,
        alpn: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) -> TlsAcceptor {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        change(&mut params);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        acceptor(certificate.der(), &key, alpn)
    }
}

fn acceptor(certificate: &CertificateDer<'static>, key: &KeyPair, alpn: &[&str]) -> TlsAcceptor {
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    TlsAcceptor::from(Arc::new(config))
}

/// A server whose only result is the HTTP version of the request. It counts its connections.
async fn serve(acceptor: TlsAcceptor, http2: bool) -> (SocketAddr, Arc<AtomicUsize>) {
    let connections = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&connections);
    let address = listen(move |stream| {
        let (acceptor, count) = (acceptor.clone(), Arc::clone(&count));
        async move {
            let stream = acceptor.accept(stream).await?;
            count.fetch_add(1, Ordering::SeqCst);
            let http2 = http2 || stream.get_ref().1.alpn_protocol() == Some(b"h2");
            let service = service_fn(|request: http::Request<hyper::body::Incoming>| async move {
                let (version, uri) = (request.version(), request.uri().clone());
                let seen = uri.authority().map_or("", |authority| authority.as_str());
                let body =
                    format!(r#"{{"jsonrpc":"2.0","id":1,"result":["{version:?}","{seen}"]}}"#);
                Ok::<_, Infallible>(http::Response::new(Body::from(body)))
            });
            let stream = TokioIo::new(stream);
            if http2 {
                let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                let serving = builder.serve_connection(stream, service);
                serving.await.map_err(io::Error::other)
            } else {
                let builder = hyper::server::conn::http1::Builder::new();
                let serving = builder.serve_connection(stream, service);
                serving.await.map_err(io::Error::other)
            }
        }
    })
    .await;
    (address, connections)
}

fn builder(host: &str, address: SocketAddr) -> ClientBuilder {
    let url = format!("HTTPS://{host}:{}/rpc", address.port());
    Client::builder(url).id_generator(|| 1.into())
}

/// Makes a call that fails because there is no connection, and returns the text of the error.
async fn refused(builder: ClientBuilder) -> String {
    let client = builder.build().unwrap();
    let error = client.call::<String>("m", ()).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::NotSent), "{error}");
    assert!(error.is_connect(), "{error}");
    error.to_string()
}

#[tokio::test]
async fn the_http_version_is_negotiated_in_the_handshake() {
    let authority = Authority::new("authority.test");
    let table: [(&[&str], bool, &str); 5] = [
        (&["h2", "http/1.1"], false, "HTTP/2.0"),
        (&["http/1.1"], false, "HTTP/1.1"),
        (&[], false, "HTTP/1.1"),
        (&["h2", "http/1.1"], true, "HTTP/2.0"),
        // A server without ALPN, for a client that is configured for HTTP/2.
        (&[], true, "HTTP/2.0"),
    ];
    for (alpn, known, expected) in table {
        let acceptor = authority.server("localhost", alpn);
        let (address, connections) = serve(acceptor, known && alpn.is_empty()).await;
        let builder = builder("localhost", address)
            .ca_certificate(&authority.pem)
            .http2_prior_knowledge(known);
        let client = builder.build().unwrap();
        for _ in 0..3 {
            let seen: [String; 2] = client.call("m", ()).await.unwrap();
            assert_eq!(seen[0], expected, "{alpn:?}");
            if expected == "HTTP/2.0" {
                assert_eq!(seen[1], format!("localhost:{}", address.port()));
            }
        }
        assert_eq!(connections.load(Ordering::SeqCst), 1, "{alpn:?}");
    }
}

#[tokio::test]
async fn concurrent_calls_share_an_http_2_connection() {
    let authority = Authority::new("authority.test");
    let (address, connections) = serve(authority.server("localhost", &["h2"]), false).await;
    let client = builder("localhost", address).ca_certificate(&authority.pem);
    let client = client.build().unwrap();
    let _: [String; 2] = client.call("m", ()).await.unwrap();
    let calls: Vec<_> = (0..20)
        .map(|_| tokio::spawn(client.call::<[String; 2]>("m", ()).into_future()))
        .collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn an_untrusted_server_receives_no_request() {
    let authority = Authority::new("authority.test");
    let other = Authority::new("other.test");
    let key = KeyPair::generate().unwrap();
    let alone = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let alone = acceptor(alone.self_signed(&key).unwrap().der(), &key, &[]);
    let expired = authority.server_with("localhost", &[], |params| {
        params.not_after = rcgen::date_time_ymd(2002, 1, 1);
    });
    let early = authority.server_with("localhost", &[], |params| {
        params.not_before = rcgen::date_time_ymd(2999, 1, 1);
    });
    for (acceptor, part) in [
        (
            authority.server("other.test", &[]),
            "is not for `localhost`, but for `other.test`",
        ),
        (
            other.server("localhost", &[]),
            "an authority that is not trusted here",
        ),
        (alone, "is signed by itself only"),
        (expired, "has expired"),
        (early, "is not valid yet"),
    ] {
        let (address, connections) = serve(acceptor, false).await;
        let text = refused(builder("localhost", address).ca_certificate(&authority.pem)).await;
        let begin = format!(
            "`m` was not sent: cannot connect to localhost:{}: the server's certificate ",
            address.port()
        );
        assert!(text.starts_with(&begin) && text.contains(part), "{text}");
        assert_eq!(connections.load(Ordering::SeqCst), 0);
    }
}

#[tokio::test]
async fn the_system_root_certificates_do_not_trust_the_test_server() {
    let authority = Authority::new("authority.test");
    let (address, _) = serve(authority.server("localhost", &[]), false).await;
    // On a machine without root certificates, building the client fails.
    if let Err(error) = builder("localhost", address).build() {
        assert!(error.to_string().contains("of this machine"), "{error}");
        return;
    }
    let text = refused(builder("localhost", address)).await;
    assert!(text.contains("the server's certificate"), "{text}");
}

#[tokio::test]
async fn a_server_without_a_handshake_receives_no_request() {
    let authority = Authority::new("authority.test");
    let cleartext = listen(|mut stream| async move {
        let mut some = [0; 5];
        stream.read_exact(&mut some).await?;
        assert_eq!(some[..2], [0x16, 0x03]);
        stream.write_all(wire("200 OK", "").as_bytes()).await?;
        stream.shutdown().await
    })
    .await;
    let text = refused(builder("localhost", cleartext).ca_certificate(&authority.pem)).await;
    assert!(text.ends_with("the other end does not speak TLS"), "{text}");

    let gone = listen(|mut stream| async move {
        stream.read_u8().await?;
        Ok(())
    })
    .await;
    refused(builder("localhost", gone).ca_certificate(&authority.pem)).await;
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_does_not_end_times_out() {
    let authority = Authority::new("authority.test");
    let address = listen(|stream| async move {
        let _held = stream;
        std::future::pending().await
    })
    .await;
    let begun = tokio::time::Instant::now();
    let builder = builder("127.0.0.1", address).ca_certificate(&authority.pem);
    refused(builder.timeout(None)).await;
    assert_eq!(begun.elapsed().as_secs(), 10);
}

#[tokio::test]
async fn a_call_is_unknown_if_the_connection_ends_after_the_request() {
    let authority = Authority::new("authority.test");
    let acceptor = authority.server("localhost", &[]);
    let address = listen(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            let mut stream = acceptor.accept(stream).await?;
            stream.read_u8().await?;
            // The connection ends within the response, without a TLS close alert.
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n{").await?;
            stream.flush().await
        }
    })
    .await;
    let builder = builder("localhost", address).ca_certificate(&authority.pem);
    let error = builder.build().unwrap().call::<String>("m", ()).await;
    let error = error.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Unknown), "{error}");
}

#[tokio::test]
async fn the_server_name_can_differ_from_the_host() {
    let (one, two) = (Authority::new("one.test"), Authority::new("two.test"));
    let (address, _) = serve(two.server("server.test", &[]), false).await;
    // Several certificates add up, also if the PEM text does not end with a line break.
    let both = || {
        builder("127.0.0.1", address)
            .ca_certificate(one.pem.trim_end())
            .ca_certificate(two.pem.trim_end())
    };
    let text = refused(both()).await;
    assert!(text.contains("is not for `127.0.0.1`"), "{text}");
    let client = both().server_name("server.test").build().unwrap();
    let _: [String; 2] = client.call("m", ()).await.unwrap();
}

#[test]
fn invalid_options_are_errors() {
    let pem = Authority::new("authority.test").pem;
    for (builder, part) in [
        (
            Client::builder("https://h").ca_certificate("nothing"),
            "there is no CA certificate",
        ),
        (
            Client::builder("https://h")
                .ca_certificate(&pem)
                .server_name("a b"),
            "no certificate can be for `a b`",
        ),
    ] {
        let error = builder.build().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Local), "{error}");
        assert!(error.to_string().contains(part), "{error}");
    }
    // Without TLS these options have no effect.
    let plain = Client::builder("http://h").ca_certificate("nothing");
    assert!(plain.build().is_ok());
}

/// A server that asks for certificates of this authority, and answers with the subject of the token.
fn demanding(authority: &Authority, alpn: &[&str]) -> TlsAcceptor {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &authority.issuer).unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    let mut known = CertificateDer::pem_slice_iter(authority.pem.as_bytes());
    roots.add(known.next().unwrap().unwrap()).unwrap();
    let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), Arc::clone(&provider));
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    TlsAcceptor::from(Arc::new(config))
}

/// The certificate of a client and its key, in PEM.
fn client_certificate(authority: &Authority) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["reports".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &authority.issuer).unwrap();
    (certificate.pem(), key.serialize_pem())
}

#[tokio::test]
async fn a_client_shows_its_certificate_to_a_server_that_asks() {
    let (authority, other) = (
        Authority::new("authority.test"),
        Authority::new("other.test"),
    );
    for alpn in [&["h2", "http/1.1"][..], &["http/1.1"]] {
        let (address, _) = serve(demanding(&authority, alpn), false).await;
        let builder = || builder("localhost", address).ca_certificate(&authority.pem);
        let (chain, key) = client_certificate(&authority);
        let client = builder().client_certificate(&chain, &key).build().unwrap();
        assert!(client.call::<Vec<String>>("m", ()).await.is_ok());
        // Both may be in one file.
        let both = format!("{key}{chain}");
        let client = builder().client_certificate(&both, &both).build().unwrap();
        assert!(client.call::<Vec<String>>("m", ()).await.is_ok());

        let (chain, key) = client_certificate(&other);
        let stranger = builder().client_certificate(chain, key).build().unwrap();
        assert!(stranger.call::<Vec<String>>("m", ()).await.is_err());
        let nobody = builder().build().unwrap();
        assert!(nobody.call::<Vec<String>>("m", ()).await.is_err());
    }
}

#[tokio::test]
async fn a_session_shows_the_certificate_too() {
    let authority = Authority::new("authority.test");
    let (chain, key) = client_certificate(&authority);
    let acceptor = demanding(&authority, &[]);
    // Whoever gets through the handshake is answered; a WebSocket is refused with a status.
    let address = listen(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            let mut stream = acceptor.accept(stream).await?;
            let mut request = [0; 4096];
            let length = stream.read(&mut request).await?;
            let answer = match request.get(..length).unwrap().starts_with(b"GET") {
                true => wire("418 Teapot", ""),
                false => "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"known\"}\n".to_owned(),
            };
            stream.write_all(answer.as_bytes()).await?;
            stream.read(&mut request).await.map(drop)
        }
    })
    .await;
    for (scheme, expected) in [("tls", "known"), ("wss", "418")] {
        let builder = || {
            let url = format!("{scheme}://localhost:{}", address.port());
            Client::builder(url).ca_certificate(&authority.pem)
        };
        let client = builder().client_certificate(&chain, &key).build().unwrap();
        let told = match client.call::<String>("m", ()).await {
            Ok(known) => known,
            Err(error) => error.to_string(),
        };
        assert!(told.contains(expected), "{scheme}: {told}");
        let nobody = builder().build().unwrap();
        let told = nobody
            .call::<String>("m", ())
            .await
            .unwrap_err()
            .to_string();
        assert!(!told.contains("418"), "{told}");
    }
}

#[test]
fn a_certificate_that_cannot_be_used_is_an_error_of_build() {
    let authority = Authority::new("authority.test");
    let ((chain, key), (_, foreign)) = (
        client_certificate(&authority),
        client_certificate(&authority),
    );
    let locked = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----";
    let broken = "-----BEGIN PRIVATE KEY-----\nS3CR3T!\n-----END PRIVATE KEY-----";
    for (chain, key, part) in [
        ("", &*key, "there is no certificate of the client"),
        (&*key, &*key, "there is no certificate of the client"),
        (&*chain, "", "there is no private key of the client"),
        (&*chain, &*chain, "there is no private key of the client"),
        (&*chain, &*foreign, "is not the key of its certificate"),
        (&*chain, locked, "is encrypted"),
        (&*chain, broken, "the private key of the client cannot be"),
    ] {
        for scheme in ["https", "wss", "tls"] {
            let builder = Client::builder(format!("{scheme}://localhost:1"))
                .ca_certificate(&authority.pem)
                .client_certificate(chain, key);
            let error = builder.build().unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Local), "{error}");
            let told = error.to_string();
            assert!(told.contains(part), "{told}");
            assert!(!told.contains("S3CR3T"), "{told}");
        }
    }
}

/// The first handshake decides on the version; calls that come before it wait for it.
#[tokio::test]
async fn calls_wait_for_the_first_handshake_and_share_an_http_2_connection() {
    let authority = Authority::new("authority.test");
    for (alpn, most) in [(&["h2"][..], 1), (&["http/1.1"], 20)] {
        let (address, connections) = serve(authority.server("localhost", alpn), false).await;
        let client = builder("localhost", address).ca_certificate(&authority.pem);
        let client = client.build().unwrap();
        let calls: Vec<_> = (0..20)
            .map(|_| tokio::spawn(client.call::<[String; 2]>("m", ()).into_future()))
            .collect();
        for call in calls {
            call.await.unwrap().unwrap();
        }
        assert!(connections.load(Ordering::SeqCst) <= most, "{alpn:?}");
    }
}
