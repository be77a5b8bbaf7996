//! Tests of `antiphon codegen`: the generated files, and calls with the Python client.
//!
//! `ANTIPHON_BLESS=1` rewrites the expected files.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::{Server, run};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/codegen")
}

#[test]
fn generated_files_equal_the_expected_files() {
    let bless = std::env::var_os("ANTIPHON_BLESS").is_some();
    for document in ["calculator", "shapes"] {
        let source = folder().join(document).with_extension("json");
        for (lang, extension) in LANGUAGES {
            let ended = run(&["codegen", source.to_str().unwrap(), "--lang", lang], "");
            assert_eq!(
                (ended.code, &*ended.err),
                (Some(0), ""),
                "{document} {lang}"
            );
            let expected = folder().join(document).with_extension(extension);
            if bless {
                std::fs::write(&expected, &ended.out).unwrap();
            }
            let expected = std::fs::read_to_string(expected).unwrap();
            assert!(
                ended.out == expected,
                "{document} in {lang} has changed; see ANTIPHON_BLESS"
            );
        }
    }
}

const LANGUAGES: [(&str, &str); 3] = [("python", "py"), ("typescript", "ts"), ("rust", "rs")];

#[test]
fn a_document_comes_from_standard_input_and_goes_into_a_file() {
    let source = std::fs::read_to_string(folder().join("calculator.json")).unwrap();
    let file = std::env::temp_dir().join(format!("antiphon-codegen-{}.py", std::process::id()));
    let args = [
        "codegen",
        "-",
        "--lang",
        "python",
        "-o",
        file.to_str().unwrap(),
    ];
    let ended = run(&args, &source);
    assert_eq!((ended.code, &*ended.out, &*ended.err), (Some(0), "", ""));
    let written = std::fs::read_to_string(&file).unwrap();
    std::fs::remove_file(file).unwrap();
    let expected = std::fs::read_to_string(folder().join("calculator.py")).unwrap();
    assert!(written == expected);
    let ended = run(
        &["codegen", "-", "--lang", "python", "--name", "Sums"],
        &source,
    );
    assert!(
        ended.out.contains("\nclass AsyncSums(_AsyncClient):\n"),
        "{}",
        ended.err
    );
}

#[test]
fn an_invalid_document_is_an_error() {
    let table = [
        ("", "no JSON"),
        ("{", "no JSON"),
        ("[]", "it has no `openrpc`"),
        (
            r#"{"openrpc":"2.0.0","methods":[]}"#,
            "#/openrpc: OpenRPC \"2.0.0\" is not read: versions 1.0 to 1.4 are",
        ),
        (r#"{"openrpc":"1.5.0","methods":[]}"#, "versions 1.0 to 1.4"),
        (r#"{"openrpc":1.3,"methods":[]}"#, "versions 1.0 to 1.4"),
        (r#"{"openrpc":"1.3.2"}"#, "it has no `methods`"),
        (
            r#"{"openrpc":"1.3.2","methods":{}}"#,
            "#/methods: no OpenRPC document: `methods` is no list",
        ),
        (
            r#"{"openrpc":"1.3.2","methods":[{}]}"#,
            "standard input#/methods/0: a method has no name",
        ),
        (
            r##"{"openrpc":"1.3.2","methods":[{"$ref":"#/x"}]}"##,
            "#/methods/0/$ref: \"#/x\" leads to nothing",
        ),
        (
            r##"{"openrpc":"1.3.2","methods":[{"$ref":"#/methods/0"}]}"##,
            "leads to more than",
        ),
        (
            r#"{"openrpc":"1.3.2","methods":[{"name":"m","params":[{}]}]}"#,
            "#/methods/0/params/0: a parameter has no name",
        ),
        (
            r#"{"openrpc":"1.3.2","methods":[{"name":"m","params":[{"name":"a"},{"name":"a"}]}]}"#,
            "#/methods/0/params/1: two parameters have the name \"a\"",
        ),
        (
            r#"{"openrpc":"1.3.2","methods":[{"name":"m","errors":[{}]}]}"#,
            "#/methods/0/errors/0: an error has no code",
        ),
        (
            r#"{"openrpc":"1.3.2","methods":[{"name":"m","errors":[{"code":"1"}]}]}"#,
            "#/methods/0/errors/0/code: the code is no integer",
        ),
        (
            r##"{"openrpc":"1.3.2","methods":[{"name":"m","params":[{"$ref":"#/a~1b/0"}]}],
                "a/b":[{}]}"##,
            "#/a~1b/0: a parameter has no name",
        ),
        (
            r#"{"openrpc":"1.3.2","methods":[{"$ref":"other.json"}]}"#,
            "\"other.json\" cannot be read: a document that is no file has no files beside it",
        ),
        (
            r#"{"openrpc":"1.3.2","methods":[{"$ref":"https://example.org/m.json"}]}"#,
            "#/methods/0/$ref: \"https://example.org/m.json\" cannot be read",
        ),
    ];
    for (document, part) in table {
        let ended = run(&["codegen", "-", "--lang", "python"], document);
        assert_eq!((ended.code, &*ended.out), (Some(2), ""), "{document}");
        assert!(ended.err.contains(part), "{document}: {}", ended.err);
    }
    let table: &[(&[&str], &str)] = &[
        (
            &["nowhere.json"],
            "neither a file nor the address of a server",
        ),
        (&["-", "--name", "1x"], "is no name for a client"),
        (&["-", "--lang", "cobol"], "invalid value"),
    ];
    for (args, part) in table {
        let lang = if args.contains(&"--lang") {
            &[][..]
        } else {
            &["--lang", "rust"]
        };
        let document = r#"{"openrpc":"1.3.2","methods":[]}"#;
        let ended = run(&[&["codegen"], *args, lang].concat(), document);
        assert_eq!((ended.code, &*ended.out), (Some(2), ""), "{args:?}");
        assert!(ended.err.contains(part), "{args:?}: {}", ended.err);
    }
}

#[test]
fn an_empty_document_makes_a_client() {
    let document = r#"{"openrpc":"1.2.6","info":{},"methods":[]}"#;
    for (lang, _) in LANGUAGES {
        let ended = run(&["codegen", "-", "--lang", lang], document);
        assert_eq!((ended.code, &*ended.err), (Some(0), ""), "{lang}");
    }
}

#[test]
fn a_generated_python_client_makes_calls() {
    let server = Server::start(&[]);
    let mut python = Command::new("python3");
    python
        .args(["-B", "-W", "error"])
        .arg(folder().join("calls.py"))
        .arg(&server.url);
    for (name, _) in std::env::vars_os() {
        // A configured proxy would be used for local addresses, too.
        if name
            .to_string_lossy()
            .to_ascii_lowercase()
            .ends_with("_proxy")
        {
            python.env_remove(name);
        }
    }
    let ended = python.output().unwrap();
    let told = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{told}");
    assert_eq!(String::from_utf8_lossy(&ended.stdout), "done\n");
}

#[test]
fn generated_rust_is_formatted() {
    let others = Path::new(env!("CARGO_MANIFEST_DIR")).join("../antiphon/tests/it/describe");
    let documents = ["calculator", "empty", "everything"].map(|name| others.join(name));
    let documents = documents.into_iter().chain([folder().join("shapes")]);
    for document in documents {
        let source = document.with_extension("json");
        let ended = run(&["codegen", source.to_str().unwrap(), "--lang", "rust"], "");
        assert_eq!((ended.code, &*ended.err), (Some(0), ""), "{document:?}");
        let mut rustfmt = Command::new("rustfmt");
        // rustfmt looks for its settings in this folder, which has none.
        rustfmt.args(["--edition", "2024"]).current_dir("/");
        let mut rustfmt = rustfmt
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = rustfmt.stdin.take().unwrap();
        let written = ended.out.clone();
        std::thread::spawn(move || input.write_all(written.as_bytes()));
        let formatted = rustfmt.wait_with_output().unwrap();
        let formatted = String::from_utf8(formatted.stdout).unwrap();
        assert!(ended.out == formatted, "{document:?}:\n{formatted}");
    }
}
