//! Tests of custom errors: codes, messages and data.

use antiphon::{ErrorCode, ErrorCodes, Failure, Router, rpc};

use super::{call, check};

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
async fn custom_errors_have_codes_messages_and_data() {
    check(
        Router::of(Shop),
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
    let dispatcher = Router::of(Shop).build().unwrap();
    let answer = call(&dispatcher, "shop/read", r#"["/no/such/file"]"#).await;
    assert_eq!(answer["error"]["code"], -32603);
    assert!(!answer.to_string().contains("such"), "{answer}");
    assert_eq!(
        dispatcher.tree().root().get("shop").unwrap().title(),
        "Shop"
    );
}
