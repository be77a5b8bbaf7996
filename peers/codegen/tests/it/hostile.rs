//! Tests of a hostile document: the generated clients must not contain code from it.

use std::fs;
use std::process::Command;

use crate::programs::{cargo, client, folder, mypy, run, scratch, tsc};

const MANIFEST: &str = r#"
[package]
name = "hostile"
version = "0.0.0"
edition = "2024"

[workspace]

[dependencies]
antiphon = { path = "ANTIPHON", default-features = false, features = ["client"] }
serde = { version = "1", features = ["derive"] }
serde_json = "1"
"#;

#[tokio::test]
async fn it_compiles_and_none_of_its_texts_is_run() {
    let (here, place) = (folder(), scratch("hostile"));
    let mut python = Command::new("python3");
    python.arg("-B").arg(here.join("calls/hostile.py"));
    let document = place.join("hostile.json");
    fs::write(&document, run(python).await).unwrap();
    let document = document.to_str().unwrap();

    fs::create_dir(place.join("src")).unwrap();
    let (rs, ts, py) = ("src/hostile.rs", "hostile.ts", "hostile.py");
    for (lang, name) in [("rust", rs), ("typescript", ts), ("python", py)] {
        fs::write(place.join(name), client(document, lang).await).unwrap();
    }

    // Doc tests in the generated documentation would be compile errors.
    let antiphon = here.join("../../crates/antiphon");
    let manifest = MANIFEST.replace("ANTIPHON", antiphon.to_str().unwrap());
    fs::write(place.join("Cargo.toml"), manifest).unwrap();
    fs::copy(here.join("../Cargo.lock"), place.join("Cargo.lock")).unwrap();
    let library = "#![deny(warnings)]\n\npub mod hostile;\n";
    fs::write(place.join("src/lib.rs"), library).unwrap();
    let mut tests = cargo("test");
    tests.args(["--offline", "--doc", "--manifest-path"]);
    tests.arg(place.join("Cargo.toml"));
    let told = run(tests).await;
    assert!(told.contains("running 0 tests"), "{told}");

    let settings = format!(
        r#"{{ "extends": {:?}, "include": ["hostile.ts"], "compilerOptions": {{ "noEmit": true, "types": [], "rootDir": "." }} }}"#,
        here.join("tsconfig.json")
    );
    fs::write(place.join("tsconfig.json"), settings).unwrap();
    fs::write(place.join("package.json"), r#"{ "type": "module" }"#).unwrap();
    let mut compiler = tsc().await;
    compiler.arg("--project").arg(&place);
    run(compiler).await;

    let mut checker = mypy().await;
    checker.arg("--cache-dir").arg(place.join("mypy"));
    checker.arg(place.join(py));
    run(checker).await;
    let mut python = Command::new("python3");
    python.args(["-B", "-W", "error"]).arg(place.join(py));
    assert_eq!(run(python).await, "");
}
