//! Benchmark peer Antiphon with its default settings: all limits, deadlines and checks are enabled.
//! Only the limit of connections per address is raised, as all of them come from one address.

use std::hint::black_box;
use std::rc::Rc;

use antiphon::{Client, Dispatcher, Router, Server, Topic};
use bytes::Bytes;
use futures_util::stream::{Stream, unfold};
use tokio::net::TcpListener;
use tokio::sync::broadcast::{self, Receiver, error::RecvError};

use super::{Listening, Peer, Serving};
use crate::cases::{self, CALL, Case};
use crate::client::{self, Caller};
use crate::fanout;
use crate::finding::Refused;
use crate::{Failure, block_on};

pub(super) const PEER: Peer = Peer {
    serve: |listener, case| Box::pin(serve(listener, case)),
    http: true,
    // On the HTTP port, if the library is built with WebSockets.
    upgrades: true,
    publishes: true,
    serve_lines: Some(|case| Box::pin(serve_lines(case))),
    in_process: Some(answer),
    client: Some(client_of),
    ws_client: Some(|url, plan| {
        Box::pin(async move {
            // Fails if the library is built without `ws:`.
            let caller = client_of(&url).map_err(|why| Refused(why.to_string()))?;
            client::concurrent(&caller, plan).await
        })
    }),
    ..Peer::without("antiphon")
};

/// The default limit per address is 256.
const MAX_CONNECTIONS: usize = 10_000;

fn router(case: Case) -> Router {
    let publishing = match case {
        Case::Topic1 | Case::Topic20 => topic(),
        _ => channel(),
    };
    Router::new()
        .nest("calc", Router::new().method_fn("add", cases::add))
        .method_fn("len", |text: String| text.len())
        .method_fn("echo", |text: String| text)
        .method_fn("blob", cases::blob)
        .merge(publishing)
}

/// Publishing with a topic.
fn topic() -> Router {
    let topic = Topic::builder("items").build();
    let items = topic.clone();
    Router::new()
        .method_fn("items", move || items.subscribe("items"))
        .method_fn("publish", move |count: usize| {
            for _ in 0..count {
                topic.publish("items", &fanout::item());
            }
            count
        })
}

/// Publishing with a channel and a stream for each subscriber.
fn channel() -> Router {
    let (publisher, _) = broadcast::channel(fanout::QUEUE);
    let subscribe = publisher.clone();
    Router::new()
        .method_fn("items", move || items(subscribe.subscribe()))
        .method_fn("publish", move |count: usize| {
            (0..count)
                .filter(|_| publisher.send(fanout::item()).is_ok())
                .count()
        })
}

/// The items of one subscriber, as in the example `pubsub`.
fn items(items: Receiver<&'static str>) -> impl Stream<Item = &'static str> {
    unfold(items, |mut items| async {
        loop {
            match items.recv().await {
                Ok(item) => return Some((item, items)),
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return None,
            }
        }
    })
}

fn server(case: Case) -> Server {
    Server::new(router(case))
        .configure(|settings| settings.max_connections_per_ip = MAX_CONNECTIONS)
}

async fn serve(listener: TcpListener, case: Case) -> Result<(), Failure> {
    Ok(server(case).listener(listener.into_std()?).serve().await?)
}

async fn serve_lines(case: Case) -> Result<Listening, Failure> {
    // Fails if the library is built without `tcp:`.
    let listening = server(case)
        .bind("tcp://127.0.0.1:0")
        .listen()
        .await
        .map_err(|why| Refused(why.to_string()))?;
    let address = listening.addresses().first().ok_or("no address is bound")?;
    let port = address.port();
    let serving: Serving = Box::pin(async move { Ok(listening.serve().await?) });
    Ok((port, serving))
}

/// Answers requests from bytes to bytes, through the dispatcher that HTTP uses.
fn answer(calls: u64) -> Result<(), Failure> {
    let dispatcher: Dispatcher = router(Case::InProcess).build()?;
    block_on(async {
        for _ in 0..calls {
            // A slice without a copy, as HTTP passes it.
            let message = Bytes::from_static(black_box(CALL.as_bytes()));
            let answer = dispatcher.handle(message).await;
            if black_box(answer.as_deref()) != Some(br#"{"jsonrpc":"2.0","id":1,"result":10.0}"#) {
                return Err(format!("a wrong answer: {answer:?}").into());
            }
        }
        Ok(())
    })
}

fn client_of(url: &str) -> Result<Caller, Failure> {
    let client = Client::connect(url)?;
    Ok(Rc::new(move || {
        let client = client.clone();
        Box::pin(async move { Ok(client.call("calc.add", (3, 7)).await?) })
    }))
}
