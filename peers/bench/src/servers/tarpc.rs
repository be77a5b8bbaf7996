//! Benchmark peers of tarpc 0.37: frames with a length over TCP, with JSON or bincode inside.
//! Server and client have their default settings, except for `TCP_NODELAY`, which all peers have.

use std::future::Future;
use std::io;
use std::net::Ipv4Addr;
use std::rc::Rc;

use futures_util::StreamExt;
use tarpc::context;
use tarpc::server::{BaseChannel, Channel};
use tarpc::tokio_serde::formats::{Bincode, Json};
use tarpc::tokio_util::codec::{Framed, LengthDelimitedCodec};
use tarpc::{ClientMessage, Response, Transport, client::Config, serde_transport};
use tokio::net::{TcpListener, TcpStream};

use super::{Listening, OwnLoad, Peer, Serving};
use crate::Failure;
use crate::cases::{self, Case};
use crate::client::{self, Caller};

const CASES: &[Case] = &[Case::Tcp64, Case::Tcp1];

pub(super) const WITH_JSON: Peer = Peer {
    serve_lines: Some(|_| {
        Box::pin(listen(|stream| {
            serve_calc(serde_transport::new(framed(stream), Json::default()))
        }))
    }),
    own_load: Some(OwnLoad {
        cases: CASES,
        connect: |address| {
            Box::pin(async move {
                let framed = framed(open(&address).await?);
                Ok(client_of(serde_transport::new(framed, Json::default())))
            })
        },
    }),
    ..Peer::without("tarpc-json")
};

pub(super) const WITH_BINCODE: Peer = Peer {
    serve_lines: Some(|_| {
        Box::pin(listen(|stream| {
            serve_calc(serde_transport::new(framed(stream), Bincode::default()))
        }))
    }),
    own_load: Some(OwnLoad {
        cases: CASES,
        connect: |address| {
            Box::pin(async move {
                let framed = framed(open(&address).await?);
                Ok(client_of(serde_transport::new(framed, Bincode::default())))
            })
        },
    }),
    ..Peer::without("tarpc-bincode")
};

#[tarpc::service]
trait Calc {
    async fn add(a: f64, b: f64) -> f64;
}

#[derive(Clone, Copy)]
struct CalcServer;

impl Calc for CalcServer {
    async fn add(self, _: context::Context, a: f64, b: f64) -> f64 {
        cases::add(a, b)
    }
}

/// The framing that `serde_transport::tcp` has by default.
fn framed(stream: TcpStream) -> Framed<TcpStream, LengthDelimitedCodec> {
    LengthDelimitedCodec::builder().new_framed(stream)
}

/// Binds a port, and spawns a task for each connection.
async fn listen<S>(serve: fn(TcpStream) -> S) -> Result<Listening, Failure>
where
    S: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let port = listener.local_addr()?.port();
    let serving: Serving = Box::pin(async move {
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            tokio::spawn(serve(stream));
        }
    });
    Ok((port, serving))
}

/// Serves one connection, with a task for each call, as in the documentation.
async fn serve_calc<T>(transport: T)
where
    T: Transport<Response<CalcResponse>, ClientMessage<CalcRequest>> + Send + 'static,
    T::Error: Send + Sync,
{
    let calls = BaseChannel::with_defaults(transport).execute(CalcServer.serve());
    calls
        .for_each(|call| async move { drop(tokio::spawn(call)) })
        .await;
}

async fn open(address: &str) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn client_of<T>(transport: T) -> Caller
where
    T: Transport<ClientMessage<CalcRequest>, Response<CalcResponse>> + Send + 'static,
    T::Error: Send + Sync,
{
    let client = CalcClient::new(Config::default(), transport).spawn();
    Rc::new(move || {
        let client = client.clone();
        Box::pin(async move {
            let [a, b] = client::NUMBERS;
            Ok(client.add(context::current(), a, b).await?)
        })
    })
}
