//! Tests of the start of `antiphon serve` among hostile or broken neighbours: it works, or it ends with
//! a reason, and it waits for nobody.

use std::fs;
use std::io::{BufRead, BufReader, Read as _};
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use crate::support::{Exited, Process, Server, TIMEOUT, TOOL, run};

/// A temporary folder, removed when it is dropped. Its name is short, because the length of a
/// socket path is limited.
struct TempFolder(PathBuf);

impl TempFolder {
    fn new() -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("antiphon-start-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    /// The names of what is in the folder, sorted.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

impl Drop for TempFolder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A Python program that holds something until it is dropped. It prints a line when it has it.
struct Neighbour(Child);

impl Neighbour {
    fn start(program: &str, path: &str) -> Self {
        let mut child = Command::new("python3")
            .args(["-c", program, path])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let out = child.stdout.as_mut().unwrap();
        BufReader::new(out).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        Self(child)
    }

    fn signal(&self, name: &str) {
        let id = self.0.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status();
        assert!(sent.unwrap().success());
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Locks a file or a folder, in a loop that never lets go.
const LOCKS: &str = "import fcntl, os, sys, time
path = sys.argv[1]
held = os.open(path, os.O_RDONLY if os.path.isdir(path) else os.O_RDWR | os.O_CREAT, 0o600)
fcntl.flock(held, fcntl.LOCK_EX)
print('ready', flush=True)
time.sleep(1000)";

/// Listens with a queue for one connection, and fills it.
const FULL: &str = "import socket, sys, time
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1])
server.listen(0)
client = socket.socket(socket.AF_UNIX)
client.connect(sys.argv[1])
print('ready', flush=True)
time.sleep(1000)";

/// `antiphon serve` with these flags, until it exits.
fn serve(flags: &[&str]) -> Exited {
    run(&[&["serve", "--workers", "0"], flags].concat(), "")
}

/// Whether it has ended with an error that has this part, before it listened.
fn check_refused(ended: &Exited, part: &str) {
    assert_eq!(ended.code, Some(1), "{}", ended.err);
    let error = ended.err.lines().last().unwrap_or_default();
    assert!(error.starts_with("error: "), "{}", ended.err);
    assert!(error.contains(part), "{part}: {}", ended.err);
    assert!(!ended.err.contains("listening"), "{}", ended.err);
}

/// Waits for the line that says that the server listens.
fn wait_until_it_listens(process: &Process) {
    let noted = |_| process.note();
    let ready = (0..20)
        .map(noted)
        .find(|line| line.starts_with("antiphon listening on "));
    assert!(ready.is_some(), "it does not listen");
}

/// A server with these flags and a control socket; it answers, and stops when it is told to.
fn check_serves(url: &str, flags: &[&str]) {
    let args = [&["serve", "--bind", url], flags].concat();
    let process = Process::start(&args, "");
    wait_until_it_listens(&process);
    let url = url.split('?').next().unwrap();
    let ended = run(&["call", url, "ping"], "");
    assert_eq!(ended.out, "\"pong\"\n", "{}", ended.err);
    process.signal("TERM");
    let ended = process.end();
    assert_eq!(ended.code, Some(0), "{}", ended.err);
}

#[test]
fn a_lock_on_the_folder_of_a_socket_is_nobodys_business() {
    let folder = TempFolder::new();
    let _lock = Neighbour::start(LOCKS, folder.0.to_str().unwrap());
    let url = format!("unix:{}", folder.path("a.sock"));
    check_serves(&url, &[]);
    check_serves(
        &url,
        &["--workers", "1", "--control", &folder.path("c.sock")],
    );
    assert!(folder.names().is_empty(), "{:?}", folder.names());
}

#[test]
fn a_lock_that_is_held_ends_the_start_with_a_reason() {
    let folder = TempFolder::new();
    let lock = folder.path("a.sock.lock");
    let _lock = Neighbour::start(LOCKS, &lock);
    let part = format!("another program holds the lock {lock}");
    check_refused(
        &serve(&["--bind", &format!("unix:{}", folder.path("a.sock"))]),
        &part,
    );
    let control = [
        "--bind",
        ":0",
        "--control",
        &folder.path("a.sock"),
        "--workers",
        "1",
    ];
    check_refused(
        &run(&[&["serve"], &control[..]].concat(), ""),
        "it listens beyond",
    );
    let local = [
        "--bind",
        "127.0.0.1:0",
        control[2],
        control[3],
        control[4],
        control[5],
    ];
    check_refused(&run(&[&["serve"], &local[..]].concat(), ""), &part);
}

#[test]
fn a_stopped_server_with_a_full_queue_is_told_of() {
    let folder = TempFolder::new();
    let path = folder.path("a.sock");
    let neighbour = Neighbour::start(FULL, &path);
    neighbour.signal("STOP");
    let part = "another server listens there";
    check_refused(&serve(&["--bind", &format!("unix:{path}")]), part);
    let args = [
        "serve",
        "--bind",
        "127.0.0.1:0",
        "--workers",
        "1",
        "--control",
        &path,
    ];
    check_refused(&run(&args, ""), part);
    assert_eq!(folder.names(), ["a.sock"]);
}

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

/// Starts the tool as if this process were its supervisor, which says only this.
fn start_under(variable: &str, said: &[u8]) -> (Child, UnixStream) {
    use std::io::Write as _;

    let (mut ours, theirs) = UnixStream::pair().unwrap();
    ours.write_all(said).unwrap();
    let child = Command::new(TOOL)
        .args(["serve", "--bind", "127.0.0.1:0"])
        .env(variable, std::process::id().to_string())
        .stdin(Stdio::from(std::os::fd::OwnedFd::from(theirs)))
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    (child, ours)
}

#[test]
fn a_parent_that_says_nothing_is_not_waited_for() {
    for variable in ["ANTIPHON_WORKER", "ANTIPHON_SUCCESSOR"] {
        for said in ["", "{\"id\": \"i1"] {
            let (mut child, _parent) = start_under(variable, said.as_bytes());
            let mut error = String::new();
            let mut stderr = child.stderr.take().unwrap();
            stderr.read_to_string(&mut error).unwrap();
            assert_eq!(child.wait().unwrap().code(), Some(1), "{error}");
            assert!(error.contains("was not told what to do"), "{error}");
            assert!(error.contains("unset them to start a server"), "{error}");
        }
    }
}

#[test]
fn pipes_and_devices_are_not_read() {
    let folder = TempFolder::new();
    let pipe = folder.path("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let key = folder.path("key");
    fs::write(&key, "").unwrap();
    for path in [pipe.as_str(), "/dev/zero", folder.0.to_str().unwrap()] {
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
    fs::remove_file(&config).unwrap();
    let made = Command::new("mkfifo").arg(&config).status();
    assert!(made.unwrap().success());
    refused("it is no regular file");
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
    let group = fs::metadata(&folder.0).unwrap().gid();
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

/// A service manager that reads nothing stops neither the start nor the end of a server.
#[test]
fn a_service_manager_that_reads_nothing_is_not_waited_for() {
    let folder = TempFolder::new();
    let path = folder.path("notify");
    let _manager = UnixDatagram::bind(&path).unwrap();
    let full = UnixDatagram::unbound().unwrap();
    full.set_nonblocking(true).unwrap();
    while full.send_to(b"x", &path).is_ok() {}
    for workers in ["0", "1"] {
        let args = ["serve", "--bind", "127.0.0.1:0", "--workers", workers];
        let variables = [("NOTIFY_SOCKET", path.as_str())];
        let process = Process::start_with_env(&variables, &args, "", Stdio::piped());
        wait_until_it_listens(&process);
        process.signal("TERM");
        assert_eq!(process.end().code, Some(0));
    }
}

/// A server at a control socket that accepts and says nothing.
#[test]
fn the_tool_does_not_wait_for_a_mute_control_socket() {
    let folder = TempFolder::new();
    let path = folder.path("c.sock");
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    thread::spawn(move || {
        let held = listener.accept();
        thread::sleep(TIMEOUT + Duration::from_secs(60));
        drop(held);
    });
    let ended = run(&["ctl", "--control", &path, "--timeout", "300ms"], "");
    assert_eq!(ended.code, Some(4), "{}", ended.err);
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
