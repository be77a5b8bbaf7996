//! Documents of others: older versions, and documents of several files.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::run;

mod bounds;
mod remote;

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
fn what_others_write_in_their_own_way_is_understood() {
    let document = json!({
        "openrpc": "1.2.6",
        "servers": {"url": "https://example.org"},
        "methods": [{
            "name": "find",
            "summary": null,
            "description": ["no text"],
            "deprecated": "since 2",
            "tags": [{}, "words", {"$ref": "#/components/tags/lost"}],
            "params": [{
                "name": "key",
                "description": null,
                "required": "true",
                "deprecated": null,
                "schema": {"type": "string"},
            }],
            "examples": [
                {"name": "by name", "params": {"key": "a key"}, "result": "a plain result"},
                {"params": ["another key"], "result": {"name": null, "value": 1}},
            ],
            "errors": [{"code": 1}],
        }],
    });
    let text = document.to_string();
    let place = "note: standard input#/methods/0/tags";
    let said = format!(
        "{place}/0: it has no name, and is left out\n\
         {place}/2/$ref: \"#/components/tags/lost\" leads to nothing\n"
    );
    for form in ["markdown", "html", "rst", "openrpc-1.4"] {
        let ended = run(&["docs", "-", "-f", form], &text);
        assert_eq!((ended.code, ended.err), (Some(0), said.clone()), "{form}");
        for shown in ["find", "a key", "a plain result", "another key"] {
            let is_shown = ended.out.contains(shown) || form == "rst";
            assert!(is_shown, "{form} {shown}: {}", ended.out);
        }
    }
    let typescript = run(&["codegen", "-", "--lang", "typescript"], &text).out;
    assert!(typescript.contains("   * @deprecated"), "{typescript}");
    assert!(
        typescript.contains("  find(key: string): Call<unknown> {"),
        "{typescript}"
    );
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
