//! Benchmark peer jsonrpsee 0.26 with its default settings: its server, its clients, and
//! `RpcModule::raw_json_request` in process.

use std::hint::black_box;
use std::rc::Rc;

use jsonrpsee::core::SubscriptionResult;
use jsonrpsee::core::client::ClientT;
use jsonrpsee::core::rpc_params;
use jsonrpsee::server::{Server, ServerConfig};
use jsonrpsee::types::ErrorObjectOwned;
use jsonrpsee::{PendingSubscriptionSink, RpcModule};
use jsonrpsee_http_client::HttpClientBuilder;
use jsonrpsee_ws_client::WsClientBuilder;
use serde_json::value::to_raw_value;
use tokio::net::TcpListener;
use tokio::sync::broadcast::{self, Receiver, error::RecvError};

use super::Peer;
use crate::cases::{self, CALL};
use crate::client::{self, Caller};
use crate::fanout;
use crate::{Failure, block_on};

pub(super) const PEER: Peer = Peer {
    serve: |listener, _| Box::pin(serve(listener)),
    http: true,
    upgrades: true,
    publishes: true,
    in_process: Some(answer_raw),
    client: Some(http_client),
    ws_client: Some(|url, plan| {
        Box::pin(async move { client::concurrent(&ws_client(&url).await?, plan).await })
    }),
    ..Peer::without("jsonrpsee")
};

fn module() -> Result<RpcModule<()>, Failure> {
    let mut module = RpcModule::new(());
    module.register_method("calc.add", |params, _, _| {
        let (a, b): (f64, f64) = params.parse()?;
        Ok::<_, ErrorObjectOwned>(cases::add(a, b))
    })?;
    module.register_method("len", |params, _, _| {
        let (text,): (String,) = params.parse()?;
        Ok::<_, ErrorObjectOwned>(text.len())
    })?;
    module.register_method("echo", |params, _, _| {
        let (text,): (String,) = params.parse()?;
        Ok::<_, ErrorObjectOwned>(text)
    })?;
    module.register_method("blob", |_, _, _| cases::blob())?;
    let (publisher, _) = broadcast::channel(fanout::QUEUE);
    let subscribe = publisher.clone();
    module.register_subscription("items", "items", "unsubscribe", move |_, pending, _, _| {
        send_items(pending, subscribe.subscribe())
    })?;
    module.register_method("publish", move |params, _, _| {
        let (count,): (usize,) = params.parse()?;
        let sent = (0..count).filter(|_| publisher.send(fanout::item()).is_ok());
        Ok::<_, ErrorObjectOwned>(sent.count())
    })?;
    Ok(module)
}

/// The items of one subscriber, who has a task.
async fn send_items(
    pending: PendingSubscriptionSink,
    mut items: Receiver<&'static str>,
) -> SubscriptionResult {
    let sink = pending.accept().await?;
    loop {
        match items.recv().await {
            Ok(item) => sink.send(to_raw_value(item)?).await?,
            Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return Ok(()),
        }
    }
}

/// The default of 100 connections is too low for the cases with idle connections.
const MAX_CONNECTIONS: u32 = 10_000;

async fn serve(listener: TcpListener) -> Result<(), Failure> {
    let config = ServerConfig::builder().max_connections(MAX_CONNECTIONS);
    let server = Server::builder()
        .set_config(config.build())
        .build_from_tcp(listener.into_std()?)?;
    server.start(module()?).stopped().await;
    Ok(())
}

/// The library's public API without a socket. It creates a subscription channel on each call; there
/// is no other public API.
fn answer_raw(calls: u64) -> Result<(), Failure> {
    let module = module()?;
    block_on(async {
        for _ in 0..calls {
            let text = std::str::from_utf8(black_box(CALL.as_bytes()))?;
            let (answer, _) = module.raw_json_request(text, 1).await?;
            if black_box(answer.get()) != r#"{"jsonrpc":"2.0","id":1,"result":10.0}"# {
                return Err(format!("a wrong answer: {answer}").into());
            }
        }
        Ok(())
    })
}

fn http_client(url: &str) -> Result<Caller, Failure> {
    let client = HttpClientBuilder::default().build(url)?;
    Ok(Rc::new(move || {
        let client = client.clone();
        Box::pin(async move { Ok(client.request("calc.add", rpc_params![3, 7]).await?) })
    }))
}

async fn ws_client(url: &str) -> Result<Caller, Failure> {
    let client = Rc::new(WsClientBuilder::default().build(url).await?);
    Ok(Rc::new(move || {
        let client = Rc::clone(&client);
        Box::pin(async move { Ok(client.request("calc.add", rpc_params![3, 7]).await?) })
    }))
}
