//! Responses to GET: health and documents. The server decides which documents exist.

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::request::Parts;
use http::{Method, Response, StatusCode};

use crate::describe::{Reader, Tree};
use crate::memory_budget::{Account, Exhausted, Payload};
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
    status: StatusCode,
    media_type: &'static str,
    content: Content,
}

enum Content {
    /// One text for all requests.
    Shared(Bytes),
    /// Made for this request.
    Made(Payload),
}

impl Page {
    /// A document that is there, whoever asks for it.
    pub(crate) fn shared(media_type: &'static str, text: impl Into<Bytes>) -> Self {
        Self::of(media_type, Content::Shared(text.into()))
    }

    /// A document that was made for this request, and is held until the peer has taken it.
    pub(crate) fn made(media_type: &'static str, text: String) -> Self {
        Self::of(media_type, Content::Made(text.into_bytes().into()))
    }

    pub(crate) fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    fn of(media_type: &'static str, content: Content) -> Self {
        Self {
            status: StatusCode::OK,
            media_type,
            content,
        }
    }

    /// The response.
    ///
    /// # Errors
    ///
    /// If there is no memory for it.
    fn into_response(
        self,
        method: &Method,
        memory: &Arc<Account>,
    ) -> Result<Response<Body>, Exhausted> {
        let (length, body) = match self.content {
            Content::Shared(text) => (text.len(), Body::from(text)),
            Content::Made(mut text) => {
                text.hold_all(memory)?;
                (text.len(), Body::from(text))
            }
        };
        let body = match *method {
            Method::HEAD => Body::default(),
            _ => body,
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
        Ok(response)
    }
}

/// The response to a health check, if this request is one.
pub(super) fn health(
    pages: &dyn Pages,
    head: &Parts,
    memory: &Arc<Account>,
) -> Option<Result<Response<Body>, Exhausted>> {
    let page = pages.health(head.uri.path())?;
    Some(page.into_response(&head.method, memory))
}

/// The response with the requested document, if it exists.
pub(super) async fn page(
    pages: &dyn Pages,
    routes: &Routes,
    head: &Parts,
    fields: &Fields<'_>,
    reader: Reader,
    memory: &Arc<Account>,
) -> Option<Result<Response<Body>, Exhausted>> {
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
        return Some(Ok(redirect(below.path)));
    }
    Some(page.into_response(&head.method, memory))
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
