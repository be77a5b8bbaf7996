//! The console blocks of `docs/deploy.md`.

use std::fs;
use std::io::{Read, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Terminal, document, fenced, replaced, steps};
use crate::support::TIMEOUT;

/// The folder and the worker of the page.
const FOLDER: &str = "/run/antiphon";
const WORKER: &str = "i1a2b3c4";

#[test]
fn every_command_of_the_page_about_deployment_does_what_it_says() {
    let page = document("docs/deploy.md");
    let mut seen = Vec::new();
    for block in fenced(&page, "console") {
        let mut terminal = Terminal::new();
        for step in steps(block) {
            let command = &*step.command;
            assert_eq!(
                step.output, "",
                "{command}: what it prints has to be compared"
            );
            let words: Vec<_> = command.split_whitespace().collect();
            match words[..] {
                ["antiphon", "ctl", what, ..] => check_ctl(&mut terminal, command, what),
                ["antiphon", "call", ..] => check_admin(&mut terminal, command),
                ["antiphon", "serve", ..] => check_serve(&mut terminal, command),
                _ => panic!("say in this test how it is run: {command}"),
            }
            seen.push(command.to_owned());
        }
    }
    for part in [
        "ctl status",
        "ctl kill",
        "ctl reload",
        "ctl upgrade",
        "ctl stop",
        "kill_actor",
        "mode=0660",
        "tls://",
        "proxy=true",
    ] {
        let found = seen.iter().any(|command| command.contains(part));
        assert!(found, "{part}: {seen:?}");
    }
}

/// What the supervisor tells of itself and its workers.
fn status(terminal: &Terminal) -> Value {
    serde_json::from_str(&terminal.succeeds("antiphon ctl status --json")).unwrap()
}

/// The id of the first worker.
fn worker(status: &Value) -> String {
    let id = &status["monitors"]["rpc"]["workers"][0]["actor"]["actor_id"];
    id.as_str().expect("a worker").to_owned()
}

/// Waits until it is so. Behind a slow worker a command of `ctl` may return before that.
fn until(terminal: &Terminal, is_so: impl Fn(&Value) -> bool) {
    let end = Instant::now() + TIMEOUT;
    loop {
        let told = terminal.run("antiphon ctl status --json");
        // While one supervisor takes over from another, nobody may answer.
        if serde_json::from_str(&told.out).is_ok_and(|status| is_so(&status)) {
            return;
        }
        assert!(Instant::now() < end, "{told:?}");
        thread::sleep(Duration::from_millis(20));
    }
}

fn supervisor(status: &Value) -> u64 {
    status["server"]["process_id"].as_u64().unwrap()
}

/// The commands of one block control one server, from the first to the last.
fn check_ctl(terminal: &mut Terminal, command: &str, what: &str) {
    if terminal.servers.is_empty() {
        terminal.serve("antiphon serve --workers 2");
    }
    let before = status(terminal);
    match what {
        "status" => assert!(terminal.succeeds(command).contains(&worker(&before))),
        "kill" => {
            let id = worker(&before);
            terminal.succeeds(&replaced(command, WORKER, &id));
            until(terminal, |status| !status.to_string().contains(&id));
        }
        "reload" => {
            terminal.succeeds(command);
            let old = worker(&before);
            until(terminal, |status| !status.to_string().contains(&old));
            assert_eq!(supervisor(&status(terminal)), supervisor(&before));
        }
        "upgrade" => {
            terminal.succeeds(command);
            until(terminal, |status| supervisor(status) != supervisor(&before));
        }
        "stop" => {
            terminal.succeeds(command);
            // Its successor had standard error from it, so both have ended.
            let ended = terminal.servers.remove(0).end();
            assert_eq!(ended.code, Some(0), "{}", ended.err);
            assert_ne!(terminal.run("antiphon ctl status").code, Some(0));
        }
        _ => panic!("say in this test what it does: {command}"),
    }
}

/// A call with the admin token.
fn check_admin(terminal: &mut Terminal, command: &str) {
    let url = terminal.serve("antiphon serve --workers 2 --admin-token-file admin.token");
    let info = terminal.succeeds(&format!("antiphon call {url} server_info"));
    let id = worker(&serde_json::from_str(&info).unwrap());
    let folder = terminal.folder.path("");
    let command = replaced(command, ":8060", &url);
    let command = replaced(&command, WORKER, &id);
    let command = replaced(&command, &format!("{FOLDER}/"), &folder);
    let killed = terminal.succeeds(&command);
    // It is null if the worker needs more than five seconds.
    let told = [format!("\"killed {id}\"\n"), "null\n".to_owned()];
    assert!(told.contains(&killed), "{killed}");
    // Without the token there is no such method.
    let (without, _) = command.split_once(" --bearer").unwrap();
    assert!(terminal.run(without).err.contains("-32601"));
}

/// A server behind a proxy, and a call through something that takes the place of the proxy.
fn check_serve(terminal: &mut Terminal, command: &str) {
    let folder = terminal.folder.root().to_str().unwrap().to_owned();
    let mut here = command.to_owned();
    let mut flags = String::new();
    if command.contains(FOLDER) {
        here = replaced(&here, FOLDER, &folder);
        // A group of whoever runs this test.
        let group = terminal.succeeds("id -g");
        let name = here.split_once("group=").expect("a group").1;
        let name = name.split(['&', '\'']).next().unwrap().to_owned();
        here = replaced(
            &here,
            &format!("group={name}"),
            &format!("group={}", group.trim()),
        );
    }
    if command.contains("0.0.0.0:8070") {
        here = replaced(&here, "0.0.0.0:8070", "127.0.0.1:0");
        here = replaced(&here, "10.0.0.0/8", "127.0.0.0/8");
    }
    if command.ends_with(" …") {
        // What the page leaves out: the certificate.
        certificate(terminal);
        here = replaced(&here, "…", "--tls-cert chain.pem --tls-key key.pem");
        flags = " --ca-cert chain.pem".to_owned();
    }
    let url = terminal.serve(&here);
    let address = match url.split_once("?proxy=true") {
        Some((url, _)) => {
            let (scheme, server) = url.split_once(':').unwrap();
            let relay = relay(server.trim_start_matches('/').to_owned(), scheme == "unix");
            let scheme = if scheme == "unix" { "tcp" } else { scheme };
            format!("{scheme}://localhost:{}", relay.port())
        }
        None => url.clone(),
    };
    let ping = format!("antiphon call {address} ping{flags}");
    assert_eq!(terminal.succeeds(&ping), "\"pong\"\n", "{command}");
    if command.contains("mode=0660") {
        let socket = fs::metadata(terminal.folder.path("rpc.sock")).unwrap();
        assert_eq!(socket.permissions().mode() & 0o777, 0o660, "{command}");
    }
}

/// A certificate for this machine, signed by itself.
fn certificate(terminal: &Terminal) {
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
    let chain = params.self_signed(&key).unwrap().pem();
    fs::write(terminal.folder.path("chain.pem"), chain).unwrap();
    fs::write(terminal.folder.path("key.pem"), key.serialize_pem()).unwrap();
}

/// Passes one connection on, behind a header of the PROXY protocol, as nginx does for a `stream`.
fn relay(server: String, is_unix: bool) -> SocketAddr {
    const HEADER: &[u8] = b"PROXY TCP4 192.0.2.1 192.0.2.9 4711 443\r\n";

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let (client, _) = listener.accept().unwrap();
        if is_unix {
            let mut server = UnixStream::connect(format!("/{server}")).unwrap();
            server.write_all(HEADER).unwrap();
            let (from, to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
            copy(from, to);
            copy(client, server);
        } else {
            let mut server = TcpStream::connect(server).unwrap();
            server.write_all(HEADER).unwrap();
            let (from, to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
            copy(from, to);
            copy(client, server);
        }
    });
    address
}

/// Copies on a thread of its own, until one of the ends is closed.
fn copy(mut from: impl Read + Send + 'static, mut to: impl std::io::Write + Send + 'static) {
    thread::spawn(move || std::io::copy(&mut from, &mut to));
}
