//! Comparison of the files in `generated/` with the output of the router and the code generators.
//!
//! `ANTIPHON_BLESS=1` rewrites the files.

use antiphon::OpenRpc;

use crate::programs;

/// Compares the file with the text, or rewrites it.
fn check(name: &str, text: &str) {
    let file = programs::folder().join("generated").join(name);
    if std::env::var_os("ANTIPHON_BLESS").is_some() {
        std::fs::write(&file, text).unwrap();
    }
    let expected = std::fs::read_to_string(&file).unwrap();
    assert!(text == expected, "{name} has changed; see ANTIPHON_BLESS");
}

#[tokio::test]
async fn a_document_makes_the_clients_that_are_here_and_so_does_a_running_server() {
    let dispatcher = codegen::router().build().unwrap();
    check(
        "workshop.json",
        &OpenRpc::of(dispatcher.tree()).document().to_json(),
    );
    let site = codegen::start().await.unwrap();
    let file = programs::folder().join("generated/workshop.json");
    for (lang, name) in [
        ("rust", "workshop.rs"),
        ("typescript", "workshop.ts"),
        ("python", "workshop.py"),
    ] {
        check(name, &programs::client(file.to_str().unwrap(), lang).await);
        check(name, &programs::client(&site.url, lang).await);
    }
}
