//! Clients that forward the identity of their method's caller: two routers, one behind the other.

mod callers;
mod rights;
mod sharing;

use std::time::{Duration, SystemTime};

use antiphon::client::{Client, Error};
use antiphon::{Access, Context, Method, Router, ServeError, Server, blocking, rpc};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::{Count, Tokens};
use crate::support::counter::Counter;

/// The code in place of one if nothing was sent, because no method runs.
const NO_CALLER: i64 = 1;

/// The router behind: its methods tell who has called them, and count that they were.
fn behind(ran: &Counter) -> Router {
    let method = |name: &str| {
        let ran = ran.clone();
        Method::function(name, move |ctx: Context| {
            ran.add();
            let identity = ctx.identity();
            json!({
                "subject": identity.as_ref().map(|identity| identity.subject()),
                "scopes": identity.iter().flat_map(|identity| identity.scopes()).collect::<Vec<_>>(),
                "local": ctx.is_local(),
                "client": ctx.client_ip().map(|client| client.to_string()),
                "transport": ctx.transport().to_string(),
            })
        })
    };
    let counted = ran.clone();
    let stream = Method::function("count", move || {
        counted.add();
        Count(0)
    });
    Router::new()
        .method(method("free").public())
        .method(method("known"))
        .method(method("write").scope("write"))
        .method(method("near").public().access(Access::Local))
        .method(method("rule").public().access(Access::Admin))
        .method(stream.scope("write"))
        .method(Method::function("fence", || 0).public())
}

/// Clients of the router behind.
#[derive(Clone)]
struct Clients {
    plain: Client,
    forwarding: Client,
    blocking: blocking::Client,
}

impl Clients {
    fn of(behind: Router) -> Self {
        let behind = behind.build().unwrap();
        let builder = || Client::builder("").in_process(&behind);
        Self {
            plain: builder().build().unwrap(),
            forwarding: builder().forward_identity().build().unwrap(),
            blocking: builder().forward_identity().build_blocking().unwrap(),
        }
    }

    fn get(&self, kind: &str) -> &Client {
        match kind {
            "plain" => &self.plain,
            _ => &self.forwarding,
        }
    }
}

fn code_of<T>(outcome: Result<T, Error>) -> i64 {
    match outcome {
        Ok(_) => 0,
        Err(error) if error.has_no_caller() => NO_CALLER,
        Err(error) => error.code().expect("an answer").0,
    }
}

/// Calls a method in one way: code 0 for a result.
async fn call_in(client: &Client, way: &str, method: &str) -> i64 {
    match way {
        "call" => code_of(client.call::<Value>(method, ()).await),
        "batch" => {
            let mut batch = client.batch();
            let (fence, ticket) = (
                batch.call::<u8>("fence", ()),
                batch.call::<Value>(method, ()),
            );
            let mut responses = match batch.send().await {
                Ok(responses) => responses,
                Err(error) => return code_of::<()>(Err(error)),
            };
            assert_eq!(responses.take(fence).unwrap(), 0);
            code_of(responses.take(ticket))
        }
        "subscribe" => code_of(client.subscribe::<u64>(method, ()).await),
        // Nobody answers a notification; what comes behind it runs later.
        "notify" => match client.notify(method, ()).await {
            Ok(()) => code_of(client.call::<u8>("fence", ()).await),
            Err(error) => code_of::<()>(Err(error)),
        },
        other => panic!("{other}"),
    }
}

/// The same on the thread of a method that blocks.
fn call_blocking(client: &blocking::Client, way: &str, method: &str) -> i64 {
    match way {
        "call" => code_of(client.call::<Value>(method, ())),
        "batch" => {
            let mut batch = client.batch();
            let ticket = batch.call::<Value>(method, ());
            match batch.send() {
                Ok(mut responses) => code_of(responses.take(ticket)),
                Err(error) => code_of::<()>(Err(error)),
            }
        }
        "notify" => match client.notify(method, ()) {
            Ok(()) => code_of(client.call::<u8>("fence", ())),
            Err(error) => code_of::<()>(Err(error)),
        },
        // A future that only the thread of the client polls.
        "subscribe" => {
            let (client, inner) = (client.clone(), client.as_async().clone());
            let method = method.to_owned();
            let waiting = async move { inner.subscribe::<u64>(&method, ()).await.map(drop) };
            code_of(client.wait(waiting))
        }
        other => panic!("{other}"),
    }
}

/// The methods in front; anybody may call them.
#[derive(Clone)]
struct Front {
    clients: Clients,
}

#[rpc]
impl Front {
    /// Calls a method of the router behind.
    #[method(public)]
    async fn rpc_via(&self, kind: String, way: String, method: String) -> i64 {
        call_in(self.clients.get(&kind), &way, &method).await
    }

    /// The same where it may block.
    #[method(blocking, public)]
    fn rpc_via_blocking(&self, way: String, method: String) -> i64 {
        call_blocking(&self.clients.blocking, &way, &method)
    }

    /// What a method behind sees.
    #[method(public)]
    async fn rpc_seen(&self, method: String) -> Result<Value, antiphon::Failure> {
        Ok(self.clients.forwarding.call(&method, ()).await?)
    }
}

/// The server in front, on a free port.
async fn serve(server: Server) -> (String, JoinHandle<Result<(), ServeError>>) {
    let listening = server.bind("http://127.0.0.1:0").listen().await.unwrap();
    let url = listening.url();
    (url, tokio::spawn(listening.serve()))
}

/// A client with this token; none if it is empty. One that is `far` comes through a proxy.
fn caller(url: &str, token: &str, far: bool) -> Client {
    let mut builder = Client::builder(url);
    if !token.is_empty() {
        builder = builder.bearer(token);
    }
    if far {
        builder = builder.header("x-forwarded-for", "192.0.2.1");
    }
    builder.build().unwrap()
}

/// An identity that ends soon.
fn brief() -> antiphon::Identity {
    let end = SystemTime::now() + Duration::from_millis(300);
    antiphon::Identity::new("brief").scope("write").until(end)
}
