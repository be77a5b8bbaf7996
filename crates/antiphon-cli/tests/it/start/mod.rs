//! Tests of the start of `antiphon serve` among hostile or broken neighbours: it works, or it ends with
//! a reason, and it waits for nobody.
//!
//! | file | what it tests |
//! |---|---|
//! | `neighbours.rs` | other programs that hold locks, queues and sockets |
//! | `files.rs` | links, pipes and full disks |
//! | `settings.rs` | settings that cannot be meant; who may connect to a socket |

mod files;
mod neighbours;
mod settings;

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::support::{Exited, Process, run};

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
