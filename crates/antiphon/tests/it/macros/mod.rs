//! Tests of `#[rpc]` on `impl` blocks, `#[rpc_method]` and `#[derive(ErrorCodes)]`.
//!
//! | file | what it tests |
//! |---|---|
//! | `mod.rs` | which methods are remote, their names and responses |
//! | `params.rs` | parameters, contexts and request handlers |
//! | `errors.rs` | custom errors |
//! | `shadowed.rs` | programs that shadow the prelude |
//! | `client.rs` | the generated clients of `impl` blocks |
//! | `streams.rs` | methods that return streams |

pub(crate) mod client;
mod errors;
mod params;
mod shadowed;
mod streams;

use std::collections::BTreeMap;
use std::sync::Mutex;

use antiphon::{Access, Context, Dispatcher, ErrorObject, Router, rpc, rpc_method};
use serde::Deserialize;
use serde_json::{Value, json};

use params::prepare;

/// Calls each method with these parameters (an empty text means none), and compares the member
/// `result` of the response, or `error` if the expected text begins with `!`.
pub(crate) async fn check(router: Router, cases: &[(&str, &str, &str)]) {
    let dispatcher = router.build().unwrap();
    for (method, params, expected) in cases {
        let answer = call(&dispatcher, method, params).await;
        let (member, expected) = match expected.strip_prefix('!') {
            Some(error) => ("error", error),
            None => ("result", *expected),
        };
        let expected: Value = serde_json::from_str(expected).unwrap();
        assert_eq!(
            answer.get(member),
            Some(&expected),
            "{method}({params}): {answer}"
        );
    }
}

pub(crate) async fn call(dispatcher: &Dispatcher, method: &str, params: &str) -> Value {
    let params = match params {
        "" => String::new(),
        params => format!(r#","params":{params}"#),
    };
    let request = format!(r#"{{"jsonrpc":"2.0","id":"q","method":"{method}"{params}}}"#);
    let answer = dispatcher.handle(request).await.unwrap();
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!(answer.get("id"), Some(&json!("q")));
    answer
}

/// The expected error for an invalid parameter.
fn unfit(parameter: &str, reason: &str, text: &str) -> String {
    let data = json!({"parameter": parameter, "reason": reason});
    let error = json!({"code": -32602, "message": format!("Invalid params: {text}"), "data": data});
    format!("!{error}")
}

fn names(router: Router) -> Vec<String> {
    let methods = router.build().unwrap();
    let methods = methods.tree().methods(Access::Admin);
    methods.iter().map(|m| m.name().to_owned()).collect()
}

struct Calculator;

/// Does sums.
///
/// And more.
#[rpc]
impl Calculator {
    /// Adds two numbers.
    fn rpc_add(&self, a: f64, b: f64) -> f64 {
        a + b
    }

    /// Divides two numbers.
    async fn rpc_divide(&self, a: f64, b: f64) -> Result<f64, ErrorObject> {
        tokio::task::yield_now().await;
        if b == 0.0 {
            return Err(ErrorObject::new(1, "division by zero"));
        }
        Ok(a / b)
    }

    fn rpc_pi() -> f64 {
        3.0
    }

    fn rpc_nothing(&self) {}

    async fn rpc_later() {}

    fn rpc_name(&self) -> &'static str {
        "calculator"
    }

    fn helper(&self) -> u8 {
        1
    }

    #[method]
    fn plain(&self) -> u8 {
        self.helper()
    }

    #[method(skip)]
    #[allow(dead_code)]
    fn rpc_private(&self, _anything: &str) {}

    #[allow(dead_code)]
    const LIMIT: u8 = 1;
}

#[tokio::test]
async fn an_objects_methods_are_called_by_position_and_by_name() {
    check(
        Router::of(Calculator),
        &[
            ("add", "[1,2]", "3.0"),
            ("add", r#"{"b":1,"a":2}"#, "3.0"),
            ("divide", "[1,2]", "0.5"),
            (
                "divide",
                "[1,0]",
                r#"!{"code":1,"message":"division by zero"}"#,
            ),
            ("pi", "", "3.0"),
            ("pi", "[]", "3.0"),
            ("nothing", "{}", "null"),
            ("later", "", "null"),
            ("name", "", r#""calculator""#),
            ("plain", "", "1"),
            (
                "add",
                "[1]",
                &unfit("b", "missing", r#"missing parameter "b""#),
            ),
            (
                "add",
                "",
                &unfit("a", "missing", r#"missing parameter "a""#),
            ),
            (
                "divide",
                r#"[1,"2"]"#,
                &unfit(
                    "b",
                    "type",
                    r#"parameter "b": invalid type: string "2", expected f64"#,
                ),
            ),
            (
                "add",
                r#"{"a":1,"b":1,"c":1}"#,
                &unfit("c", "unknown", r#"unknown parameter "c""#),
            ),
            (
                "helper",
                "",
                r#"!{"code":-32601,"message":"Method not found"}"#,
            ),
            (
                "private",
                "",
                r#"!{"code":-32601,"message":"Method not found"}"#,
            ),
        ],
    )
    .await;
}

#[test]
fn documentation_comes_from_the_comments() {
    let dispatcher = Router::of(Calculator).build().unwrap();
    let root = dispatcher.tree().root();
    assert_eq!(root.title(), "Calculator");
    assert_eq!(root.documentation(), "Does sums.\n\nAnd more.");
    let methods = dispatcher.tree().methods(Access::Admin);
    let add = methods.iter().find(|m| m.name() == "add").unwrap();
    assert_eq!(add.doc(), "Adds two numbers.");
    let params: Vec<_> = add
        .params()
        .iter()
        .map(|p| (p.name(), p.is_required()))
        .collect();
    assert_eq!(params, [("a", true), ("b", true)]);
}
trait Store: Send + Sync + 'static {
    type Key: for<'de> Deserialize<'de> + Send;
    fn get(&self, key: Self::Key) -> Option<String>;
}

struct Memory(Mutex<Vec<String>>);

impl Store for Memory {
    type Key = usize;

    fn get(&self, key: usize) -> Option<String> {
        self.0.lock().unwrap().get(key).cloned()
    }
}

struct Api<S, const N: usize>(S);

#[rpc(serve_as = "api")]
impl<S, const N: usize> Api<S, N>
where
    S: Store,
{
    fn api_get(&self, key: S::Key) -> Option<String> {
        self.0.get(key)
    }

    async fn api_get_later(&self, key: S::Key) -> Option<String> {
        tokio::task::yield_now().await;
        self.0.get(key)
    }

    fn api_size() -> usize {
        N
    }

    #[allow(dead_code)]
    fn rpc_not_this(&self) {}
}

#[tokio::test]
async fn a_generic_object_is_mounted_with_its_types() {
    let memory = Memory(Mutex::new(vec!["zero".to_owned()]));
    let router = Router::of(Api::<_, 3>(memory));
    check(
        router,
        &[
            ("get", "[0]", r#""zero""#),
            ("get_later", "[1]", "null"),
            ("size", "", "3"),
        ],
    )
    .await;
}

/// Divides two numbers.
#[rpc_method]
fn divide(a: f64, #[arg(default = 2.0)] b: f64) -> f64 {
    a / b
}

#[rpc_method(name = "wait", local)]
pub(crate) async fn pause(ctx: &Context, #[arg(flatten)] rest: BTreeMap<String, u8>) -> usize {
    tokio::task::yield_now().await;
    rest.len() + usize::from(ctx.is_local())
}

#[rpc_method(blocking, request_handler = prepare)]
fn charge(amount: i64, user: String) -> Result<(i64, String), ErrorObject> {
    Ok((amount, user))
}

#[tokio::test]
async fn a_function_is_a_method_and_can_still_be_called() {
    assert_eq!(divide::call(1.0, 2.0), 0.5);
    let router = Router::new().method(divide).method(pause).method(charge);
    check(
        router,
        &[
            ("divide", "[1]", "0.5"),
            ("divide", r#"{"a":1,"b":4}"#, "0.25"),
            ("wait", r#"{"x":1}"#, "2"),
            ("charge", "[1]", r#"[2,"json"]"#),
        ],
    )
    .await;
}

struct Hidden;

#[rpc]
impl Hidden {
    #[method(local)]
    fn rpc_secret(&self) -> u8 {
        1
    }

    #[cfg(any())]
    fn rpc_never(&self, a: NoSuchType) -> NoSuchType {
        a
    }

    #[cfg(not(any()))]
    fn rpc_sometimes(&self) -> u8 {
        1
    }

    #[cfg(any())]
    #[method(name = "sometimes")]
    fn rpc_otherwise(&self) -> u8 {
        2
    }

    #[deprecated = "use sometimes"]
    fn rpc_old(&self) -> u8 {
        3
    }
}

#[tokio::test]
async fn a_method_is_registered_if_it_is_compiled() {
    assert_eq!(names(Router::of(Hidden)), ["old", "secret", "sometimes"]);
    let dispatcher = Router::of(Hidden).build().unwrap();
    let remote = dispatcher.tree().methods(Access::Public);
    let remote: Vec<_> = remote.iter().map(|method| method.name()).collect();
    assert_eq!(remote, ["old", "sometimes"], "local methods are hidden");
    check(
        Router::of(Hidden),
        &[("sometimes", "", "1"), ("old", "", "3")],
    )
    .await;
}

struct Kebab;

#[rpc(rename_all = "kebab-case", serve_as = "on")]
impl Kebab {
    fn on_open_file(&self) {}

    #[method]
    fn close_file(&self) {}

    #[method(name = "as_is")]
    fn on_something(&self) {}
}

#[test]
fn names_follow_the_rule_unless_they_are_set() {
    assert_eq!(
        names(Router::of(Kebab)),
        ["as_is", "close-file", "open-file"]
    );
}

struct Panics;

#[rpc]
impl Panics {
    fn rpc_now(&self) -> u8 {
        panic!("secret")
    }

    async fn rpc_later(&self) -> u8 {
        tokio::task::yield_now().await;
        panic!("secret")
    }

    #[method(blocking)]
    fn rpc_elsewhere(&self) -> u8 {
        panic!("secret")
    }

    #[method(blocking, request_handler = prepare)]
    fn rpc_handled(&self, user: String) -> u8 {
        panic!("secret {user}")
    }
}

#[tokio::test]
async fn a_panic_is_an_internal_error_with_the_callers_id() {
    let dispatcher = Router::of(Panics).build().unwrap();
    for method in ["now", "later", "elsewhere", "handled"] {
        let answer = call(&dispatcher, method, "").await;
        assert_eq!(answer["error"]["code"], -32603, "{method}");
        assert_eq!(answer["error"]["message"], "Internal error");
        assert!(!answer.to_string().contains("secret"));
    }
}

#[tokio::test]
async fn a_program_may_shadow_the_prelude() {
    let router = Router::of(shadowed::Object)
        .method(shadowed::free)
        .merge(shadowed::Interface::into_router(shadowed::Object));
    check(
        router,
        &[
            ("o.now", "[1]", r#"[0,"c"]"#),
            ("o.now", "[0]", r#"!{"code":2,"message":"0","data":0}"#),
            ("o.later", "", "true"),
            ("o.elsewhere", "", "true"),
            ("o.handled", "[1]", "1"),
            ("two", "[1]", "2"),
            ("free", "[1]", "1"),
        ],
    )
    .await;
}
