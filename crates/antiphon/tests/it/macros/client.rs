//! Tests of the generated clients of `impl` blocks, with an HTTP service in process.

use std::borrow::Cow;
use std::collections::BTreeMap;

use antiphon::client::Client;
use antiphon::{Context, ErrorCode, ErrorCodes, ErrorObject, Failure, Router, rpc};
use serde::{Deserialize, Serialize};

/// A client of a router.
pub(crate) fn client(router: Router) -> Client {
    let service = router.into_service().unwrap();
    let client = Client::builder("http://localhost").service(service);
    client.build().unwrap()
}

/// A type that can only be serialized.
#[derive(Serialize)]
struct Written(u8);

#[derive(Deserialize)]
struct Read(u8);

#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct Filter {
    kind: String,
    limit: u8,
}

#[derive(ErrorCodes)]
enum Trouble {
    #[code(7)]
    Told,
}

mod alias {
    pub(super) type Result = std::result::Result<u8, super::Trouble>;
}

struct Everything;

#[rpc(namespace = "all", rename_all = "camelCase")]
impl Everything {
    /// Adds two numbers.
    fn rpc_add_up(&self, a: f64, ctx: &Context, mut b: f64) -> f64 {
        if ctx.id().is_none() {
            b = -b;
        }
        a + b
    }

    async fn rpc_fail(&self) -> Result<u8, ErrorObject> {
        Err(ErrorObject::new(5, "five"))
    }

    fn rpc_failure(&self) -> Result<(), Failure> {
        Err("no number".parse::<u8>().unwrap_err())?
    }

    fn rpc_nothing() {}

    fn rpc_name(&self) -> &'static str {
        "everything"
    }

    fn rpc_names(&self) -> Vec<&str> {
        vec!["a", "b"]
    }

    fn rpc_bytes(&self) -> Option<&[u8]> {
        Some(b"ab")
    }

    fn rpc_cow(&self) -> Cow<'_, str> {
        "cow".into()
    }

    fn rpc_this(&self) -> Self {
        Self
    }

    fn rpc_written(&self) -> Written {
        Written(1)
    }

    fn rpc_read(&self, value: Read) -> u8 {
        value.0
    }

    fn rpc_alias(&self) -> alias::Result {
        Err(Trouble::Told)
    }

    fn rpc_any(&self) -> impl Serialize + use<> {
        [1, 2]
    }

    fn rpc_find(
        &self,
        limit: u8,
        #[arg(flatten)] rest: BTreeMap<String, u8>,
        more: Option<u8>,
    ) -> (u8, usize, Option<u8>) {
        (limit, rest.len(), more)
    }

    fn rpc_filter(&self, #[arg(flatten)] filter: Filter) -> Filter {
        filter
    }

    #[method(name = "given")]
    fn rpc_type(&self) -> u8 {
        1
    }

    fn rpc_new(&self) -> u8 {
        2
    }

    #[cfg(any())]
    fn rpc_never(&self) -> NoSuchType {}

    #[deprecated]
    fn rpc_old(&self) -> u8 {
        3
    }
}

impl Serialize for Everything {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_unit()
    }
}

impl<'de> Deserialize<'de> for Everything {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <()>::deserialize(deserializer).map(|()| Self)
    }
}

#[tokio::test]
async fn the_client_of_a_block_calls_the_methods_of_the_block() {
    let client = EverythingClient::new(client(Router::of(Everything)));
    assert_eq!(client.add_up(1.0, 2.0).await.unwrap(), 3.0);
    assert_eq!(client.fail().await.unwrap_err().code(), Some(ErrorCode(5)));
    let failure = client.failure().await.unwrap_err();
    assert_eq!(failure.code(), Some(ErrorCode::INTERNAL_ERROR));
    client.nothing().await.unwrap();
    assert_eq!(client.name().await.unwrap(), "everything");
    assert_eq!(client.names().await.unwrap(), ["a", "b"]);
    assert_eq!(client.bytes().await.unwrap().unwrap(), *b"ab");
    assert_eq!(client.cow().await.unwrap(), "cow");
    let Everything = client.this().await.unwrap();
    let alias = client.alias::<u8>().await.unwrap_err();
    assert_eq!(alias.code(), Some(ErrorCode(7)));
    assert_eq!(client.any::<[u8; 2]>().await.unwrap(), [1, 2]);
    assert_eq!(client.r#type().await.unwrap(), 1);
    assert_eq!(client.new_().await.unwrap(), 2);
    #[allow(deprecated)]
    let old = client.old().await.unwrap();
    assert_eq!(old, 3);
    assert_eq!(Everything.rpc_written().0 + Everything.rpc_read(Read(1)), 2);
}

#[tokio::test]
async fn a_method_with_flattened_parameters_is_called_by_name() {
    let client = EverythingClient::new(client(Router::of(Everything)));
    let rest = BTreeMap::from([("x".to_owned(), 1), ("y".to_owned(), 2)]);
    assert_eq!(client.find(9, rest, None).await.unwrap(), (9, 2, None));
    let filter = || Filter {
        kind: "k".to_owned(),
        limit: 1,
    };
    assert_eq!(client.filter(filter()).await.unwrap(), filter());
}
