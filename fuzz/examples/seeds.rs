//! Program that writes the seeds to `corpus/`, the folder of `cargo fuzz`.
//!
//! Run with `cargo run --example seeds --no-default-features`, in `fuzz/`.

use std::fs;
use std::path::Path;

use antiphon_fuzz::{scripts, seeds};

fn main() -> std::io::Result<()> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for (target, seeds) in [
        ("parse", seeds::parse()),
        ("framing", seeds::framing()),
        ("dispatch", seeds::dispatch()),
        ("batch", scripts::batch()),
        ("session", scripts::session()),
        ("client", scripts::client()),
    ] {
        let folder = corpus.join(target);
        fs::create_dir_all(&folder)?;
        for (number, seed) in seeds.iter().enumerate() {
            fs::write(folder.join(format!("seed-{number:03}")), seed)?;
        }
    }
    Ok(())
}
