//! Documents of others: older versions, and documents of several files.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::run;

/// A folder with files, which is removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn with(name: &str, files: &[(&str, Value)]) -> Self {
        let name = format!("antiphon-documents-{name}-{}", std::process::id());
        let folder = Self(std::env::temp_dir().join(name));
        for (path, json) in files {
            let path = folder.0.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, json.to_string()).unwrap();
        }
        folder
    }

    fn path(&self, file: &str) -> String {
        self.0.join(file).display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A document with one method, whose result has this schema.
fn document(schema: &Value) -> Value {
    json!({
        "openrpc": "1.3.2",
        "info": {"title": "Test", "version": "1"},
        "methods": [{"name": "m", "params": [], "result": {"name": "r", "schema": schema}}],
    })
}

/// A reference in a schema.
fn to(reference: &str) -> Value {
    json!({"$ref": reference})
}

/// The document that comes out, and what is said about it.
fn bundled(args: &[&str]) -> (Value, String) {
    let ended = run(&[&["docs", "-f", "openrpc"], args].concat(), "");
    assert_eq!(ended.code, Some(0), "{args:?}: {}", ended.err);
    (serde_json::from_str(&ended.out).unwrap(), ended.err)
}

#[test]
fn every_version_is_read() {
    for version in [
        "1.0.0-rc0",
        "1.0.0-rc1",
        "1.0.0",
        "1.1",
        "1.1.12",
        "1.2.4",
        "1.2.6",
        "1.3",
        "1.3.2",
        "1.4",
        "1.4.1",
    ] {
        let mut document = document(&json!({"type": "string"}));
        document["openrpc"] = json!(version);
        // As the first versions wrote tags, and what the next one allowed for parameters.
        document["methods"][0]["tags"] = json!(["words"]);
        document["methods"][0]["params"] = json!([
            {"name": "a", "schema": {"type": "integer"}},
            {"oneOf": [
                {"name": "b", "required": true, "schema": {"type": "string"}},
                {"name": "c", "required": true, "schema": {"type": "boolean"}},
            ]},
        ]);
        // What others mean by names of ours.
        for name in ["x-subscription", "x-error-docs"] {
            document["methods"][0][name] = json!(true);
        }
        document["x-namespaces"] = json!(["m"]);
        let text = document.to_string();
        for form in ["markdown", "html", "rst", "openrpc-1.4"] {
            let ended = run(&["docs", "-", "-f", form], &text);
            assert_eq!((ended.code, &*ended.err), (Some(0), ""), "{version} {form}");
            assert!(
                ended.out.contains("words") || form == "rst",
                "{version} {form}"
            );
        }
        // Before 1.2.5 parameters were by position unless something else was said. So `a` has to be
        // given when `b` is.
        let python = run(&["codegen", "-", "--lang", "python"], &text);
        assert_eq!((python.code, &*python.err), (Some(0), ""), "{version}");
        let old = version.starts_with("1.0") || version.starts_with("1.1") || version == "1.2.4";
        let said = match old {
            true => "def m(self, a: int, b: Union[str, bool])",
            false => "def m(self, b: Union[str, bool], a: Union[int, Unset] = UNSET)",
        };
        let aliased = python.out.replace("MB", "Union[str, bool]");
        assert!(aliased.contains(said), "{version}: {}", python.out);
    }
}

#[test]
fn references_to_files_are_followed() {
    let number = json!({"type": "integer"});
    for (name, files, schemas) in [
        (
            "beside",
            vec![
                (
                    "first.json",
                    document(&to("other.json#/definitions/Number")),
                ),
                ("other.json", json!({"definitions": {"Number": number}})),
            ],
            json!({"Number": number}),
        ),
        (
            "below",
            vec![
                ("first.json", document(&to("./in/a.json"))),
                ("in/a.json", to("../in/deep%20er/b.json#/Number")),
                ("in/deep er/b.json", json!({"Number": number})),
            ],
            json!({"a": to("#/components/schemas/Number"), "Number": number}),
        ),
        (
            // Written from the folder above.
            "above",
            vec![
                (
                    "first.json",
                    document(&to("./antiphon-documents-above/in/a.json")),
                ),
                ("in/a.json", number.clone()),
            ],
            Value::Null,
        ),
        (
            "circle",
            vec![
                ("first.json", document(&to("a.json#/A"))),
                (
                    "a.json",
                    json!({"A": {"properties": {"b": to("b.json#/B")}}}),
                ),
                (
                    "b.json",
                    json!({"B": {"properties": {"a": to("a.json#/A"), "b": to("#/B")}}}),
                ),
            ],
            json!({
                "A": {"properties": {"b": to("#/components/schemas/B")}},
                "B": {"properties": {
                    "a": to("#/components/schemas/A"),
                    "b": to("#/components/schemas/B"),
                }},
            }),
        ),
        (
            "itself",
            vec![
                ("first.json", document(&to("tree.json"))),
                ("tree.json", json!({"type": "array", "items": to("#")})),
            ],
            json!({"tree": {"type": "array", "items": to("#/components/schemas/tree")}}),
        ),
        (
            "names",
            vec![
                (
                    "first.json",
                    document(&json!([
                        to("a.json#/x/X"),
                        to("a.json#/y/X"),
                        to("b.json#/X")
                    ])),
                ),
                (
                    "a.json",
                    json!({"x": {"X": {"const": 1}}, "y": {"X": {"const": 2}}}),
                ),
                ("b.json", json!({"X": {"const": 3}})),
            ],
            json!({"X": {"const": 1}, "a X": {"const": 2}, "b X": {"const": 3}}),
        ),
        (
            // Data are no references.
            "data",
            vec![
                (
                    "first.json",
                    document(&json!({
                        "default": to("none.json"),
                        "const": to("none.json"),
                        "enum": [to("none.json")],
                        "examples": [to("none.json")],
                        "properties": {"$ref": {"properties": {"default": to("a.json")}}},
                    })),
                ),
                ("a.json", number.clone()),
            ],
            json!({"a": number}),
        ),
    ] {
        let folder = Folder::with(name, &files);
        let mut expected = schemas;
        if name == "above" {
            // The folder's name has the process in it.
            let inner = folder.0.file_name().unwrap().to_str().unwrap();
            let reference = format!("./{inner}/in/a.json");
            fs::write(
                folder.0.join("first.json"),
                document(&to(&reference)).to_string(),
            )
            .unwrap();
            expected = json!({"a": number});
        }
        let (json, said) = bundled(&[&folder.path("first.json")]);
        assert_eq!(json["components"]["schemas"], expected, "{name}: {json}");
        assert_eq!(said, "", "{name}");
    }
}

#[test]
fn whole_methods_parameters_and_errors_come_from_files() {
    let first = json!({
        "openrpc": "1.3.2",
        "info": {"title": "Test", "version": "1"},
        "methods": [
            {"$ref": "methods/find.json"},
            {
                "name": "own",
                "params": [{"$ref": "shared.json#/components/contentDescriptors/Key"}],
                "errors": [{"$ref": "#/components/errors/GONE"}],
            },
        ],
        "components": {"errors": {"GONE": {"$ref": "shared.json#/components/errors/GONE"}}},
    });
    let find = json!({
        "name": "find",
        "tags": [{"$ref": "../shared.json#/components/tags/search"}],
        "params": [{"$ref": "../shared.json#/components/contentDescriptors/Key"}],
        "result": {"$ref": "../shared.json#/components/contentDescriptors/Book"},
        "errors": [{"$ref": "../shared.json#/components/errors/GONE"}],
    });
    // A document itself, of an older version.
    let shared = json!({
        "openrpc": "1.0.0-rc1",
        "info": {"title": "Shared", "version": "1"},
        "methods": [],
        "components": {
            "schemas": {"Key": {"type": "string"}},
            "tags": {"search": {"name": "search"}},
            "contentDescriptors": {
                "Key": {"name": "key", "required": true, "schema": {"$ref": "#/components/schemas/Key"}},
                "Book": {"name": "book", "schema": {"type": "integer"}},
            },
            "errors": {"GONE": {"code": 7, "message": "It is gone"}},
        },
    });
    let folder = Folder::with(
        "whole",
        &[
            ("first.json", first),
            ("methods/find.json", find),
            ("shared.json", shared),
        ],
    );
    let first = folder.path("first.json");
    let (json, said) = bundled(&[&first]);
    assert_eq!(said, "");
    assert_eq!(json["methods"][0]["name"], "find");
    assert_eq!(
        json["components"]["errors"],
        json!({"GONE": {"code": 7, "message": "It is gone"}})
    );
    for (form, words) in [("markdown", "### `find(key)`"), ("html", "It is gone")] {
        let ended = run(&["docs", &first, "-f", form], "");
        assert!(ended.out.contains(words), "{form}: {}", ended.out);
    }
    let python = run(&["codegen", &first, "--lang", "python"], "").out;
    for words in [
        "def find(self, key: Key) -> int:",
        "def own(self, key: Key)",
        "class GoneError(",
    ] {
        assert!(python.contains(words), "{words}: {python}");
    }
}

#[test]
fn a_schema_and_a_parameter_may_be_the_same_component() {
    let key = json!({"name": "key", "required": true, "schema": {"type": "integer"}});
    let mut document = document(&to("#/components/schemas/Key"));
    document["methods"][0]["params"] = json!([to("#/components/schemas/Key")]);
    document["components"] = json!({"schemas": {"Key": key}});
    let python = run(&["codegen", "-", "--lang", "python"], &document.to_string());
    assert_eq!((python.code, &*python.err), (Some(0), ""));
    let said = "def m(self, key: int) -> Key:";
    assert!(python.out.contains(said), "{}", python.out);
    assert!(python.out.contains("\nKey = int\n"), "{}", python.out);
}

#[test]
fn files_stay_within_the_folder_unless_that_is_allowed() {
    let inner = document(&to("../shared.json#/X"));
    let folder = Folder::with(
        "outside",
        &[
            ("in/first.json", inner),
            ("shared.json", json!({"X": {"type": "integer"}})),
        ],
    );
    let first = folder.path("in/first.json");
    let absolute = Path::new(&folder.path("shared.json"))
        .canonicalize()
        .unwrap();
    let by_path = format!("{}#/X", absolute.display());
    fs::write(
        folder.path("in/absolute.json"),
        document(&to(&by_path)).to_string(),
    )
    .unwrap();
    fs::write(
        folder.path("in/link.json"),
        document(&to("there.json#/X")).to_string(),
    )
    .unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink("../shared.json", folder.path("in/there.json")).unwrap();
    let files = match cfg!(unix) {
        true => &["first", "absolute", "link"][..],
        false => &["first", "absolute"],
    };
    for file in files {
        let path = folder.path(&format!("in/{file}.json"));
        for command in [&["docs"][..], &["codegen", "--lang", "rust"]] {
            let refused = run(&[command, &[&path]].concat(), "");
            assert_eq!((refused.code, &*refused.out), (Some(2), ""), "{file}");
            let told = "first.json#/methods/0/result/schema/$ref: ".replace("first", file);
            assert!(refused.err.contains(&told), "{file}: {}", refused.err);
            assert!(
                refused.err.contains("--allow-outside"),
                "{file}: {}",
                refused.err
            );
        }
        let (json, _) = bundled(&[&path, "--allow-outside"]);
        assert_eq!(
            json["components"]["schemas"]["X"],
            json!({"type": "integer"}),
            "{file}"
        );
    }
    // A document that is no file has none beside it.
    let text = fs::read_to_string(first).unwrap();
    let ended = run(&["docs", "-", "--allow-outside"], &text);
    assert_eq!(ended.code, Some(0));
    let note = "note: standard input#/methods/0/result/schema/$ref: \"../shared.json#/X\" allows any value";
    assert!(ended.err.starts_with(note), "{}", ended.err);
}

#[test]
fn a_fault_is_told_with_its_file_and_pointer() {
    let method =
        |method: Value| json!({"openrpc": "1.3.2", "info": {"title": "Test"}, "methods": [method]});
    for (name, files, said) in [
        (
            "lost",
            vec![("first.json", document(&json!({"items": to("lost.json")})))],
            "first.json#/methods/0/result/schema/items/$ref: \"lost.json\" leads to no file",
        ),
        (
            "no-json",
            vec![
                ("first.json", document(&to("a.json"))),
                ("a.json", json!({"properties": {"b": to("b.json")}})),
                ("b.json/c.json", json!(1)),
            ],
            "a.json#/properties/b/$ref: \"b.json\" leads to no file",
        ),
        (
            "method",
            vec![
                ("first.json", method(to("in/a.json#/m"))),
                (
                    "in/a.json",
                    json!({"m": {"name": "m", "params": [{"name": "a"}, {}]}}),
                ),
            ],
            "in/a.json#/m/params/1: a parameter has no name",
        ),
        (
            "error",
            vec![
                (
                    "first.json",
                    method(json!({"name": "m", "errors": [to("a.json#/e~1")]})),
                ),
                ("a.json", json!({"e/": {"message": "no code"}})),
            ],
            "a.json#/e~1: an error has no code",
        ),
        (
            "nothing",
            vec![
                (
                    "first.json",
                    method(json!({"name": "m", "result": to("a.json#/r")})),
                ),
                ("a.json", json!({})),
            ],
            "first.json#/methods/0/result/$ref: \"a.json#/r\" leads to nothing",
        ),
        (
            "endless",
            vec![
                (
                    "first.json",
                    method(json!({"name": "m", "params": [to("a.json#/a")]})),
                ),
                ("a.json", json!({"a": to("#/b"), "b": to("a.json#/a")})),
            ],
            "first.json#/methods/0/params/0: a reference leads to more than 16 others",
        ),
    ] {
        let folder = Folder::with(name, &files);
        let ended = run(
            &["codegen", &folder.path("first.json"), "--lang", "rust"],
            "",
        );
        assert_eq!((ended.code, &*ended.out), (Some(2), ""), "{name}");
        assert!(ended.err.contains(said), "{name}: {}", ended.err);
    }
}

#[test]
fn what_is_not_followed_is_said_and_allows_any_value() {
    for (reference, why) in [
        (
            "https://example.org/x.json#/X",
            "https addresses are not followed",
        ),
        ("#/components/schemas/Lost", "it leads to nothing"),
        ("#Anchor", "\"Anchor\" is no JSON pointer"),
    ] {
        let text = document(&json!({"type": "array", "items": to(reference)})).to_string();
        let ended = run(&["codegen", "-", "--lang", "python"], &text);
        let note = format!(
            "note: standard input#/methods/0/result/schema/items/$ref: {reference:?} allows any value: {why}\n"
        );
        assert_eq!((ended.code, ended.err), (Some(0), note));
        assert!(
            ended.out.contains("def m(self) -> List[Any]:"),
            "{reference}"
        );
    }
    // Many notes are only counted.
    let lost: Vec<_> = (0..30).map(|n| to(&format!("#/lost/{n}"))).collect();
    let text = document(&json!({"oneOf": lost})).to_string();
    let ended = run(&["docs", "-"], &text);
    assert_eq!(ended.err.lines().count(), 21);
    assert!(
        ended.err.ends_with("note: and 10 more of this kind\n"),
        "{}",
        ended.err
    );
}

#[test]
fn a_document_of_many_files_comes_to_an_end() {
    let mut files = vec![("0.json".to_owned(), document(&to("1.json")))];
    files.extend((1..300).map(|n| (format!("{n}.json"), to(&format!("{}.json", n + 1)))));
    let files: Vec<_> = files
        .iter()
        .map(|(name, json)| (&**name, json.clone()))
        .collect();
    let folder = Folder::with("many", &files);
    let ended = run(&["docs", &folder.path("0.json")], "");
    assert_eq!(ended.code, Some(2));
    assert!(
        ended.err.contains("the document has more than 256 files"),
        "{}",
        ended.err
    );

    // Parts are counted with all that is in them.
    let parts: Vec<_> = (0..2_000).map(|n| to(&format!("a.json#/{n}"))).collect();
    let values: Vec<_> = (0..2_000).map(|_| json!({"enum": vec![0; 600]})).collect();
    let folder = Folder::with(
        "large",
        &[
            ("first.json", document(&json!({"oneOf": parts}))),
            ("a.json", json!(values)),
        ],
    );
    let ended = run(&["docs", &folder.path("first.json")], "");
    assert_eq!(ended.code, Some(2));
    assert!(
        ended.err.contains("refer to more than a document can have"),
        "{}",
        ended.err
    );
}
