//! Tests of the method `rpc.discover`.

use antiphon::{Access, Router};
use serde_json::{Value, json};

use super::library::Library;

async fn ask(router: Router, message: &str) -> String {
    let dispatcher = router.build().unwrap();
    let answer = dispatcher.handle(message.to_owned()).await.unwrap();
    String::from_utf8(answer.to_vec()).unwrap()
}

fn call(params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":1,"method":"rpc.discover"{params}}}"#)
}

#[tokio::test]
async fn every_router_describes_itself() {
    for params in ["", r#","params":[]"#, r#","params":{}"#, r#","params":[ ]"#] {
        let answer = ask(Router::of(Library), &call(params)).await;
        let answer: Value = serde_json::from_str(&answer).unwrap();
        let dispatcher = Router::of(Library).build().unwrap();
        // An in-process caller without an explicit scope counts as local.
        let document = dispatcher.tree().openrpc(Access::Local).to_value();
        assert_eq!(answer["result"], document, "{params}");
    }
}

#[tokio::test]
async fn the_document_has_two_versions() {
    for (params, answered) in [
        (r#","params":{"version":"1.3"}"#, "1.3.2"),
        (r#","params":["1.4"]"#, "1.4.0"),
        (r#","params":{"version":"1.4.0"}"#, "1.4.0"),
    ] {
        let answer = ask(Router::of(Library), &call(params)).await;
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(answer["result"]["openrpc"], json!(answered), "{params}");
    }
    for params in ["[1]", r#"["2.0"]"#, r#"["1.3", 1]"#, r#"{"other":"1.3"}"#] {
        let answer = ask(
            Router::of(Library),
            &call(&format!(r#","params":{params}"#)),
        )
        .await;
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(answer["error"]["code"], json!(-32602), "{params}");
    }
}

#[tokio::test]
async fn no_listing_shows_the_discover_method() {
    use antiphon::ServerCommands;

    for method in ["functions_list", "documentation", "rpc.discover"] {
        let message = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}"}}"#);
        let answer = ask(Router::of(ServerCommands::new()), &message).await;
        assert!(answer.contains("functions_list"), "{answer}");
        assert!(!answer.contains("rpc.discover"), "{answer}");
    }
}
