//! What each caller gets through a client: in each way of calling, and never more than it has itself.

use antiphon::client::Client;
use antiphon::{Authenticator, Credentials, Dispatcher, Method, Router, Server};
use serde_json::{Value, json};

use super::{Clients, Front, Tokens, behind, brief, caller, serve};
use crate::support::counter::Counter;

/// The caller's token, whether it comes through a proxy, the kind of client, the method behind, and
/// its code: 0 for a result.
type Row = (&'static str, bool, &'static str, &'static str, i64);

const EXPECTED: &[Row] = &[
    // Without forwarding it is this program that calls.
    ("", true, "plain", "free", 0),
    ("", true, "plain", "write", 0),
    ("", true, "plain", "near", 0),
    ("", true, "plain", "rule", -32601),
    ("writer", false, "plain", "rule", -32601),
    // Anonymous.
    ("", false, "forwarding", "free", 0),
    ("", false, "forwarding", "known", -32006),
    ("", false, "forwarding", "write", -32006),
    ("", false, "forwarding", "near", 0),
    ("", false, "forwarding", "rule", -32601),
    ("", false, "forwarding", "missing", -32601),
    ("", true, "forwarding", "free", 0),
    ("", true, "forwarding", "near", -32601),
    ("", true, "forwarding", "write", -32006),
    // Known.
    ("reader", false, "forwarding", "free", 0),
    ("reader", false, "forwarding", "known", 0),
    ("reader", false, "forwarding", "write", -32007),
    ("reader", true, "forwarding", "known", 0),
    ("reader", true, "forwarding", "near", -32601),
    // With the scope.
    ("writer", false, "forwarding", "write", 0),
    ("writer", false, "forwarding", "near", 0),
    ("writer", false, "forwarding", "rule", -32601),
    ("writer", true, "forwarding", "write", 0),
    ("writer", true, "forwarding", "near", -32601),
];

async fn check(url: &str, ran: &Counter, row: Row, way: &str, blocks: bool) {
    let (token, far, kind, method, expected) = row;
    let client = caller(url, token, far);
    let before = ran.get();
    let found: i64 = match blocks {
        true => client.call("via_blocking", (way, method)).await.unwrap(),
        false => client.call("via", (kind, way, method)).await.unwrap(),
    };
    let runs = usize::from(expected == 0);
    // A refused notification is answered by nothing.
    let expected = if way == "notify" { 0 } else { expected };
    assert_eq!(found, expected, "{row:?} {way} blocks: {blocks}");
    assert_eq!(ran.get() - before, runs, "{row:?} {way} blocks: {blocks}");
}

#[tokio::test]
async fn a_caller_has_its_own_rights_and_no_others() {
    let ran = Counter::default();
    let clients = Clients::of(behind(&ran));
    let front = Router::of(Front { clients });
    let (url, serving) = serve(Server::new(front).authenticate(Tokens::default())).await;
    for &row in EXPECTED {
        for way in ["call", "batch", "notify"] {
            check(&url, &ran, row, way, false).await;
            if row.2 == "forwarding" {
                check(&url, &ran, row, way, true).await;
            }
        }
    }
    for (token, kind, expected) in [
        ("", "plain", 0),
        ("", "forwarding", -32006),
        ("reader", "forwarding", -32007),
        ("writer", "forwarding", 0),
    ] {
        let row = (token, true, kind, "count", expected);
        check(&url, &ran, row, "subscribe", false).await;
        if kind == "forwarding" {
            check(&url, &ran, row, "subscribe", true).await;
        }
    }
    serving.abort();
}

#[tokio::test]
async fn the_router_behind_sees_the_caller() {
    let clients = Clients::of(behind(&Counter::default()));
    // A third router, behind the one in the middle.
    let last = clients.clone();
    let middle = Router::of(Front { clients: last }).build().unwrap();
    let middle = Client::builder("").in_process(&middle).forward_identity();
    let middle = middle.build().unwrap();
    let through = Method::function("through", move |method: String| {
        let middle = middle.clone();
        async move { Ok::<_, antiphon::Failure>(middle.call::<Value>("seen", (method,)).await?) }
    });
    let front = Router::of(Front { clients }).method(through.public());
    let (url, serving) = serve(Server::new(front).authenticate(Tokens::default())).await;
    for (token, far, subject, scopes) in [
        ("", false, Value::Null, json!([])),
        ("", true, Value::Null, json!([])),
        ("reader", false, json!("reader"), json!([])),
        (
            "writer",
            true,
            json!("writer"),
            json!(["write", "admin:all"]),
        ),
    ] {
        let client = caller(&url, token, far);
        let expected = json!({
            "subject": subject,
            "scopes": scopes,
            "local": !far,
            "client": "127.0.0.1",
            "transport": "in-process",
        });
        for method in ["seen", "through"] {
            let seen: Value = client.call(method, ("free",)).await.unwrap();
            assert_eq!(seen, expected, "{token} {far} {method}");
        }
    }
    serving.abort();
}

#[cfg(feature = "describe")]
#[tokio::test]
async fn listings_show_what_the_caller_may_see() {
    let clients = Clients::of(behind(&Counter::default()));
    let discover = Method::function("discover", move |kind: String| {
        let client = clients.get(&kind).clone();
        async move {
            let document: Value = client.call("rpc.discover", ()).await?;
            let methods = document["methods"].as_array().unwrap().iter();
            let names = methods.map(|method| method["name"].as_str().unwrap().to_owned());
            Ok::<_, antiphon::Failure>(names.collect::<Vec<_>>())
        }
    });
    let front = Router::new().method(discover.public());
    let (url, serving) = serve(Server::new(front).authenticate(Tokens::default())).await;
    for (token, far, kind, expected) in [
        ("", true, "plain", "count fence free known near write"),
        ("", true, "forwarding", "fence free"),
        ("", false, "forwarding", "fence free near"),
        ("reader", true, "forwarding", "count fence free known write"),
    ] {
        let client = caller(&url, token, far);
        let mut names: Vec<String> = client.call("discover", (kind,)).await.unwrap();
        names.sort();
        assert_eq!(names.join(" "), expected, "{token} {far} {kind}");
    }
    serving.abort();
}

/// Nobody has asked who these callers are, so nobody can say.
#[tokio::test]
async fn callers_whom_nobody_has_asked_are_anonymous_behind() {
    let ran = Counter::default();
    let clients = Clients::of(behind(&ran));
    let front = || {
        Router::of(Front {
            clients: clients.clone(),
        })
    };
    let folder = std::env::temp_dir().join(format!("antiphon-fwd-{}", std::process::id()));
    let (url, serving) = serve(Server::new(front())).await;
    let owned = Server::new(front()).authenticate(Tokens::default());
    let owned = owned.configure(|settings| settings.admin_token_file = Some(folder.clone()));
    let (owned, owning) = serve(owned).await;
    let token = std::fs::read_to_string(&folder).unwrap();
    let in_process = |front: Dispatcher| Client::builder("").in_process(&front).build().unwrap();
    for (name, client) in [
        ("without authenticators", caller(&url, "", false)),
        ("this program", in_process(front().build().unwrap())),
        ("the admin", caller(&owned, token.trim(), false)),
    ] {
        for (method, expected) in [
            ("free", 0),
            ("known", -32006),
            ("write", -32006),
            ("near", 0),
            ("rule", -32601),
        ] {
            let found: i64 = client
                .call("via", ("forwarding", "call", method))
                .await
                .unwrap();
            assert_eq!(found, expected, "{name} {method}");
        }
    }
    serving.abort();
    owning.abort();
}

#[tokio::test]
async fn nobody_becomes_somebody_else_by_a_token() {
    let ran = Counter::default();
    let clients = Clients::of(behind(&ran));
    let authenticate = {
        let clients = clients.clone();
        Method::function("become", move |kind: String| {
            let client = clients.get(&kind).clone();
            async move {
                let outcome = client.call::<Value>("rpc.authenticate", ("writer",)).await;
                super::code_of(outcome)
            }
        })
    };
    let front = Router::of(Front { clients }).method(authenticate.public());
    let (url, serving) = serve(Server::new(front).authenticate(Tokens::default())).await;
    for (token, expected) in [("", -32006), ("reader", -32007)] {
        let client = caller(&url, token, false);
        for kind in ["plain", "forwarding"] {
            let code: i64 = client.call("become", (kind,)).await.unwrap();
            assert_eq!(code, -32601, "{kind}");
        }
        let found: i64 = client
            .call("via", ("forwarding", "call", "write"))
            .await
            .unwrap();
        assert_eq!(found, expected);
    }
    serving.abort();
}

/// Knows everybody, for a moment.
struct Brief;

impl Authenticator for Brief {
    async fn authenticate(
        &self,
        _: &Credentials,
    ) -> Result<Option<antiphon::Identity>, antiphon::AuthenticationError> {
        Ok(Some(brief()))
    }
}

#[tokio::test]
async fn an_identity_that_ends_while_its_method_runs_is_anonymous_behind() {
    let clients = Clients::of(behind(&Counter::default()));
    let until = Method::function("until_it_ends", move || {
        let client = clients.forwarding.clone();
        async move {
            let mut codes = Vec::new();
            loop {
                let code = super::call_in(&client, "call", "write").await;
                codes.push(code);
                if code != 0 {
                    return codes;
                }
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        }
    });
    let (url, serving) =
        serve(Server::new(Router::new().method(until.public())).authenticate(Brief)).await;
    let codes: Vec<i64> = caller(&url, "any", false)
        .call("until_it_ends", ())
        .await
        .unwrap();
    assert_eq!(codes.last(), Some(&-32006), "{codes:?}");
    serving.abort();
}
