//! Tests of parameters by position and by name, contexts, and request handlers.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use antiphon::{Access, Context, ErrorObject, Failure, NamedParams, Router, rpc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Calculator, check, unfit};

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
async fn parameters_may_be_optional_renamed_and_flattened() {
    check(
        Router::of(Options),
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
    let dispatcher = Router::of(Options).build().unwrap();
    assert_eq!(dispatcher.tree().root().title(), "All options");
    let methods = dispatcher.tree().methods(Access::Admin);
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
        ctx.router().methods(ctx.access()).len()
    }

    #[method(blocking)]
    fn rpc_count(&self, ctx: &Context, by: u64) -> (bool, u64) {
        std::thread::sleep(std::time::Duration::from_millis(5));
        let count = self.count.fetch_add(by, Ordering::Relaxed) + by;
        (ctx.id().is_some(), count)
    }
}

#[tokio::test]
async fn a_context_is_not_a_parameter() {
    check(
        Router::new()
            .title("top")
            .nest(
                "ctx",
                Router::of(Contexts::default()).nest("calc", Calculator),
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
pub(super) fn prepare(
    _ctx: &Context,
    format: &str,
    params: &mut NamedParams,
) -> Result<(), ErrorObject> {
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
async fn a_request_handler_adds_and_replaces_parameters() {
    check(
        Router::of(Handled { rate: 10 }),
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
