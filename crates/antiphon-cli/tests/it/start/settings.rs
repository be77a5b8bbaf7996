//! Settings that cannot be meant, and who may connect to a socket.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::process::Command;

use super::{TempFolder, check_refused, serve, wait_until_it_listens};
use crate::support::{Process, Server, run};

/// A pipe that takes the place of the settings file later does not stop the server, either.
#[test]
fn a_reload_with_settings_that_cannot_be_meant_changes_nothing() {
    let folder = TempFolder::new();
    let config = folder.path("settings.toml");
    fs::write(&config, "max-batch = 3\n").unwrap();
    let server = Server::start(&["--config", &config]);
    let answers = || {
        let ended = server.call(&["ping"]);
        assert_eq!(ended.out, "\"pong\"\n", "{}", ended.err);
    };
    let refused = |part: &str| {
        server.process.signal("HUP");
        let note = server.process.note();
        assert!(note.contains("the settings stay as they are"), "{note}");
        assert!(note.contains(part), "{note}");
        answers();
    };
    fs::write(&config, "max-request = 0\n").unwrap();
    refused("`max-request` cannot be 0");
    fs::write(&config, "rate-burst = 5\n").unwrap();
    refused("there is no `rate-limit`");
    fs::remove_file(&config).unwrap();
    let made = Command::new("mkfifo").arg(&config).status();
    assert!(made.unwrap().success());
    refused("it is no regular file");
}

#[test]
fn a_reload_changes_the_rate_of_calls() {
    let folder = TempFolder::new();
    let config = folder.path("settings.toml");
    fs::write(&config, "").unwrap();
    let server = Server::start(&["--config", &config]);
    for (text, calls) in [
        ("", 3),
        ("rate-limit = \"2/h\"\nrate-burst = 2\n", 2),
        // The calls until now count.
        ("rate-limit = \"3/h\"\nrate-burst = 3\n", 0),
        ("rate-limit = \"none\"\n", 3),
    ] {
        fs::write(&config, text).unwrap();
        server.process.signal("HUP");
        let note = server.process.note();
        assert!(note.contains("the new settings hold"), "{note}");
        let ran = (0..3).filter(|_| {
            let ended = server.call(&["ping"]);
            let told = ended.err.contains("Limit exceeded");
            assert_eq!(ended.code == Some(0), !told, "{}", ended.err);
            let explained = ended.err.contains("too many calls: wait ");
            assert_eq!(explained, told, "{}", ended.err);
            !told
        });
        assert_eq!(ran.count(), calls, "{text}");
    }
}

#[test]
fn settings_that_cannot_be_meant_are_refused() {
    for (flags, part) in [
        (
            &["--max-connections", "0"][..],
            "`max-connections` cannot be 0: nobody could connect",
        ),
        (&["--max-in-flight", "0"], "`max-in-flight` cannot be 0"),
        (&["--call-timeout", "0s"], "`call-timeout` cannot be 0ns"),
        (&["--threads", "0"], "`threads` cannot be 0"),
        (&["--rate-limit", "0/s"], "`rate-limit` cannot be 0/s"),
        (&["--rate-burst", "5"], "there is no `rate-limit`"),
        (
            &["--rate-limit", "9/m", "--rate-burst", "0"],
            "`rate-burst` cannot be 0",
        ),
        (
            &["--max-request", "1GiB"],
            "`max-request-memory` cannot be 268435456",
        ),
        (&["--workers", "1000000"], "`workers` cannot be 1000000"),
        (
            &["--workers", "1", "--worker-timeout", "1ms"],
            "at least 200ms",
        ),
        (
            &["--workers", "1", "--max-requests", "0"],
            "`max-requests` cannot be 0",
        ),
    ] {
        let args = [&["serve", "--bind", "127.0.0.1:0"], flags].concat();
        check_refused(&run(&args, ""), part);
    }
}

#[test]
fn a_socket_is_shared_with_a_group_if_that_is_asked_for() {
    let folder = TempFolder::new();
    let group = fs::metadata(folder.root()).unwrap().gid();
    for (scheme, query, mode) in [
        ("http+unix", String::new(), 0o600),
        ("http+unix", format!("?mode=0660&group={group}"), 0o660),
        ("unix", format!("?mode=0660&group={group}"), 0o660),
        ("ws+unix", "?mode=0666".to_owned(), 0o666),
    ] {
        let path = folder.path("a.sock");
        let url = format!("{scheme}:{path}{query}");
        let process = Process::start(&["serve", "--bind", &url], "");
        wait_until_it_listens(&process);
        let found = fs::symlink_metadata(&path).unwrap();
        assert_eq!((found.mode() & 0o7777, found.gid()), (mode, group), "{url}");
        process.signal("TERM");
        assert_eq!(process.end().code, Some(0));
    }
    let url = format!("unix:{}", folder.path("a.sock"));
    let refused = serve(&["--bind", &format!("{url}?mode=0660&group=no-such-group")]);
    check_refused(&refused, "there is no group no-such-group in /etc/group");
    let refused = serve(&["--bind", &format!("{url}?mode=0777")]);
    check_refused(&refused, "`mode=0777`: it is 0600");
    let ended = run(&["call", &format!("{url}?mode=0660"), "ping"], "");
    assert_eq!(ended.code, Some(2), "{}", ended.err);
    let part = "`?mode=0660` is for the server that makes the socket";
    assert!(ended.err.contains(part), "{}", ended.err);
}

/// The control socket can be shared, too, and the tool takes the same setting.
#[test]
fn a_control_socket_can_be_shared() {
    let folder = TempFolder::new();
    let control = format!("{}?mode=0666", folder.path("c.sock"));
    let flags = [
        "--workers",
        "1",
        "--bind",
        "127.0.0.1:0",
        "--control",
        &control,
    ];
    let process = Process::start(&[&["serve"], &flags[..]].concat(), "");
    wait_until_it_listens(&process);
    let found = fs::symlink_metadata(folder.path("c.sock")).unwrap();
    assert_eq!(found.mode() & 0o7777, 0o666);
    let ended = run(&["ctl", "--control", &control, "stop"], "");
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert_eq!(process.end().code, Some(0));
}
