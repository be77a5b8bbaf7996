//! Tests of what is read again on SIGHUP, with and without workers.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use rcgen::{CertificateParams, KeyPair};

use crate::auth::{status, token};
use crate::jwks::Issuer;
use crate::support::{Process, Server, TIMEOUT, run};
use crate::temp_folder::TempFolder;

const METHOD: &str = "calc.randompaths";

/// With how many workers each test runs.
const WORKERS: [&str; 2] = ["0", "2"];

/// Starts a server, and waits until it listens.
fn start(folder: &TempFolder, workers: &str, flags: &[&str]) -> Server {
    let control = folder.path(&format!("control-{workers}"));
    let args = [
        "serve",
        "--bind",
        "127.0.0.1:0",
        "--workers",
        workers,
        "--control",
        &control,
    ];
    let process = Process::start(&[&args, flags].concat(), "");
    let listening = "antiphon listening on ";
    let url = loop {
        if let Some(url) = process.note().strip_prefix(listening) {
            break url.trim_end().to_owned();
        }
    };
    Server { process, url }
}

/// Waits until this is so many times in a row: for each worker, in all likelihood.
fn wait_until_always(what: &str, holds: impl Fn() -> bool) {
    let until = Instant::now() + TIMEOUT;
    let mut in_a_row = 0;
    while in_a_row < 20 {
        assert!(Instant::now() < until, "not always: {what}");
        in_a_row = if holds() { in_a_row + 1 } else { 0 };
        if in_a_row == 0 {
            thread::sleep(Duration::from_millis(100));
        }
    }
}

/// Waits for a line of the log with this part.
fn note(server: &Server, part: &str) -> String {
    let until = Instant::now() + TIMEOUT;
    loop {
        assert!(Instant::now() < until, "no line has {part}");
        let note = server.process.note();
        if note.contains(part) {
            return note;
        }
    }
}

#[test]
fn a_token_is_removed_although_other_files_cannot_be_used() {
    for workers in WORKERS {
        let folder = TempFolder::new();
        let [tokens, jwks, settings] = ["tokens", "jwks", "settings"].map(|name| folder.path(name));
        let issuer = Issuer::new();
        fs::write(&jwks, issuer.jwks()).unwrap();
        fs::write(&settings, "max-batch = 3\n").unwrap();
        token(&tokens, "first", &[]);
        let flags = [
            "--auth-tokens",
            &tokens,
            "--auth-jwks",
            &jwks,
            "--auth-issuer",
            "issuer",
            "--auth-audience",
            "calculator",
            "--config",
            &settings,
        ];
        for (file, text, part) in [
            (&settings, "max-batch = ", "the settings stay as they are"),
            (&settings, "max-batsh = 3", "the settings stay as they are"),
            (
                &settings,
                "max-request = 0",
                "the settings stay as they are",
            ),
            // A directory takes its place.
            (&settings, "", "the settings stay as they are"),
            (&jwks, "rubbish", "the keys of tokens stay as they are"),
        ] {
            let known = token(&tokens, "known", &["calc:random"]);
            // One of its own: each case has as many refused credentials as an address has in few seconds.
            let server = start(&folder, workers, &flags);
            assert_eq!(status(&server.url, &known, METHOD), 200);
            let good = fs::read_to_string(file).unwrap();
            fs::remove_file(file).unwrap();
            match text {
                "" => fs::create_dir(file).unwrap(),
                text => fs::write(file, text).unwrap(),
            }
            fs::write(&tokens, "").unwrap();
            server.process.signal("HUP");
            let what = format!("{workers} {text}");
            wait_until_always(&what, || status(&server.url, &known, METHOD) == 401);
            note(&server, part);
            // What cannot be used stays as it was.
            let signed = issuer.token("calculator");
            assert_eq!(status(&server.url, &signed, METHOD), 200, "{what}");
            match text {
                "" => fs::remove_dir(file).unwrap(),
                _ => fs::remove_file(file).unwrap(),
            }
            fs::write(file, good).unwrap();
            server.process.retire();
        }
    }
}

#[test]
fn a_certificate_is_renewed_although_the_settings_cannot_be_used() {
    for workers in WORKERS {
        let folder = TempFolder::new();
        let [cert, key, settings] = ["cert", "key", "settings"].map(|name| folder.path(name));
        let renew = || {
            let pair = KeyPair::generate().unwrap();
            let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
            let pem = params.self_signed(&pair).unwrap().pem();
            fs::write(&cert, &pem).unwrap();
            fs::write(&key, pair.serialize_pem()).unwrap();
            pem
        };
        renew();
        fs::write(&settings, "").unwrap();
        let flags = [
            "--tls-cert",
            &cert,
            "--tls-key",
            &key,
            "--config",
            &settings,
        ];
        let server = start(&folder, workers, &flags);
        let trusted = folder.path("trusted");
        fs::write(&trusted, renew()).unwrap();
        fs::write(&settings, "what").unwrap();
        server.process.signal("HUP");
        let url = server.url.replace("127.0.0.1", "localhost");
        let call = ["call", "--ca-cert", &trusted, &url, "ping"];
        wait_until_always(workers, || run(&call, "").code == Some(0));
        server.process.retire();
    }
}

#[test]
fn a_file_that_the_settings_name_anew_is_used_by_new_workers_or_needs_a_restart() {
    for workers in WORKERS {
        let folder = TempFolder::new();
        let [old, new, settings] = ["old", "new", "settings"].map(|name| folder.path(name));
        let text = |file: &str| format!("auth-tokens = \"{file}\"\n");
        let known = token(&old, "alice", &["calc:random"]);
        let other = token(&new, "bob", &["calc:random"]);
        fs::write(&settings, text(&old)).unwrap();
        let server = start(&folder, workers, &["--config", &settings]);
        assert_eq!(status(&server.url, &known, METHOD), 200);
        fs::write(&settings, text(&new)).unwrap();
        server.process.signal("HUP");
        if workers == "0" {
            note(&server, "`auth-tokens` has changed: that needs a restart");
            note(&server, "the new settings hold");
            assert_eq!(status(&server.url, &known, METHOD), 200);
            assert_eq!(status(&server.url, &other, METHOD), 401);
        } else {
            wait_until_always("known", || status(&server.url, &other, METHOD) == 200);
            assert_eq!(status(&server.url, &known, METHOD), 401);
        }
        server.process.retire();
    }
}

#[test]
fn settings_that_need_a_restart_are_named() {
    for (workers, text, names) in [
        (
            "0",
            "threads = 3\nlog = \"warn\"\nbind = [\":1\"]\nmax-connections = 7\npid-file = \"/x\"\n",
            &["threads", "log", "max-connections", "pid-file"][..],
        ),
        (
            "1",
            "control = \"/x\"\nadmin-token-file = \"/y\"\n",
            &["admin-token-file"],
        ),
    ] {
        let folder = TempFolder::new();
        let settings = folder.path("settings");
        fs::write(&settings, "").unwrap();
        let server = start(&folder, workers, &["--config", &settings]);
        fs::write(&settings, text).unwrap();
        server.process.signal("HUP");
        for name in names {
            note(
                &server,
                &format!("`{name}` has changed: that needs a restart"),
            );
        }
        server.process.retire();
    }
}

/// Workers that are starting may have read their files before the second signal.
#[test]
fn a_signal_during_a_reload_causes_another_one() {
    let folder = TempFolder::new();
    let server = start(&folder, "2", &[]);
    server.process.signal("HUP");
    note(&server, "reloading: 2 new workers are started");
    server.process.signal("HUP");
    note(&server, "reloaded");
    note(&server, "reloading: 2 new workers are started");
    note(&server, "reloaded");
    server.process.retire();
}
