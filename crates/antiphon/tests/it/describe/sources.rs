//! Tests of the schemas that macros derive from types, and of methods that are built by hand.

use std::fmt::Debug;

use antiphon::schemars::{JsonSchema, SchemaGenerator};
use antiphon::{
    Access, ErrorCodes, ErrorInfo, Method, OpenRpc, ParamInfo, Router, Subscription, Topic, rpc,
    rpc_method,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::tree;

/// A generic type whose bounds do not include a schema.
struct Unbounded<T>(T);

#[rpc]
impl<T: Clone + DeserializeOwned + Serialize> Unbounded<T> {
    fn rpc_get(&self, other: T) -> T {
        drop(other);
        self.0.clone()
    }
}

struct Bounded<T>(T);

#[rpc]
impl<T: Clone + Debug + DeserializeOwned + JsonSchema + Serialize> Bounded<T> {
    fn rpc_get(&self, other: T, list: Vec<T>) -> Result<T, antiphon::ErrorObject> {
        drop((other, list));
        Ok(self.0.clone())
    }
}

mod alias {
    pub(super) type Result = std::result::Result<u8, antiphon::ErrorObject>;
}

#[rpc]
trait Counter {
    async fn count(&self, by: u8) -> u64;
    fn alias(&self) -> alias::Result;
}

struct Three;

impl Counter for Three {
    async fn count(&self, by: u8) -> u64 {
        3 + u64::from(by)
    }
    fn alias(&self) -> alias::Result {
        Ok(3)
    }
}

/// A function.
#[rpc_method(deprecated = "it is old")]
fn double(n: i32) -> i32 {
    2 * n
}

/// The type of each parameter and of the result, by the names of methods.
fn types(router: Router) -> Vec<(String, Vec<Value>)> {
    let document = tree(router).openrpc(Access::Public).to_value();
    let methods = document["methods"].as_array().unwrap();
    let of = |content: &Value| match content.get("x-no-schema") {
        Some(_) => Value::Null,
        None => content["schema"]["type"].clone(),
    };
    let types = methods.iter().map(|method| {
        let params = method["params"].as_array().unwrap().iter().map(of);
        let types = params.chain([of(&method["result"])]).collect();
        (method["name"].as_str().unwrap().to_owned(), types)
    });
    types.collect()
}

#[test]
fn the_bounds_of_a_generic_type_decide_whether_it_has_a_schema() {
    for (router, expected) in [
        (Router::of(Unbounded(3_u8)), vec![Value::Null, Value::Null]),
        (
            Router::of(Bounded(3_u8)),
            vec![json!("integer"), json!("array"), json!("integer")],
        ),
    ] {
        assert_eq!(types(router), [("get".to_owned(), expected)]);
    }
}

#[test]
fn traits_and_functions_have_schemas() {
    let router = Router::of(Three.into_router()).method(double);
    let integer = json!("integer");
    assert_eq!(
        types(router),
        [
            ("alias".to_owned(), vec![integer.clone()]),
            ("count".to_owned(), vec![integer.clone(); 2]),
            ("double".to_owned(), vec![integer; 2]),
        ]
    );
}

#[test]
fn schemas_of_parameters_and_results_may_differ() {
    use antiphon::schemars;

    #[derive(JsonSchema, Serialize)]
    #[schemars(crate = "schemars")]
    struct Inner {
        #[serde(default)]
        #[schemars(default)]
        number: u8,
    }
    #[derive(JsonSchema, Serialize)]
    #[schemars(crate = "schemars")]
    struct Outer {
        inner: Inner,
    }
    let method = Method::new("both", |_| unreachable!())
        .params([ParamInfo::required("value").typed::<Outer>()])
        .returns::<Outer>();
    let document = tree(Router::new().method(method))
        .openrpc(Access::Public)
        .to_value();
    let method = &document["methods"][0];
    let reference = |name: &str| json!({"$ref": format!("#/components/schemas/{name}")});
    assert_eq!(method["params"][0]["schema"], reference("Outer"));
    assert_eq!(method["result"]["schema"], reference("OuterResult"));
    let schemas = &document["components"]["schemas"];
    assert_eq!(schemas["Outer"]["properties"]["inner"], reference("Inner"));
    let inner = &schemas["OuterResult"]["properties"]["inner"];
    assert_eq!(*inner, reference("InnerResult"));
    assert_eq!(schemas["Inner"].get("required"), None);
    assert_eq!(schemas["InnerResult"]["required"], json!(["number"]));
}

#[test]
fn a_method_built_by_hand_has_the_given_description() {
    struct Errors;
    impl ErrorCodes for Errors {
        const ERRORS: &'static [ErrorInfo] = &[ErrorInfo::new(7, "seven").doc("Of nine.")];
    }
    let method = Method::function("add", |a: f64, b: Option<f64>| a + b.unwrap_or(1.0))
        .params([
            ParamInfo::required("a").typed::<f64>().doc("The first."),
            ParamInfo::optional("b").typed::<f64>(),
        ])
        .returns::<f64>()
        .errors::<Errors>()
        .example(r#"{"params": [1], "result": 2}"#)
        .example("no JSON")
        .example(r#"{"params": {"b": 3}}"#)
        .deprecated("use `plus`");
    let tree = tree(Router::new().method(method));
    let [info] = tree.methods(Access::Public)[..] else {
        panic!("one method");
    };
    assert_eq!(info.deprecated(), Some("use `plus`"));
    assert_eq!(info.examples().len(), 3);
    assert_eq!(info.errors(), Errors::ERRORS);
    assert_eq!(info.errors()[0].documentation(), "Of nine.");
    let mut generator = SchemaGenerator::default();
    let number = json!({"type": "number", "format": "double"});
    assert_eq!(info.result_schema(&mut generator).unwrap(), number);
    assert_eq!(info.params()[1].schema(&mut generator).unwrap(), number);
    assert_eq!(info.params()[1].default_value(), None);

    let method = &OpenRpc::of(&tree).document().to_value()["methods"][0];
    assert_eq!(
        *method,
        json!({
            "name": "add",
            "params": [
                {"name": "a", "description": "The first.", "required": true, "schema": number},
                {"name": "b", "required": false, "schema": number},
            ],
            "result": {"name": "result", "schema": number},
            "deprecated": true,
            "x-deprecated-reason": "use `plus`",
            "x-error-docs": {"7": "Of nine."},
            "errors": [{"code": 7, "message": "seven"}],
            "paramStructure": "either",
            "examples": [
                {
                    "name": "example 1",
                    "params": [{"name": "a", "value": 1}],
                    "result": {"name": "result", "value": 2},
                },
                {"name": "example 2", "params": [{"name": "b", "value": 3}], "x-by-name": true},
            ],
            "x-error-docs": {"7": "Of nine."},
        })
    );
}

#[test]
fn a_derived_error_type_lists_its_errors() {
    use super::library::CalculatorError;
    let told = |error: &ErrorInfo| (error.code().0, error.message(), error.documentation());
    let errors: Vec<_> = CalculatorError::ERRORS.iter().map(told).collect();
    assert_eq!(
        errors,
        [
            (
                1,
                "no number by {by}",
                "There is no such number.\n\nEvery divisor but zero has one."
            ),
            (2, "It is too large.", ""),
            (-5, "No reason given", ""),
        ]
    );
}

/// A topic, and streams beside it.
struct Feeds(Topic<u8>);

#[rpc]
impl Feeds {
    fn rpc_follow(&self) -> Subscription<u8> {
        self.0.subscribe("")
    }

    async fn rpc_perhaps(&self) -> Result<Subscription<u8>, antiphon::ErrorObject> {
        Ok(self.0.subscribe(""))
    }

    #[method(plain)]
    fn rpc_plain(&self) -> Subscription<u8> {
        self.0.subscribe("")
    }

    #[allow(clippy::unused_self)] // a method
    fn rpc_stream(&self) -> impl futures_core::Stream<Item = u8> + use<> {
        futures_util::stream::iter([1])
    }
}

#[test]
fn documents_say_which_subscriptions_resume() {
    let topic = Topic::builder("feeds").build();
    let by_hand = topic.clone();
    let router = Router::of(Feeds(topic))
        .method(Method::function("by_hand", move || by_hand.subscribe("")))
        .method(Method::function("iter", || futures_util::stream::iter([1])))
        .method(Method::function("declared", || 1).subscription())
        .method(Method::function("ordinary", || 1));
    let tree = tree(router);
    let document = OpenRpc::of(&tree).document();
    let (value, markdown) = (document.to_value(), document.to_markdown());
    for (name, resumes) in [
        ("follow", Some(true)),
        ("perhaps", Some(true)),
        ("by_hand", Some(true)),
        // Their messages have no cursors.
        ("plain", Some(false)),
        ("stream", Some(false)),
        ("iter", Some(false)),
        ("declared", Some(false)),
        ("ordinary", None),
    ] {
        let methods = tree.methods(Access::Admin);
        let info = methods.iter().find(|method| method.name() == name).unwrap();
        assert_eq!(info.resumes(), resumes == Some(true), "{name}");
        let methods = value["methods"].as_array().unwrap();
        let method = methods
            .iter()
            .find(|method| method["name"] == name)
            .unwrap();
        let subscription = method.get("x-subscription");
        let said = subscription.map(|said| said.get("resumes") == Some(&json!(true)));
        assert_eq!(said, resumes, "{name}");
        let section = markdown
            .split("\n### ")
            .find(|part| part.starts_with(&format!("`{name}(")));
        let section = section.unwrap_or_else(|| panic!("no {name} in\n{markdown}"));
        assert_eq!(
            section.contains("`after`"),
            resumes == Some(true),
            "{section}"
        );
    }
    // A document that was read says the same.
    let read: antiphon::OpenRpcDocument = document.to_json().parse().unwrap();
    assert_eq!(read.to_markdown(), markdown);
}
