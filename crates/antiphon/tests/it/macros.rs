//! `#[rpc]` on blocks, `#[rpc_method]` and `#[derive(ErrorCodes)]`: request → answer.

#![allow(clippy::unwrap_used)] // also in functions that tests share

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use antiphon::{
    Context, Dispatcher, ErrorCode, ErrorCodes, ErrorObject, Failure, NamedParams, Router, rpc,
    rpc_method,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Calls each method with these parameters (no text is no parameters), and compares the answer's
/// member `result`, or `error` if the expected text begins with `!`.
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

/// The error for a parameter, as the answer has it.
fn unfit(parameter: &str, reason: &str, text: &str) -> String {
    let data = json!({"parameter": parameter, "reason": reason});
    let error = json!({"code": -32602, "message": format!("Invalid params: {text}"), "data": data});
    format!("!{error}")
}

fn names(router: Router) -> Vec<String> {
    let methods = router.build().unwrap();
    let methods = methods.tree().methods(true);
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
        Router::new(Calculator),
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
fn documents_say_what_the_comments_say() {
    let dispatcher = Router::new(Calculator).build().unwrap();
    let root = dispatcher.tree().root();
    assert_eq!(root.title(), "Calculator");
    assert_eq!(root.documentation(), "Does sums.\n\nAnd more.");
    let methods = dispatcher.tree().methods(true);
    let add = methods.iter().find(|m| m.name() == "add").unwrap();
    assert_eq!(add.doc(), "Adds two numbers.");
    let params: Vec<_> = add
        .params()
        .iter()
        .map(|p| (p.name(), p.is_required()))
        .collect();
    assert_eq!(params, [("a", true), ("b", true)]);
}

struct Options;

#[derive(Debug, Default, Deserialize, Serialize)]
struct Filter {
    #[serde(default)]
    kind: String,
    #[serde(default)]
    limit: Option<u32>,
}

fn seven() -> i32 {
    7
}

#[rpc(title = "All options", rename_all = "camelCase")]
impl Options {
    fn rpc_optional(&self, a: Option<i32>, b: Option<String>) -> (Option<i32>, Option<String>) {
        (a, b)
    }

    fn rpc_with_defaults(
        &self,
        mut a: i32,
        #[arg(default)] b: i32,
        #[arg(default = seven())] c: i32,
        #[arg(default = "x")] d: String,
        #[arg(default = Some(Self::NINE))] e: Option<i32>,
    ) -> (i32, i32, i32, String, Option<i32>) {
        a += 1;
        (a, b, c, d, e)
    }

    fn rpc_renamed(&self, #[arg(name = "type")] kind: String, r#match: bool) -> (String, bool) {
        (kind, r#match)
    }

    fn rpc_rest_of_it(
        &self,
        a: i32,
        #[arg(flatten)] rest: BTreeMap<String, Value>,
    ) -> (i32, Value) {
        (a, json!(rest))
    }

    async fn rpc_find(&self, #[arg(flatten)] filter: Filter, text: String) -> (String, Filter) {
        (text, filter)
    }

    #[method(name = "other name", doc = "Said here.", format = "xml")]
    /// Not this.
    fn rpc_named(&self, ctx: &Context) -> String {
        ctx.format().to_owned()
    }

    const NINE: i32 = 9;
}

#[tokio::test]
async fn parameters_may_be_left_out_renamed_and_gathered() {
    check(
        Router::new(Options),
        &[
            ("optional", "", "[null,null]"),
            ("optional", "[1]", "[1,null]"),
            ("optional", r#"{"b":"x"}"#, r#"[null,"x"]"#),
            ("optional", r#"[null,"x"]"#, r#"[null,"x"]"#),
            ("withDefaults", "[1]", r#"[2,0,7,"x",9]"#),
            ("withDefaults", r#"{"a":1,"e":null,"c":2}"#, r#"[2,0,2,"x",null]"#),
            ("withDefaults", r#"[1,2,3,"y",4]"#, r#"[2,2,3,"y",4]"#),
            ("renamed", r#"{"type":"t","match":true}"#, r#"["t",true]"#),
            ("renamed", r#"["t",true]"#, r#"["t",true]"#),
            (
                "renamed",
                r#"{"kind":"t"}"#,
                &unfit("kind", "unknown", r#"unknown parameter "kind""#),
            ),
            ("restOfIt", r#"{"z":1,"a":2,"y":[3]}"#, r#"[2,{"z":1,"y":[3]}]"#),
            ("restOfIt", r#"{"a":2,"rest":3}"#, r#"[2,{"rest":3}]"#),
            ("restOfIt", r#"{"a":2}"#, "[2,{}]"),
            (
                "restOfIt",
                "[2]",
                r#"!{"code":-32602,"message":"Invalid params: this method takes parameters by name","data":{"reason":"too_many"}}"#,
            ),
            (
                "find",
                r#"{"text":"t","kind":"k","limit":3}"#,
                r#"["t",{"kind":"k","limit":3}]"#,
            ),
            ("other name", "", r#""xml""#),
        ],
    )
    .await;
    let dispatcher = Router::new(Options).build().unwrap();
    assert_eq!(dispatcher.tree().root().title(), "All options");
    let methods = dispatcher.tree().methods(true);
    let named = methods.iter().find(|m| m.name() == "other name").unwrap();
    assert_eq!((named.doc(), named.format()), ("Said here.", "xml"));
    let defaults = methods.iter().find(|m| m.name() == "withDefaults").unwrap();
    let required: Vec<_> = defaults.params().iter().map(|p| p.is_required()).collect();
    assert_eq!(required, [true, false, false, false, false]);
}

type Ctx = Context;

#[derive(Default)]
struct Contexts {
    count: AtomicU64,
}

#[rpc]
impl Contexts {
    fn rpc_first(&self, ctx: &Context, a: i32) -> (String, i32) {
        (ctx.method().unwrap().name().to_owned(), a)
    }

    fn rpc_last(&self, a: i32, ctx: Context) -> (String, i32) {
        (ctx.method().unwrap().name().to_owned(), a)
    }

    async fn rpc_between(&self, a: i32, #[ctx] c: &Ctx, b: i32) -> (String, i32) {
        tokio::task::yield_now().await;
        (c.method().unwrap().name().to_owned(), a + b)
    }

    async fn rpc_owned(#[ctx] c: Ctx) -> Option<String> {
        c.id().map(ToString::to_string)
    }

    fn rpc_place(&self, ctx: &Context) -> (String, bool, Vec<String>, Option<String>) {
        let node = ctx.node();
        let children = node.names().into_iter().map(str::to_owned).collect();
        let up = node.parent().map(|parent| parent.title().to_owned());
        (node.prefix().to_owned(), node.is_root(), children, up)
    }

    fn rpc_sibling(&self, ctx: &Context, name: String) -> Option<String> {
        let found = ctx.node().root().get(&name)?;
        Some(found.title().to_owned())
    }

    fn rpc_all(&self, ctx: &Context) -> usize {
        ctx.router().methods(ctx.is_local()).len()
    }

    #[method(blocking)]
    fn rpc_count(&self, ctx: &Context, by: u64) -> (bool, u64) {
        std::thread::sleep(std::time::Duration::from_millis(5));
        let count = self.count.fetch_add(by, Ordering::Relaxed) + by;
        (ctx.id().is_some(), count)
    }
}

#[tokio::test]
async fn a_context_is_no_parameter() {
    check(
        Router::default()
            .title("top")
            .nest(
                "ctx",
                Router::new(Contexts::default()).nest("calc", Calculator),
            )
            .nest("calc", Calculator),
        &[
            ("ctx.first", "[1]", r#"["ctx.first",1]"#),
            ("ctx.last", r#"{"a":1}"#, r#"["ctx.last",1]"#),
            ("ctx.between", "[1,2]", r#"["ctx.between",3]"#),
            ("ctx.owned", "", r#""\"q\"""#),
            ("ctx.place", "", r#"["ctx.",false,["calc"],"top"]"#),
            ("ctx.sibling", r#"["calc"]"#, r#""Calculator""#),
            ("ctx.sibling", r#"["none"]"#, "null"),
            ("ctx.count", "[2]", "[true,2]"),
            ("ctx.count", "[2]", "[true,4]"),
            ("ctx.calc.add", "[2,3]", "5.0"),
        ],
    )
    .await;
}

/// Fills `user` when it is missing and doubles `amount`.
fn prepare(_ctx: &Context, format: &str, params: &mut NamedParams) -> Result<(), ErrorObject> {
    if !params.contains("user") {
        params.insert("user", format);
    }
    if let Some(amount) = params.get::<i64>("amount") {
        params.insert("amount", amount * 2);
    }
    Ok(())
}

async fn prepare_later(
    ctx: &Context,
    _format: &str,
    params: &mut NamedParams,
) -> Result<(), Failure> {
    tokio::task::yield_now().await;
    if params.remove("forbidden") {
        return Err(ErrorObject::new(403, "not today").into());
    }
    params.insert("user", ctx.method().unwrap().name());
    Ok(())
}

struct Handled {
    rate: i64,
}

#[rpc]
impl Handled {
    #[method(request_handler = prepare, format = "csv")]
    fn rpc_pay(&self, amount: i64, user: String) -> (i64, String) {
        (amount * self.rate, user)
    }

    #[method(request_handler = prepare)]
    async fn rpc_pay_later(&self, ctx: &Context, amount: i64, user: String) -> (i64, String, bool) {
        tokio::task::yield_now().await;
        (amount * self.rate, user, ctx.id().is_some())
    }

    #[method(request_handler = prepare_later, blocking)]
    fn rpc_pay_slowly(
        &self,
        amount: Option<i64>,
        ctx: Context,
        user: String,
    ) -> (Option<i64>, String, bool) {
        (amount, user, ctx.id().is_some())
    }
}

#[tokio::test]
async fn a_request_handler_fills_what_is_open_and_replaces_by_name() {
    check(
        Router::new(Handled { rate: 10 }),
        &[
            ("pay", "[1]", r#"[20,"csv"]"#),
            ("pay", r#"[1,"me"]"#, r#"[20,"me"]"#),
            ("pay", r#"{"user":"you","amount":3}"#, r#"[60,"you"]"#),
            ("pay", "", &unfit("amount", "missing", r#"missing parameter "amount""#)),
            (
                "pay",
                r#"[1,"me",2]"#,
                r#"!{"code":-32602,"message":"Invalid params: too many parameters, at most 2 are taken","data":{"reason":"too_many"}}"#,
            ),
            ("pay_later", r#"{"amount":1}"#, r#"[20,"json",true]"#),
            ("pay_slowly", r#"[1,"me"]"#, r#"[1,"pay_slowly",true]"#),
            ("pay_slowly", "", r#"[null,"pay_slowly",true]"#),
            (
                "pay_slowly",
                r#"{"forbidden":1}"#,
                r#"!{"code":403,"message":"not today"}"#,
            ),
        ],
    )
    .await;
}

/// What may go wrong in a shop.
#[derive(Debug, ErrorCodes)]
enum ShopError {
    /// Closed { for the day }.
    ///
    /// Open tomorrow.
    #[code(1400)]
    Closed,
    #[code(1401)]
    OutOfStock,
    #[code(1402)]
    #[message("only {left:>3} {what} left of {what:?}, {{not more}}")]
    Few {
        what: String,
        #[data]
        left: u32,
    },
    #[code(-1)]
    #[message("{0} then {1}")]
    Pair(String, #[data] u8),
    #[code(1404)]
    #[message("{type}")]
    #[data]
    All { r#type: String, count: u8 },
    #[code(1405)]
    #[data]
    Two(u8, u8),
    #[code(1406)]
    Some {
        #[data]
        a: u8,
        #[data]
        b: &'static str,
        #[allow(dead_code)]
        c: u8,
    },
    #[cfg(any())]
    #[code(1407)]
    Never(NoSuchType),
}

struct Shop;

#[rpc(namespace = "shop", separator = "/")]
impl Shop {
    fn rpc_buy(&self, what: u8) -> Result<u8, ShopError> {
        Err(match what {
            0 => return Ok(0),
            1 => ShopError::Closed,
            2 => ShopError::OutOfStock,
            3 => ShopError::Few {
                what: "nuts".into(),
                left: 2,
            },
            4 => ShopError::Pair("a".into(), 5),
            5 => ShopError::All {
                r#type: "bolt".into(),
                count: 1,
            },
            6 => ShopError::Two(1, 2),
            _ => ShopError::Some { a: 1, b: "x", c: 3 },
        })
    }

    async fn rpc_read(&self, path: String) -> Result<usize, Failure> {
        Ok(std::fs::read(path)?.len())
    }

    #[method(blocking)]
    fn rpc_code(&self) -> Result<(), ErrorCode> {
        Err(ErrorCode::NEEDS_SESSION)
    }
}

#[tokio::test]
async fn errors_of_ones_own_have_codes_messages_and_data() {
    check(
        Router::new(Shop),
        &[
            ("shop/buy", "[0]", "0"),
            (
                "shop/buy",
                "[1]",
                r#"!{"code":1400,"message":"Closed { for the day }."}"#,
            ),
            (
                "shop/buy",
                "[2]",
                r#"!{"code":1401,"message":"Out of stock"}"#,
            ),
            (
                "shop/buy",
                "[3]",
                r#"!{"code":1402,"message":"only   2 nuts left of \"nuts\", {not more}","data":2}"#,
            ),
            (
                "shop/buy",
                "[4]",
                r#"!{"code":-1,"message":"a then 5","data":5}"#,
            ),
            (
                "shop/buy",
                "[5]",
                r#"!{"code":1404,"message":"bolt","data":{"type":"bolt","count":1}}"#,
            ),
            (
                "shop/buy",
                "[6]",
                r#"!{"code":1405,"message":"Two","data":[1,2]}"#,
            ),
            (
                "shop/buy",
                "[7]",
                r#"!{"code":1406,"message":"Some","data":{"a":1,"b":"x"}}"#,
            ),
            (
                "shop/code",
                "",
                r#"!{"code":-32004,"message":"Method needs a session"}"#,
            ),
        ],
    )
    .await;
    let dispatcher = Router::new(Shop).build().unwrap();
    let answer = call(&dispatcher, "shop/read", r#"["/no/such/file"]"#).await;
    assert_eq!(answer["error"]["code"], -32603);
    assert!(!answer.to_string().contains("such"), "{answer}");
    assert_eq!(
        dispatcher.tree().root().get("shop").unwrap().title(),
        "Shop"
    );
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
    let router = Router::new(Api::<_, 3>(memory));
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
    let router = Router::default()
        .method(divide)
        .method(pause)
        .method(charge);
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
    assert_eq!(names(Router::new(Hidden)), ["old", "secret", "sometimes"]);
    let dispatcher = Router::new(Hidden).build().unwrap();
    let remote = dispatcher.tree().methods(false);
    let remote: Vec<_> = remote.iter().map(|method| method.name()).collect();
    assert_eq!(remote, ["old", "sometimes"], "local methods are hidden");
    check(
        Router::new(Hidden),
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
fn names_follow_the_rule_unless_given() {
    assert_eq!(
        names(Router::new(Kebab)),
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
    let dispatcher = Router::new(Panics).build().unwrap();
    for method in ["now", "later", "elsewhere", "handled"] {
        let answer = call(&dispatcher, method, "").await;
        assert_eq!(answer["error"]["code"], -32603, "{method}");
        assert_eq!(answer["error"]["message"], "Internal error");
        assert!(!answer.to_string().contains("secret"));
    }
}

/// Nothing of the prelude is here, and what is called like it is something else.
mod shadowed {
    #![no_implicit_prelude]
    #![allow(dead_code, non_camel_case_types)]

    use ::antiphon::{Context, ErrorCodes, ErrorObject, rpc, rpc_method};

    struct Option;
    struct Result;
    struct Vec;
    struct String;
    struct Some;
    struct None;
    struct Ok;
    struct Err;
    struct Box;
    struct Arc;
    trait Clone {}
    trait Default {}
    trait From {}
    trait Into {}
    trait Send {}
    trait Sync {}
    trait Sized {}
    trait Future {}
    trait Debug {}
    mod std {}
    mod core {}
    mod alloc {}
    mod antiphon {}
    mod serde {}

    #[derive(ErrorCodes)]
    pub(super) enum Trouble {
        #[code(1)]
        Plain,
        #[code(2)]
        #[message("{0}")]
        #[data]
        Told(u8),
        #[code(3)]
        #[data]
        Named { a: u8, b: u8 },
    }

    pub(super) struct Object;

    fn handle(
        _: &Context,
        _: &str,
        _: &mut ::antiphon::NamedParams,
    ) -> ::std::result::Result<(), ErrorObject> {
        ::std::result::Result::Ok(())
    }

    #[rpc(namespace = "o", separator = ".")]
    impl Object {
        /// Docs.
        fn rpc_now(
            &self,
            ctx: &Context,
            a: ::std::option::Option<u8>,
            #[arg(default)] b: u8,
            #[arg(default = "c")] c: ::std::string::String,
        ) -> ::std::result::Result<(u8, ::std::string::String), Trouble> {
            match (a, ctx.is_local()) {
                (::std::option::Option::Some(0), _) => ::std::result::Result::Err(Trouble::Told(0)),
                _ => ::std::result::Result::Ok((b, c)),
            }
        }

        async fn rpc_later(&self, ctx: Context, #[arg(flatten)] rest: Rest) -> bool {
            let _ = rest;
            ctx.is_local()
        }

        #[method(blocking, local, request_handler = handle)]
        fn rpc_elsewhere(&self, ctx: &Context) -> bool {
            ctx.is_local()
        }

        #[method(request_handler = handle, format = "x")]
        async fn rpc_handled(&self, a: u8) -> u8 {
            a
        }
    }

    #[derive(::serde::Deserialize, ::serde::Serialize)]
    pub(super) struct Rest {}

    #[rpc]
    pub(super) trait Interface {
        fn one(&self) -> u8;
        async fn two(&self, a: u8) -> ::std::result::Result<u8, Trouble> {
            ::std::result::Result::Ok(a + self.one())
        }
    }

    impl Interface for Object {
        fn one(&self) -> u8 {
            1
        }
    }

    #[rpc_method]
    pub(super) async fn free(a: u8) -> u8 {
        a
    }
}

#[tokio::test]
async fn a_program_may_shadow_the_prelude() {
    let router = Router::new(shadowed::Object)
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
