//! Files behind URLs.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use serde_json::{Value, json};
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::{document, to};
use crate::support::run;

/// Answers one request with a file.
fn serve(stream: impl Read + Write, files: &[(&'static str, Value)]) {
    let mut stream = BufReader::new(stream);
    let lines = stream.by_ref().lines().map_while(Result::ok);
    let head: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
    let path = head.first().and_then(|line| line.split(' ').nth(1));
    let file = files.iter().find(|(name, _)| path == Some(name));
    let known = head.iter().any(|line| line.starts_with("x-secret"));
    let (status, body) = match file {
        _ if known => ("400 Bad Request", String::new()),
        Some((_, json)) => ("200 OK", json.to_string()),
        None => ("302 Found\r\nLocation: /api/a.json", String::new()),
    };
    let length = body.len();
    let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{body}");
    let _ = stream.get_mut().write_all(answer.as_bytes());
}

/// Serves files until the test process ends, and gives the address.
fn served(files: Vec<(&'static str, Value)>, tls: Option<ServerConfig>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let tls = tls.map(Arc::new);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            match &tls {
                None => serve(stream, &files),
                Some(tls) => {
                    let connection = ServerConnection::new(Arc::clone(tls)).unwrap();
                    serve(StreamOwned::new(connection, stream), &files);
                }
            }
        }
    });
    address
}

#[cfg(target_os = "linux")]
#[test]
fn secure_urls_are_fetched_from_whom_the_authorities_know() {
    use std::fs;

    use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
    use tokio_rustls::rustls::pki_types::PrivateKeyDer;

    use super::Folder;

    let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![key.cert.der().clone()],
            PrivateKeyDer::try_from(key.signing_key.serialize_der()).unwrap(),
        )
        .unwrap();
    let files = vec![("/x.json", json!({"type": "integer"}))];
    let port = served(files, Some(config)).port();
    let folder = Folder::with("secure", &[]);
    fs::create_dir_all(&folder.0).unwrap();
    let authorities = folder.path("ca.pem");
    fs::write(&authorities, key.cert.pem()).unwrap();
    let text = document(&to(&format!("https://localhost:{port}/x.json"))).to_string();
    let docs = ["docs", "-", "-f", "openrpc", "--allow-remote"];
    let ended = run(&[&docs[..], &["--ca-cert", &authorities]].concat(), &text);
    assert_eq!((ended.code, &*ended.err), (Some(0), ""));
    let json: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(
        json["components"]["schemas"]["x"],
        json!({"type": "integer"})
    );
    let ended = run(&docs, &text);
    assert_eq!((ended.code, &*ended.out), (Some(2), ""));
    assert!(ended.err.contains("certificate"), "{}", ended.err);
}

#[test]
fn urls_are_followed_where_that_is_allowed() {
    let files = vec![
        (
            "/api/a.json",
            json!({"A": {"properties": {"b": to("../in/b.json#/B")}}}),
        ),
        ("/in/b.json", json!({"B": {"items": to("/api/a.json#/A")}})),
        ("/api/no.json", json!({"X": to("lost.json")})),
        ("/api/files.json", to("file:///etc/hostname")),
    ];
    let url = format!("http://{}/api", served(files, None));
    let remote = ["-", "--allow-remote", "-H", "X-Secret: 1"];
    let read = |reference: &str| {
        let text = document(&to(&format!("{url}/{reference}"))).to_string();
        run(&[&["docs", "-f", "openrpc"], &remote[..]].concat(), &text)
    };
    let ended = read("a.json#/A");
    assert_eq!((ended.code, &*ended.err), (Some(0), ""));
    let json: Value = serde_json::from_str(&ended.out).unwrap();
    let expected = json!({
        "A": {"properties": {"b": to("#/components/schemas/B")}},
        "B": {"items": to("#/components/schemas/A")},
    });
    assert_eq!(json["components"]["schemas"], expected);
    for (reference, said) in [
        (
            "no.json#/X",
            format!("{url}/no.json#/X/$ref: {url}/lost.json: it answers with status 302"),
        ),
        ("files.json", "/etc/hostname: it is no URL".to_owned()),
    ] {
        let ended = read(reference);
        assert_eq!((ended.code, &*ended.out), (Some(2), ""), "{reference}");
        assert!(ended.err.contains(&said), "{reference}: {}", ended.err);
    }
    let refused = document(&to("http://127.0.0.1:1/x.json")).to_string();
    let ended = run(&["docs", "-", "--allow-remote"], &refused);
    assert_eq!(ended.code, Some(2));
    assert!(ended.err.contains("no connection"), "{}", ended.err);
}
