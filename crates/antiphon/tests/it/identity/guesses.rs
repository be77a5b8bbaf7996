//! Guesses of tokens at a server that listens. How many an address has, and when, is tested where the
//! clock is paused, in `src/server/guess_tests.rs`.

use antiphon::client::Client;
use antiphon::{ErrorCode, Server, call};
use serde_json::Value;

use super::{Tokens, router};
use crate::support::counter::Counter;
use crate::support::http1::{Http1, post};
use crate::support::{call, code};

/// More than an address has, and than come back while they are answered.
const MANY: usize = 400;

#[tokio::test]
async fn whoever_guesses_over_http_is_refused_on_every_transport() {
    let (ran, tokens) = (Counter::default(), Tokens::default());
    let server = Server::new(router(&ran))
        .authenticate(tokens.clone())
        .allow_origin("https://app.example");
    let server = server.bind("127.0.0.1:0").bind("tcp://127.0.0.1:0");
    let listening = server.listen().await.unwrap();
    let urls = listening.urls();
    let address = *listening.addresses().first().unwrap();
    let serving = tokio::spawn(listening.serve());

    // In one go.
    let mut http1 = Http1::connect(address).await;
    let origin = "Origin: https://app.example\r\n";
    let guess = |guess| {
        let headers = format!("Authorization: Bearer guess {guess}\r\n{origin}");
        post(&headers, &call("7", "free", "[]"))
    };
    let requests: String = (0..MANY).map(guess).collect();
    let (mut limited, mut refused) = (0, 0);
    http1.send(requests).await;
    for _ in 0..MANY {
        let answer = http1.answer().await;
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        match answer.status {
            401 => refused += 1,
            429 => {
                limited += 1;
                assert_eq!(code(&body), -32005);
                assert_eq!(body["id"], Value::Null);
                assert_eq!(answer.header("retry-after"), Some("1"));
                let exposed = answer.header("access-control-expose-headers");
                assert_eq!(exposed, Some("retry-after"));
                assert!(!answer.closes());
            }
            status => panic!("{status}"),
        }
    }
    assert!(refused >= 100 && limited > 0, "{refused} {limited}");
    assert_eq!(
        tokens.asked.get(),
        refused,
        "nobody was asked for the others"
    );

    // A limited address is refused on a session, too; those who present nothing are not.
    let mut codes = Vec::new();
    for _ in 0..MANY {
        let client = Client::connect(urls.last().unwrap()).unwrap();
        let outcome: Result<Value, _> = call!(client.rpc.authenticate("guess")).await;
        codes.push(outcome.unwrap_err().code().unwrap());
        if codes.last() == Some(&ErrorCode::LIMIT_EXCEEDED) {
            let _: Option<String> = call!(client.free()).await.unwrap();
            break;
        }
    }
    assert_eq!(codes.last(), Some(&ErrorCode::LIMIT_EXCEEDED), "{codes:?}");
    assert!(ran.get() > 0);
    serving.abort();
}
