//! Benchmark peer with the minimal work of any peer. As a server it is bare hyper, which reads the
//! body and gives a fixed response, or `floor_session.rs`. In process it only parses the envelope
//! and params. As a client it is the raw connection of the load generator.

use std::cell::RefCell;
use std::hint::black_box;
use std::net::Ipv4Addr;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::net::TcpListener;

use super::{Listening, Peer, Serving, floor_fanout, floor_session};
use crate::Failure;
use crate::cases::{CALL, Case, Form};
use crate::client::Caller;
use crate::load::Connection;
use crate::messages;
use crate::session;

pub(super) const PEER: Peer = Peer {
    serve: |listener, case| match case.scheme() {
        _ if case.form() == Form::Fanout => Box::pin(floor_fanout::serve(listener)),
        "ws" => Box::pin(floor_session::serve_ws(listener, case)),
        _ => Box::pin(serve(listener, case)),
    },
    http: true,
    upgrades: true,
    publishes: true,
    serve_lines: Some(|case| Box::pin(serve_lines(case))),
    in_process: Some(parse_alone),
    client: Some(raw_client),
    ws_client: Some(|url, plan| {
        Box::pin(async move {
            let this = std::process::id();
            session::load(&url, Case::Client64, plan, &[this]).await
        })
    }),
    ..Peer::without("floor")
};

/// Enables the header timeout, as a robust hyper server does.
async fn serve(listener: TcpListener, case: Case) -> Result<(), Failure> {
    let fixed = Bytes::from(case.fixed_answer());
    let echo_id = matches!(case, Case::Client | Case::Client16);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let fixed = fixed.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            let fixed = fixed.clone();
            async move {
                let body = request.into_body().collect().await?.to_bytes();
                Ok::<_, hyper::Error>(json(if echo_id { echo(&body) } else { fixed }))
            }
        });
        tokio::spawn(
            hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(Duration::from_secs(30))
                .pipeline_flush(true)
                .serve_connection(TokioIo::new(stream), service),
        );
    }
}

async fn serve_lines(case: Case) -> Result<Listening, Failure> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let port = listener.local_addr()?.port();
    let serving: Serving = Box::pin(floor_session::serve_lines(listener, case));
    Ok((port, serving))
}

fn json(body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The fixed response with the id of the request, which clients check.
fn echo(request: &[u8]) -> Bytes {
    let id = messages::id_of(request);
    [br#"{"jsonrpc":"2.0","result":10.0,"id":"#, id, b"}"]
        .concat()
        .into()
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    jsonrpc: &'a str,
    #[serde(borrow)]
    id: &'a RawValue,
    #[serde(borrow)]
    method: &'a str,
    #[serde(borrow)]
    params: &'a RawValue,
}

/// The in-process floor: UTF-8 validation and parsing of the envelope and the two numbers.
fn parse_alone(calls: u64) -> Result<(), Failure> {
    for _ in 0..calls {
        let text = std::str::from_utf8(black_box(CALL.as_bytes()))?;
        let envelope: Envelope<'_> = serde_json::from_str(text)?;
        let params: (f64, f64) = serde_json::from_str(envelope.params.get())?;
        black_box((envelope.jsonrpc, envelope.id, envelope.method));
        if black_box(params) != (3.0, 7.0) {
            return Err("parsed wrongly".into());
        }
    }
    Ok(())
}

/// Raw connections in a pool, opened on demand.
fn raw_client(url: &str) -> Result<Caller, Failure> {
    let url: Rc<str> = url.into();
    let idle: Rc<RefCell<Vec<Connection>>> = Rc::default();
    Ok(Rc::new(move || {
        let (url, idle) = (Rc::clone(&url), Rc::clone(&idle));
        Box::pin(async move {
            let pooled = idle.borrow_mut().pop();
            let mut connection = match pooled {
                Some(connection) => connection,
                None => Connection::open(&url, CALL).await?,
            };
            let right = connection.call().await? == echo(CALL.as_bytes());
            idle.borrow_mut().push(connection);
            if right {
                Ok(10.0)
            } else {
                Err("a wrong answer".into())
            }
        })
    }))
}
