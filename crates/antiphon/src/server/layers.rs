//! Layers around all calls and all HTTP requests of a server.

use std::sync::Arc;

use http::{HeaderMap, Request, Response};
use http_body::Body as HttpBody;
use tower_layer::Layer;
use tower_service::Service;

use crate::call::{Call, Reply};
use crate::router::endpoint::box_layer;
use crate::router::{BoxError, Endpoint};
use crate::server::builder::Server;
use crate::server::http_layer::{HttpStack, box_http_layer};
use crate::transport::http::Body;
use crate::transport::http::connection::Condition;

/// Layers.
impl Server {
    /// Wraps every router of this server in a `tower` layer over calls. These layers are outside of
    /// those of the routers; see [`Router::layer`](crate::Router::layer). They do not
    /// apply to a prebuilt [`Route`](crate::Route).
    #[must_use]
    pub fn call_layer<L>(mut self, layer: L) -> Self
    where
        L: Layer<Endpoint> + Send + Sync + 'static,
        L::Service: Service<Call, Response = Reply> + Clone + Send + Sync + 'static,
        <L::Service as Service<Call>>::Error: Into<BoxError>,
        <L::Service as Service<Call>>::Future: Send,
    {
        self.call_layers.push(box_layer(layer));
        self
    }

    /// Wraps the whole server in a `tower` layer over HTTP requests: compression, authentication,
    /// tracing. The layer added last is the outermost.
    ///
    /// ```
    /// # use antiphon::{Router, Server};
    /// use tower_http::set_header::SetResponseHeaderLayer;
    /// use http::{HeaderValue, header::SERVER};
    ///
    /// let layer = SetResponseHeaderLayer::overriding(SERVER, HeaderValue::from_static("mine"));
    /// let server = Server::new(Router::new()).http_layer(layer);
    /// ```
    #[must_use]
    pub fn http_layer<L, B>(mut self, layer: L) -> Self
    where
        L: Layer<HttpStack> + Send + Sync + 'static,
        L::Service: Service<Request<Body>, Response = Response<B>> + Clone + Send + Sync + 'static,
        <L::Service as Service<Request<Body>>>::Error: Into<BoxError>,
        <L::Service as Service<Request<Body>>>::Future: Send,
        B: HttpBody<Data = bytes::Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        self.http_layers.push(box_http_layer(layer, None));
        self
    }

    /// Like [`http_layer`](Self::http_layer), for requests with certain headers only. All others pass it
    /// by, at no cost.
    ///
    /// Callers choose their headers, so a layer that protects something must not have a condition. If the
    /// condition panics, the response is 500.
    ///
    /// ```
    /// # use antiphon::{Router, Server};
    /// use http::header::ACCEPT_ENCODING;
    /// use tower_http::compression::CompressionLayer;
    ///
    /// let server = Server::new(Router::new()).http_layer_if(
    ///     |headers| headers.contains_key(ACCEPT_ENCODING),
    ///     CompressionLayer::new(),
    /// );
    /// ```
    #[must_use]
    pub fn http_layer_if<L, B>(
        mut self,
        applies: impl Fn(&HeaderMap) -> bool + Send + Sync + 'static,
        layer: L,
    ) -> Self
    where
        L: Layer<HttpStack> + Send + Sync + 'static,
        L::Service: Service<Request<Body>, Response = Response<B>> + Clone + Send + Sync + 'static,
        <L::Service as Service<Request<Body>>>::Error: Into<BoxError>,
        <L::Service as Service<Request<Body>>>::Future: Send,
        B: HttpBody<Data = bytes::Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let condition = Some(Arc::new(applies) as Condition);
        self.http_layers.push(box_http_layer(layer, condition));
        self
    }
}
