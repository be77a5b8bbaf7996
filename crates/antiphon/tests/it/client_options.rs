//! Tests of what a client sends: parameters, ids, and every option of the builder.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use antiphon::client::{Client, ClientBuilder, Encoding, Error, ErrorKind};
use antiphon::{Id, IntoParams, Params, Router, call};
use serde_json::{Value, json};

use crate::client_support::{in_process, scripted};

/// Returns what a client with these options sends for a call of `m`, or its error.
async fn sent(
    options: impl FnOnce(ClientBuilder) -> ClientBuilder,
    params: impl IntoParams,
) -> Result<String, Error> {
    let (builder, log) = scripted(|seen| seen.answer("null"));
    let client = options(builder).build()?;
    let outcome: Result<Value, _> = client.call("m", params).await;
    let log = log.lock().unwrap();
    assert_eq!(log.len(), usize::from(outcome.is_ok()), "{outcome:?}");
    outcome.map(|_| log[0].body.clone())
}

#[tokio::test]
async fn parameters_are_sent_by_position_by_name_or_not_at_all() {
    let plain = |builder| builder;
    let table = [
        (sent(plain, (3, "x")).await, r#","params":[3,"x"]}"#),
        (sent(plain, [1, 2]).await, r#","params":[1,2]}"#),
        (sent(plain, Vec::<u8>::new()).await, r#","params":[]}"#),
        (
            sent(plain, Params::none().insert("a", 3).insert("b", "é")).await,
            r#","params":{"a":3,"b":"é"}}"#,
        ),
        (
            sent(plain, json!({"a": {"b": null}})).await,
            r#","params":{"a":{"b":null}}}"#,
        ),
        (sent(plain, ()).await, "}"),
    ];
    for (text, rest) in table {
        let expected = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"m"{rest}"#);
        assert_eq!(text.unwrap(), expected);
    }
}

#[tokio::test]
async fn invalid_parameters_are_an_error_and_nothing_is_sent() {
    let not_json = std::collections::HashMap::from([((1, 2), 3)]);
    let token = |builder: ClientBuilder| builder.data("token", "t");
    let table = [
        (
            sent(|builder| builder, (not_json,)).await,
            "`m`: a parameter has no JSON form: key must be a string",
        ),
        (
            sent(|builder| builder, json!(5)).await,
            "`m`: parameters must be an array or an object",
        ),
        (
            sent(token, (1,)).await,
            "`m`: cannot mix positional and named parameters",
        ),
    ];
    for (outcome, expected) in table {
        let error = outcome.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Local), "{error}");
        assert!(!error.is_decode());
        assert_eq!(error.to_string(), expected);
    }
}

#[tokio::test]
async fn data_is_added_to_the_named_parameters_of_every_call() {
    let options = |builder: ClientBuilder| builder.data("token", "t").data("a", 9);
    let named = Params::none().insert("a", 1).insert("b", 2);
    let text = sent(options, named).await.unwrap();
    assert!(
        text.ends_with(r#""params":{"a":9,"b":2,"token":"t"}}"#),
        "{text}"
    );
    let text = sent(options, ()).await.unwrap();
    assert!(text.ends_with(r#""params":{"token":"t","a":9}}"#), "{text}");
}

#[tokio::test]
async fn a_version_is_sent_verbatim_and_must_come_back() {
    let one = |seen: &crate::client_support::ReceivedRequest| {
        assert!(
            seen.body.starts_with(r#"{"jsonrpc":"1.\u0000","#),
            "{}",
            seen.body
        );
        crate::client_support::json(200, r#"{"jsonrpc":"1.\u0000","id":1,"result":5}"#)
    };
    let (builder, _) = scripted(one);
    let client = builder.version("1.\0").build().unwrap();
    assert_eq!(client.call::<u8>("m", ()).await.unwrap(), 5);

    let (builder, _) = scripted(|seen| seen.answer("5"));
    let client = builder.version("1.0").build().unwrap();
    let error = client.call::<u8>("m", ()).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Unknown), "{error}");
    assert!(error.is_invalid_answer());
}

#[tokio::test]
async fn the_ascii_option_escapes_other_characters_also_in_ids_and_names() {
    let (builder, log) = scripted(|seen| {
        // The server returns the id byte for byte, as JSON-RPC requires.
        let (_, rest) = seen.body.split_once(r#""id":"#).unwrap();
        let (id, _) = rest.split_once(r#","method""#).unwrap();
        let body = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":null}}"#);
        crate::client_support::json(200, body)
    });
    let client = builder.encoding(Encoding::Ascii).build().unwrap();
    let params = Params::none().insert("ß", "€ 😀 \" \n \u{7f}");
    client.call::<()>("é", params).id("ü").await.unwrap();
    let sent = log.lock().unwrap()[0].clone();
    let expected = r#"{"jsonrpc":"2.0","id":"\u00fc","method":"\u00e9","params":{"\u00df":"\u20ac \ud83d\ude00 \" \n "#;
    assert_eq!(sent.body, format!("{expected}\u{7f}\"}}}}"));
    assert_eq!(sent.json()["params"]["ß"], "€ 😀 \" \n \u{7f}");
}

#[tokio::test]
async fn ids_count_from_one_unless_they_are_set() {
    let (builder, log) = scripted(|seen| seen.answer("1"));
    let client = builder.build().unwrap();
    let other = client.namespace("n");
    client.call::<u8>("m", ()).await.unwrap();
    other.call::<u8>("m", ()).await.unwrap();
    client.clone().call::<u8>("m", ()).id("x\"y").await.unwrap();
    client.call::<u8>("m", ()).id(7).await.unwrap();
    client.call::<u8>("m", ()).await.unwrap();
    let ids: Vec<_> = log
        .lock()
        .unwrap()
        .iter()
        .map(|seen| seen.json()["id"].clone())
        .collect();
    assert_eq!(ids, [json!(1), json!(2), json!("x\"y"), json!(7), json!(3)]);

    let (builder, log) = scripted(|seen| seen.answer("1"));
    let next = AtomicU64::new(40);
    let next = move || Id::from(format!("i{}", next.fetch_add(1, Ordering::Relaxed)));
    let client = builder.id_generator(next).build().unwrap();
    client.call::<u8>("m", ()).await.unwrap();
    assert_eq!(log.lock().unwrap()[0].json()["id"], "i40");
}

#[tokio::test]
async fn an_id_that_is_null_or_too_long_is_not_sent() {
    let (builder, log) = scripted(|seen| seen.answer("1"));
    let client = builder.build().unwrap();
    let long = "x".repeat(254);
    client.call::<u8>("m", ()).id(long.as_str()).await.unwrap();
    for id in [Id::null(), Id::from(long + "x")] {
        let error = client.call::<u8>("m", ()).id(id).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Local), "{error}");
    }
    assert_eq!(log.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn names_are_joined_by_the_separator() {
    let (builder, log) = scripted(|seen| seen.answer("1"));
    let client = builder.build().unwrap();
    let deep = client.namespace("a").namespace("b");
    deep.call::<u8>("c", ()).await.unwrap();
    client.namespace("a").notify("d", ()).await.unwrap();
    client.call::<u8>("e", ()).await.unwrap();

    let (builder, other) = scripted(|seen| seen.answer("1"));
    let client = builder.separator("/").build().unwrap();
    client
        .namespace("a")
        .namespace("b")
        .call::<u8>("c", ())
        .await
        .unwrap();

    let names = |log: &crate::client_support::Log| -> Vec<_> {
        log.lock()
            .unwrap()
            .iter()
            .map(|seen| seen.json()["method"].clone())
            .collect()
    };
    assert_eq!(names(&log), ["a.b.c", "a.d", "e"]);
    assert_eq!(names(&other), ["a/b/c"]);
}

#[tokio::test]
async fn a_request_has_the_default_headers_and_the_configured_ones() {
    let (builder, log) = scripted(|seen| seen.answer("1"));
    let builder = builder
        .header("X-One", "1")
        .header("Authorization", "Bearer s");
    let client = builder.header("accept", "text/plain").build().unwrap();
    client.call::<u8>("m", ()).await.unwrap();
    let seen = log.lock().unwrap()[0].clone();
    assert_eq!(seen.method, "POST");
    assert_eq!(seen.uri, "http://server.test:80/");
    assert_eq!(seen.header("content-type"), Some("application/json"));
    assert_eq!(seen.header("accept"), Some("text/plain"));
    assert_eq!(seen.header("x-one"), Some("1"));
    assert!(seen.header("user-agent").unwrap().starts_with("antiphon/"));
    assert!(seen.headers["authorization"].is_sensitive());
    assert!(!format!("{client:?}").contains("Bearer"));
    let left: u64 = seen.header("rpc-timeout-ms").unwrap().parse().unwrap();
    assert!((1..=30_000).contains(&left), "{left}");
}

#[tokio::test]
async fn without_a_timeout_no_timeout_header_is_sent() {
    let (builder, log) = scripted(|seen| seen.answer("1"));
    let client = builder.timeout(None).build().unwrap();
    client.call::<u8>("m", ()).await.unwrap();
    client
        .call::<u8>("m", ())
        .timeout(Duration::from_secs(3600))
        .await
        .unwrap();
    let log = log.lock().unwrap();
    assert_eq!(log[0].header("rpc-timeout-ms"), None);
    assert!(log[1].header("rpc-timeout-ms").is_some());
}

#[test]
fn an_invalid_configuration_is_an_error_when_the_client_is_built() {
    let plain = Client::builder("localhost:1");
    let not_json = std::collections::HashMap::from([((1, 2), 3)]);
    let table = [
        (Client::builder("localhost"), "names no port"),
        (
            Client::builder("http://u:secret@h"),
            "no user name or password",
        ),
        #[cfg(not(feature = "tls"))]
        (Client::builder("https://h"), "not spoken by this build"),
        (
            plain.header("a b", "c"),
            "the header \"a b\" cannot be sent",
        ),
        (
            Client::builder(":1").header("a", "secret\r\nb: c"),
            "the header \"a\" cannot be sent",
        ),
        (
            Client::builder(":1").header("content-length", "1"),
            "\"content-length\" cannot be sent",
        ),
        (Client::builder(":1").data("a", not_json), "no JSON form"),
    ];
    for (builder, expected) in table {
        let error = builder.build().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Local), "{error}");
        assert!(error.to_string().contains(expected), "{error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}

#[tokio::test]
async fn a_custom_service_may_use_https() {
    let service = tower::service_fn(
        |request: http::Request<antiphon::client::Body>| async move {
            assert_eq!(request.uri(), "https://server.test:443/rpc?x=1");
            let text = r#"{"jsonrpc":"2.0","id":1,"result":5}"#;
            Ok::<_, std::io::Error>(http::Response::new(antiphon::client::Body::from(text)))
        },
    );
    let client = Client::builder("https://server.test/rpc?x=1").service(service);
    let five: u8 = client.build().unwrap().call("m", ()).await.unwrap();
    assert_eq!(five, 5);
}

#[tokio::test]
async fn the_type_of_a_result_is_inferred_from_its_use() {
    #[derive(serde::Deserialize, Debug, PartialEq)]
    struct Point {
        x: f64,
    }
    let calculator = Router::new()
        .method_fn("add", |a: f64, b: f64| a + b)
        .method_fn("nothing", || ())
        .method_fn("point", || json!({"x": 1.5}));
    let client = in_process(Router::new().nest("calc", calculator).build().unwrap());
    let sum: f64 = client.call("calc.add", (3, 4)).await.unwrap();
    assert_eq!(sum, 7.0);
    assert_eq!(client.call::<f64>("calc.add", (1, 2)).await.unwrap(), 3.0);
    let point: Point = client.call("calc.point", ()).await.unwrap();
    assert_eq!(point, Point { x: 1.5 });
    client.call::<()>("calc.nothing", ()).await.unwrap();
    assert_eq!(
        client.call::<Value>("calc.nothing", ()).await.unwrap(),
        Value::Null
    );

    let error = client.call::<String>("calc.add", (3, 4)).await.unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::Local) && error.is_decode(),
        "{error}"
    );
    assert!(
        error
            .to_string()
            .contains("is no alloc::string::String: invalid type"),
        "{error}"
    );
}

#[tokio::test]
async fn the_call_macro_has_the_syntax_of_a_method_call() {
    struct Shop {
        rpc: Client,
    }
    let (builder, log) = scripted(|seen| seen.answer("1"));
    let shop = Shop {
        rpc: builder.build().unwrap(),
    };
    let client = &shop.rpc;
    let (x, xs) = (1, [2, 3]);
    let _: u8 = call!(client.ping()).await.unwrap();
    let _: u8 = call!(client.calc.add(3, 4)).await.unwrap();
    let _: u8 = call!(client.a.b.type_.c(x, xs[0] + x, (1, "two"),))
        .id("i")
        .await
        .unwrap();
    let _: u8 = call!((shop.rpc).calc.add(a = 3, b = x + 1)).await.unwrap();
    let _: u8 = call!((&shop.rpc.namespace("n")).match(type = x == 2,))
        .await
        .unwrap();
    let sent: Vec<_> = log
        .lock()
        .unwrap()
        .iter()
        .map(|seen| {
            let seen = seen.json();
            (seen["method"].clone(), seen["params"].clone())
        })
        .collect();
    assert_eq!(
        sent,
        [
            (json!("ping"), json!(null)),
            (json!("calc.add"), json!([3, 4])),
            (json!("a.b.type_.c"), json!([1, 3, [1, "two"]])),
            (json!("calc.add"), json!({"a": 3, "b": 2})),
            (json!("n.match"), json!({"type": false})),
        ]
    );
}

#[test]
fn the_future_of_a_call_is_send_and_static() {
    #[derive(serde::Deserialize)]
    struct LocalOnly(#[serde(skip)] std::marker::PhantomData<*const ()>);
    fn anywhere<T: Send + 'static>(value: T) -> T {
        value
    }
    let client = Client::connect(":1").unwrap();
    drop(anywhere(client.call::<LocalOnly>("m", ()).into_future()));
    drop(anywhere(client.notify("m", ())));
    drop(anywhere(client.call_full::<f64>("m", (&String::new(),))));
    drop(anywhere(client.batch().send()));
    drop(anywhere(async move {
        client.call::<f64>("m", (&String::new(),)).await
    }));
}
