//! Responses to GET: health and documents. The server decides which documents exist.

use std::pin::Pin;

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::request::Parts;
use http::{Method, Response, StatusCode};

use crate::describe::{Reader, Tree};
use crate::transport::http::body::Body;
use crate::transport::http::headers::Fields;
use crate::transport::http::media_types;
use crate::transport::http::routes::Routes;

/// The Content-Security-Policy of this server's pages: they may load their own resources and
/// connect to their own server.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The documents of a server.
pub(crate) trait Pages: Send + Sync {
    /// The health page, if it is at this path. Host and Origin are not checked before, since health
    /// probes do not use the server's name.
    fn health(&self, path: &str) -> Option<Page>;

    /// The requested document, if it exists.
    fn get<'a>(&'a self, request: PageRequest<'a>) -> PageFuture<'a>;
}

/// A future that creates a document.
pub(crate) type PageFuture<'a> = Pin<Box<dyn Future<Output = Option<Page>> + Send + 'a>>;

/// A request for a document.
pub(crate) struct PageRequest<'a> {
    /// The part of the path after the route's path and a slash; empty for the page itself.
    pub(crate) name: &'a str,
    /// The methods and namespaces of the route.
    pub(crate) tree: &'a Tree,
    /// Decides which methods are shown.
    pub(crate) reader: Reader,
    /// Whether the client asks for HTML, as browsers do.
    pub(crate) html: bool,
}

/// A document.
pub(crate) struct Page {
    pub(crate) status: StatusCode,
    pub(crate) media_type: &'static str,
    pub(crate) body: Bytes,
}

impl Page {
    pub(crate) fn new(media_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self {
            status: StatusCode::OK,
            media_type,
            body: body.into(),
        }
    }

    fn into_response(self, method: &Method) -> Response<Body> {
        let length = self.body.len();
        let body = match *method {
            Method::HEAD => Body::default(),
            _ => Body::from(self.body),
        };
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        for (name, value) in [
            (header::CONTENT_TYPE, self.media_type),
            // Another program may serve this address next time, and other clients may see other
            // methods.
            (header::CACHE_CONTROL, "no-store"),
            (header::CONTENT_SECURITY_POLICY, POLICY),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::REFERRER_POLICY, "same-origin"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        response
    }
}

/// The response to a health check, if this request is one.
pub(super) fn health(pages: &dyn Pages, head: &Parts) -> Option<Response<Body>> {
    let page = pages.health(head.uri.path())?;
    Some(page.into_response(&head.method))
}

/// The response with the requested document, if it exists.
pub(super) async fn page(
    pages: &dyn Pages,
    routes: &Routes,
    head: &Parts,
    fields: &Fields<'_>,
    reader: Reader,
) -> Option<Response<Body>> {
    let path = head.uri.path();
    let below = routes.below(path)?;
    let request = PageRequest {
        name: below.rest,
        tree: below.route.tree(),
        reader,
        html: media_types::is_wanted(fields, "text/html"),
    };
    let page = pages.get(request).await?;
    if below.rest.is_empty() && !path.ends_with('/') {
        // The page has links relative to its own path.
        return Some(redirect(below.path));
    }
    Some(page.into_response(&head.method))
}

/// Whether a request can be for a page at all. Calls are not, and need not ask.
pub(super) fn is_get(head: &Parts) -> bool {
    head.method == Method::GET || head.method == Method::HEAD
}

/// Redirects to the same path with a slash. `Location` is relative, since a proxy may have changed
/// host and scheme.
fn redirect(path: &str) -> Response<Body> {
    let last = path.rsplit('/').next().unwrap_or_default();
    let mut response = Response::new(Body::default());
    *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
    if let Ok(to) = HeaderValue::from_str(&format!("{last}/")) {
        response.headers_mut().insert(header::LOCATION, to);
    }
    response
}
