//! Other programs that hold a lock, a queue or a socket, or say nothing.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use super::{TempFolder, check_refused, serve, wait_until_it_listens};
use crate::support::{Process, TIMEOUT, TOOL, run};

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
    let _lock = Neighbour::start(LOCKS, folder.root().to_str().unwrap());
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

/// Starts the tool as if this process were its supervisor, which says only this.
fn start_under(variable: &str, said: &[u8]) -> (Child, UnixStream) {
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    ours.write_all(said).unwrap();
    let child = Command::new(TOOL)
        .args(["serve", "--bind", "127.0.0.1:0"])
        .env(variable, std::process::id().to_string())
        .stdin(Stdio::from(OwnedFd::from(theirs)))
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
    let listener = UnixListener::bind(&path).unwrap();
    thread::spawn(move || {
        let held = listener.accept();
        thread::sleep(TIMEOUT + Duration::from_secs(60));
        drop(held);
    });
    let ended = run(&["ctl", "--control", &path, "--timeout", "300ms"], "");
    assert_eq!(ended.code, Some(4), "{}", ended.err);
}
