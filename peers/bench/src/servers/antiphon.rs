//! Antiphon with its default settings: every limit, deadline and check is on.

use std::hint::black_box;
use std::rc::Rc;

use antiphon::{Client, Dispatcher, Router, Server};
use bytes::Bytes;
use tokio::net::TcpListener;

use super::Peer;
use crate::cases::{self, CALL};
use crate::client::Caller;
use crate::{Failure, block_on};

pub(super) const PEER: Peer = Peer {
    name: "antiphon",
    serve: |listener, _| Box::pin(serve(listener)),
    in_process: Some(answer),
    client: Some(http_client),
};

fn router() -> Router {
    Router::default()
        .nest("calc", Router::default().method_fn("add", cases::add))
        .method_fn("len", |text: String| text.len())
        .method_fn("blob", cases::blob)
}

async fn serve(listener: TcpListener) -> Result<(), Failure> {
    let server = Server::new(router()).listener(listener.into_std()?);
    Ok(server.serve().await?)
}

/// Bytes to bytes, through the same dispatch that HTTP uses.
fn answer(calls: u64) -> Result<(), Failure> {
    let dispatcher: Dispatcher = router().build()?;
    block_on(async {
        for _ in 0..calls {
            // As from HTTP, where a message is a slice of what was received, not a copy.
            let message = Bytes::from_static(black_box(CALL.as_bytes()));
            let answer = dispatcher.handle(message).await;
            if black_box(answer.as_deref()) != Some(br#"{"jsonrpc":"2.0","id":1,"result":10.0}"#) {
                return Err(format!("a wrong answer: {answer:?}").into());
            }
        }
        Ok(())
    })
}

fn http_client(url: &str) -> Result<Caller, Failure> {
    let client = Client::connect(url)?;
    Ok(Rc::new(move || {
        let client = client.clone();
        Box::pin(async move { Ok(client.call("calc.add", (3, 7)).await?) })
    }))
}
