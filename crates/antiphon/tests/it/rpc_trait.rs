//! Tests of `#[rpc]` on a trait: an interface, separate from its implementations.

use antiphon::{Context, ErrorObject, Router, rpc};

use super::macros::check;

/// What any calculator can do.
#[rpc(title = "Calculators")]
pub(crate) trait Calculator {
    /// Adds two numbers.
    async fn add(&self, a: f64, b: f64) -> f64;

    /// Divides two numbers.
    fn divide(&self, ctx: &Context, a: f64, b: f64) -> Result<f64, Self::Error>;

    /// Adds two numbers, or one and its default, by the method above.
    async fn double(&self, mut a: f64, #[arg(default = 2.0)] by: f64) -> Result<f64, ErrorObject> {
        if by < 0.0 {
            Err(ErrorObject::new(2, "negative"))?;
        }
        a += 0.0;
        Ok(self.add(a, a).await * by / 2.0)
    }

    fn version() -> u32
    where
        Self: Sized,
    {
        1
    }

    #[method(skip)]
    fn helper(&self, text: &str) -> usize {
        text.len()
    }

    #[method(name = "slow", blocking, local)]
    fn takes_long(&self, text: String) -> usize {
        self.helper(&text)
    }

    type Error: Into<ErrorObject> + Send;
}

struct Exact;

struct DivisionByZero;

impl From<DivisionByZero> for ErrorObject {
    fn from(_: DivisionByZero) -> Self {
        Self::new(1, "division by zero")
    }
}

impl Calculator for Exact {
    type Error = DivisionByZero;

    async fn add(&self, a: f64, b: f64) -> f64 {
        tokio::task::yield_now().await;
        a + b
    }

    fn divide(&self, ctx: &Context, a: f64, b: f64) -> Result<f64, DivisionByZero> {
        match ctx.id() {
            Some(_) if b != 0.0 => Ok(a / b),
            _ => Err(DivisionByZero),
        }
    }
}

/// A second implementation. It adds an offset to each sum.
struct Off(f64);

impl Calculator for Off {
    type Error = ErrorObject;

    fn add(&self, a: f64, b: f64) -> impl Future<Output = f64> + Send {
        std::future::ready(a + b + self.0)
    }

    fn divide(&self, _ctx: &Context, a: f64, b: f64) -> Result<f64, ErrorObject> {
        Ok(a / b)
    }
}

#[tokio::test]
async fn every_method_of_a_trait_is_remote() {
    check(
        Router::of(Exact.into_router()),
        &[
            ("add", "[1,2]", "3.0"),
            ("divide", r#"{"a":1,"b":2}"#, "0.5"),
            (
                "divide",
                "[1,0]",
                r#"!{"code":1,"message":"division by zero"}"#,
            ),
            ("double", "[2]", "4.0"),
            ("double", "[2,4]", "8.0"),
            ("double", "[2,-1]", r#"!{"code":2,"message":"negative"}"#),
            ("version", "", "1"),
            ("slow", r#"["abc"]"#, "3"),
            (
                "helper",
                "",
                r#"!{"code":-32601,"message":"Method not found"}"#,
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn two_objects_of_one_interface_are_nested_side_by_side() {
    let router = Router::new()
        .nest("exact", Exact.into_router())
        .nest("off", Off(1.0).into_router());
    check(
        router,
        &[
            ("exact.add", "[1,2]", "3.0"),
            ("off.add", "[1,2]", "4.0"),
            ("off.double", "[1]", "3.0"),
        ],
    )
    .await;
}

#[test]
fn documentation_comes_from_the_trait() {
    let dispatcher = Exact.into_router().build().unwrap();
    let root = dispatcher.tree().root();
    assert_eq!(root.title(), "Calculators");
    assert_eq!(root.documentation(), "What any calculator can do.");
    let methods = dispatcher.tree().methods(antiphon::Access::Admin);
    let add = methods
        .iter()
        .find(|method| method.name() == "add")
        .unwrap();
    assert_eq!(add.doc(), "Adds two numbers.");
}

#[rpc(
    serve_as = "on",
    namespace = "events",
    separator = "/",
    rename_all = "PascalCase"
)]
trait Events {
    fn on_file_open(&self) -> &'static str;

    #[method]
    fn close(&self) -> u8 {
        2
    }

    fn not_this(&self) {}
}

struct Editor;

impl Events for Editor {
    fn on_file_open(&self) -> &'static str {
        self.not_this();
        "open"
    }
}

#[tokio::test]
async fn the_options_of_a_block_work_on_a_trait() {
    check(
        Editor.into_router(),
        &[
            ("events/FileOpen", "", r#""open""#),
            ("events/Close", "", "2"),
            (
                "events/NotThis",
                "",
                r#"!{"code":-32601,"message":"Method not found"}"#,
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_traits_client_calls_any_implementation() {
    use super::macros::client::client;

    let router = Router::new().nest("exact", Exact.into_router());
    let client = client(router);
    let exact = CalculatorClient::new(client.namespace("exact"));
    assert_eq!(exact.add(1.0, 2.0).await.unwrap(), 3.0);
    assert_eq!(exact.divide(1.0, 2.0).await.unwrap(), 0.5);
    let error = exact.clone().divide(1.0, 0.0).await.unwrap_err();
    assert_eq!(error.code(), Some(antiphon::ErrorCode(1)));
    let hidden = exact.takes_long("four".to_owned()).await.unwrap_err();
    assert_eq!(hidden.code(), Some(antiphon::ErrorCode::METHOD_NOT_FOUND));
    assert_eq!(exact.version().await.unwrap(), 1);

    fn is_send<T: Send>(future: T) -> T {
        future
    }
    assert_eq!(is_send(exact.double(2.0, 2.0)).await.unwrap(), 4.0);
}

#[tokio::test]
async fn a_clients_names_carry_the_namespace() {
    use super::macros::client::client;

    let events = EventsClient::new(client(Editor.into_router()));
    assert_eq!(events.close().await.unwrap(), 2);
}
