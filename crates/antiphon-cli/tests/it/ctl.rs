//! Tests of `antiphon ctl` with servers that have worker processes, and with hostile peers.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Exited, Process, Server, TIMEOUT, run};
use crate::temp_folder::TempFolder;

/// A server with two worker processes. It is stopped when it is dropped.
struct TestServer {
    process: Option<Process>,
    control: String,
    folder: TempFolder,
}

impl TestServer {
    fn start() -> Self {
        let folder = TempFolder::new();
        let control = folder.path("c.sock");
        Self::start_with(folder, &[], &["--control", &control], control.clone())
    }

    fn start_with(
        folder: TempFolder,
        variables: &[(&str, &str)],
        flags: &[&str],
        control: String,
    ) -> Self {
        let args = ["serve", "--workers", "2", "--bind", "127.0.0.1:0"];
        let args = [&args, flags].concat();
        let process = Process::start_with_env(variables, &args, "", Stdio::piped());
        let server = Self {
            process: Some(process),
            control,
            folder,
        };
        // There may be log lines before the line with the address.
        let noted = |_| server.process().note();
        let ready = (0..20)
            .map(noted)
            .find(|line| line.starts_with("antiphon listening on "));
        assert!(ready.is_some(), "it does not listen");
        server
    }

    fn process(&self) -> &Process {
        self.process.as_ref().unwrap()
    }

    /// `antiphon ctl --control PATH …`
    fn ctl(&self, args: &[&str]) -> Exited {
        run(&[&["ctl", "--control", &self.control], args].concat(), "")
    }

    fn status(&self) -> Value {
        let ended = self.ctl(&["status", "--json"]);
        assert_eq!(ended.code, Some(0), "{}", ended.err);
        serde_json::from_str(&ended.out).unwrap()
    }

    /// Waits until exactly two workers serve, and returns their ids.
    fn ids(&self) -> Vec<String> {
        let until = Instant::now() + TIMEOUT;
        loop {
            let status = self.status();
            let workers = status["monitors"]["rpc"]["workers"].as_array().unwrap();
            if workers.len() == 2 && workers.iter().all(|one| one["actor"]["state"] == "running") {
                let id = |one: &Value| one["actor"]["actor_id"].as_str().unwrap().to_owned();
                return workers.iter().map(id).collect();
            }
            assert!(Instant::now() < until, "{status}");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.process.take().into_iter().for_each(Process::retire);
    }
}

/// Runs `antiphon ctl …` with these environment variables.
fn ctl_with_env(variables: &[(&str, &str)], args: &[&str]) -> Exited {
    let args = [&["ctl"], args].concat();
    Process::start_with_env(variables, &args, "", Stdio::piped()).end()
}

/// Starts a peer at this socket path that answers one call with a result or an error.
fn peer(path: &str, member: &'static str, value: Value) {
    let listener = UnixListener::bind(path).unwrap();
    thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        socket.set_read_timeout(Some(TIMEOUT)).unwrap();
        let mut request = String::new();
        BufReader::new(&socket).read_line(&mut request).unwrap();
        let request: Value = serde_json::from_str(&request).unwrap();
        let mut answer = json!({"jsonrpc": "2.0", "id": request["id"]});
        answer[member] = value;
        let _ = socket.write_all(format!("{answer}\n").as_bytes());
    });
}

#[test]
fn a_server_and_its_workers_are_shown() {
    let server = TestServer::start();
    let ids = server.ids();
    let control = server.control.as_str();
    for args in [
        &["--control", control][..],
        &["--control", control, "status"],
        &["status", "--control", control, "--timeout", "20s"],
    ] {
        // The command line takes precedence over the environment.
        let ended = ctl_with_env(&[("ANTIPHON_CONTROL", "/nowhere")], args);
        assert_eq!((ended.code, &*ended.err), (Some(0), ""), "{args:?}");
        let lines: Vec<_> = ended.out.lines().collect();
        assert_eq!(lines.len(), 6, "{}", ended.out);
        assert!(lines[0].starts_with("server    running, pid "), "{lines:?}");
        assert!(
            lines[1].starts_with("listener  http://127.0.0.1:"),
            "{lines:?}"
        );
        assert!(lines[3].starts_with("ID "), "{lines:?}");
        for (line, id) in lines[4..].iter().zip(&ids) {
            assert!(line.starts_with(id.as_str()), "{line}");
            assert!(line.contains(" running "), "{line}");
        }
        assert!(lines.iter().all(|line| line.len() <= 80), "{}", ended.out);
    }
    let ended = ctl_with_env(&[("ANTIPHON_CONTROL", control)], &["status", "--json"]);
    assert_eq!((ended.code, &*ended.err), (Some(0), ""));
    assert_eq!(ended.out.lines().count(), 1, "{}", ended.out);
    let status: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(status["server"]["actor_id"], "arbiter");
}

#[test]
fn a_worker_is_ended_and_replaced() {
    let server = TestServer::start();
    let before = server.ids();
    let ended = server.ctl(&["kill", &before[0]]);
    let killed = format!("killed {}\n", before[0]);
    assert_eq!((ended.code, ended.out, &*ended.err), (Some(0), killed, ""));
    let after = server.ids();
    assert!(!after.contains(&before[0]), "{before:?} {after:?}");
    assert!(after.contains(&before[1]), "{before:?} {after:?}");

    for id in [&before[0], "nobody", ""] {
        let ended = server.ctl(&["kill", id]);
        assert_eq!((ended.code, &*ended.out), (Some(1), ""), "{}", ended.err);
        let said = format!("there is no worker {id:?}");
        assert!(ended.err.contains(&said), "{}", ended.err);
    }
    assert_eq!(server.ids(), after);
}

#[test]
fn all_workers_are_replaced_or_none() {
    let folder = TempFolder::new();
    let (control, config) = (folder.path("c.sock"), folder.path("c.toml"));
    fs::write(&config, "").unwrap();
    let flags = ["--control", &control, "--config", &config];
    let server = TestServer::start_with(folder, &[], &flags, control.clone());
    let before = server.ids();
    let ended = server.ctl(&["reload"]);
    let (code, out, err) = (ended.code, &*ended.out, &*ended.err);
    assert_eq!((code, out, err), (Some(0), "reloaded\n", ""));
    let after = server.ids();
    assert!(after.iter().all(|id| !before.contains(id)), "{after:?}");

    fs::write(&config, "nonsense = [").unwrap();
    let ended = server.ctl(&["reload"]);
    assert_eq!((ended.code, &*ended.out), (Some(1), ""), "{}", ended.err);
    assert!(ended.err.starts_with("error: "), "{}", ended.err);
    assert!(ended.err.contains("c.toml"), "{}", ended.err);
    assert_eq!(server.ids(), after);
}

#[test]
fn a_server_is_stopped_and_its_watchers_end() {
    let mut server = TestServer::start();
    let ids = server.ids();
    let watch = |flags: &[&str]| {
        let args = [
            "ctl",
            "--control",
            &server.control,
            "status",
            "--watch",
            "0.1",
        ];
        Process::start(&[&args, flags].concat(), "")
    };
    let (table, json) = (watch(&[]), watch(&["--json"]));
    // Two status reports of six lines, with an empty line between them.
    let lines: Vec<_> = (0..13).map(|_| table.line()).collect();
    assert_eq!(lines[6], "\n", "{lines:?}");
    for at in [0, 7] {
        assert!(lines[at].starts_with("server    running"), "{lines:?}");
        assert!(lines[at + 3].contains(" CALLS/S "), "{lines:?}");
        assert!(lines[at + 4].starts_with(&ids[0]), "{lines:?}");
    }
    for _ in 0..2 {
        let status: Value = serde_json::from_str(&json.line()).unwrap();
        assert_eq!(status["server"]["state"], "running");
    }

    let ended = server.ctl(&["stop"]);
    let (code, out, err) = (ended.code, &*ended.out, &*ended.err);
    assert_eq!((code, out, err), (Some(0), "stopping\n", ""));
    let exited = server.process.take().unwrap().end();
    assert_eq!(exited.code, Some(0), "{}", exited.err);
    for watching in [table, json] {
        let ended = watching.end();
        assert_eq!(ended.code, Some(3), "{}", ended.err);
        assert!(ended.err.ends_with("has gone\n"), "{}", ended.err);
    }
    let ended = server.ctl(&[]);
    assert_eq!((ended.code, &*ended.out), (Some(3), ""));
    assert!(ended.err.contains("cannot connect to"), "{}", ended.err);
    assert!(!Path::new(&server.folder.path("c.sock")).exists());
}

#[test]
fn a_watch_ends_with_its_reader_and_with_a_signal() {
    let server = TestServer::start();
    let args = ["ctl", "--control", &server.control, "status", "--watch=0.1"];
    let watching = Process::start(&args, "");
    watching.line();
    watching.signal("INT");
    assert_eq!(watching.end().code, Some(130));

    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let ended = Process::start_with(&args, "", writer).end();
    assert_eq!((ended.code, &*ended.err), (Some(0), ""));
}

#[test]
fn the_only_server_needs_no_name() {
    let folder = TempFolder::new();
    let runtime = folder.path("");
    let variables = [("XDG_RUNTIME_DIR", &*runtime)];
    let server = TestServer::start_with(folder, &variables, &[], String::new());
    // The stale socket of a killed server, and a file that is not a socket.
    drop(UnixListener::bind(server.folder.path("antiphon/a.sock")).unwrap());
    fs::write(server.folder.path("antiphon/b.sock"), "").unwrap();
    let ended = ctl_with_env(&variables, &[]);
    assert_eq!((ended.code, &*ended.err), (Some(0), ""));
    assert!(ended.out.starts_with("server    "), "{}", ended.out);

    // A server that does not answer counts as well.
    let other = server.folder.path("antiphon/z.sock");
    let _silent = UnixListener::bind(&other).unwrap();
    let ended = ctl_with_env(&variables, &[]);
    assert_eq!((ended.code, &*ended.out), (Some(2), ""), "{}", ended.err);
    for part in ["2 servers", "--control PATH", "ANTIPHON_CONTROL", &other] {
        assert!(ended.err.contains(part), "{part}: {}", ended.err);
    }
    assert!(!ended.err.contains("a.sock"), "{}", ended.err);
}

#[test]
fn without_a_server_there_is_an_error() {
    let folder = TempFolder::new();
    let runtime = folder.path("");
    let stale = folder.path("stale");
    fs::create_dir_all(folder.path("stale/antiphon")).unwrap();
    drop(UnixListener::bind(folder.path("stale/antiphon/a.sock")).unwrap());
    let nowhere = folder.path("c.sock");
    let table: &[(&str, &[&str], i32, &str)] = &[
        (&runtime, &[], 3, "--control PATH"),
        (&stale, &["stop"], 3, "no server with workers"),
        ("", &[], 2, "XDG_RUNTIME_DIR names no folder"),
        ("a/b", &[], 2, "XDG_RUNTIME_DIR names no folder"),
        (
            &runtime,
            &["--control", &nowhere, "reload"],
            3,
            "was not sent: cannot connect",
        ),
        (&runtime, &["kill"], 2, "<ID>"),
        (
            &runtime,
            &["status", "--watch", "0"],
            2,
            "from 0.1 to 86400",
        ),
        (
            &runtime,
            &["--control", &nowhere, "--timeout", "0", "stop"],
            4,
            "was not sent",
        ),
    ];
    for (runtime, args, code, part) in table {
        let ended = ctl_with_env(&[("XDG_RUNTIME_DIR", runtime)], args);
        let found = (ended.code, &*ended.out);
        assert_eq!(found, (Some(*code), ""), "{args:?}: {}", ended.err);
        assert!(ended.err.contains(part), "{args:?}: {}", ended.err);
    }
}

#[test]
fn control_characters_from_a_peer_are_replaced() {
    let error = json!({"code": -32000, "message": "a new worker\u{1b}[2J has failed"});
    let status = json!({"server": {"state": "\u{1b}[2Jgone", "version": ["\u{7}"]}});
    let shown = "server    \u{fffd}[2Jgone, pid -, up -, - -\n\nno workers\n";
    /// Arguments, the response, and the expected exit code, standard output and standard error.
    type Case<'a> = (&'a [&'a str], &'static str, Value, i32, &'a str, &'a str);
    let table: &[Case<'_>] = &[
        (
            &["kill", "i1"],
            "result",
            json!(null),
            1,
            "",
            "the worker i1 has not ended yet",
        ),
        (
            &["kill", "i1"],
            "result",
            json!("killed i1\u{1b}c"),
            0,
            "killed i1\u{fffd}c\n",
            "",
        ),
        (
            &["reload"],
            "error",
            error,
            1,
            "",
            "error: a new worker\u{fffd}[2J has failed\n",
        ),
        (&["upgrade"], "result", json!(true), 0, "upgraded\n", ""),
        (
            &["upgrade"],
            "result",
            json!("\u{1b}no"),
            5,
            "",
            "no answer of a control socket",
        ),
        (&["status"], "result", status, 0, shown, ""),
        (
            &["status"],
            "error",
            json!({"code": -32601, "message": "no"}),
            1,
            "",
            "is no control socket",
        ),
    ];
    let folder = TempFolder::new();
    for (at, (args, member, value, code, out, err)) in table.iter().enumerate() {
        let path = folder.path(&format!("{at}.sock"));
        peer(&path, member, value.clone());
        let ended = ctl_with_env(&[("ANTIPHON_CONTROL", &path)], args);
        let found = (ended.code, &*ended.out);
        assert_eq!(found, (Some(*code), *out), "{args:?}: {}", ended.err);
        assert!(ended.err.contains(err), "{args:?}: {}", ended.err);
        assert_eq!(ended.err.is_empty(), *code == 0, "{args:?}: {}", ended.err);
        assert!(!ended.err.contains('\u{1b}'), "{args:?}: {}", ended.err);
    }
}

#[test]
fn another_socket_is_reported_as_no_control_socket() {
    let folder = TempFolder::new();
    let path = folder.path("s.sock");
    let server = Server::start(&["--bind", &format!("unix:{path}")]);
    server.process.note();
    let ended = run(&["ctl", "--control", &path], "");
    assert_eq!((ended.code, &*ended.out), (Some(1), ""), "{}", ended.err);
    assert!(ended.err.contains("is no control socket"), "{}", ended.err);
}
