//! Tests of the Python client: it passes the type checker and calls the server.

use std::process::Command;

use crate::programs::{folder, mypy, run, scratch};

#[tokio::test]
async fn it_is_checked_and_calls() {
    let site = codegen::start().await.unwrap();
    let (here, cache) = (folder(), scratch("mypy"));
    let mut checker = mypy().await;
    checker.arg("--cache-dir").arg(cache);
    checker.arg(here.join("generated/workshop.py"));
    checker.arg(here.join("calls/calls.py"));
    checker.arg(here.join("calls/tokens.py"));
    run(checker).await;
    let mut python = Command::new("python3");
    python.args(["-B", "-W", "error"]);
    python.arg(here.join("calls/calls.py")).arg(&site.url);
    python.env("PYTHONPATH", here.join("generated"));
    assert_eq!(run(python).await, "done\n");

    let asking = codegen::start_asking().await.unwrap();
    let mut python = Command::new("python3");
    python.args(["-B", "-W", "error"]);
    python.arg(here.join("calls/tokens.py")).arg(&asking.url);
    python.env("PYTHONPATH", here.join("generated"));
    assert_eq!(run(python).await, "done\n");
}
