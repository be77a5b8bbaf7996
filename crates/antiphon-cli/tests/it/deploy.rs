//! Tests of the systemd units in `docs/examples`, with a launcher in place of systemd.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::{Exited, Process, TIMEOUT, TOOL, run};
use crate::temp_folder::TempFolder;

/// Starts the service as systemd would, with this folder in place of `/run`.
fn launch(folder: &TempFolder, wrong: &str) -> (Process, UnixDatagram) {
    let notices = folder.path("notify");
    let manager = UnixDatagram::bind(&notices).unwrap();
    manager.set_read_timeout(Some(TIMEOUT)).unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let examples = root.join("../../docs/examples");
    let mut command = Command::new("python3");
    command
        .arg(root.join("tests/it/launcher.py"))
        .arg(examples.join("antiphon.socket"))
        .arg(examples.join("antiphon.service"))
        .arg(folder.root())
        .args([TOOL, wrong])
        .env("NOTIFY_SOCKET", notices)
        .env("WATCHDOG_USEC", "60000000");
    (Process::start_command(command, "", Stdio::piped()), manager)
}

/// The next message to the service manager other than a watchdog ping.
fn notice(manager: &UnixDatagram) -> Vec<String> {
    let mut text = [0; 4096];
    loop {
        let length = manager.recv(&mut text).unwrap();
        let lines = String::from_utf8_lossy(&text[..length]);
        let lines: Vec<_> = lines.lines().map(str::to_owned).collect();
        if lines != ["WATCHDOG=1"] {
            return lines;
        }
    }
}

fn said(lines: &[String], what: &str) -> bool {
    lines.iter().any(|line| line == what)
}

/// A service that is ready, with its address.
struct Service {
    process: Process,
    manager: UnixDatagram,
    urls: Vec<String>,
    token: String,
}

impl Service {
    fn start(folder: &TempFolder) -> Self {
        let (process, manager) = launch(folder, "nothing");
        Self::of(folder, process, manager)
    }

    /// Waits until the service is ready.
    fn of(folder: &TempFolder, process: Process, manager: UnixDatagram) -> Self {
        assert!(said(&notice(&manager), "READY=1"));
        let mut urls = Vec::new();
        while urls.len() < 2 {
            let line = process.note();
            let url = line.trim_end().strip_prefix("antiphon listening on ");
            urls.extend(url.map(str::to_owned));
        }
        let token = fs::read_to_string(folder.path("antiphon/admin.token")).unwrap();
        Self {
            process,
            manager,
            urls,
            token: token.trim().to_owned(),
        }
    }

    fn ping(&self) {
        for url in &self.urls {
            let ended = run(&["call", url, "ping"], "");
            assert_eq!(
                (ended.code, &*ended.out),
                (Some(0), "\"pong\"\n"),
                "{url}: {}",
                ended.err
            );
        }
    }

    /// Makes a call with the admin token.
    fn admin(&self, method: &[&str]) -> Exited {
        let shown = format!("Authorization: Bearer {}", self.token);
        run(
            &[&["call", &self.urls[0], "-H", &shown], method].concat(),
            "",
        )
    }

    /// The ids of the worker processes.
    fn workers(&self) -> Vec<u64> {
        let info = self.admin(&["server_info"]);
        let info: Value = serde_json::from_str(&info.out).expect(&info.err);
        let workers = info["monitors"]["rpc"]["workers"].as_array().unwrap();
        let running = |worker: &&Value| worker["actor"]["state"] == "running";
        workers
            .iter()
            .filter(running)
            .map(|worker| worker["actor"]["process_id"].as_u64().unwrap())
            .collect()
    }

    /// The process id of the supervisor.
    fn supervisor(&self) -> String {
        let info = self.admin(&["server_info"]);
        let info: Value = serde_json::from_str(&info.out).expect(&info.err);
        info["server"]["process_id"].to_string()
    }

    fn stop(self) {
        self.process.signal("TERM");
        assert_eq!(notice(&self.manager), ["STOPPING=1"]);
        let ended = self.process.end();
        assert_eq!((ended.code, &*ended.out), (Some(0), ""), "{}", ended.err);
    }
}

#[test]
fn the_service_is_ready_serves_and_stops() {
    let folder = TempFolder::new();
    let service = Service::start(&folder);
    let unix = format!("http+unix:{}", folder.path("antiphon.sock"));
    assert!(service.urls[0].starts_with("http://127.0.0.1:"));
    assert_eq!(service.urls[1], unix);
    service.ping();
    // The service is behind a proxy, so no caller is local, and the owner needs the token.
    let denied = run(&["call", &service.urls[0], "server_info"], "");
    assert!(denied.err.contains("-32601"), "{}", denied.err);
    service.stop();
    // systemd owns the socket, so it is still there.
    assert!(Path::new(&folder.path("antiphon.sock")).exists());
    assert!(!Path::new(&folder.path("antiphon/control.sock")).exists());
    assert!(!Path::new(&folder.path("antiphon/admin.token")).exists());
}

/// systemd keeps the sockets, and the connections that wait in their queues.
#[test]
fn the_sockets_work_after_a_restart() {
    let folder = TempFolder::new();
    let (process, manager) = launch(&folder, "restart");
    let service = Service::of(&folder, process, manager);
    service.ping();
    kill(&service.supervisor());
    assert_eq!(notice(&service.manager), ["STOPPING=1"]);
    let service = Service::of(&folder, service.process, service.manager);
    service.ping();
    assert_eq!(service.supervisor(), service.process.id().to_string());
    service.stop();
}

#[test]
fn an_upgrade_is_reported_and_does_not_stop_the_service() {
    let folder = TempFolder::new();
    let service = Service::start(&folder);
    service.process.signal("USR2");
    let mut told = Vec::new();
    let successor = loop {
        told.extend(notice(&service.manager));
        let process = told.iter().find_map(|line| line.strip_prefix("MAINPID="));
        if let Some(process) = process {
            break process.to_owned();
        }
    };
    service.ping();
    // An old worker may still answer a last call.
    assert!((0..200).any(|_| service.supervisor() == successor));
    let info: Value = serde_json::from_str(&service.admin(&["server_info"]).out).unwrap();
    assert_eq!(
        info["server"]["listeners"],
        Value::from(service.urls.clone())
    );
    kill(&successor);
    // Standard error ends when both processes have ended.
    let ended = service.process.end();
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    service.manager.set_nonblocking(true).unwrap();
    let mut text = [0; 4096];
    while let Ok(length) = service.manager.recv(&mut text) {
        let lines = String::from_utf8_lossy(&text[..length]);
        told.extend(lines.lines().map(str::to_owned));
    }
    let stops = told.iter().filter(|line| *line == "STOPPING=1").count();
    assert_eq!(stops, 1, "{told:?}");
}

#[test]
fn a_reload_is_reported_and_replaces_the_workers() {
    let folder = TempFolder::new();
    let service = Service::start(&folder);
    let before = service.workers();
    service.process.signal("HUP");
    let reloading = notice(&service.manager);
    assert!(said(&reloading, "RELOADING=1"), "{reloading:?}");
    let since = reloading
        .iter()
        .find_map(|line| line.strip_prefix("MONOTONIC_USEC="));
    let since: u64 = since.expect("a time").parse().unwrap();
    assert!(since > 0);
    assert_eq!(notice(&service.manager), ["READY=1"]);
    service.ping();
    let after = service.workers();
    assert!(!after.iter().any(|process| before.contains(process)));
    service.stop();
}

fn kill(process: &str) {
    let sent = Command::new("kill").args(["-s", "TERM", process]).status();
    assert!(sent.unwrap().success());
}

/// A worker removes the variables of the supervisor, so that its child processes do not get them.
#[test]
fn workers_do_not_pass_on_the_variables_of_the_supervisor() {
    let folder = TempFolder::new();
    let service = Service::start(&folder);
    let (served, control) = (sockets_of(&folder.path("antiphon.sock")), {
        let control = sockets_of(&folder.path("antiphon/"));
        assert_eq!(control.len(), 1, "{control:?}");
        control
    });
    let holds = |process: u64, sockets: &[String]| {
        let open = fs::read_dir(format!("/proc/{process}/fd")).unwrap();
        open.filter_map(|one| fs::read_link(one.ok()?.path()).ok())
            .any(|link| sockets.iter().any(|socket| link == Path::new(socket)))
    };
    let supervisor = u64::from(service.process.id());
    assert!(holds(supervisor, &served) && holds(supervisor, &control));
    let workers: Vec<_> = (0..200)
        .map(|_| service.workers())
        .find(|workers| workers.len() == 4)
        .unwrap();
    for worker in workers {
        assert!(holds(worker, &served));
        assert!(!holds(worker, &control));
        let environment = fs::read(format!("/proc/{worker}/environ")).unwrap();
        let environment = String::from_utf8_lossy(&environment);
        let names = environment
            .split('\0')
            .filter_map(|one| one.split('=').next());
        for name in names {
            let private = name.starts_with("LISTEN_") || name.starts_with("WATCHDOG_");
            assert!(!private && name != "NOTIFY_SOCKET", "{name}");
        }
    }
    service.stop();
}

/// The inodes of listening sockets whose path begins with this text, from `/proc`.
fn sockets_of(path: &str) -> Vec<String> {
    /// The flags of a listening socket.
    const LISTENS: &str = "00010000";
    let table = fs::read_to_string("/proc/net/unix").unwrap();
    let lines = table.lines().map(|line| line.split_whitespace());
    lines
        .map(Iterator::collect::<Vec<_>>)
        .filter(|line| line.len() == 8 && line[3] == LISTENS && line[7].starts_with(path))
        .map(|line| format!("socket:[{}]", line[6]))
        .collect()
}

#[test]
fn a_watchdog_interval_of_zero_is_ignored() {
    let args = ["serve", "--workers", "1", "--bind", "127.0.0.1:0"];
    let server = Process::start_with_env(&[("WATCHDOG_USEC", "0")], &args, "", Stdio::piped());
    // Log lines come first. If the server has ended, there is no next line, and the test fails.
    while !server.note().starts_with("antiphon listening on ") {}
    server.signal("TERM");
    assert_eq!(server.end().code, Some(0));
}

#[test]
fn invalid_sockets_are_refused() {
    let table: &[(&str, &[&str])] = &[
        ("process", &["LISTEN_PID is \"1\", and this process is "]),
        ("count", &["\"99999\" is not a number up to 200"]),
        ("file", &["number 3: ", "socket"]),
        ("datagrams", &["number 3: ", "socket"]),
        ("silent", &["number 3: it is no socket that listens"]),
    ];
    for (wrong, parts) in table {
        let folder = TempFolder::new();
        let (process, _manager) = launch(&folder, wrong);
        let ended = process.end();
        assert_eq!(
            (ended.code, &*ended.out),
            (Some(1), ""),
            "{wrong}: {}",
            ended.err
        );
        let told = ended.err.lines().last().unwrap_or_default();
        let begin = "error: the sockets of LISTEN_FDS cannot be used: ";
        assert!(told.starts_with(begin), "{wrong}: {}", ended.err);
        for part in *parts {
            assert!(told.contains(part), "{wrong}: {part}: {told}");
        }
    }
}
