//! Tests of documents of others: for each trait a small document, whose clients compile in all
//! languages and read a sample value back unchanged.

use std::fmt::Write;
use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::documents_table::{Row, rows};
use crate::programs::{cargo, client_of, folder, mypy, run, scratch, tsc};

const MANIFEST: &str = r#"
[package]
name = "documents"
version = "0.0.0"
edition = "2024"

[workspace]

[dependencies]
antiphon = { path = "ANTIPHON", default-features = false, features = ["client"] }
serde = { version = "1", features = ["derive"] }
serde_json = "1"
"#;

const CHECKS: &str = r"#![deny(warnings)]
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, from_str, to_value};

fn reads<T: DeserializeOwned + Serialize>(name: &str, text: &str) {
    let sample: Value = from_str(text).unwrap();
    let read: T = from_str(text).unwrap_or_else(|error| panic!(`{name}: {error}: {text}`));
    assert_eq!(to_value(read).unwrap(), sample, `{name}`);
}

fn refuses<T: DeserializeOwned>(name: &str, text: &str) {
    assert!(from_str::<T>(text).is_err(), `{name}: {text}`);
}
";

#[tokio::test]
async fn clients_of_all_of_them_read_their_samples() {
    let (here, place) = (folder(), scratch("documents"));
    for inner in ["src", "ts", "py"] {
        fs::create_dir(place.join(inner)).unwrap();
    }
    let mut rust = CHECKS.replace('`', "\"");
    let mut main = "\nfn main() {\n".to_owned();
    for row in rows() {
        let Row {
            name,
            samples,
            wrong,
            ..
        } = &row;
        let files = place.join("in").join(name).join("here");
        for (path, json) in &row.files {
            let path = files.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, json.to_string()).unwrap();
        }
        let first = files.join(row.files[0].0);
        let first = first.to_str().unwrap();

        let client = client_of(first, "rust", row.options).await;
        let is_wide = client.contains("pub type Sample = Value;");
        assert_eq!(is_wide, row.is_wide, "{name}: {client}");
        assert!(client.contains(row.said), "{name}: {client}");
        fs::write(place.join(format!("src/{name}.rs")), client).unwrap();
        writeln!(rust, "mod {name};").unwrap();
        for (what, values) in [("reads", samples), ("refuses", wrong)] {
            for value in values {
                let text = format!("{:?}", value.to_string());
                writeln!(main, "    {what}::<{name}::Sample>({name:?}, {text});").unwrap();
            }
        }

        let client = client_of(first, "typescript", row.options).await;
        let is_told = client.contains("beyond 2⁵³ − 1 it is rounded");
        assert_eq!(is_told, *name == "wide_integers", "{name}: {client}");
        fs::write(place.join(format!("ts/{name}.ts")), client).unwrap();
        let mut calls = format!("import type {{ Sample }} from \"./{name}.js\";\n");
        for value in samples {
            writeln!(calls, "export const s{}: Sample = {value};", calls.len()).unwrap();
        }
        for value in wrong {
            let line = format!("export const w{}: Sample = {value};", calls.len());
            writeln!(calls, "// @ts-expect-error\n{line}").unwrap();
        }
        fs::write(place.join(format!("ts/{name}_calls.ts")), calls).unwrap();

        let client = client_of(first, "python", row.options).await;
        fs::write(place.join(format!("py/{name}.py")), client).unwrap();
        let mut calls = format!("from {name} import Sample\n");
        for value in samples {
            writeln!(calls, "s{}: Sample = {}", calls.len(), python(value)).unwrap();
        }
        for value in wrong {
            let line = format!("w{}: Sample = {}", calls.len(), python(value));
            writeln!(calls, "{line}  # type: ignore").unwrap();
        }
        fs::write(place.join(format!("py/{name}_calls.py")), calls).unwrap();
    }

    let antiphon = here.join("../../crates/antiphon");
    let manifest = MANIFEST.replace("ANTIPHON", antiphon.to_str().unwrap());
    fs::write(place.join("Cargo.toml"), manifest).unwrap();
    fs::copy(here.join("../Cargo.lock"), place.join("Cargo.lock")).unwrap();
    fs::write(place.join("src/main.rs"), rust + &main + "}\n").unwrap();
    let mut program = cargo("run");
    program.args(["--offline", "--quiet", "--manifest-path"]);
    program.arg(place.join("Cargo.toml"));
    run(program).await;

    let settings = json!({
        "extends": here.join("tsconfig.json"),
        "include": ["ts/*.ts"],
        "compilerOptions": {"noEmit": true, "types": [], "rootDir": "."},
    });
    fs::write(place.join("tsconfig.json"), settings.to_string()).unwrap();
    fs::write(place.join("package.json"), r#"{ "type": "module" }"#).unwrap();
    let mut compiler = tsc().await;
    compiler.arg("--project").arg(&place);
    run(compiler).await;

    let mut checker = mypy().await;
    checker.arg("--cache-dir").arg(place.join("mypy"));
    checker.arg(".").current_dir(place.join("py"));
    run(checker).await;
    let mut python = Command::new("python3");
    let every =
        "import glob, importlib\nfor name in glob.glob('*.py'): importlib.import_module(name[:-3])";
    python
        .args(["-B", "-W", "error", "-c", every])
        .current_dir(place.join("py"));
    assert_eq!(run(python).await, "");
}

/// A value as Python writes it.
fn python(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(python).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(members) => {
            let members = members.iter();
            let members = members.map(|(name, value)| format!("{name:?}: {}", python(value)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}
