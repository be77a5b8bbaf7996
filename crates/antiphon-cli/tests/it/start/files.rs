//! Planted links, pipes, full disks, and files of a server that runs already.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::process::{Command, Stdio};

use super::{TempFolder, check_refused, serve, wait_until_it_listens};
use crate::support::{Process, Server, TOOL, run};

#[test]
fn planted_links_are_not_followed() {
    let folder = TempFolder::new();
    let target = folder.path("target");
    fs::write(&target, "mine").unwrap();
    for name in ["pid", "token", "a.sock.lock"] {
        symlink(&target, folder.path(name)).unwrap();
    }
    let (pid, token) = (folder.path("pid"), folder.path("token"));
    let server = Server::start(&["--pid-file", &pid, "--admin-token-file", &token]);
    let number = fs::read_to_string(&pid).unwrap();
    assert_eq!(number.trim(), server.process.id().to_string());
    assert_eq!(fs::metadata(&token).unwrap().mode() & 0o777, 0o600);
    assert_eq!(fs::read_to_string(&token).unwrap().trim().len(), 64);
    server.process.signal("TERM");
    assert_eq!(server.process.end().code, Some(0));
    check_refused(
        &serve(&["--bind", &format!("unix:{}", folder.path("a.sock"))]),
        "a.sock.lock is no file",
    );
    assert_eq!(folder.names(), ["a.sock.lock", "target"]);
    assert_eq!(fs::read_to_string(&target).unwrap(), "mine");
}

/// A limit on the size of files stands for a full disk: a write fails, whoever makes it.
#[test]
fn a_full_disk_ends_the_start_with_a_reason_and_leaves_no_file() {
    let folder = TempFolder::new();
    for (flag, part) in [
        ("--pid-file", "the PID file cannot be written to"),
        ("--admin-token-file", "the admin token cannot be written to"),
    ] {
        for workers in ["0", "1"] {
            let script = "trap '' XFSZ; ulimit -f 0; exec \"$@\"";
            let mut command = Command::new("sh");
            command.args(["-c", script, "sh", TOOL, "serve", "--bind", "127.0.0.1:0"]);
            command.args(["--workers", workers, flag, &folder.path("file")]);
            let ended = Process::start_command(command, "", Stdio::piped()).end();
            check_refused(&ended, part);
            assert!(folder.names().is_empty(), "{:?}", folder.names());
        }
    }
}

#[test]
fn a_start_that_fails_leaves_the_files_of_the_running_server() {
    let folder = TempFolder::new();
    let (pid, token) = (folder.path("pid"), folder.path("token"));
    let flags = ["--pid-file", &pid, "--admin-token-file", &token];
    let url = format!("http+unix:{}", folder.path("a.sock"));
    let args = [&["serve", "--bind", &url], &flags[..]].concat();
    let first = Process::start(&args, "");
    wait_until_it_listens(&first);
    let read = || (fs::read(&pid).unwrap(), fs::read(&token).unwrap());
    let before = read();
    for workers in ["0", "1"] {
        let args = [&args[..], &["--workers", workers]].concat();
        check_refused(&run(&args, ""), "another server listens there");
        assert!(before == read(), "with {workers} workers");
    }
    first.signal("TERM");
    assert_eq!(first.end().code, Some(0));
    assert!(folder.names().is_empty(), "{:?}", folder.names());
}

/// The successor opens everything, and then cannot write its files.
#[test]
fn a_successor_that_fails_leaves_the_sockets_and_files_of_its_predecessor() {
    let folder = TempFolder::new();
    let (config, control) = (folder.path("settings.toml"), folder.path("c.sock"));
    let url = format!("http+unix:{}", folder.path("a.sock"));
    fs::write(&config, "workers = 1\n").unwrap();
    let token = folder.path("token");
    let args = [
        "serve",
        "--bind",
        &url,
        "--config",
        &config,
        "--control",
        &control,
    ];
    let process = Process::start(&[&args[..], &["--admin-token-file", &token]].concat(), "");
    wait_until_it_listens(&process);
    let before = fs::read(&token).unwrap();
    fs::write(&config, "workers = 1\npid-file = \"/nowhere/pid\"\n").unwrap();
    let ended = run(&["ctl", "--control", &control, "upgrade"], "");
    assert_eq!(ended.code, Some(1), "{}", ended.err);
    assert!(ended.err.contains("has not taken over"), "{}", ended.err);
    for args in [&["call", &url, "ping"][..], &["ctl", "--control", &control]] {
        let ended = run(args, "");
        assert_eq!(ended.code, Some(0), "{}", ended.err);
    }
    assert!(before == fs::read(&token).unwrap());
    process.signal("TERM");
    assert_eq!(process.end().code, Some(0));
    assert_eq!(folder.names(), ["settings.toml"]);
}

#[test]
fn pipes_and_devices_are_not_read() {
    let folder = TempFolder::new();
    let pipe = folder.path("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let key = folder.path("key");
    fs::write(&key, "").unwrap();
    for path in [pipe.as_str(), "/dev/zero", folder.root().to_str().unwrap()] {
        let part = format!("{path}: it is no regular file");
        check_refused(&serve(&["--config", path]), &part);
        check_refused(
            &serve(&[
                "--bind",
                "127.0.0.1:0",
                "--tls-cert",
                path,
                "--tls-key",
                &key,
            ]),
            &part,
        );
    }
    let large = folder.path("large");
    fs::write(&large, " ".repeat(1024 * 1024 + 1)).unwrap();
    check_refused(&serve(&["--config", &large]), "longer than 1048576 bytes");
}

#[test]
fn a_document_is_written_whole_and_not_through_a_link_that_leads_nowhere() {
    let folder = TempFolder::new();
    let (document, out) = (folder.path("api.json"), folder.path("out.md"));
    let text = r#"{"openrpc":"1.3.2","info":{"title":"T","version":"1"},"methods":[]}"#;
    fs::write(&document, text).unwrap();
    let docs = |path: &str| run(&["docs", &document, "-o", path], "");
    assert_eq!(docs(&out).code, Some(0));
    assert!(fs::read_to_string(&out).unwrap().contains('T'));
    // A link of one's own is followed.
    let (link, nowhere) = (folder.path("link"), folder.path("nowhere"));
    symlink(&out, &link).unwrap();
    fs::write(&out, "x".repeat(10_000)).unwrap();
    assert_eq!(docs(&link).code, Some(0));
    assert!(fs::metadata(&out).unwrap().len() < 10_000);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    let dangling = folder.path("dangling");
    symlink(&nowhere, &dangling).unwrap();
    assert_eq!(docs(&dangling).code, Some(2));
    assert!(!fs::exists(&nowhere).unwrap());
    let shown = docs("/dev/stdout");
    assert!(shown.out.contains('T'), "{}", shown.err);
    fs::remove_file(&dangling).unwrap();
    assert_eq!(folder.names(), ["api.json", "link", "out.md"]);
}
