//! Tests of documents: OpenRPC, Markdown, `rpc.discover`, schemas of single methods.
//!
//! The files in this folder are the expected documents. `ANTIPHON_BLESS=1` rewrites them; then the
//! differences have to be reviewed.

mod discover;
mod library;
mod sources;

use std::path::Path;

use antiphon::{Access, OpenRpc, OpenRpcDocument, Router, Specification, Tree};
use serde_json::{Value, json};

use library::{Calculator, Library};

fn tree(router: Router) -> Tree {
    router.build().unwrap().tree().clone()
}

/// A router with every feature that documents describe.
fn everything() -> Tree {
    let deep = Router::new()
        .title("Deep")
        .separator("/")
        .nest("sums", Calculator);
    tree(
        Router::of(Library)
            .version("2.1.0")
            .nest("calc", Calculator)
            .nest("deep", deep),
    )
}

fn compare(file: &str, found: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/it/describe")
        .join(file);
    if std::env::var_os("ANTIPHON_BLESS").is_some() {
        std::fs::write(&path, found).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap();
    assert!(
        found == expected,
        "{file} is not what is expected; ANTIPHON_BLESS=1 writes it anew. Found:\n{found}"
    );
}

#[test]
fn documents_equal_the_expected_files() {
    let everything = everything();
    let all = OpenRpc::of(&everything)
        .access(Access::Admin)
        .server("http://localhost:8060/");
    let all = all.document();
    compare("everything.json", &all.to_json());
    compare("everything.md", &all.to_markdown());
    compare("everything.rst", &all.to_rst());
    compare("everything.html", &all.to_html());
    // A parsed document renders like the original one.
    let read: OpenRpcDocument = all.to_json().parse().unwrap();
    assert_eq!(read.to_json(), all.to_json());
    assert_eq!(read.to_markdown(), all.to_markdown());

    let calculator = OpenRpc::of(&tree(Router::of(Calculator))).document();
    compare("calculator.json", &calculator.to_json());
    compare("calculator.md", &calculator.to_markdown());

    let empty = OpenRpc::of(&tree(Router::new())).document();
    compare("empty.json", &empty.to_json());
}

#[test]
fn an_invalid_document_is_refused() {
    for (text, fault) in [
        ("", "EOF"),
        ("[]", "invalid length"),
        ("{}", "missing field"),
        (
            r#"{"openrpc":"1.3.2","info":{"title":"a"},"methods":[{}]}"#,
            "`name`",
        ),
        (
            r##"{"openrpc":"1.3.2","info":{"title":"a"},"methods":[{"name":"a","params":[{"$ref":"#/components/x"}]}]}"##,
            "`name`",
        ),
    ] {
        let error = text.parse::<OpenRpcDocument>().unwrap_err().to_string();
        assert!(error.contains(fault), "{text}: {error}");
    }
}

#[test]
fn two_documents_of_one_router_are_the_same() {
    let [one, other] =
        [everything(), everything()].map(|tree| OpenRpc::of(&tree).document().to_json());
    assert_eq!(one, other);
}

#[test]
fn a_document_has_the_configured_properties() {
    let tree = everything();
    let document = OpenRpc::of(&tree)
        .title("Books")
        .version("3.0.0")
        .specification(Specification::V1_4)
        .server("ws://one/")
        .server("ws://two/")
        .document()
        .to_value();
    assert_eq!(document["openrpc"], "1.4.0");
    assert_eq!(document["info"]["title"], "Books");
    assert_eq!(document["info"]["version"], "3.0.0");
    let servers =
        json!([{"name": "Books", "url": "ws://one/"}, {"name": "Books", "url": "ws://two/"}]);
    assert_eq!(document["servers"], servers);
}

fn names(document: &Value) -> Vec<&str> {
    let methods = document["methods"].as_array().unwrap();
    methods
        .iter()
        .map(|method| method["name"].as_str().unwrap())
        .collect()
}

#[test]
fn a_document_has_only_the_methods_that_the_reader_may_call() {
    let tree = everything();
    for (reader, sees_local, sees_admin) in [
        (Access::Public, false, false),
        (Access::Local, true, false),
        (Access::Admin, true, true),
    ] {
        let document = tree.openrpc(reader).to_value();
        let names = names(&document);
        assert_eq!(names.contains(&"shelves"), sees_local, "{reader:?}");
        assert_eq!(names.contains(&"burn"), sees_admin, "{reader:?}");
        // Types that only hidden methods use are hidden, too.
        let types = document["components"]["schemas"].as_object().unwrap();
        assert_eq!(types.contains_key("Shelf"), sees_local, "{reader:?}");
        let all: Vec<_> = tree.methods(reader).iter().map(|m| m.name()).collect();
        assert_eq!(names, all);
    }
}
