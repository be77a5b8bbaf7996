//! One client, used for many callers at the same time: nobody gets what belongs to another.

use std::sync::Arc;

use antiphon::client::Client;
use antiphon::{Context, Method, Router, Server};
use futures_core::Stream;
use tokio::sync::Semaphore;

use super::{Clients, Tokens, caller, serve};
use crate::support::counter::Counter;

/// Tells who calls, after a while.
fn slow(entered: &Counter, gate: &Arc<Semaphore>, dropped: &Counter) -> Method {
    let (entered, gate, dropped) = (entered.clone(), Arc::clone(gate), dropped.clone());
    Method::function("slow", move |ctx: Context| {
        let (gate, guard) = (Arc::clone(&gate), dropped.guard());
        entered.add();
        async move {
            let _guard = guard;
            let _ = gate.acquire().await;
            ctx.identity().map(|identity| identity.subject().to_owned())
        }
    })
}

/// Passes a call on.
fn pass_on(client: &Client) -> Router {
    let client = client.clone();
    let pass = Method::function("pass", move || {
        let client = client.clone();
        async move { Ok::<_, antiphon::Failure>(client.call::<Option<String>>("slow", ()).await?) }
    });
    Router::new().method(pass.public())
}

/// More calls than a session runs at the same time: some are parked on their way.
#[tokio::test]
async fn calls_of_many_callers_do_not_mix() {
    const CALLS: usize = 200;

    let (entered, gate) = (Counter::default(), Arc::new(Semaphore::new(0)));
    let behind = Router::new().method(slow(&entered, &gate, &Counter::default()).public());
    let clients = Clients::of(behind);
    let front = pass_on(&clients.forwarding);
    let (url, serving) = serve(Server::new(front).authenticate(Tokens::default())).await;
    let tokens = ["", "reader", "writer"];
    let callers = tokens.map(|token| caller(&url, token, false));
    let calls: Vec<_> = (0..CALLS)
        .map(|number| {
            let client = callers[number % 3].clone();
            tokio::spawn(async move { client.call::<Option<String>>("pass", ()).await })
        })
        .collect();
    // As many as a session runs.
    entered.reach(128).await;
    gate.add_permits(CALLS);
    for (number, call) in calls.into_iter().enumerate() {
        let found = call.await.unwrap().unwrap();
        assert_eq!(
            found.as_deref().unwrap_or_default(),
            tokens[number % 3],
            "{number}"
        );
    }
    serving.abort();
}

/// Messages above 256 KiB are parsed, and their parameters decoded, on other threads.
#[tokio::test]
async fn a_large_message_keeps_its_caller() {
    let length = Method::function("length", |ctx: Context, text: String| {
        let subject = ctx.identity().map(|identity| identity.subject().to_owned());
        (subject, text.len())
    });
    let clients = Clients::of(Router::new().method(length.public()));
    let client = clients.forwarding;
    let pass = Method::function("pass", move |length: usize| {
        let client = client.clone();
        async move {
            let text = "x".repeat(length);
            let told = client.call::<(Option<String>, usize)>("length", (text,));
            Ok::<_, antiphon::Failure>(told.await?)
        }
    });
    let server = Server::new(Router::new().method(pass.public())).authenticate(Tokens::default());
    let (url, serving) = serve(server).await;
    let calls: Vec<_> = (0..60)
        .map(|number| {
            let token = ["", "reader", "writer"][number % 3];
            let length = if number % 2 == 0 { 300_000 } else { 10 };
            let client = caller(&url, token, false);
            let calling = async move { client.call("pass", (length,)).await };
            (token, length, tokio::spawn(calling))
        })
        .collect();
    for (token, length, call) in calls {
        let (subject, found): (Option<String>, usize) = call.await.unwrap().unwrap();
        assert_eq!(subject.as_deref().unwrap_or_default(), token);
        assert_eq!(found, length);
    }
    serving.abort();
}

#[tokio::test]
async fn a_cancelled_call_ends_that_of_its_caller_only() {
    let (entered, dropped) = (Counter::default(), Counter::default());
    let gate = Arc::new(Semaphore::new(0));
    let behind = Router::new().method(slow(&entered, &gate, &dropped));
    let clients = Clients::of(behind);
    let front = pass_on(&clients.forwarding);
    let (url, serving) = serve(Server::new(front).authenticate(Tokens::default())).await;
    let start = |token: &str| {
        let client = caller(&url, token, false);
        tokio::spawn(async move { client.call::<Option<String>>("pass", ()).await })
    };
    let stays = start("reader");
    entered.reach(1).await;
    let goes = start("writer");
    entered.reach(2).await;
    goes.abort();
    dropped.reach(1).await;
    gate.add_permits(2);
    assert_eq!(stays.await.unwrap().unwrap().as_deref(), Some("reader"));
    assert_eq!(dropped.get(), 2);
    serving.abort();
}

/// An endless stream that makes a call for each item.
struct Calls(std::pin::Pin<Box<dyn Future<Output = i64> + Send>>, Client);

fn write(client: &Client) -> std::pin::Pin<Box<dyn Future<Output = i64> + Send>> {
    let client = client.clone();
    Box::pin(async move { super::call_in(&client, "call", "write").await })
}

impl Stream for Calls {
    type Item = i64;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<i64>> {
        let code = std::task::ready!(self.0.as_mut().poll(cx));
        self.0 = write(&self.1);
        std::task::Poll::Ready(Some(code))
    }
}

#[tokio::test]
async fn a_stream_calls_for_its_subscriber() {
    let clients = Clients::of(super::behind(&Counter::default()));
    let client = clients.forwarding;
    let codes = Method::function("codes", move || Calls(write(&client), client.clone()));
    let server = Server::new(Router::new().method(codes.public())).authenticate(Tokens::default());
    let (url, serving) = serve(server).await;
    let url = url.replacen("http", "ws", 1);
    for (token, expected) in [("", -32006), ("reader", -32007), ("writer", 0)] {
        let client = caller(&url, token, false);
        let mut codes = client.subscribe::<i64>("codes", ()).await.unwrap();
        for _ in 0..3 {
            assert_eq!(codes.next().await.unwrap().unwrap(), expected, "{token}");
        }
    }
    serving.abort();
}

/// A stream without items, which does not end.
struct Silent;

impl Stream for Silent {
    type Item = u64;

    fn poll_next(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<u64>> {
        std::task::Poll::Pending
    }
}

/// A method of the user's own ends it, which sees the subscriber, whoever drops the subscription.
#[tokio::test]
async fn a_subscription_is_ended_on_behalf_of_its_subscriber() {
    let ended = Counter::default();
    let ends = ended.clone();
    let leave = Method::function("leave", move |ctx: Context, _id: String| {
        assert_eq!(ctx.identity().unwrap().subject(), "writer");
        ends.add();
    });
    let endless = Method::function("numbers", || Silent).unsubscribe("leave");
    let behind = Router::new()
        .method(leave.scope("write"))
        .method(endless.scope("write"));
    let clients = Clients::of(behind);
    let client = clients.forwarding;
    let (keep, mut kept) = tokio::sync::mpsc::unbounded_channel();
    let open = Method::function("open", move || {
        let (client, keep) = (client.clone(), keep.clone());
        async move {
            let subscription = client
                .subscribe::<u64>("numbers", ())
                .unsubscribe_method("leave");
            let _ = keep.send(subscription.await?);
            Ok::<_, antiphon::Failure>(())
        }
    });
    let server = Server::new(Router::new().method(open)).authenticate(Tokens::default());
    let (url, serving) = serve(server).await;
    caller(&url, "writer", false)
        .call::<()>("open", ())
        .await
        .unwrap();
    drop(kept.recv().await.unwrap());
    ended.reach(1).await;
    serving.abort();
}
