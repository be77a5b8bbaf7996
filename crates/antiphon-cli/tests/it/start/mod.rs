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

use crate::support::{Exited, Process, run};
use crate::temp_folder::TempFolder;

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
