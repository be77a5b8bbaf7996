//! Tests of identities: who may call what, over every transport.

mod forwarding;
mod guesses;
mod http;
mod listings;
mod sessions;

use std::time::{Duration, SystemTime};

use antiphon::{
    AuthenticationError, Authenticator, Context, Credentials, Identity, Method, Router, Server,
};
use futures_core::Stream;

use crate::support::counter::Counter;

/// Knows four tokens, and counts how often it is asked.
#[derive(Clone, Default)]
struct Tokens {
    asked: Counter,
}

impl Authenticator for Tokens {
    async fn authenticate(
        &self,
        credentials: &Credentials,
    ) -> Result<Option<Identity>, AuthenticationError> {
        self.asked.add();
        let Some(token) = credentials.bearer() else {
            return Ok(None);
        };
        match token {
            "reader" => Ok(Some(Identity::new("reader"))),
            "writer" => Ok(Some(
                Identity::new("writer").scope("write").scope("admin:all"),
            )),
            "brief" => {
                let end = SystemTime::now() + Duration::from_millis(1500);
                Ok(Some(Identity::new("brief").scope("write").until(end)))
            }
            "busy" => Err(AuthenticationError::unavailable("S3CR3T reason")),
            _ => Err(AuthenticationError::refused("S3CR3T reason")),
        }
    }
}

/// Numbers from 1 to 3.
struct Count(u64);

impl Stream for Count {
    type Item = u64;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<u64>> {
        self.0 += 1;
        std::task::Poll::Ready(Some(self.0).filter(|&at| at <= 3))
    }
}

/// Counts the calls that have run.
fn router(ran: &Counter) -> Router {
    let method = |name: &str| {
        let ran = ran.clone();
        Method::function(name, move |ctx: Context| {
            ran.add();
            ctx.identity().map(|identity| identity.subject().to_owned())
        })
    };
    let vault = Router::new()
        .method(method("open"))
        .nest("inner", Router::new().method(method("read").scope("write")))
        .require_scope("admin:all");
    let written = ran.clone();
    let stream = Method::function("count", move || {
        written.add();
        Count(0)
    });
    Router::new()
        .method(method("free").public())
        .method(method("known"))
        .method(method("write").scope("write"))
        .method(stream.scope("write"))
        .nest("vault", vault)
}

fn server(ran: &Counter) -> Server {
    Server::new(router(ran)).authenticate(Tokens::default())
}

/// What each kind of caller gets: code 0 for a result.
const EXPECTED: [(&str, &str, i64); 15] = [
    ("", "free", 0),
    ("", "known", -32006),
    ("", "write", -32006),
    ("", "vault.open", -32006),
    ("", "missing", -32601),
    ("reader", "free", 0),
    ("reader", "known", 0),
    ("reader", "write", -32007),
    ("reader", "vault.open", -32007),
    ("reader", "vault.inner.read", -32007),
    ("writer", "free", 0),
    ("writer", "write", 0),
    ("writer", "vault.open", 0),
    ("writer", "vault.inner.read", 0),
    ("writer", "missing", -32601),
];
