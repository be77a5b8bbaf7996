//! Whose a method is, among several upstreams.

use std::time::Duration;

use antiphon::client::{Client, Remote};
use antiphon::{
    Access, AuthenticationError, Authenticator, Credentials, Gateway, Identity, Method, Router,
};
use serde_json::{Value, json};

use super::{client, code, serve};
use crate::client_support::scripted;
use crate::support::call;
use crate::support::http1::post;
use crate::support::test_server::{Log, TestServer};

/// A client of a server in the same process, each of whose methods answers with the server's name.
fn upstream(server: &'static str, methods: &[&str]) -> Client {
    let methods = methods
        .iter()
        .map(|name| Method::function(*name, move || server).doc(format!("{name} of {server}.")));
    Client::in_process(methods.fold(Router::new(), Router::method)).unwrap()
}

/// An upstream that does not describe itself, and answers all calls with this name.
fn undescribed(name: &'static str) -> Client {
    let (builder, _) = scripted(move |request| match request.json()["method"].as_str() {
        Some("rpc.discover") => {
            let body = r#"{"jsonrpc":"2.0","id":ID,"error":{"code":-32601,"message":"no"}}"#;
            let body = body.replace("ID", &request.json()["id"].to_string());
            crate::client_support::json(200, body)
        }
        _ => request.answer(&format!("\"{name}\"")),
    });
    builder.build().unwrap()
}

fn nowhere() -> Client {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    Client::connect(format!("tcp://{}", listener.local_addr().unwrap())).unwrap()
}

#[tokio::test]
async fn a_call_goes_to_the_upstream_that_describes_it_and_to_the_first_of_several() {
    let (a, b) = (
        || upstream("a", &["x", "both"]),
        || upstream("b", &["y", "both", "ping"]),
    );
    let gateways = [
        ("one", Gateway::new().upstream(a())),
        ("two", Gateway::new().upstream(a()).upstream(b())),
        ("turned", Gateway::new().upstream(b()).upstream(a())),
        (
            "named",
            Gateway::new().upstream_at("a", a()).upstream_at("b", b()),
        ),
        (
            "same name",
            Gateway::new().upstream_at("n", a()).upstream_at("n", b()),
        ),
        (
            "open",
            Gateway::new().upstream(a()).upstream(undescribed("u")),
        ),
        (
            "closed",
            Gateway::new()
                .upstream(a())
                .upstream(Remote::of(undescribed("u")).described_only(true)),
        ),
        ("away", Gateway::new().upstream(a()).upstream(nowhere())),
        ("alone", Gateway::new().upstream(undescribed("u"))),
        ("mixed", Gateway::new().upstream(a()).upstream_at("b", b())),
        (
            "own",
            Gateway::new()
                .upstream(a())
                .merge(Router::new().method_fn("x", || "own")),
        ),
    ];
    let expected: [(&str, &[(&str, &str)]); 11] = [
        (
            "one",
            &[("x", "a"), ("both", "a"), ("y", "-32601"), ("ping", "pong")],
        ),
        (
            "two",
            &[
                ("x", "a"),
                ("y", "b"),
                ("both", "a"),
                ("z", "-32601"),
                ("ping", "pong"),
            ],
        ),
        ("turned", &[("x", "a"), ("y", "b"), ("both", "b")]),
        (
            "named",
            &[
                ("a.x", "a"),
                ("b.y", "b"),
                ("x", "-32601"),
                ("a.y", "-32601"),
                ("b.ping", "b"),
            ],
        ),
        (
            "same name",
            &[
                ("n.x", "a"),
                ("n.y", "b"),
                ("n.both", "a"),
                ("n.z", "-32601"),
            ],
        ),
        ("open", &[("x", "a"), ("z", "u")]),
        ("closed", &[("x", "a"), ("z", "-32601")]),
        ("away", &[("x", "a"), ("z", "-32000")]),
        ("alone", &[("x", "u"), ("any.thing", "u"), ("ping", "pong")]),
        ("mixed", &[("x", "a"), ("b.y", "b"), ("b.x", "-32601")]),
        ("own", &[("x", "own"), ("both", "a")]),
    ];
    for ((name, gateway), (known, calls)) in gateways.into_iter().zip(expected) {
        assert_eq!(name, known);
        let server = serve(gateway).await;
        let client = client(&server);
        for (method, expected) in calls {
            let outcome = client.call::<Value>(method, ()).await;
            let found = match &outcome {
                Ok(result) => result.as_str().unwrap().to_owned(),
                Err(_) => code(&outcome).to_string(),
            };
            assert_eq!(found, *expected, "{name}: {method}");
        }
    }
}

#[tokio::test]
async fn listings_and_documents_are_the_union_and_say_who_serves_what() {
    let gateway = Gateway::new()
        .upstream(upstream("a", &["x", "both", "ping"]))
        .upstream(Remote::of(upstream("b", &["y", "both"])).name("second"))
        .upstream_at("n", upstream("c", &["x"]));
    let server = serve(gateway).await;
    let client = client(&server);
    let listed: Vec<(String, Value)> = client.call("functions_list", ()).await.unwrap();
    let theirs: Vec<_> = listed
        .iter()
        .filter(|(_, line)| line["doc"].as_str().unwrap().len() < 12)
        .map(|(name, line)| (name.as_str(), line["doc"].as_str().unwrap()))
        .collect();
    assert_eq!(
        theirs,
        [
            ("n.x", "x of c."),
            ("both", "both of a."),
            ("x", "x of a."),
            ("y", "y of b.")
        ]
    );
    let document: Value = client.call("rpc.discover", ()).await.unwrap();
    assert_eq!(document["info"]["title"], "Gateway");
    let methods = document["methods"].as_array().unwrap();
    let served = |name: &str| {
        let mut all = methods.iter().filter(|method| method["name"] == name);
        let (found, second) = (all.next().unwrap(), all.next());
        assert!(second.is_none(), "{name} is there once");
        found["x-served-by"].clone()
    };
    for (name, expected) in [
        ("x", json!("upstream")),
        ("both", json!("upstream")),
        ("y", json!("second")),
        ("n.x", json!("n")),
        ("ping", Value::Null),
        ("upstreams_list", Value::Null),
    ] {
        assert_eq!(served(name), expected, "{name}");
    }
}

/// Knows callers by their tokens, which are their names, and each has its name as a scope.
struct Names;

impl Authenticator for Names {
    async fn authenticate(
        &self,
        credentials: &Credentials,
    ) -> Result<Option<Identity>, AuthenticationError> {
        let identity = |name: &str| Identity::new(name).scope(name);
        Ok(credentials.bearer().map(identity))
    }
}

#[tokio::test]
async fn callers_need_the_scopes_of_an_upstream_also_for_what_is_kept() {
    let look = Method::function("look", || "seen").read_only().public();
    let kept = Client::in_process(Router::new().method(look)).unwrap();
    let kept = Remote::of(kept).cache("*", Duration::from_secs(3600));
    let gateway = Gateway::new()
        .upstream_at("a", kept)
        .require_scope("a", "alice")
        .upstream(upstream("b", &["x"]))
        .require_scope("nobody", "nobody");
    let server = gateway.server().authenticate(Names);
    let server = TestServer::of(server, Log::default()).await;
    let client = |token: &str| {
        let builder = Client::builder(format!("ws://{}", server.address).as_str());
        match token {
            "" => builder.build().unwrap(),
            token => builder.bearer(token).build().unwrap(),
        }
    };
    for (token, method, expected) in [
        ("alice", "a.look", 0),
        ("alice", "a.look", 0),
        ("bob", "a.look", -32007),
        ("", "a.look", -32006),
        ("bob", "x", 0),
        ("", "x", -32006),
        ("", "ping", 0),
    ] {
        let outcome = client(token).call::<Value>(method, ()).await;
        assert_eq!(code(&outcome), expected, "{token:?} {method}");
    }
}

/// The gateway itself is a local caller of a server on its machine, and its callers are not.
#[tokio::test]
async fn methods_for_local_callers_of_an_upstream_are_for_local_callers_here() {
    let there = Router::new()
        .method_fn("open", || "for all")
        .method(Method::function("secret", || "for few").access(Access::Local))
        .method(Method::function("owned", || "for one").access(Access::Admin));
    let there = super::Serving::of(there, "127.0.0.1:0").await;
    let upstream = Client::connect(there.at("ws")).unwrap();
    let server = serve(Gateway::new().upstream_at("x", upstream)).await;
    let mut http = server.connect().await;
    let mut ask = async |stranger: bool, method: &str| {
        let origin = if stranger {
            "X-Forwarded-For: 1.1.1.1\r\n"
        } else {
            ""
        };
        let call = call("1", method, "[]");
        http.ask(post(origin, &call)).await.json()
    };
    let listed = async |names: &Value| {
        let names = names["result"].to_string();
        ["x.open", "x.secret", "x.owned"].map(|name| names.contains(name))
    };
    for (stranger, secret) in [(false, json!("for few")), (true, Value::Null)] {
        let open = ask(stranger, "x.open").await;
        assert_eq!(open["result"], "for all", "{stranger}");
        let answer = ask(stranger, "x.secret").await;
        assert_eq!(answer["result"], secret, "{stranger}: {answer}");
        if stranger {
            assert_eq!(answer["error"]["code"], -32601);
        }
        // Nobody but its owner knows of it.
        assert_eq!(ask(stranger, "x.owned").await["error"]["code"], -32601);
        for listing in ["functions_list", "rpc.discover"] {
            let names = ask(stranger, listing).await;
            let names = listed(&names).await;
            assert_eq!(names, [true, !stranger, false], "{stranger} {listing}");
        }
    }
}
