//! Tests of servers with several routes, and of the media type of responses.

use antiphon::{Route, Router, Server};

use crate::support::call;
use crate::support::http1::HttpResponse;
use crate::support::test_server::{Log, TestServer, router};

async fn ask(server: &TestServer, path: &str, accept: &str, method: &str) -> HttpResponse {
    let body = call("1", method, "[]");
    let accept = match accept {
        "" => String::new(),
        accept => format!("Accept: {accept}\r\n"),
    };
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         {accept}Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    server.connect().await.ask(request).await
}

#[tokio::test]
async fn every_path_has_its_own_methods() {
    let named = |name: &'static str| Router::new().method_fn("name", move || name);
    let server = Server::builder()
        .route("/", named("root"))
        .route("/a", named("a"))
        .route("/a/b", named("b"));
    let server = TestServer::of(server, Log::default()).await;
    for (path, expected) in [
        ("/", "root"),
        ("/?x=1", "root"),
        ("/a", "a"),
        ("/a?x#y", "a"),
        ("/a/b", "b"),
        // Calls are also answered under the path of the page of a route.
        ("/a/", "a"),
        ("/a/b/", "b"),
    ] {
        let answer = ask(&server, path, "", "name").await;
        assert_eq!(answer.json()["result"], expected, "{path}");
    }
    for path in ["/a//", "/A", "/a/b/c", "/a%2fb", "/a/../", "/%61"] {
        assert_eq!(ask(&server, path, "", "name").await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn the_type_of_a_response_is_chosen_before_anything_runs() {
    let log = Log::default();
    let route = |types: &[&str]| {
        let frozen = router(&log).build().unwrap();
        Route::new(frozen).response_content_types(types.iter().copied())
    };
    let server = Server::builder()
        .route("/two", route(&["application/json-rpc", "application/json"]))
        .route("/utf8", route(&["application/json; charset=utf-8"]))
        .route("/none", route(&[]))
        .route("/unset", router(&log))
        .route("/bad", route(&["a\nb"]));
    let server = TestServer::of(server, log.clone()).await;
    let mut runs = 0;
    for (path, accept, expected) in [
        ("/two", "", Some("application/json-rpc")),
        ("/two", "*/*", Some("application/json-rpc")),
        ("/two", "application/json", Some("application/json")),
        (
            "/two",
            "APPLICATION/JSON, text/html",
            Some("application/json"),
        ),
        (
            "/two",
            "application/json;q=0, */*",
            Some("application/json-rpc"),
        ),
        (
            "/two",
            "application/json, application/json-rpc;q=0.9",
            Some("application/json"),
        ),
        ("/two", "text/*", None),
        ("/utf8", "", Some("application/json; charset=utf-8")),
        (
            "/utf8",
            "application/json",
            Some("application/json; charset=utf-8"),
        ),
        (
            "/utf8",
            "application/*",
            Some("application/json; charset=utf-8"),
        ),
        ("/utf8", "application/json-rpc", None),
        ("/none", "application/json", Some("application/json")),
        (
            "/none",
            "application/json-rpc",
            Some("application/json-rpc"),
        ),
        ("/unset", "", Some("application/json")),
        ("/unset", "application/*", Some("application/json")),
        (
            "/unset",
            "application/json-rpc",
            Some("application/json-rpc"),
        ),
        (
            "/unset",
            "Application/JSONRequest, text/html",
            Some("application/jsonrequest"),
        ),
        (
            "/unset",
            "application/json;q=0, application/*;q=0.1",
            Some("application/json-rpc"),
        ),
        ("/unset", "application/jsonp, text/*", None),
        ("/unset", "*/*;q=0", None),
        ("/bad", "", Some("application/json")),
    ] {
        let answer = ask(&server, path, accept, "count").await;
        let case = format!("{path} {accept}");
        runs += usize::from(expected.is_some());
        assert_eq!(log.counted.get(), runs, "{case}");
        match expected {
            Some(expected) => {
                assert_eq!(answer.status, 200, "{case}");
                assert_eq!(answer.header("content-type"), Some(expected), "{case}");
            }
            None => assert_eq!(answer.status, 406, "{case}"),
        }
    }
}
