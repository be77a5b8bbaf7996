//! `antiphon ctl`, against servers with workers.

use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Ended, PATIENCE, Process, run};

/// A server with two workers, and the folder of its control socket.
struct Server {
    process: Process,
    folder: PathBuf,
}

impl Server {
    fn start(name: &str, flags: &[&str]) -> Self {
        let folder = std::env::temp_dir().join(format!("antiphon-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let socket = folder.join("c.sock");
        let own = [
            "serve",
            "--workers",
            "2",
            "--bind",
            "127.0.0.1:0",
            "--control",
        ];
        let process = Process::start(&[&own[..], &[socket.to_str().unwrap()], flags].concat(), "");
        while !process.note().starts_with("antiphon listening on ") {}
        let server = Self { process, folder };
        server.settled();
        server
    }

    fn ctl(&self, order: &[&str]) -> Ended {
        let socket = self.folder.join("c.sock");
        run(
            &[&["ctl", "--control", socket.to_str().unwrap()], order].concat(),
            "",
        )
    }

    fn status(&self) -> Value {
        let ended = self.ctl(&["status", "--json"]);
        assert_eq!(ended.code, Some(0), "{}", ended.err);
        serde_json::from_str(&ended.out).unwrap()
    }

    /// The ids of the workers, when both run and nothing else is there.
    fn settled(&self) -> Vec<String> {
        let until = Instant::now() + PATIENCE;
        loop {
            let status = self.status();
            let workers = status["monitors"]["rpc"]["workers"].as_array().unwrap();
            let running = workers
                .iter()
                .all(|worker| worker["actor"]["state"] == "running");
            if running && workers.len() == 2 {
                let id = |worker: &Value| worker["actor"]["actor_id"].as_str().unwrap().to_owned();
                return workers.iter().map(id).collect();
            }
            assert!(Instant::now() < until, "{status}");
            sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

#[test]
fn the_status_is_a_table() {
    let server = Server::start("table", &[]);
    let ids = server.settled();
    for order in [&["status"][..], &[]] {
        let ended = server.ctl(order);
        assert_eq!(ended.code, Some(0), "{}", ended.err);
        let lines: Vec<_> = ended.out.lines().collect();
        assert!(
            lines[0].starts_with("antiphon 0.1.0, running for "),
            "{}",
            ended.out
        );
        assert!(
            lines[1].starts_with("listening on http://127.0.0.1:"),
            "{}",
            ended.out
        );
        assert!(lines[3].starts_with("ID "), "{}", ended.out);
        for id in &ids {
            assert!(
                lines[4..].iter().any(|line| line.starts_with(id)),
                "{}",
                ended.out
            );
        }
    }
}

#[test]
fn it_is_painted_again_and_again_until_the_server_is_gone() {
    let server = Server::start("watch", &[]);
    let socket = server.folder.join("c.sock");
    let watch = [
        "ctl",
        "--control",
        socket.to_str().unwrap(),
        "status",
        "--watch",
        "0.1",
    ];
    let watching = Process::start(&watch, "");
    let mut seen = 0;
    while seen < 3 {
        seen += usize::from(watching.line().starts_with("ID "));
    }
    assert_eq!(server.ctl(&["stop"]).out, "stopping\n");
    let ended = watching.end();
    assert_eq!(ended.code, Some(3), "{}", ended.err);
}

#[test]
fn a_worker_is_ended_and_another_takes_its_place() {
    let server = Server::start("kill", &[]);
    let before = server.settled();
    let killed = server.ctl(&["kill", &before[0]]);
    assert_eq!(killed.code, Some(0), "{}", killed.err);
    assert_eq!(killed.out, format!("killed {}\n", before[0]));
    let after = server.settled();
    assert!(!after.contains(&before[0]) && after.contains(&before[1]));
    let unknown = server.ctl(&["kill", "nobody"]);
    assert_eq!(unknown.code, Some(1));
    assert!(
        unknown.err.contains("there is no worker"),
        "{}",
        unknown.err
    );
}

#[test]
fn a_reload_brings_new_workers_and_a_broken_one_says_so() {
    let file = std::env::temp_dir().join(format!("antiphon-ctl-{}.toml", std::process::id()));
    std::fs::write(&file, "max-batch = 7\n").unwrap();
    let server = Server::start("reload", &["--config", file.to_str().unwrap()]);
    let before = server.settled();
    let reloaded = server.ctl(&["reload"]);
    assert_eq!(
        (reloaded.code, &*reloaded.out),
        (Some(0), "reloaded\n"),
        "{}",
        reloaded.err
    );
    let after = server.settled();
    assert!(after.iter().all(|id| !before.contains(id)));
    std::fs::write(&file, "max-bacth = 7\n").unwrap();
    let refused = server.ctl(&["reload"]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.err.contains("max-bacth"), "{}", refused.err);
    assert_eq!(server.settled(), after);
    std::fs::remove_file(&file).unwrap();
}

#[test]
fn a_server_is_stopped_and_its_socket_is_gone() {
    let mut server = Server::start("stop", &[]);
    let socket = server.folder.join("c.sock");
    assert!(socket.exists());
    assert_eq!(server.ctl(&["stop"]).code, Some(0));
    let process = std::mem::replace(&mut server.process, Process::start(&["--version"], ""));
    assert_eq!(process.end().code, Some(0));
    assert!(!socket.exists());
    let ended = server.ctl(&["status"]);
    assert_eq!(ended.code, Some(3), "{}", ended.err);
}

#[test]
fn the_only_server_is_found_and_several_are_told_apart() {
    let folder = std::env::temp_dir().join(format!("antiphon-runtime-{}", std::process::id()));
    let inside = folder.join("antiphon");
    std::fs::create_dir_all(&inside).unwrap();
    let ctl = || {
        let variable = format!("XDG_RUNTIME_DIR={}", folder.display());
        let tool = env!("CARGO_BIN_EXE_antiphon");
        let ended = std::process::Command::new("env")
            .args(["-u", "ANTIPHON_CONTROL", &variable, tool, "ctl"])
            .output()
            .unwrap();
        (
            ended.status.code(),
            String::from_utf8_lossy(&ended.stderr).into_owned(),
        )
    };
    let (code, text) = ctl();
    assert_eq!(code, Some(3));
    assert!(text.contains("no server with workers was found"), "{text}");
    // What a dead server has left is none.
    drop(std::os::unix::net::UnixListener::bind(inside.join("dead-1.sock")).unwrap());
    assert_eq!(ctl().0, Some(3));
    let start = |name: &str| {
        let socket = inside.join(name);
        let flags = [
            "serve",
            "--workers",
            "1",
            "--bind",
            "127.0.0.1:0",
            "--control",
        ];
        let process = Process::start(&[&flags[..], &[socket.to_str().unwrap()]].concat(), "");
        while !process.note().starts_with("antiphon listening on ") {}
        process
    };
    let _one = start("one.sock");
    assert_eq!(ctl().0, Some(0));
    let _two = start("two.sock");
    let (code, text) = ctl();
    assert_eq!(code, Some(2));
    assert!(
        text.contains("one.sock") && text.contains("two.sock"),
        "{text}"
    );
    std::fs::remove_dir_all(&folder).unwrap();
}
