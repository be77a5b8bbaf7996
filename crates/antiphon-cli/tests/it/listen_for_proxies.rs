//! Tests of listeners for proxies: in worker processes, of systemd, and in the settings file.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::{Process, TIMEOUT, TOOL, run};
use crate::temp_folder::TempFolder;

const HEADER: &str = "PROXY TCP4 192.0.2.1 192.0.2.9 4711 443\r\n";

const PING: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;

/// The address on which it listens, which says that connections begin with a header.
fn ready(process: &Process, scheme: &str) -> String {
    loop {
        let line = process.note();
        if let Some(url) = line.trim_end().strip_prefix("antiphon listening on ") {
            let address = url.strip_prefix(scheme);
            let address = address.and_then(|url| url.strip_suffix("?proxy=true"));
            return address.expect(&line).to_owned();
        }
    }
}

/// What comes back on a connection on which this is sent.
fn said(address: &str, bytes: &str) -> String {
    let mut socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(TIMEOUT)).unwrap();
    let mut said = Vec::new();
    // Without a header the connection may be closed before all is sent.
    let _ = socket.write_all(bytes.as_bytes());
    let mut piece = [0; 1024];
    while let Ok(read @ 1..) = socket.read(&mut piece) {
        said.extend_from_slice(&piece[..read]);
        if said.ends_with(b"}\n") {
            break;
        }
    }
    String::from_utf8(said).unwrap()
}

fn check(address: &str, request: &str) {
    let answer = said(address, &format!("{HEADER}{request}"));
    assert!(answer.contains("\"pong\""), "{answer}");
    assert_eq!(said(address, request), "");
}

fn http() -> String {
    let length = PING.len();
    format!(
        "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         connection: close\r\ncontent-length: {length}\r\n\r\n{PING}"
    )
}

#[test]
fn workers_know_what_connections_begin_with() {
    let line = format!("{PING}\n");
    for (scheme, request) in [("http://", http()), ("tcp://", line)] {
        let bind = format!("{scheme}127.0.0.1:0?proxy=true");
        let process = Process::start(
            &[
                "serve",
                "--workers",
                "1",
                "--bind",
                &bind,
                "--allow-unauthenticated-public",
            ],
            "",
        );
        let address = ready(&process, scheme);
        check(&address, &request);
        process.retire();
    }
}

#[test]
fn systemd_may_open_them() {
    let folder = TempFolder::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let examples = root.join("../../docs/examples");
    let socket = fs::read_to_string(examples.join("antiphon.socket")).unwrap();
    let name = "FileDescriptorName=http";
    assert!(socket.contains(name));
    let socket = socket.replace(name, "FileDescriptorName=http-proxy");
    fs::write(folder.path("antiphon.socket"), socket).unwrap();
    let mut command = Command::new("python3");
    command
        .arg(root.join("tests/it/launcher.py"))
        .arg(folder.path("antiphon.socket"))
        .arg(examples.join("antiphon.service"))
        .arg(folder.root())
        .args([TOOL, "nothing"]);
    let process = Process::start_command(command, "", Stdio::piped());
    check(&ready(&process, "http://"), &http());
    process.retire();
}

#[test]
fn the_settings_file_names_proxies() {
    let folder = TempFolder::new();
    let file = folder.path("settings.toml");
    let args = [
        "serve",
        "--bind",
        "127.0.0.1:0?proxy=true",
        "--allow-unauthenticated-public",
        "--config",
        &file,
    ];
    for (proxy, is_trusted) in [("127.0.0.0/8", true), ("10.0.0.0/8", false)] {
        fs::write(&file, format!("trusted-proxy = [\"{proxy}\"]\n")).unwrap();
        let process = Process::start(&args, "");
        let address = ready(&process, "http://");
        let answer = said(&address, &format!("{HEADER}{}", http()));
        assert_eq!(answer.contains("\"pong\""), is_trusted, "{answer}");
        process.retire();
    }
    fs::write(&file, "trusted-proxy = [\"0.0.0.0/0\"]\n").unwrap();
    let ended = run(&args, "");
    assert_eq!(ended.code, Some(1));
    assert!(
        ended.err.contains("`trusted-proxy` cannot be"),
        "{}",
        ended.err
    );
}
