//! Tests of a server behind nginx, with the server block of the documents.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use antiphon::Server;
use serde_json::Value;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::sleep;

use super::proxies::websocket_call;
use crate::support::http1::{Http1, post};
use crate::support::log;
use crate::support::test_server::{Log, TestServer, router};
use crate::support::{call, code};

const OVERLOADED: i64 = -32000;

/// The program, if it is installed. Continuous integration has it.
fn program() -> Option<&'static str> {
    let runs = |name: &&str| {
        let version = Command::new(name).arg("-v").stderr(Stdio::null()).status();
        version.is_ok_and(|status| status.success())
    };
    let found = ["nginx", "/usr/sbin/nginx"].into_iter().find(runs);
    assert!(
        found.is_some() || std::env::var_os("CI").is_none(),
        "nginx is not installed"
    );
    if found.is_none() {
        eprintln!("left out: nginx is not installed");
    }
    found
}

/// The line that loads the module for byte streams; `None` if there is no such module.
fn stream_module(program: &str) -> Option<String> {
    let built = Command::new(program).arg("-V").output().unwrap().stderr;
    let built = String::from_utf8_lossy(&built).into_owned();
    let options = built.split_whitespace();
    let folder = (options.clone()).find_map(|option| option.strip_prefix("--modules-path="));
    let module = Path::new(folder.unwrap_or_default()).join("ngx_stream_module.so");
    if module.exists() {
        return Some(format!("load_module {};", module.display()));
    }
    let is_built_in = options.clone().any(|option| option == "--with-stream");
    is_built_in.then(String::new)
}

/// Whether this test, and so the master process of nginx, has the rights of root.
fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().unwrap().stdout;
    id == b"0\n"
}

/// A running nginx. It stops when this is dropped.
struct Nginx {
    process: Child,
    folder: PathBuf,
    address: SocketAddr,
}

impl Nginx {
    /// Starts it with what `configure` says at the top, for this address.
    async fn start(program: &str, configure: impl FnOnce(SocketAddr, &Path) -> String) -> Self {
        static STARTED: AtomicU16 = AtomicU16::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let id = std::process::id();
        let folder = std::env::temp_dir().join(format!("antiphon-nginx-{id}-{number}"));
        std::fs::create_dir_all(&folder).unwrap();
        // No other process listens there: all of 127.0.0.0/8 is on the loopback interface.
        let [_, a, b, c] = id.to_be_bytes();
        let address = (Ipv4Addr::new(127, a | 0x80, b, c.max(1)), 18_000 + number).into();
        let shown = folder.display();
        let user = if is_root() {
            "user www-data www-data;"
        } else {
            ""
        };
        let text = format!(
            "{user}\ndaemon off;\nworker_processes 1;\npid {shown}/pid;\n\
             error_log {shown}/error.log;\n{}\nevents {{}}\n",
            configure(address, &folder)
        );
        std::fs::write(folder.join("nginx.conf"), text).unwrap();
        let process = Command::new(program)
            .args(["-p", folder.to_str().unwrap(), "-c", "nginx.conf"])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut nginx = Self {
            process,
            folder,
            address,
        };
        nginx.until_ready().await;
        nginx
    }

    async fn until_ready(&mut self) {
        for _ in 0..1_000 {
            if TcpStream::connect(self.address).await.is_ok() {
                return;
            }
            let ended = self.process.try_wait().unwrap();
            let log = || std::fs::read_to_string(self.folder.join("error.log"));
            assert!(ended.is_none(), "{:?}", log());
            sleep(Duration::from_millis(10)).await;
        }
        panic!("nginx does not listen");
    }

    /// Connects from this address of the machine, as another host would.
    async fn from(&self, address: &str) -> Http1 {
        let socket = TcpSocket::new_v4().unwrap();
        socket
            .bind(format!("{address}:0").parse().unwrap())
            .unwrap();
        socket.connect(self.address).await.unwrap().into()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let id = self.process.id().to_string();
        let _ = Command::new("kill").args(["-s", "TERM", &id]).status();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// The server block of the documents, in front of this server (`127.0.0.1:1` or `unix:PATH`).
fn documented(server: &str, address: SocketAddr, folder: &Path) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/examples/nginx.conf");
    let text = std::fs::read_to_string(path).unwrap();
    let text = replaced(
        &text,
        "server 127.0.0.1:8060;",
        &format!("server {server};"),
    );
    let text = replaced(&text, "listen 443 ssl;", &format!("listen {address};"));
    let lines = text.lines().filter(|line| !line.contains("ssl_"));
    let block: String = lines.map(|line| format!("{line}\n")).collect();
    let paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let paths = paths.map(|name| format!("{name}_temp_path {}/{name};\n", folder.display()));
    format!("http {{\naccess_log off;\n{}{block}}}\n", paths.concat())
}

/// The block of `docs/deploy.md` for nginx that begins so.
fn snippet(begin: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/deploy.md");
    let text = std::fs::read_to_string(path).unwrap();
    let (_, rest) = text.split_once(&format!("```nginx\n{begin}")).unwrap();
    let (block, _) = rest.split_once("```").unwrap();
    format!("{begin}{block}")
}

/// The text with something else in place of what it says, which has to occur.
fn replaced(text: &str, old: &str, new: &str) -> String {
    assert!(text.contains(old), "{old}");
    text.replace(old, new)
}

/// A server that trusts nginx.
async fn server(bind: &str) -> TestServer {
    let log = Log::default();
    let server = Server::new(router(&log))
        .bind(bind)
        .trusted_proxy("127.0.0.1,unix")
        .allow_unauthenticated_public(true)
        .configure(|settings| settings.calls.max_in_flight = 64);
    TestServer::of(server, log).await
}

/// Fields with which a client pretends to be somebody else.
const FORGED: &str = "X-Forwarded-For: 6.6.6.6, 127.0.0.1\r\nForwarded: for=127.0.0.1\r\n\
                      X-Real-IP: 6.6.6.6\r\n";

async fn whoami(http1: &mut Http1, lines: &str) -> Value {
    let request = post(lines, &call("1", "whoami", "[]"));
    http1.ask(request).await.json()["result"].clone()
}

/// The next line of a raw stream.
async fn line(http1: &mut Http1) -> String {
    let mut line = Vec::new();
    while !line.ends_with(b"\n") {
        line.extend(http1.bytes(1).await);
    }
    String::from_utf8(line).unwrap()
}

/// Checks client, share and log of what comes through this nginx.
async fn check(server: &TestServer, nginx: &Nginx, peer: &str) {
    let mut connections = Vec::new();
    // On one connection of nginx to the server there are many clients.
    for client in ["127.0.0.5", "127.0.0.6", "127.0.0.5", "127.0.0.7"] {
        for lines in ["", FORGED] {
            let who = whoami(&mut nginx.from(client).await, lines).await;
            assert_eq!(who["client"], client, "{who}");
            assert_eq!(who["local"], false, "{who}");
            connections.push(who["connection"].clone());
        }
    }
    connections.dedup();
    assert_eq!(connections.len(), 1, "{connections:?}");

    let whoami = call("1", "whoami", "[]");
    let said = websocket_call(nginx.from("127.0.0.8").await, FORGED, &whoami).await;
    let who: Value = serde_json::from_str(&said).unwrap();
    let who = &who["result"];
    assert_eq!(who["client"], "127.0.0.8", "{who}");
    assert_eq!(
        (&who["local"], &who["transport"]),
        (&false.into(), &"websocket".into())
    );

    // A quarter of 64 places is the share of one client, whatever it sends.
    let hold = post(FORGED, &call("1", "hold", "[]"));
    let before = server.log.held.get();
    let mut open = Vec::new();
    for held in 1..=16 {
        let mut http1 = nginx.from("127.0.0.5").await;
        http1.send(&hold).await;
        server.log.held.reach(before + held).await;
        open.push(http1);
    }
    let said = nginx.from("127.0.0.5").await.ask(&hold).await;
    assert_eq!(code(&said.json()), OVERLOADED);
    let mut other = nginx.from("127.0.0.6").await;
    other.send(&hold).await;
    server.log.held.reach(before + 18).await;
    drop((open, other));
    server.log.dropped.reach(before + 18).await;

    log::keep();
    let panic = post(FORGED, &call("1", "panic", "[]"));
    nginx.from("127.0.77.1").await.ask(panic).await;
    let lines = log::lines(&format!("from 127.0.77.1 through {peer}"));
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(log::lines("6.6.6.6").is_empty());
}

#[tokio::test]
async fn the_client_is_known_behind_nginx_over_tcp() {
    let Some(program) = program() else { return };
    let server = server("127.0.0.1:0").await;
    let to = server.address.to_string();
    let nginx = Nginx::start(program, |at, folder| documented(&to, at, folder)).await;
    check(&server, &nginx, "127.0.0.1:").await;
}

#[tokio::test]
async fn the_client_is_known_behind_nginx_over_a_unix_socket() {
    let Some(program) = program() else { return };
    let folder = std::env::temp_dir().join(format!("antiphon-at-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("rpc.sock");
    let group = if is_root() { "&group=www-data" } else { "" };
    let server = server(&format!("http+unix:{}?mode=0660{group}", path.display())).await;
    // What the page says in place of the address.
    let upstream = snippet("upstream antiphon");
    let line = upstream.lines().nth(1).unwrap().trim();
    let line = replaced(line, "/run/antiphon/rpc.sock", path.to_str().unwrap());
    let to = line
        .strip_prefix("server ")
        .unwrap()
        .strip_suffix(';')
        .unwrap();
    let nginx = Nginx::start(program, |at, folder| documented(to, at, folder)).await;
    check(&server, &nginx, "a proxy").await;
    let _ = std::fs::remove_dir_all(&folder);
}

/// Between nginx and the server there may be more proxies.
#[tokio::test]
async fn what_nginx_appends_is_believed_and_nothing_before_it() {
    let Some(program) = program() else { return };
    let server = server("127.0.0.1:0").await;
    let to = server.address.to_string();
    let nginx = Nginx::start(program, |at, folder| {
        documented(&to, at, folder).replace(
            "X-Forwarded-For $remote_addr",
            "X-Forwarded-For $proxy_add_x_forwarded_for",
        )
    })
    .await;
    for lines in [
        "",
        FORGED,
        "X-Forwarded-For: rubbish\r\n",
        "X-Forwarded-For: \"\r\nX-Forwarded-For: 6.6.6.6\r\n",
    ] {
        let who = whoami(&mut nginx.from("127.0.0.5").await, lines).await;
        assert_eq!(who["client"], "127.0.0.5", "{lines}");
    }
}

#[tokio::test]
async fn nginx_passes_on_connections_with_the_proxy_protocol() {
    let Some(program) = program() else { return };
    let Some(module) = stream_module(program) else {
        eprintln!("left out: nginx has no module for byte streams");
        return;
    };
    for (bind, over_http) in [
        ("http://127.0.0.1:0?proxy=true", true),
        ("tcp://127.0.0.1:0?proxy=true", false),
    ] {
        let server = server(bind).await;
        let to = server.address;
        let nginx = Nginx::start(program, |at, _| {
            let block = replaced(&snippet("stream"), "listen 443;", &format!("listen {at};"));
            let block = replaced(&block, "10.0.0.7:8070", &to.to_string());
            format!("{module}\n{block}")
        })
        .await;
        for client in ["127.0.0.5", "127.0.0.6"] {
            let mut http1 = nginx.from(client).await;
            let who = if over_http {
                whoami(&mut http1, FORGED).await
            } else {
                http1.send(call("1", "whoami", "[]") + "\n").await;
                let line = line(&mut http1).await;
                serde_json::from_str::<Value>(&line).unwrap()["result"].clone()
            };
            assert_eq!(who["client"], client, "{who}");
            assert_eq!(who["local"], false, "{who}");
        }
    }
}
