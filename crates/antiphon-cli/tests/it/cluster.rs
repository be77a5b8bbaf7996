//! Test of the example that starts a cluster: a NATS server, two servers, a gateway.

use std::fs::{self, File};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{TIMEOUT, run};
use crate::temp_folder::TempFolder;

/// The script, with all that it starts. Dropping it kills them.
struct Script(Child);

impl Script {
    fn signal(&self, signal: &str, process: &str) -> bool {
        let sent = Command::new("kill")
            .args([signal, "--", process])
            .stderr(Stdio::null())
            .status();
        sent.unwrap().success()
    }

    /// Its process group.
    fn group(&self) -> String {
        format!("-{}", self.0.id())
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        self.signal("-KILL", &self.group());
        let _ = self.0.wait();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

#[test]
fn the_cluster_of_the_examples_answers_without_one_of_its_servers_and_ends_as_a_whole() {
    let installed = ["nats-server", "/usr/sbin/nats-server"].iter().any(|name| {
        let version = Command::new(name).arg("-v").stdout(Stdio::null()).status();
        version.is_ok_and(|status| status.success())
    });
    if !installed {
        assert!(
            std::env::var_os("CI").is_none(),
            "nats-server is not installed"
        );
        eprintln!("left out: nats-server is not installed");
        return;
    }
    let (gateway, broker) = (free_port(), free_port());
    let folder = TempFolder::new();
    let output = folder.path("output");
    let log = File::create(&output).unwrap();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../antiphon/examples/cluster/run");
    let child = Command::new(example)
        .env("ANTIPHON", env!("CARGO_BIN_EXE_antiphon"))
        .env("BIND", format!("127.0.0.1:{gateway}"))
        .env("NATS_PORT", broker.to_string())
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .process_group(0)
        .spawn()
        .unwrap();
    let mut script = Script(child);
    let said = || fs::read_to_string(&output).unwrap();
    let address = format!("127.0.0.1:{gateway}");
    let wait = |what: &str, done: &mut dyn FnMut() -> bool| {
        let until = Instant::now() + TIMEOUT;
        while !done() {
            assert!(Instant::now() < until, "{what}: {}", said());
            thread::sleep(Duration::from_millis(20));
        }
    };
    let adds = || run(&["call", &address, "calc.add", "3", "4"], "").out == "7.0\n";
    wait("it answers", &mut || adds());
    wait("both servers listen", &mut || {
        said().matches("listening on nats://").count() == 2
    });

    let said = said();
    let started = said.lines().filter_map(|line| {
        let (id, command) = line.strip_prefix("process ")?.split_once(": ")?;
        command.contains(" serve ").then(|| id.to_owned())
    });
    let servers: Vec<_> = started.collect();
    assert_eq!(servers.len(), 2, "{said}");
    assert!(script.signal("-KILL", &servers[0]));
    // Nothing was on its way to it.
    for _ in 0..20 {
        assert!(adds());
    }

    assert!(script.signal("-TERM", &script.0.id().to_string()));
    wait("it ends", &mut || script.0.try_wait().unwrap().is_some());
    for port in [gateway, broker] {
        assert!(TcpStream::connect(("127.0.0.1", port)).is_err(), "{port}");
    }
    assert!(!script.signal("-0", &script.group()), "processes are left");
}
