//! Tests of upgrades: another program replaces the running one.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use faults::{Load, Outcome, Server, alive, call, until};
use rustix::process::Signal;
use serde_json::json;

use crate::{SUBJECT, alone, rounds};

/// Installs a copy of the test server with a version appended to the file.
fn install(place: &Path, version: &str) {
    let beside = place.with_extension("new");
    std::fs::copy(SUBJECT, &beside).unwrap();
    let mut file = std::fs::OpenOptions::new()
        .append(true)
        .open(&beside)
        .unwrap();
    write!(file, "#{version:>12}").unwrap();
    drop(file);
    std::fs::rename(&beside, place).unwrap();
}

fn place(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("antiphon-{name}-{}", std::process::id()))
}

fn version(server: &Server) -> String {
    match call(server.address, "version", &json!([])) {
        Outcome::Answered(version) => version.as_str().unwrap().trim().to_owned(),
        other => panic!("{other:?}"),
    }
}

fn supervisor(server: &Server) -> u32 {
    let info = server.info();
    u32::try_from(info["server"]["process_id"].as_u64().unwrap()).unwrap()
}

#[test]
fn a_new_program_takes_over_when_it_is_asked_to_and_not_before() {
    let _turn = alone();
    let program = place("upgrade");
    install(&program, "old");
    let pid_file = place("upgrade.pid");
    let mut server = Server::start(
        &program,
        &["--workers", "2", "--pid-file", pid_file.to_str().unwrap()],
    );
    let workers = server.settled(2);
    assert_eq!(version(&server), "old");
    // A replaced worker still runs the old program.
    install(&program, "new");
    server.signal_worker(workers[0].1, Signal::KILL);
    until("it is replaced", || {
        (server.settled(2) != workers).then_some(())
    });
    for _ in 0..8 {
        assert_eq!(version(&server), "old");
    }
    let load = Load::start(server.address, 16, 5);
    let mut old = server.pid();
    for round in 0..rounds(2, 5) {
        std::thread::sleep(Duration::from_millis(300));
        install(&program, &format!("new{round}"));
        // The new supervisor is not a child of this process.
        server.signal_worker(old, Signal::USR2);
        let new = until("another process has taken over", || {
            let now = supervisor(&server);
            (now != old).then_some(now)
        });
        until("the old one has ended", || {
            if old == server.pid() {
                server.ended();
            }
            (!alive(old)).then_some(())
        });
        assert_eq!(version(&server), format!("new{round}"));
        let written = std::fs::read_to_string(&pid_file).unwrap();
        assert_eq!(written.trim(), new.to_string());
        old = new;
    }
    let tally = load.stop();
    println!(
        "SIGUSR2: {} calls, {} lost, {} refused",
        tally.0.len(),
        tally.lost().len(),
        tally.refused()
    );
    assert!(tally.lost().is_empty(), "{:#?}", tally.lost());
    assert_eq!((tally.refused(), tally.failed()), (0, 0));
    server.signal_worker(old, Signal::TERM);
    until("it has ended", || (!alive(old)).then_some(()));
    assert!(!pid_file.exists());
    assert!(!server.control().exists());
    std::fs::remove_file(&program).unwrap();
}

#[test]
fn a_new_program_that_fails_changes_nothing() {
    let _turn = alone();
    let program = place("rollback");
    install(&program, "old");
    let stall = place("rollback.stall");
    let arguments = [
        "--workers",
        "2",
        "--boot-timeout",
        "1s",
        "--stall-if",
        stall.to_str().unwrap(),
    ];
    let mut server = Server::start(&program, &arguments);
    let workers = server.settled(2);
    // Replacements that are not executable, exit at once, or never become ready.
    std::fs::write(program.with_extension("bad"), "#!/no/such/interpreter\n").unwrap();
    std::fs::rename(program.with_extension("bad"), &program).unwrap();
    server.signal(Signal::USR2);
    until("it cannot be started", || {
        server
            .says("the new program cannot be started")
            .then_some(())
    });
    std::fs::copy("/bin/false", program.with_extension("bad")).unwrap();
    std::fs::rename(program.with_extension("bad"), &program).unwrap();
    server.signal(Signal::USR2);
    until("it has ended", || {
        server
            .says("the new program has not taken over (exit status: 1)")
            .then_some(())
    });
    install(&program, "new");
    std::fs::write(&stall, "").unwrap();
    server.signal(Signal::USR2);
    until("it is not waited for", || {
        server
            .says("the new program has not taken over (signal: 9")
            .then_some(())
    });
    std::fs::remove_file(&stall).unwrap();
    assert_eq!(server.settled(2), workers);
    assert_eq!(version(&server), "old");
    server.signal(Signal::TERM);
    assert_eq!(server.ended().code(), Some(0));
    std::fs::remove_file(&program).unwrap();
}

#[test]
fn a_server_that_is_dropped_leaves_no_successor() {
    let _turn = alone();
    let server = Server::start(SUBJECT, &["--workers", "2"]);
    server.settled(2);
    let old = server.pid();
    server.signal(Signal::USR2);
    let new = until("another process has taken over", || {
        let now = supervisor(&server);
        (now != old).then_some(now)
    });
    let workers = server.settled(2);
    drop(server);
    assert!(!alive(new));
    for (_, pid) in workers {
        assert!(!alive(pid));
    }
}
