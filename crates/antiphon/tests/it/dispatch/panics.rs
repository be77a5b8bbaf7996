//! Tests of panics in methods, results and layers: the caller gets an error without details.

use std::collections::HashSet;
use std::future::pending;
use std::panic::panic_any;
use std::sync::Once;
use std::time::Duration;

use antiphon::{Call, CallFuture, Dispatcher, Endpoint, Limits, Method, Router};
use serde::{Serialize, Serializer};
use serde_json::Value;
use tower::layer::layer_fn;
use tower::service_fn;

use crate::support::{ask, batch, call, code, codes, notification};

/// Part of every panic message. It must not occur in any response.
const CANARY: &str = "S3CR3T";

/// Hides the expected panics of these tests from the output.
pub(crate) fn quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let payload = info.payload();
            let text = match payload.downcast_ref::<&str>() {
                Some(text) => Some(*text),
                None => payload.downcast_ref::<String>().map(String::as_str),
            };
            if !text.unwrap_or(CANARY).contains(CANARY) {
                before(info);
            }
        }));
    });
}

struct PanicsInSerialize;

impl Serialize for PanicsInSerialize {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        panic!("{CANARY}");
    }
}

struct FailsInSerialize;

impl Serialize for FailsInSerialize {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom(CANARY))
    }
}

/// Panics when it is dropped.
#[derive(Serialize)]
struct PanicsOnDrop;

impl Drop for PanicsOnDrop {
    fn drop(&mut self) {
        panic!("{CANARY}");
    }
}

fn bang() {
    panic!("{CANARY}");
}

fn router() -> Router {
    quiet();
    let blocking = Method::new("blocking", |call: Call| {
        CallFuture::blocking(&call.context(), move || {
            bang();
            call.answer(Ok(()))
        })
    });
    let late_drop = Method::new("late_drop", |call: Call| {
        let mine = PanicsOnDrop;
        CallFuture::boxed(&call.context(), async move {
            let _mine = mine;
            pending::<()>().await;
            call.answer(Ok(()))
        })
    });
    Router::new()
        .method_fn("now", bang)
        .method_fn("first_poll", || async { bang() })
        .method_fn("later", || async {
            tokio::task::yield_now().await;
            bang();
        })
        .method_fn("any", || -> bool { panic_any(PanicsOnDrop) })
        .method_fn("serialize", || PanicsInSerialize)
        .method_fn("serialize_later", || async {
            tokio::task::yield_now().await;
            PanicsInSerialize
        })
        .method_fn("unwritable", || FailsInSerialize)
        .method_fn("drop", || PanicsOnDrop)
        .method_fn("drop_later", || async {
            let _mine = PanicsOnDrop;
            tokio::task::yield_now().await;
        })
        .method(blocking)
        .method(late_drop)
        .method_fn("fine", || "fine")
}

const PANICKING: [&str; 10] = [
    "now",
    "first_poll",
    "later",
    "any",
    "serialize",
    "serialize_later",
    "unwritable",
    "drop",
    "drop_later",
    "blocking",
];

fn check(answer: &Value, method: &str) -> String {
    assert_eq!(code(answer), -32603, "{method}: {answer}");
    let error = &answer["error"];
    assert_eq!(error["message"], "Internal error", "{method}");
    assert!(!answer.to_string().contains(CANARY), "{method}: {answer}");
    let data = error["data"].as_object().unwrap();
    assert_eq!(data.len(), 1, "{method}: {answer}");
    let incident = data["incident"].as_str().unwrap();
    assert!(
        incident.len() == 16 && incident.bytes().all(|byte| byte.is_ascii_hexdigit()),
        "{method}: {answer}"
    );
    incident.to_owned()
}

async fn still_works(dispatcher: &Dispatcher) {
    assert_eq!(dispatcher.in_flight(), 0);
    let answer = ask(dispatcher, call("1", "fine", "[]")).await;
    assert_eq!(answer["result"], "fine");
}

#[tokio::test]
async fn the_caller_of_a_method_that_panics_gets_an_error_with_the_id() {
    let dispatcher = router().build().unwrap();
    for method in PANICKING {
        let answer = ask(&dispatcher, call("\"mine\"", method, "[]")).await;
        assert_eq!(answer["id"], "mine", "{method}");
        check(&answer, method);

        let message = batch([
            call("1", "fine", "[]"),
            call("2", method, "[]"),
            notification(method, "[]"),
            call("3", "fine", "[]"),
        ]);
        let answers = ask(&dispatcher, message).await;
        assert_eq!(codes(&answers), [0, -32603, 0], "{method}");
        assert_eq!(answers[1]["id"], 2);

        let message = notification(method, "[]");
        assert_eq!(ask(&dispatcher, message).await, Value::Null, "{method}");
    }
    still_works(&dispatcher).await;
}

#[tokio::test]
async fn ten_thousand_panics_leave_nothing_behind() {
    let dispatcher = router().build().unwrap();
    let mut incidents = HashSet::new();
    for n in 0..10_000 {
        // A blocking method needs a thread, so only every hundredth call is blocking.
        let method = if n % 100 == 0 {
            "blocking"
        } else {
            PANICKING[n % 9]
        };
        let answer = ask(&dispatcher, call(&n.to_string(), method, "[]")).await;
        assert_eq!(answer["id"], n);
        incidents.insert(check(&answer, method));
    }
    assert_eq!(incidents.len(), 10_000, "no incident id comes twice");
    still_works(&dispatcher).await;
}

#[tokio::test(start_paused = true)]
async fn a_call_that_panics_at_its_deadline_is_answered() {
    let limits = Limits::default().batch_timeout(Duration::from_secs(1));
    let dispatcher = router().build_with(limits).unwrap();
    let answer = ask(&dispatcher, call("1", "late_drop", "[]")).await;
    assert_eq!(code(&answer), -32001);
    // Two calls at once: a panic during the unwinding of another would abort the process.
    let message = batch((0..3).map(|id| call(&format!("{id}"), "late_drop", "[]")));
    assert_eq!(codes(&ask(&dispatcher, message).await), [-32001; 3]);
    still_works(&dispatcher).await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_an_abandoned_call_affects_no_other_call() {
    let dispatcher = router().build().unwrap();
    let single = call("1", "late_drop", "[]");
    let several = batch((0..3).map(|id| call(&format!("{id}"), "late_drop", "[]")));
    for message in [single, several] {
        let patience = Duration::from_millis(10);
        let answer = tokio::time::timeout(patience, dispatcher.handle(message)).await;
        assert!(answer.is_err());
        still_works(&dispatcher).await;
    }
}

#[tokio::test]
async fn a_panic_in_a_layer_is_answered_like_one_in_a_method() {
    quiet();
    type Broken = fn(Call) -> std::future::Ready<Result<antiphon::Reply, antiphon::BoxError>>;
    let at_once: Broken = |call| {
        assert!(call.method() != "now", "{CANARY}");
        std::future::ready(Err("refused".into()))
    };
    let dispatcher = Router::new()
        .method_fn("now", || 1)
        .layer(layer_fn(move |_inside: Endpoint| service_fn(at_once)))
        .build()
        .unwrap();
    for method in ["now", "else"] {
        let answer = ask(&dispatcher, call("9", method, "[]")).await;
        assert_eq!(answer["id"], 9);
        check(&answer, method);
        assert!(!answer.to_string().contains("refused"));
    }
}
