//! Validation of our documents against the schemas of the OpenRPC specification.

use std::path::Path;

use interop::antiphon_server;
use serde_json::json;

use crate::node;

/// Documents from the tests of the library: the calculator, one with nested namespaces, enums,
/// streams and recursive types, and an empty one.
const DOCUMENTS: [&str; 3] = ["calculator.json", "everything.json", "empty.json"];

#[tokio::test]
async fn documents_are_what_the_specification_says() {
    let site = antiphon_server::start().await.unwrap();
    let folder =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crates/antiphon/tests/it/describe");
    let mut places: Vec<_> = DOCUMENTS
        .iter()
        .map(|file| folder.join(file).display().to_string())
        .collect();
    places.push(format!("{}/openrpc.json", site.url));
    places.push(format!("{}/openrpc-1.4.json", site.url));
    let mut expected = Vec::new();
    for place in &places {
        expected.push((place.as_str(), json!([])));
        expected.push(("as 1.4", json!([])));
    }
    for wrong in [
        "a method without a name",
        "a member that is not known",
        "a schema that is none",
        "a reference that leads nowhere",
    ] {
        expected.push((wrong, json!(true)));
    }
    node::start("openrpc.mjs", &places)
        .await
        .tells(&expected)
        .await;
}
