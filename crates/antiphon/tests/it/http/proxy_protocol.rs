//! Tests of listeners whose connections begin with a PROXY protocol header.

use std::net::SocketAddr;
use std::time::Duration;

use antiphon::client::Client;
use antiphon::{Server, Settings};
use rcgen::{CertificateParams, KeyPair};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep, timeout};

use crate::support::call;
use crate::support::http1::{Http1, post};
use crate::support::test_server::{Log, TestServer, router};

const V1: &str = "PROXY TCP4 192.0.2.1 192.0.2.9 4711 443\r\n";

/// A header of version 2 with this command and family, and what follows.
fn v2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
    [
        b"\r\n\r\n\0\r\nQUIT\n",
        &[command, family][..],
        &length,
        rest,
    ]
    .concat()
}

fn v2_of(address: [u8; 4]) -> Vec<u8> {
    v2(
        0x21,
        0x11,
        &[&address[..], &[192, 0, 2, 9, 1, 2, 3, 4]].concat(),
    )
}

/// A server at this address, which asks for a header.
async fn server(address: &str, change: impl FnOnce(&mut Settings)) -> TestServer {
    let log = Log::default();
    let server = Server::new(router(&log))
        .bind(address)
        .allow_unauthenticated_public(true)
        .configure(change);
    TestServer::of(server, log).await
}

async fn http_server(change: impl FnOnce(&mut Settings)) -> TestServer {
    server("http://127.0.0.1:0?proxy=true", change).await
}

fn trust(proxies: &str) -> impl FnOnce(&mut Settings) {
    let proxies = proxies.to_owned();
    |settings| settings.trusted_proxies = vec![proxies]
}

/// What `whoami` says behind this header, with these lines in the request.
async fn whoami(server: &TestServer, header: &[u8], lines: &str) -> Value {
    let mut http1 = server.connect().await;
    http1.send(header).await;
    let whoami = call("1", "whoami", "[]");
    http1.ask(post(lines, &whoami)).await.json()["result"].clone()
}

/// Checks that the connection is closed without a word and before long.
async fn is_closed(mut http1: Http1, name: &str) {
    let mut said = Vec::new();
    let ended = timeout(Duration::from_secs(5), http1.stream.read_to_end(&mut said)).await;
    // A reset is fine: what was sent is not read.
    let _ = ended.unwrap_or_else(|_| panic!("{name} is not closed"));
    assert!(said.is_empty(), "{name}: {said:?}");
}

#[tokio::test]
async fn the_header_names_the_client() {
    let server = http_server(|_| ()).await;
    let source: std::net::Ipv6Addr = "2001:db8::1".parse().unwrap();
    let v6 = [&source.octets()[..], &[9; 16], &[1, 2, 3, 4]].concat();
    let extended = [&[192, 0, 2, 1, 192, 0, 2, 9, 1, 2, 3, 4][..], &[7; 500]].concat();
    for (header, expected) in [
        (V1.as_bytes().to_vec(), "192.0.2.1"),
        (
            b"PROXY TCP6 2001:db8::1 ::2 1 2\r\n".to_vec(),
            "2001:db8::1",
        ),
        (v2_of([192, 0, 2, 1]), "192.0.2.1"),
        (v2_of([127, 0, 0, 1]), "127.0.0.1"),
        (v2(0x21, 0x21, &v6), "2001:db8::1"),
        (v2(0x21, 0x11, &extended), "192.0.2.1"),
        // The proxy's own connection, or one that it knows nothing of.
        (b"PROXY UNKNOWN\r\n".to_vec(), "127.0.0.1"),
        (v2(0x20, 0, &[]), "127.0.0.1"),
        (v2(0x21, 0, &[]), "127.0.0.1"),
    ] {
        let who = whoami(&server, &header, "").await;
        assert_eq!(who["client"], expected, "{header:?}");
        assert_eq!(who["peer"], "127.0.0.1");
        assert_eq!(who["local"], false, "{header:?}");
        // Nobody is trusted, so what a request says does not count.
        let who = whoami(&server, &header, "X-Forwarded-For: 6.6.6.6\r\n").await;
        assert_eq!(who["client"], expected, "{header:?}");
    }
}

/// The address in the header is the peer, as far as `Forwarded` is concerned.
#[tokio::test]
async fn a_proxy_behind_a_proxy_names_the_client_of_each_request() {
    let server = http_server(trust("127.0.0.1, 192.0.2.0/24")).await;
    let line = "X-Forwarded-For: 6.6.6.6, 203.0.113.5\r\n";
    for (header, expected) in [
        (v2_of([192, 0, 2, 1]), "203.0.113.5"),
        (v2_of([198, 51, 100, 1]), "198.51.100.1"),
        (b"PROXY UNKNOWN\r\n".to_vec(), "203.0.113.5"),
    ] {
        let who = whoami(&server, &header, line).await;
        assert_eq!(who["client"], expected, "{header:?}");
        assert_eq!(who["local"], false);
    }
}

#[tokio::test]
async fn only_trusted_proxies_are_believed_if_there_are_any() {
    let server = http_server(trust("10.0.0.0/8")).await;
    for header in [V1.as_bytes().to_vec(), v2_of([10, 0, 0, 1])] {
        let mut http1 = server.connect().await;
        let _ = http1.try_send(&header).await;
        is_closed(http1, "an untrusted proxy").await;
    }
    let server = http_server(trust("127.0.0.1")).await;
    let who = whoami(&server, V1.as_bytes(), "").await;
    assert_eq!(who["client"], "192.0.2.1");
}

#[tokio::test]
async fn without_a_good_header_nothing_runs() {
    let server = http_server(|_| ()).await;
    let request = post("", &call("1", "count", "[]"));
    let http2 = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let huge = v2(0x21, 0x11, &[0; 5000]);
    let long = format!("PROXY TCP4 {}", "1".repeat(200));
    for (name, header) in [
        ("no header", &b""[..]),
        ("HTTP/2", http2.as_bytes()),
        ("rubbish", b"\0\x01\x02"),
        ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
        ("another family", b"PROXY UDP4 1.1.1.1 1.1.1.1 1 1\r\n"),
        ("no address", b"PROXY TCP4 x 192.0.2.9 4711 443\r\n\r\n\r\n"),
        ("a long line", long.as_bytes()),
        ("a huge header", &huge),
        ("version 3", b"\r\n\r\n\0\r\nQUIT\n\x31\x11\0\0"),
        ("two headers", [V1, V1].concat().as_bytes()),
    ] {
        let mut http1 = server.connect().await;
        let bytes = [header, request.as_bytes()].concat();
        let _ = http1.try_send(&bytes).await;
        match name {
            // The second one is no request.
            "two headers" => assert_eq!(http1.answer().await.status, 400),
            name => is_closed(http1, name).await,
        }
    }
    for cut in [0, 1, 6, 12, V1.len() - 1] {
        let mut http1 = server.connect().await;
        http1.send(&V1[..cut]).await;
        http1.stream.shutdown().await.unwrap();
        is_closed(http1, "a cut header").await;
    }
    assert_eq!(server.log.counted.get(), 0);
    let who = whoami(&server, V1.as_bytes(), "").await;
    assert_eq!(who["client"], "192.0.2.1");
}

#[tokio::test]
async fn the_header_has_a_deadline_that_single_bytes_do_not_extend() {
    let server = http_server(|settings| {
        settings.header_timeout = Some(Duration::from_millis(400));
    })
    .await;
    for header in [V1.as_bytes().to_vec(), v2_of([192, 0, 2, 1])] {
        let mut http1 = server.connect().await;
        let began = Instant::now();
        for byte in &header {
            if http1.try_send(&[*byte]).await.is_err() {
                break;
            }
            sleep(Duration::from_millis(50)).await;
        }
        is_closed(http1, "a slow header").await;
        assert!(began.elapsed() >= Duration::from_millis(400));
    }
    is_closed(server.connect().await, "silence").await;
    // Byte by byte within the deadline is fine.
    let mut http1 = server.connect().await;
    for byte in v2_of([192, 0, 2, 1]) {
        http1.send([byte]).await;
    }
    assert_eq!(http1.call("1", "add", "[3,4]").await["result"], 7);
}

#[tokio::test]
async fn a_stop_waits_for_no_header() {
    let mut server = http_server(|_| ()).await;
    let silent = server.connect().await;
    let mut begun = server.connect().await;
    begun.send(&V1[..10]).await;
    server.until_open(2).await;
    let began = Instant::now();
    server.handle.stop();
    server.ended().await;
    assert!(began.elapsed() < Duration::from_secs(5));
    is_closed(silent, "silence").await;
    is_closed(begun, "half a header").await;
}

/// Connections count by the address in their headers.
#[tokio::test]
async fn one_client_behind_the_proxy_cannot_take_all_connections() {
    for proxies in ["", "127.0.0.1"] {
        let server = http_server(|settings| {
            settings.max_connections_per_ip = 2;
            if !proxies.is_empty() {
                settings.trusted_proxies.push(proxies.to_owned());
            }
        })
        .await;
        let mut open = Vec::new();
        for (address, served) in [(1, true), (1, true), (1, false), (2, true), (1, false)] {
            let mut http1 = server.connect().await;
            http1.send(v2_of([192, 0, 2, address])).await;
            if !served {
                is_closed(http1, "a third connection").await;
                continue;
            }
            let answer = http1.ask(post("", &call("1", "add", "[3,4]"))).await;
            assert_eq!(answer.status, 200);
            open.push(http1);
        }
        // What a connection held comes back.
        drop(open);
        server.until_open(0).await;
        let who = whoami(&server, &v2_of([192, 0, 2, 1]), "").await;
        assert_eq!(who["client"], "192.0.2.1");
    }
}

/// A proxy that begins each connection to the server with this header.
async fn proxy(server: SocketAddr, header: Vec<u8>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let header = header.clone();
            tokio::spawn(async move {
                let mut server = TcpStream::connect(server).await?;
                server.write_all(&header).await?;
                copy_bidirectional(&mut client, &mut server).await
            });
        }
    });
    port
}

/// A certificate for `localhost`, with its files.
struct Certificate {
    folder: std::path::PathBuf,
    pem: String,
}

impl Certificate {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        let folder = std::env::temp_dir().join(format!("antiphon-proxy-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("cert.pem"), &pem).unwrap();
        std::fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
        Self { folder, pem }
    }
}

impl Drop for Certificate {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

#[tokio::test]
async fn every_protocol_begins_behind_the_header() {
    let certificate = Certificate::new();
    for (listen, schemes) in [
        ("http://127.0.0.1:0?proxy=true", &["http", "ws"][..]),
        ("https://127.0.0.1:0?proxy=true", &["https", "wss"]),
        ("tcp://127.0.0.1:0?proxy=true", &["tcp"]),
        ("tls://127.0.0.1:0?proxy=true", &["tls"]),
    ] {
        let server = server(listen, |settings| {
            settings.tls_cert = Some(certificate.folder.join("cert.pem"));
            settings.tls_key = Some(certificate.folder.join("key.pem"));
        })
        .await;
        for header in [V1.as_bytes().to_vec(), v2_of([192, 0, 2, 1])] {
            let port = proxy(server.address, header).await;
            for scheme in schemes {
                let client = Client::builder(format!("{scheme}://localhost:{port}"))
                    .ca_certificate(&certificate.pem)
                    .build()
                    .unwrap();
                let who: Value = antiphon::call!(client.whoami()).await.unwrap();
                assert_eq!(who["client"], "192.0.2.1", "{scheme}");
                assert_eq!(who["local"], false, "{scheme}");
            }
        }
    }
}

#[tokio::test]
async fn http2_begins_behind_the_header() {
    let server = http_server(|_| ()).await;
    let port = proxy(server.address, v2_of([192, 0, 2, 1])).await;
    let client = Client::builder(format!("http://localhost:{port}"))
        .http2_prior_knowledge(true)
        .build()
        .unwrap();
    let who: Value = antiphon::call!(client.whoami()).await.unwrap();
    assert_eq!(who["client"], "192.0.2.1");
}

#[cfg(unix)]
#[tokio::test]
async fn a_unix_socket_may_be_behind_a_proxy_too() {
    use tokio::net::UnixStream;

    let folder = std::env::temp_dir().join(format!("antiphon-proxied-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    for (trusted, expected) in [
        (None, true),
        (Some("unix"), true),
        (Some("10.0.0.0/8"), false),
    ] {
        let path = folder.join(trusted.map_or("any", |word| word.split('.').next().unwrap()));
        let address = format!("unix:{}?proxy=true", path.display());
        let _server = server(&address, |settings| {
            settings.trusted_proxies.extend(trusted.map(str::to_owned));
        })
        .await;
        for (header, client) in [
            (V1.as_bytes().to_vec(), Value::from("192.0.2.1")),
            (v2(0x20, 0, &[]), Value::Null),
        ] {
            let mut socket = UnixStream::connect(&path).await.unwrap();
            let line = call("1", "whoami", "[]") + "\n";
            let _ = socket
                .write_all(&[&header[..], line.as_bytes()].concat())
                .await;
            let mut said = Vec::new();
            let _ = socket.shutdown().await;
            let _ = socket.read_to_end(&mut said).await;
            let who: Option<Value> = serde_json::from_slice(&said).ok();
            let who = who.map(|answer| answer["result"]["client"].clone());
            assert_eq!(who, expected.then_some(client), "{trusted:?}");
        }
    }
    let _ = std::fs::remove_dir_all(&folder);
}

#[tokio::test]
async fn the_address_says_what_connections_begin_with() {
    for (bind, shown) in [
        ("127.0.0.1:0?proxy=true", "?proxy=true"),
        (
            "tcp://127.0.0.1:0?framing=content-length&proxy=true",
            "&proxy=true",
        ),
        ("tcp://127.0.0.1:0?proxy=false", ""),
    ] {
        let server = Server::new(antiphon::Router::new())
            .bind(bind)
            .allow_unauthenticated_public(true);
        let url = server.listen().await.unwrap().url();
        assert_eq!(url.contains("proxy"), !shown.is_empty(), "{url}");
        assert!(url.ends_with(shown), "{url}");
    }
    for bind in ["127.0.0.1:0?proxy=yes", "127.0.0.1:0?proxy=true&proxy=true"] {
        let server = Server::new(antiphon::Router::new()).bind(bind);
        let error = server.listen().await.unwrap_err().to_string();
        assert!(error.contains("proxy="), "{error}");
    }
}
