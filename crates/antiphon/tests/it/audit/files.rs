//! What lines are written to: files, pipes, devices that are full.

use std::fs::{self, File, OpenOptions};
use std::io::Read as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use antiphon::{AuditLog, HttpService};
use serde_json::Value;
use tower::ServiceExt as _;

use super::{lines, server};
use crate::support::call as call_text;
use crate::support::folder::Folder;
use crate::support::http1::{Http1, post};
use crate::support::test_server::{Log, TestServer, router};
use crate::support::until;

async fn free(http: &mut Http1) {
    let response = http.ask(post("", &call_text("1", "free", "[1]"))).await;
    assert_eq!(response.json()["result"], 1);
}

/// A mounted service whose calls are recorded.
fn service(log: &Log, audit: &AuditLog) -> HttpService {
    let service = router(log).into_service().unwrap();
    service.audit_log(audit.clone())
}

async fn send(service: &HttpService, message: &str) {
    let request = http::Request::post("http://localhost/")
        .header("content-type", "application/json")
        .body(message.to_owned())
        .unwrap();
    let answered = service.clone().oneshot(request).await;
    assert_eq!(answered.unwrap().status(), 200);
}

fn make_pipe(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

/// Opens a pipe to read, without waiting for a writer.
fn reader(path: &Path) -> File {
    let mut options = OpenOptions::new();
    let nonblocking = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    options.read(true).custom_flags(nonblocking);
    options.open(path).unwrap()
}

#[tokio::test]
async fn a_file_is_appended_to_and_opened_again_on_demand() {
    let folder = Folder::new();
    let (path, moved) = (folder.path("log"), folder.path("log.1"));
    fs::write(&path, "{\"torn\":").unwrap();
    let audit = AuditLog::open(&path).unwrap();
    let add = call_text("1", "add", "[3,4]");
    let log = Log::default();
    let service = service(&log, &audit);
    send(&service, &add).await;
    audit.flush(Duration::from_secs(20));
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.starts_with("{\"torn\":\n{\"time\":"), "{text}");
    fs::rename(&path, &moved).unwrap();
    send(&service, &add).await;
    audit.flush(Duration::from_secs(20));
    assert!(!path.exists(), "lines go to the old file");
    audit.reopen().unwrap();
    send(&service, &add).await;
    assert_eq!(lines(&path, 1).await.len(), 1);
    assert_eq!(fs::read_to_string(&moved).unwrap().lines().count(), 3);
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // What cannot be opened leaves the file that is open.
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(audit.reopen().is_err());
    send(&service, &add).await;
    audit.flush(Duration::from_secs(20));
    assert_eq!(audit.missing(), 0);
}

#[test]
fn what_no_line_can_be_written_to_is_refused() {
    let folder = Folder::new();
    let [pipe, socket, link] = ["pipe", "socket", "link"].map(|name| folder.path(name));
    make_pipe(&pipe);
    let _listening = UnixListener::bind(&socket).unwrap();
    std::os::unix::fs::symlink("file", &link).unwrap();
    for path in [
        folder.root(),
        &pipe,
        &socket,
        &link,
        &folder.path("no/such/folder"),
    ] {
        assert!(AuditLog::open(path).is_err(), "{}", path.display());
    }
    assert!(!folder.path("file").exists());
}

#[tokio::test]
async fn a_pipe_that_nobody_reads_slows_nobody_and_what_is_missing_is_told() {
    let (folder, log) = (Folder::new(), Log::default());
    let path = folder.path("pipe");
    make_pipe(&path);
    let mut reader = reader(&path);
    let audit = AuditLog::open(&path).unwrap();
    let service = service(&log, &audit);
    let batch = crate::support::batch(vec![call_text("1", "count", "[]"); 100]);
    let mut made = 0;
    while audit.missing() == 0 {
        send(&service, &batch).await;
        made += 100;
        assert!(made < 200_000, "everything is held");
    }
    // Now somebody reads: what was held comes, and then how much is missing.
    let mut text = String::new();
    let mut bytes = vec![0; 64 * 1024];
    let told = || {
        match reader.read(&mut bytes) {
            Ok(read) => text.push_str(std::str::from_utf8(&bytes[..read]).unwrap()),
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock),
        }
        text.contains("missingLines") && text.ends_with('\n')
    };
    until(told, "what is missing").await;
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let missing: u64 = lines
        .iter()
        .filter_map(|line| line["missingLines"].as_u64())
        .sum();
    let written = lines
        .iter()
        .filter(|line| line["method"] == "count")
        .count();
    assert_eq!(log.counted.get(), made, "each call has run");
    assert_eq!(written as u64 + missing, made as u64);
    assert_eq!(audit.missing(), missing);
}

/// `/dev/full` is a disk without room.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_full_disk_costs_lines_and_nothing_else() {
    let log = Log::default();
    let server = server(&log, Path::new("/dev/full"));
    let test = TestServer::of(server, log).await;
    let mut http = test.connect().await;
    let metrics = async || {
        let mut http = test.connect().await;
        let token = super::TOKEN;
        let head = format!(
            "GET /metrics HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n"
        );
        http.send(head).await;
        http.answer().await.text().to_owned()
    };
    for _ in 0..20 {
        free(&mut http).await;
    }
    let until = Instant::now() + Duration::from_secs(20);
    while !metrics().await.contains("antiphon_audit_missing_total 20") {
        assert!(Instant::now() < until, "{}", metrics().await);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    free(&mut http).await;
}
