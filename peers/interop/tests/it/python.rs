//! Calls from Python with only its standard library to our server.

use std::path::Path;
use std::process::Command;

use interop::antiphon_server;

#[tokio::test]
async fn the_standard_library_of_python_is_enough() {
    let mut site = antiphon_server::start().await.unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/calls.py");
    let mut python = Command::new("python3");
    python.arg(script).arg(&site.url);
    let output = tokio::task::spawn_blocking(move || python.output());
    let output = output.await.unwrap().expect("python3 is installed");
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    for expected in ["alone", "in a batch", "with others"] {
        assert_eq!(site.noted.recv().await.unwrap(), expected);
    }
}
