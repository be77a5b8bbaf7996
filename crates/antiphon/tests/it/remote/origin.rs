//! What a forwarded call says of where it comes from, and what is known of the server that it goes to.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use antiphon::client::{Client, Remote};
use antiphon::{
    AuthenticationError, Authenticator, Call, Context, Credentials, Dispatcher, Endpoint, Identity,
    Method, Reply, Router, Server, ServerCommands,
};
use serde_json::json;
use serde_json::value::RawValue;
use tokio::time::{advance, sleep};
use tower::ServiceExt as _;

use crate::client_support::scripted;
use crate::support::test_server::{Log, TestServer};
use crate::support::{ask, call};

#[tokio::test]
async fn deadline_and_trace_pass_over_http() {
    let (builder, log) = scripted(|request| match request.json()["method"].as_str() {
        Some("rpc.discover") => {
            request.answer(r#"{"methods":[{"name":"look","x-read-only":true}]}"#)
        }
        _ => request.answer("7"),
    });
    let client = builder.timeout(Duration::from_secs(60)).build().unwrap();
    let router = Router::new().nest("r", Remote::of(client)).build().unwrap();
    ask(&router, call("1", "r.first", "[]")).await;
    // The deadline of a call that may be shared is that of the client.
    for (method, most) in [("r.any", 1_500), ("r.look", 60_000)] {
        let text = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","timeout":1500,
            "traceparent":"00-1-2-01","tracestate":"a=b"}}"#
        );
        assert_eq!(ask(&router, text).await["result"], 7);
        let seen = log.lock().unwrap().pop().unwrap();
        assert_eq!(seen.header("traceparent"), Some("00-1-2-01"), "{method}");
        assert_eq!(seen.header("tracestate"), Some("a=b"), "{method}");
        let time: u64 = seen.header("rpc-timeout-ms").unwrap().parse().unwrap();
        assert!(time <= most && time > most - 1_000, "{method}: {time}");
    }
}

/// Knows one token.
struct Tokens;

impl Authenticator for Tokens {
    async fn authenticate(
        &self,
        credentials: &Credentials,
    ) -> Result<Option<Identity>, AuthenticationError> {
        match credentials.bearer() {
            Some("t0k3n") => Ok(Some(Identity::new("alice"))),
            Some(_) => Err(AuthenticationError::refused("no")),
            None => Ok(None),
        }
    }
}

#[tokio::test]
async fn who_calls_passes_if_the_client_says_so_and_otherwise_nobody_does() {
    let whoami = |ctx: Context| ctx.identity().map(|identity| identity.subject().to_owned());
    let there = Router::new().method(Method::function("whoami", whoami).public());
    let there = there.build().unwrap();
    let upstream = || Client::builder("").in_process(&there);
    for (upstream, expected) in [
        (upstream().build().unwrap(), json!(null)),
        (
            upstream().forward_identity().build().unwrap(),
            json!("alice"),
        ),
    ] {
        let here = Router::new().nest("r", Remote::of(upstream));
        let here = Server::new(here).authenticate(Tokens);
        let here = TestServer::of(here, Log::default()).await;
        let url = format!("http://{}", here.address);
        let client = Client::builder(url.as_str())
            .bearer("t0k3n")
            .build()
            .unwrap();
        let found = client
            .call::<serde_json::Value>("r.whoami", ())
            .await
            .unwrap();
        assert_eq!(found, expected);
        // What the other server shows to all is for those who are known here.
        let nobody = Client::connect(url).unwrap();
        let refused = nobody.call::<serde_json::Value>("r.whoami", ()).await;
        assert_eq!(refused.unwrap_err().code().map(|code| code.0), Some(-32006));
    }
}

/// A server that describes itself with each of these documents in turn, and then with none.
fn describing(documents: Vec<&'static str>) -> (Dispatcher, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let layer = tower::layer::layer_fn(move |inner: Endpoint| {
        let (documents, counted) = (documents.clone(), Arc::clone(&counted));
        tower::service_fn(move |call: Call| {
            let inner = inner.clone();
            let document = (call.method() == "rpc.discover").then(|| {
                let at = counted.fetch_add(1, Ordering::Relaxed);
                documents.get(at).copied()
            });
            async move {
                match document {
                    None => inner.oneshot(call).await,
                    Some(None) => Ok(Reply::error(antiphon::ErrorCode::METHOD_NOT_FOUND)),
                    Some(Some(text)) => {
                        let text = RawValue::from_string(text.to_owned()).unwrap();
                        Ok(Reply::ok(&text))
                    }
                }
            }
        })
    });
    let router = Router::new().method_fn("a", || "a").layer(layer);
    (router.build().unwrap(), asked)
}

/// The names that `functions_list` has below the prefix.
async fn names(router: &Dispatcher) -> Vec<String> {
    let listed = ask(router, call("1", "functions_list", "[]")).await;
    let lines = listed["result"].as_array().unwrap().clone();
    let names = lines.iter().map(|line| line[0].as_str().unwrap());
    let theirs = names.filter_map(|name| name.strip_prefix("r."));
    theirs.map(str::to_owned).collect()
}

#[tokio::test(start_paused = true)]
async fn the_document_is_asked_for_again_and_the_last_good_one_stays() {
    let documents = vec![
        r#"{"methods":[{"name":"a"}]}"#,
        r#"{"methods":[{"name":"a"},{"name":"b"}]}"#,
        "7",
    ];
    let (there, asked) = describing(documents);
    let upstream = Client::builder("").in_process(&there).build().unwrap();
    let remote = Remote::of(upstream).refresh(Duration::from_secs(60));
    let router = Router::of(ServerCommands::new()).nest("r", remote);
    let router = router.build().unwrap();
    assert_eq!(ask(&router, call("1", "r.a", "[]")).await["result"], "a");
    for (wait, expected, count) in [
        (0, &["a"][..], 1),
        (59, &["a"], 1),
        (1, &["a", "b"], 2),
        // One that is none, and then none at all.
        (60, &["a", "b"], 3),
        (60, &["a", "b"], 4),
    ] {
        advance(Duration::from_secs(wait)).await;
        names(&router).await;
        // It is asked in a task of its own.
        sleep(Duration::from_millis(1)).await;
        assert_eq!(names(&router).await, expected, "{count}");
        assert_eq!(asked.load(Ordering::Relaxed), count);
    }
}
