//! Answers to GET: health and documents. The server decides which documents there are.

use std::pin::Pin;

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::request::Parts;
use http::{Method, Response, StatusCode};

use crate::describe::{Access, Tree};
use crate::transport::http::body::Body;
use crate::transport::http::fields::Fields;
use crate::transport::http::media;
use crate::transport::http::routes::Routes;

/// What a page of ours may do in a browser: load its own parts and talk to its own server.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Documents that a server has.
pub(crate) trait Pages: Send + Sync {
    /// Whether the server is well: asked by machines that know it by no name.
    fn health(&self, path: &str) -> Option<Page>;

    /// The document that is wanted, if there is one.
    fn get<'a>(&'a self, request: PageRequest<'a>) -> PageFuture<'a>;
}

/// A document that may take a moment.
pub(crate) type PageFuture<'a> = Pin<Box<dyn Future<Output = Option<Page>> + Send + 'a>>;

/// A request for a document.
pub(crate) struct PageRequest<'a> {
    /// What stands behind the route's path and a slash; nothing is the page itself.
    pub(crate) name: &'a str,
    /// What can be called on the route.
    pub(crate) tree: &'a Tree,
    /// What the reader may see.
    pub(crate) reader: Access,
    /// Whether a person reads it, in a browser.
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
            // It may be another program by the next time, and another reader.
            (header::CACHE_CONTROL, "no-store"),
            (header::CONTENT_SECURITY_POLICY, POLICY),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::REFERRER_POLICY, "same-origin"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        response
    }
}

/// Whether the server is well, if that is what was asked.
pub(super) fn health(pages: &dyn Pages, head: &Parts) -> Option<Response<Body>> {
    let page = pages.health(head.uri.path())?;
    is_get(head).then(|| page.into_response(&head.method))
}

/// The document that was asked for, if there is one.
pub(super) async fn page(
    pages: &dyn Pages,
    routes: &Routes,
    head: &Parts,
    fields: &Fields<'_>,
    reader: Access,
) -> Option<Response<Body>> {
    if !is_get(head) {
        return None;
    }
    let path = head.uri.path();
    let below = routes.below(path)?;
    let request = PageRequest {
        name: below.rest,
        tree: below.route.tree(),
        reader,
        html: media::is_wanted(fields, "text/html"),
    };
    let page = pages.get(request).await?;
    if below.rest.is_empty() && !path.ends_with('/') {
        // The page names its parts relative to itself.
        return Some(redirect(below.path));
    }
    Some(page.into_response(&head.method))
}

fn is_get(head: &Parts) -> bool {
    head.method == Method::GET || head.method == Method::HEAD
}

/// To the same path with a slash, without naming host or scheme: somebody in between may have changed
/// both.
fn redirect(path: &str) -> Response<Body> {
    let last = path.rsplit('/').next().unwrap_or_default();
    let mut response = Response::new(Body::default());
    *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
    if let Ok(to) = HeaderValue::from_str(&format!("{last}/")) {
        response.headers_mut().insert(header::LOCATION, to);
    }
    response
}
