//! Type-erased layers over HTTP requests.

use std::convert::Infallible;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response, StatusCode};
use http_body::Body as HttpBody;
use tower_layer::Layer;
use tower_service::Service;

use crate::error::Printable;
use crate::router::BoxError;
use crate::transport::http::Body;
use crate::transport::http::connection::{Condition, HttpHandler, Layered};

/// A type-erased HTTP layer, as a function from the inner handler to the wrapped one.
pub(crate) type HttpLayer = Arc<dyn Fn(HttpHandler) -> HttpHandler + Send + Sync>;

/// Erases the type of a layer.
pub(super) fn box_http_layer<L, B>(layer: L, condition: Option<Condition>) -> HttpLayer
where
    L: Layer<HttpStack> + Send + Sync + 'static,
    L::Service: Service<Request<Body>, Response = Response<B>> + Clone + Send + Sync + 'static,
    <L::Service as Service<Request<Body>>>::Error: Into<BoxError>,
    <L::Service as Service<Request<Body>>>::Future: Send,
    B: HttpBody<Data = bytes::Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    Arc::new(move |inner| {
        let service = layer.layer(HttpStack(inner.clone()));
        let service = move |request| {
            let mut service: L::Service = service.clone();
            Box::pin(async move {
                let ready = poll_fn(|cx| service.poll_ready(cx))
                    .await
                    .map_err(Into::into);
                let response = match ready {
                    Ok(()) => service.call(request).await.map_err(Into::into),
                    Err(error) => Err(error),
                };
                match response {
                    Ok(response) => response.map(Body::layered),
                    Err(error) => failed(&error),
                }
            }) as Pin<Box<dyn Future<Output = Response<Body>> + Send>>
        };
        HttpHandler::Layered(Layered {
            service: Arc::new(service),
            condition: condition.clone(),
            inside: Arc::new(inner),
        })
    })
}

/// Response for a failed HTTP layer: 500 without a body. The error is only logged.
fn failed(error: &BoxError) -> Response<Body> {
    tracing::error!("an HTTP layer failed: {}", Printable(error));
    let mut response = Response::new(Body::default());
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response
}

/// The service that an HTTP layer wraps: the server itself, or the next inner layer.
#[derive(Clone)]
pub struct HttpStack(HttpHandler);

impl Service<Request<Body>> for HttpStack {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        match self.0.of_request(request.headers()) {
            HttpHandler::Plain(service) => service.clone().call(request),
            HttpHandler::Layered(layered) => {
                let response = (layered.service)(request);
                Box::pin(async move { Ok(response.await) })
            }
        }
    }
}

impl fmt::Debug for HttpStack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HttpStack")
    }
}
