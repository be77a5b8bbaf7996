//! Tests of methods that a router forwards to another server.

mod once;
mod origin;
mod streams;

use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use antiphon::client::{Client, Remote, StreamError};
use antiphon::{
    Access, Context, Cursor, Dispatcher, ErrorObject, Method, Router, Server, ServerCommands, Topic,
};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

use crate::support::counter::Counter;
use crate::support::test_server::{Log, TestServer};
use crate::support::{ask, batch, call, code, codes, notification, until};

/// Time limit after which a test counts as hung.
const LIMIT: Duration = Duration::from_secs(20);

/// What a server has seen that is called by another one.
#[derive(Clone, Default)]
struct Seen {
    noted: Arc<Mutex<Vec<String>>>,
    held: Counter,
    dropped: Counter,
}

/// The methods of the other server.
fn there(seen: &Seen, topic: &Topic<u64>) -> Router {
    let (noted, held, topic) = (seen.noted.clone(), seen.clone(), topic.clone());
    let fail = || {
        let error = ErrorObject::new(7, "sold out").with_data(&json!({"left": 0}));
        Err::<(), _>(error)
    };
    Router::new()
        .method(
            Method::function("add", |a: i64, b: i64| a + b)
                .params(["a", "b"])
                .doc("Adds."),
        )
        .method_fn("echo", |value: Box<RawValue>| value)
        .method_fn("fail", fail)
        .method_fn("note", move |text: String| noted.lock().unwrap().push(text))
        .method_fn("hold", move || {
            let dropped = held.dropped.guard();
            held.held.add();
            async move {
                sleep(Duration::from_secs(3600)).await;
                drop(dropped);
            }
        })
        .method_fn("left", |ctx: Context| {
            let left = ctx
                .deadline()
                .map(|at| at.saturating_duration_since(Instant::now()));
            left.map(|left| u64::try_from(left.as_millis()).unwrap())
        })
        .method_fn("count", |ctx: Context, to: u64| async move {
            for n in 0..to {
                ctx.progress(&n).await;
            }
            to
        })
        .method_fn("prices", move |key: String| topic.subscribe(key))
        .nest("deep", Router::new().method_fn("name", || "deep"))
}

struct Here {
    seen: Seen,
    topic: Topic<u64>,
    router: Dispatcher,
    client: Client,
}

/// A router that forwards to the other one, and its client.
fn here(change: impl FnOnce(Remote) -> Remote) -> Here {
    let (seen, topic) = (
        Seen::default(),
        Topic::builder("prices").history(10).build(),
    );
    let upstream = Client::in_process(there(&seen, &topic)).unwrap();
    let router = Router::of(ServerCommands::new())
        .nest("calc", change(Remote::of(upstream)))
        .build()
        .unwrap();
    let client = Client::builder("").in_process(&router).build().unwrap();
    Here {
        seen,
        topic,
        router,
        client,
    }
}

#[tokio::test]
async fn calls_below_the_prefix_are_answered_by_the_other_server_as_it_answers_them() {
    let here = here(|remote| remote);
    let big = "123456789012345678901234567890.50";
    for (method, params, expected) in [
        ("calc.add", "[3,4]", r#""result":7"#.to_owned()),
        ("calc.add", r#"{"b":1,"a":2}"#, r#""result":3"#.to_owned()),
        (
            "calc.echo",
            &format!("[{big}]"),
            format!("\"result\":{big}"),
        ),
        (
            "calc.echo",
            r#"[{"a":[1,null,"\u00e9"]}]"#,
            r#""result":{"a":[1,null,"\u00e9"]}"#.to_owned(),
        ),
        ("calc.deep.name", "[]", r#""result":"deep""#.to_owned()),
        (
            "calc.fail",
            "[]",
            r#""error":{"code":7,"message":"sold out","data":{"left":0}}"#.to_owned(),
        ),
        ("ping", "[]", r#""result":"pong""#.to_owned()),
    ] {
        let text = call("1", method, params);
        let answer = here.router.handle(text).await.unwrap();
        let answer = String::from_utf8(answer.to_vec()).unwrap();
        assert_eq!(
            answer,
            format!(r#"{{"jsonrpc":"2.0","id":1,{expected}}}"#),
            "{method}"
        );
    }
}

#[tokio::test]
async fn what_cannot_be_forwarded_is_refused() {
    let long = format!("calc.{}", "x".repeat(260));
    for (described_only, method, params, expected) in [
        (false, "calc.unknown", "[]", -32601),
        (false, "calc.add", "[1]", -32602),
        (false, "calc.", "[]", -32601),
        (false, "calc", "[]", -32601),
        (false, "calcadd", "[]", -32601),
        (false, "calc.rpc.discover", "[]", -32601),
        (false, "calc.rpc.authenticate", r#"["x"]"#, -32601),
        (false, "rpc.add", "[]", -32601),
        (false, &long, "[]", -32601),
        (true, "calc.unknown", "[]", -32601),
        (true, "calc.add", "[1,2]", 0),
        (false, "calc.prices", r#"["k"]"#, -32004),
    ] {
        let here = here(|remote| remote.described_only(described_only));
        let answer = ask(&here.router, call("1", method, params)).await;
        assert_eq!(code(&answer), expected, "{method} {answer}");
    }
}

#[tokio::test]
async fn entries_of_a_batch_and_notifications_pass_one_by_one() {
    let here = here(|remote| remote);
    let all = batch([
        call("1", "calc.add", "[1,2]"),
        notification("calc.note", r#"["a"]"#),
        call("2", "calc.fail", "[]"),
        call("3", "ping", "[]"),
    ]);
    let answers = ask(&here.router, all).await;
    assert_eq!(codes(&answers), [0, 7, 0], "{answers}");
    let nothing = ask(&here.router, notification("calc.note", r#"["b"]"#)).await;
    assert!(nothing.is_null());
    let noted = here.seen.noted.clone();
    until(|| noted.lock().unwrap().len() == 2, "both were noted").await;
}

#[tokio::test]
async fn a_server_that_is_away_is_unavailable_at_once_and_its_address_is_not_told() {
    let port = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    for scheme in ["tcp", "http", "ws"] {
        let upstream = Client::connect(format!("{scheme}://127.0.0.1:{port}")).unwrap();
        for refresh in [Some(Duration::from_secs(60)), None] {
            let remote = Remote::of(upstream.clone()).refresh(refresh);
            let router = Router::new().nest("calc", remote).build().unwrap();
            for _ in 0..2 {
                let asked = router.handle(call("1", "calc.add", "[1,2]"));
                let answer = timeout(LIMIT, asked).await.expect("it hangs").unwrap();
                let answer = String::from_utf8(answer.to_vec()).unwrap();
                assert_eq!(
                    answer,
                    r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"Unavailable","data":{"mayHaveRun":false}}}"#,
                    "{scheme} {refresh:?}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_caller_that_goes_away_cancels_the_call_there() {
    let here = here(|remote| remote);
    let call = here.client.call::<()>("calc.hold", ());
    let waiting = tokio::spawn(call.into_future());
    here.seen.held.reach(1).await;
    waiting.abort();
    here.seen.dropped.reach(1).await;
}

#[tokio::test]
async fn the_deadline_of_a_caller_is_that_of_the_call_there() {
    let here = here(|remote| remote);
    for (timeout, most) in [(5, 5_000), (1, 1_000)] {
        let call = here.client.call::<u64>("calc.left", ());
        let left = call.timeout(Duration::from_secs(timeout)).await.unwrap();
        assert!(left <= most, "{left} ms of {most}");
    }
    let call = here
        .client
        .call::<()>("calc.hold", ())
        .timeout(Duration::from_millis(50));
    assert!(call.await.unwrap_err().is_timeout());
    here.seen.dropped.reach(1).await;
}

#[tokio::test]
async fn progress_passes_before_the_answer() {
    let here = here(|remote| remote);
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = Arc::clone(&told);
    let call = here.client.call::<u64>("calc.count", (5,));
    let call = call.on_progress(move |n: u64| tell.lock().unwrap().push(n));
    assert_eq!(call.await.unwrap(), 5);
    assert_eq!(*told.lock().unwrap(), [0, 1, 2, 3, 4]);
}

#[tokio::test]
async fn items_pass_with_their_cursors_and_after_goes_on_behind_one() {
    let here = here(|remote| remote);
    let mut items = here
        .client
        .subscribe::<u64>("calc.prices", ("k",))
        .await
        .unwrap();
    for n in 1..=3 {
        here.topic.publish("k", &n);
    }
    let mut cursors = Vec::new();
    for n in 1..=3 {
        let event = timeout(LIMIT, items.next_event())
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        assert_eq!(event.item, n);
        cursors.push(event.cursor.expect("a cursor"));
    }
    drop(items);
    until(
        || here.topic.subscribers("k") == 0,
        "nobody subscribes there",
    )
    .await;
    let again = here.client.subscribe::<u64>("calc.prices", ("k",));
    let mut again = again.after(cursors[0].clone()).await.unwrap();
    for n in 2..=3 {
        assert_eq!(
            timeout(LIMIT, again.next())
                .await
                .unwrap()
                .unwrap()
                .unwrap(),
            n
        );
    }
    let unknown = here.client.subscribe::<u64>("calc.prices", ("k",));
    let mut unknown = unknown.after(Cursor::from("1-1-1")).await.unwrap();
    let first = timeout(LIMIT, unknown.next()).await.unwrap().unwrap();
    assert!(
        matches!(first, Err(StreamError::Gap { missed: None })),
        "{first:?}"
    );
}

#[tokio::test]
async fn a_server_that_says_nothing_has_subscriptions_that_were_named() {
    let here = here(|remote| remote.refresh(None).subscription("prices"));
    let mut items = here
        .client
        .subscribe::<u64>("calc.prices", ("k",))
        .await
        .unwrap();
    here.topic.publish("k", &1);
    assert_eq!(
        timeout(LIMIT, items.next())
            .await
            .unwrap()
            .unwrap()
            .unwrap(),
        1
    );
}

#[tokio::test]
async fn listings_and_documents_show_the_methods_of_both() {
    let here = here(|remote| remote);
    // Nothing is known before the first call.
    ask(&here.router, call("1", "calc.add", "[1,2]")).await;
    let listed = ask(&here.router, call("1", "functions_list", "[]")).await;
    let listed = listed["result"].as_array().unwrap().clone();
    let line = |name: &str| listed.iter().find(|line| line[0] == name).cloned();
    assert_eq!(
        line("calc.add"),
        Some(json!(["calc.add", {"doc": "Adds.", "section": "calc."}]))
    );
    assert!(line("calc.deep.name").is_some() && line("ping").is_some() && line("calc.*").is_none());
    let text = ask(&here.router, call("1", "documentation", "[]")).await;
    assert!(
        text["result"]
            .as_str()
            .unwrap()
            .contains(".. _functions-calc.add:")
    );
    let document = ask(&here.router, call("1", "rpc.discover", "[]")).await;
    let methods = document["result"]["methods"].as_array().unwrap().clone();
    let add = methods
        .iter()
        .find(|method| method["name"] == "calc.add")
        .unwrap();
    assert_eq!(add["params"][0]["name"], "a");
    assert_eq!(add["tags"][0]["name"], "calc");
    let prices = methods
        .iter()
        .find(|method| method["name"] == "calc.prices")
        .unwrap();
    assert_eq!(prices["x-subscription"]["notification"], "calc.prices");
    assert_eq!(prices["x-subscription"]["resumes"], true);
    assert!(methods.iter().any(|method| method["name"] == "ping"));
}

#[tokio::test]
async fn a_document_that_is_none_or_too_large_is_ignored() {
    let methods = |count: usize| {
        let names: Vec<_> = (0..count)
            .map(|n| format!(r#"{{"name":"m{n}"}}"#))
            .collect();
        format!(
            r#"{{"openrpc":"1.3.2","info":{{"title":"x","version":"1"}},"methods":[{}]}}"#,
            names.join(",")
        )
    };
    for (text, shown) in [
        (methods(3), 3),
        (methods(11), 0),
        (methods(0), 0),
        ("7".to_owned(), 0),
        ("[]".to_owned(), 0),
        (format!("\"{}\"", "x".repeat(5000)), 0),
        (r#"{"methods":[{"name":7}]}"#.to_owned(), 0),
    ] {
        let served = raw_server(text.clone()).await;
        let upstream = Client::connect(format!("tcp://{served}")).unwrap();
        let remote = Remote::of(upstream).max_document(2000).max_methods(10);
        let router = Router::of(ServerCommands::new())
            .nest("r", remote)
            .build()
            .unwrap();
        let answer = ask(&router, call("1", "r.anything", "[]")).await;
        assert_eq!(answer["result"], "called", "{answer}");
        let listed = ask(&router, call("1", "functions_list", "[]")).await;
        let listed = listed["result"].as_array().unwrap().clone();
        let theirs = listed
            .iter()
            .filter(|line| line[0].as_str().unwrap().starts_with("r."));
        assert_eq!(theirs.count(), shown, "{text:.60}");
    }
}

/// A server that answers `rpc.discover` with this text, and every other call with `called`.
async fn raw_server(document: String) -> SocketAddr {
    use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let document = document.clone();
            tokio::spawn(async move {
                let (read, mut write) = stream.split();
                let mut lines = BufReader::new(read).lines();
                while let Ok(Some(line)) = lines.next_line().await {
                    let request: Value = serde_json::from_str(&line).unwrap();
                    let result = match request["method"] == "rpc.discover" {
                        true => &*document,
                        false => "\"called\"",
                    };
                    let id = &request["id"];
                    let answer =
                        format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{result}}}\n");
                    write.write_all(answer.as_bytes()).await.unwrap();
                }
            });
        }
    });
    address
}

#[tokio::test]
async fn a_method_of_the_router_itself_comes_first() {
    let (seen, topic) = (Seen::default(), Topic::builder("prices").build());
    let upstream = Client::in_process(there(&seen, &topic)).unwrap();
    let router = Router::new()
        .method_fn("add", || "here")
        .merge(Remote::of(upstream))
        .build()
        .unwrap();
    for (method, params, expected) in [
        ("add", "[]", json!("here")),
        ("deep.name", "[]", json!("deep")),
    ] {
        let answer = ask(&router, call("1", method, params)).await;
        assert_eq!(answer["result"], expected, "{method}");
    }
    let names: Vec<_> = router
        .tree()
        .methods(Access::Public)
        .iter()
        .map(|m| m.name().to_owned())
        .collect();
    assert_eq!(names, ["add"]);
}

#[tokio::test]
async fn a_chain_of_servers_forwards_over_http_and_sessions() {
    let (seen, topic) = (Seen::default(), Topic::builder("prices").history(5).build());
    let last = TestServer::of(Server::new(there(&seen, &topic)), Log::default()).await;
    for scheme in ["http", "ws"] {
        let upstream = Client::connect(format!("{scheme}://{}", last.address)).unwrap();
        let middle = Router::new().nest_remote("far", upstream);
        let middle = TestServer::of(Server::new(middle), Log::default()).await;
        let client = Client::connect(format!("ws://{}", middle.address)).unwrap();
        let near = client.namespace("far");
        assert_eq!(
            near.call::<i64>("add", (3, 4)).await.unwrap(),
            7,
            "{scheme}"
        );
        let error = near.call::<()>("fail", ()).await.unwrap_err();
        assert_eq!(error.code().map(|code| code.0), Some(7), "{scheme}");
        let subscribed = near.subscribe::<u64>("prices", ("k",)).await;
        match (scheme, subscribed) {
            ("ws", Ok(mut items)) => {
                topic.publish("k", &1);
                assert_eq!(
                    timeout(LIMIT, items.next())
                        .await
                        .unwrap()
                        .unwrap()
                        .unwrap(),
                    1
                );
            }
            ("http", Err(error)) => assert_eq!(error.code().map(|code| code.0), Some(-32004)),
            (_, outcome) => panic!("{scheme}: {outcome:?}"),
        }
    }
}
