//! What is not read: files elsewhere, faults, and too much.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::{Folder, bundled, document, to};
use crate::support::run;

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
            "URLs are not followed without --allow-remote",
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
