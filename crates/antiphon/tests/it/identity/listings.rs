//! Listings and documents for callers who are known and who are not.

use antiphon::{Access, Method, Router, RouterProblem, rpc, rpc_method};
use serde_json::Value;

use super::server;
use crate::support::counter::Counter;
use crate::support::http1::post;
use crate::support::test_server::{Log, TestServer};

const ALL: [&str; 6] = [
    "count",
    "free",
    "known",
    "write",
    "vault.open",
    "vault.inner.read",
];

fn names(document: &Value) -> Vec<&str> {
    let methods = document["methods"].as_array().unwrap().iter();
    methods
        .map(|method| method["name"].as_str().unwrap())
        .collect()
}

#[cfg(feature = "describe")]
#[tokio::test]
async fn strangers_see_public_methods_only() {
    let server = TestServer::of(server(&Counter::default()), Log::default()).await;
    for (token, expected) in [("", &["free"][..]), ("reader", &ALL), ("writer", &ALL)] {
        let header = match token {
            "" => String::new(),
            token => format!("Authorization: Bearer {token}\r\n"),
        };
        let mut http1 = server.connect().await;
        for version in ["1.3", "1.4"] {
            let params = format!("[\"{version}\"]");
            let call = crate::support::call("1", "rpc.discover", &params);
            let answer = http1.ask(post(&header, &call)).await;
            assert_eq!(names(&answer.json()["result"]), expected, "{token}");
        }
        for path in ["/openrpc.json", "/openrpc-1.4.json"] {
            let get = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{header}\r\n");
            let answer = http1.ask(get).await;
            assert_eq!(answer.status, 200);
            assert_eq!(names(&answer.json()), expected, "{token} {path}");
        }
    }
}

#[cfg(feature = "describe")]
#[test]
fn documents_tell_what_a_method_asks() {
    let dispatcher = super::router(&Counter::default()).build().unwrap();
    let document = dispatcher.tree().openrpc(Access::Public).to_value();
    assert_eq!(names(&document), ALL);
    for (name, public, scopes) in [
        ("free", Value::Bool(true), Value::Null),
        ("known", Value::Null, Value::Null),
        ("write", Value::Null, serde_json::json!(["write"])),
        ("vault.open", Value::Null, serde_json::json!(["admin:all"])),
        (
            "vault.inner.read",
            Value::Null,
            serde_json::json!(["admin:all", "write"]),
        ),
    ] {
        let mut methods = document["methods"].as_array().unwrap().iter();
        let method = methods.find(|method| method["name"] == name).unwrap();
        assert_eq!(method["x-public"], public, "{name}");
        let mut found = method["x-scopes"].clone();
        if let Value::Array(scopes) = &mut found {
            scopes.sort_by_key(ToString::to_string);
        }
        assert_eq!(found, scopes, "{name}");
    }
}

#[test]
fn requirements_that_contradict_each_other_are_problems() {
    let method = |name: &str| Method::function(name, || 1);
    let problems = |router: Router| router.build().unwrap_err().problems().to_vec();
    let inside = Router::new().method(method("a").public());
    for (router, expected) in [
        (
            Router::new().method(method("a").public().scope("s")),
            RouterProblem::PublicWithScope("a".into()),
        ),
        (
            Router::new().nest("n", inside).require_scope("s"),
            RouterProblem::PublicWithScope("n.a".into()),
        ),
        (
            Router::new().method(method("a").scope("s t")),
            RouterProblem::BadScope("s t".into()),
        ),
        (
            Router::new().method(method("a")).require_scope(""),
            RouterProblem::BadScope(String::new()),
        ),
    ] {
        assert_eq!(problems(router), [expected]);
    }
}

struct Accounts;

#[rpc(scope = "accounts:read base", namespace = "accounts", client = false)]
impl Accounts {
    fn rpc_balance(&self) -> u64 {
        0
    }

    #[method(scope = "accounts:write")]
    fn rpc_withdraw(&self, amount: u64) -> u64 {
        amount
    }
}

struct Door;

#[rpc(client = false)]
impl Door {
    #[method(public)]
    fn rpc_knock(&self) -> bool {
        true
    }

    fn rpc_enter(&self) -> bool {
        false
    }
}

#[rpc_method(scope = "calc:random")]
fn random() -> f64 {
    0.5
}

#[rpc_method(public)]
fn hello() -> &'static str {
    "hello"
}

#[test]
fn attributes_set_what_methods_ask() {
    let router = Router::new()
        .merge(Accounts)
        .merge(Door)
        .method(random)
        .method(hello);
    let dispatcher = router.build().unwrap();
    for (name, public, scopes) in [
        ("accounts.balance", false, &["accounts:read", "base"][..]),
        (
            "accounts.withdraw",
            false,
            &["accounts:read", "accounts:write", "base"],
        ),
        ("knock", true, &[]),
        ("enter", false, &[]),
        ("random", false, &["calc:random"]),
        ("hello", true, &[]),
    ] {
        let methods = dispatcher.tree().methods(Access::Public);
        let method = methods.iter().find(|m| m.name() == name).unwrap();
        let mut found: Vec<_> = method.scopes().collect();
        found.sort_unstable();
        assert_eq!((method.is_public(), &*found), (public, scopes), "{name}");
    }
}

/// The scopes of a merged router stay its own.
#[test]
fn scopes_of_a_merged_router_apply_to_its_own_methods() {
    let other = Router::new()
        .method(Method::function("b", || 1))
        .require_scope("s");
    let router = Router::new()
        .method(Method::function("a", || 1))
        .merge(other);
    let dispatcher = router.build().unwrap();
    let methods = dispatcher.tree().methods(Access::Public);
    let found: Vec<_> = methods
        .iter()
        .map(|method| (method.name(), method.scopes().collect::<Vec<_>>()))
        .collect();
    assert_eq!(found, [("a", vec![]), ("b", vec!["s"])]);
}
