//! Rate limit of one call: for whom it counts, what it costs, and how it is refused.

use std::sync::Arc;
use std::time::Duration;

use antiphon_proto::{ErrorObject, Request};
use http::StatusCode;
use http::header::{HeaderValue, RETRY_AFTER};
use tokio::time::Instant;

use super::answer::Denied;
use super::shared::Shared;
use crate::call_origin::Origin;
use crate::error::{limit_exceeded, retry_after_seconds};
use crate::rate_limit::{RateKey, RateLimiter};

/// A call that is refused before anything of it runs.
pub(super) struct Denial {
    /// The index of the method.
    pub(super) route: usize,
    pub(super) error: ErrorObject,
    /// What HTTP says if it is a single call.
    pub(super) denied: Denied,
}

/// For whom a call counts; `None` if its caller has no limit.
///
/// A caller without an address is this process, one on a Unix socket or standard input, or one
/// behind a server that tells no addresses.
fn rate_key(origin: &Origin) -> Option<RateKey> {
    if origin.admin {
        return None;
    }
    if let Some(identity) = origin.identification.identity() {
        return Some(RateKey::Subject(identity.shared_subject()));
    }
    // A caller on this machine has an address, too, unless it is on a Unix socket.
    origin.client.group().map(RateKey::Address)
}

/// Counts a call, and refuses it if that is more than its caller may make.
pub(super) fn exceeds(
    shared: &Shared,
    limiter: &RateLimiter,
    origin: &Arc<Origin>,
    request: &Request,
) -> Option<Box<Denial>> {
    let key = rate_key(origin)?;
    let (route, cost) = shared.endpoint.cost(request.method_bytes(), origin);
    if cost == 0 {
        return None;
    }
    let wait = limiter.admit(&key, cost, Instant::now()).err()?;
    if let Some(method) = shared.counters().method(route) {
        method.metrics.limited();
    }
    Some(Box::new(Denial::new(route, wait)))
}

impl Denial {
    #[cold]
    fn new(route: usize, wait: Duration) -> Self {
        let seconds = retry_after_seconds(wait);
        Self {
            route,
            error: limit_exceeded(wait),
            denied: Denied {
                status: StatusCode::TOO_MANY_REQUESTS,
                header: Some((RETRY_AFTER, HeaderValue::from(seconds))),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use serde_json::Value;

    use super::*;
    use crate::call_origin::{Connection, Transport};
    use crate::describe::Access;
    use crate::dispatch::{Answered, Dispatcher};
    use crate::memory_budget::Account;
    use crate::rate_limit::{RateLimit, RateTable};
    use crate::router::{Method, Router};

    /// A router under a limit.
    fn limited(limit: RateLimit) -> Dispatcher {
        let inner = Router::new()
            .method_fn("a", || 1)
            .layer(tower::limit::ConcurrencyLimitLayer::new(9));
        let router = Router::new()
            .method_fn("one", || 1)
            .method(Method::function("ten", || 10).cost(10))
            .method(Method::function("free", || 0).cost(0))
            .method(
                Method::function("hidden", || 0)
                    .cost(0)
                    .access(Access::Local),
            )
            .nest("n", inner);
        let limiter = RateLimiter::new(limit, RateTable::new(Instant::now()));
        router.build().unwrap().rate_limited(Some(limiter))
    }

    /// A caller: its transport, address, and whether it is an admin.
    #[derive(Clone, Copy)]
    struct Caller(Transport, Option<&'static str>, bool);

    fn from(address: &'static str) -> Caller {
        Caller(Transport::Tcp, Some(address), false)
    }

    impl Caller {
        async fn sends(self, server: &Dispatcher, message: String) -> Answered {
            let Self(transport, address, admin) = self;
            let peer = address.map(|address| SocketAddr::new(address.parse().unwrap(), 7));
            let connection = Connection::new(transport, peer, Account::unlimited());
            let mut origin = server.origin(Arc::clone(&connection), false);
            origin.admin = admin;
            let message = message.into();
            server
                .dispatch(message, Arc::new(origin), &connection)
                .await
        }

        /// The error code of a call, 0 for a result.
        async fn calls(self, server: &Dispatcher, method: &str) -> i64 {
            let answered = self.sends(server, call(method)).await;
            let answer = json(&answered);
            let code = answer["error"]["code"].as_i64().unwrap_or_default();
            let status = answered.denied.map(|denied| denied.status.as_u16());
            assert_eq!(status, (code == -32005).then_some(429));
            code
        }
    }

    fn call(method: &str) -> String {
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}"}}"#)
    }

    fn json(answered: &Answered) -> Value {
        let text = answered.text.as_ref().unwrap();
        serde_json::from_slice(&text.text).unwrap()
    }

    const EXCEEDED: i64 = -32005;

    #[tokio::test(start_paused = true)]
    async fn what_was_used_comes_back_at_the_rate() {
        let server = limited(RateLimit::per_second(10).burst(3));
        let caller = from("192.0.2.1");
        for _ in 0..3 {
            assert_eq!(caller.calls(&server, "one").await, 0);
        }
        let answered = caller.sends(&server, call("one")).await;
        let answer = json(&answered);
        let expected = r#"{"code":-32005,"message":"Limit exceeded","data":{"retryAfterMs":100}}"#;
        assert_eq!(answer["error"], expected.parse::<Value>().unwrap());
        let (name, value) = answered.denied.unwrap().header.unwrap();
        assert_eq!((name, value.as_bytes()), (RETRY_AFTER, &b"1"[..]));
        for _ in 0..3 {
            tokio::time::advance(Duration::from_millis(99)).await;
            assert_eq!(caller.calls(&server, "one").await, EXCEEDED);
            tokio::time::advance(Duration::from_millis(1)).await;
            assert_eq!(caller.calls(&server, "one").await, 0);
        }
        tokio::time::advance(Duration::from_secs(1000)).await;
        for code in [0, 0, 0, EXCEEDED] {
            assert_eq!(caller.calls(&server, "one").await, code);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_is_an_address_and_some_have_no_limit() {
        let server = limited(RateLimit::per_hour(1));
        let used = [
            from("192.0.2.1"),
            from("2001:db8:1:2::1"),
            from("127.0.0.1"),
        ];
        for caller in used {
            assert_eq!(caller.calls(&server, "one").await, 0);
        }
        let of = |transport, address| Caller(transport, address, false);
        let (used, new, exempt) = ([EXCEEDED, EXCEEDED], [0, EXCEEDED], [0, 0]);
        for (caller, codes) in [
            (from("192.0.2.1"), used),
            (of(Transport::Http, Some("192.0.2.1")), used),
            (of(Transport::WebSocket, Some("::ffff:192.0.2.1")), used),
            (from("2001:db8:1:2:9:9:9:9"), used),
            (from("127.0.0.1"), used),
            (from("192.0.2.2"), new),
            (from("2001:db8:1:3::1"), new),
            (of(Transport::Unix, None), exempt),
            (of(Transport::Stdio, None), exempt),
            (of(Transport::InProcess, None), exempt),
            (Caller(Transport::Http, Some("192.0.2.1"), true), exempt),
        ] {
            for code in codes {
                let found = caller.calls(&server, "one").await;
                assert_eq!(found, code, "{:?} {:?}", caller.0, caller.1);
            }
        }
        let message = call("one");
        for _ in 0..3 {
            let answer = server.handle(message.clone()).await.unwrap();
            assert!(answer.ends_with(b"\"result\":1}"), "{answer:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn networks_of_a_site_share_four_times_the_limit() {
        let server = limited(RateLimit::per_second(2).burst(10));
        let network = |network: u16| from(format!("2001:db8:1:{network:x}::1").leak());
        for of in 0..4 {
            assert_eq!(network(of).calls(&server, "ten").await, 0);
        }
        for of in 0..10 {
            assert_eq!(network(of).calls(&server, "one").await, EXCEEDED, "{of}");
        }
        let other = from("2001:db8:2::1");
        for code in [0, EXCEEDED] {
            assert_eq!(other.calls(&server, "ten").await, code);
        }
        // The refused calls have cost nothing. The site gets back 8 a second, a network 2.
        tokio::time::advance(Duration::from_secs(1)).await;
        for (of, code) in [(0, 0), (0, 0), (0, EXCEEDED), (9, 0)] {
            assert_eq!(network(of).calls(&server, "one").await, code, "{of}");
        }
        for (of, code) in [(8, 0), (7, 0), (6, 0), (5, 0), (4, 0), (9, EXCEEDED)] {
            assert_eq!(network(of).calls(&server, "one").await, code, "{of}");
        }
        let caller = from("192.0.2.1");
        assert_eq!(caller.calls(&server, "ten").await, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_method_has_its_cost_and_an_unknown_one_costs_one() {
        let server = limited(RateLimit::per_hour(10).burst(12));
        let mut last = 0;
        for (methods, codes) in [
            ("ten one one one", [0, 0, 0, EXCEEDED]),
            ("one one one ten", [0, 0, 0, EXCEEDED]),
            ("ten nil nil one", [0, -32601, -32601, EXCEEDED]),
            ("ten nil nil nil", [0, -32601, -32601, EXCEEDED]),
            ("ten n.a one n.a", [0, 0, 0, EXCEEDED]),
            // Whether there is a method that one may not see cannot be found out.
            ("ten hidden one hidden", [0, -32601, 0, EXCEEDED]),
            ("ten one one rpc.discover", [0, 0, 0, EXCEEDED]),
            ("ten one one free", [0, 0, 0, 0]),
        ] {
            last += 1;
            let address = format!("192.0.2.{last}").leak();
            let caller = from(address);
            for (method, code) in methods.split(' ').zip(codes) {
                assert_eq!(caller.calls(&server, method).await, code, "{methods}");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_calls_of_a_batch_count_one_by_one() {
        let server = limited(RateLimit::per_hour(1).burst(2));
        let caller = from("192.0.2.1");
        let note = r#"{"jsonrpc":"2.0","method":"one"}"#;
        let entries = [
            call("one"),
            r#"{"jsonrpc":"1.0"}"#.to_owned(),
            call("one"),
            call("one"),
            call("free"),
            note.to_owned(),
        ];
        let batch = format!("[{}]", entries.join(","));
        let answered = caller.sends(&server, batch).await;
        assert!(
            answered.denied.is_none(),
            "a batch has no status of its own"
        );
        let answers = json(&answered);
        let codes = answers.as_array().unwrap().iter();
        let codes: Vec<_> = codes
            .map(|one| one["error"]["code"].as_i64().unwrap_or_default())
            .collect();
        assert_eq!(codes, [0, -32600, 0, EXCEEDED, 0]);
        // A notification that is too many is dropped and counted.
        let counters = &server.common().counters;
        let before = counters.errors();
        let answered = caller.sends(&server, note.to_owned()).await;
        assert!(answered.text.is_none() && answered.denied.is_none());
        assert_eq!(counters.errors(), before + 1);
    }
}
