//! Benchmark peer tonic 0.14: gRPC, a unary call over HTTP/2. Messages and service are written by
//! hand, as its generated code has them, so that `protoc` is not needed. Server and client have
//! their default settings.

use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use tokio::net::TcpListener;
use tonic::body::Body;
use tonic::codegen::{Service, http};
use tonic::server::{NamedService, UnaryService};
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;

use super::{OwnLoad, Peer};
use crate::Failure;
use crate::cases::{self, Case};
use crate::client::{self, Caller};

pub(super) const PEER: Peer = Peer {
    serve: |listener, _| Box::pin(serve(listener)),
    own_load: Some(OwnLoad {
        cases: &[Case::Ws64, Case::Ws1],
        connect: |address| Box::pin(connect(address)),
    }),
    ..Peer::without("tonic")
};

const PATH: &str = "/bench.Calc/Add";

#[derive(Clone, Copy, PartialEq, prost::Message)]
struct Numbers {
    #[prost(double, tag = "1")]
    a: f64,
    #[prost(double, tag = "2")]
    b: f64,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
struct Sum {
    #[prost(double, tag = "1")]
    sum: f64,
}

async fn serve(listener: TcpListener) -> Result<(), Failure> {
    // A server that binds an address itself sets `TCP_NODELAY` by default.
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let server = Server::builder().add_service(Calc);
    Ok(server.serve_with_incoming(incoming).await?)
}

/// The service: finds the method by the path.
#[derive(Clone, Copy)]
struct Calc;

impl NamedService for Calc {
    const NAME: &'static str = "bench.Calc";
}

impl Service<http::Request<Body>> for Calc {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let is_add = request.uri().path() == PATH;
        Box::pin(async move {
            if !is_add {
                return Ok(Status::unimplemented("").into_http());
            }
            let mut grpc = tonic::server::Grpc::new(ProstCodec::<Sum, Numbers>::default());
            Ok(grpc.unary(Add, request).await)
        })
    }
}

/// The method `Add`.
struct Add;

impl UnaryService<Numbers> for Add {
    type Response = Sum;
    type Future = Ready<Result<Response<Sum>, Status>>;

    fn call(&mut self, request: Request<Numbers>) -> Self::Future {
        let Numbers { a, b } = request.into_inner();
        let sum = cases::add(a, b);
        ready(Ok(Response::new(Sum { sum })))
    }
}

/// A client with one connection of its own.
async fn connect(address: String) -> Result<Caller, Failure> {
    let endpoint = Endpoint::from_shared(format!("http://{address}"))?;
    let channel = endpoint.connect().await?;
    Ok(Rc::new(move || Box::pin(add(channel.clone()))))
}

async fn add(channel: Channel) -> Result<f64, Failure> {
    let mut grpc = tonic::client::Grpc::new(channel);
    grpc.ready().await?;
    let [a, b] = client::NUMBERS;
    let request = Request::new(Numbers { a, b });
    let path = http::uri::PathAndQuery::from_static(PATH);
    let codec = ProstCodec::<Numbers, Sum>::default();
    Ok(grpc.unary(request, path, codec).await?.into_inner().sum)
}
