//! Protected resources: where a client of the Model Context Protocol gets a token (RFC 9728).

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, HeaderValue, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{Method, Response};

use crate::address::loopback::is_loopback;
use crate::identity::Authenticators;
use crate::transport::http::body::Body;
use crate::transport::http::routes::Routes;

/// Where the description of a resource is, before the path of the resource.
const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// The response with the description of a resource, if this request asks for one.
pub(super) fn document(
    head: &Parts,
    routes: &Routes,
    authenticators: &Authenticators,
) -> Option<Response<Body>> {
    if head.method != Method::GET {
        return None;
    }
    let path = head.uri.path().strip_prefix(WELL_KNOWN)?;
    let path = if path.is_empty() { "/" } else { path };
    if !routes.speak_mcp(path) {
        return None;
    }
    let resource = format!("{}{path}", base(head)?);
    let text = authenticators.resource_document(&resource)?;
    let mut response = Response::new(Body::from(Bytes::from(text)));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    Some(response)
}

/// What a refusal says beside that a token is needed: where there is one to be had.
pub(super) struct Challenge(String);

impl Challenge {
    /// `None` if there is none to be had.
    pub(super) fn of(head: &Parts, authenticators: &Authenticators) -> Option<Self> {
        authenticators.issuers().next()?;
        let path = head.uri.path();
        Some(Self(format!("{}{WELL_KNOWN}{path}", base(head)?)))
    }

    pub(super) fn add_to(self, mut response: Response<Body>) -> Response<Body> {
        let Self(url) = self;
        if let Some(value) = response.headers_mut().get_mut(WWW_AUTHENTICATE)
            && let Ok(said) = value.to_str()
        {
            let separator = if said.contains(' ') { "," } else { "" };
            let more = format!("{said}{separator} resource_metadata=\"{url}\"");
            if let Ok(more) = HeaderValue::try_from(more) {
                *value = more;
            }
        }
        response
    }
}

/// Scheme and host, as the client has said them. HTTP/1 does not say the scheme: what is on this machine
/// is reached without TLS, everything else with it, if only up to a proxy.
fn base(head: &Parts) -> Option<String> {
    let host = match head.uri.authority() {
        Some(authority) => authority.as_str(),
        None => head.headers.get(HOST)?.to_str().ok()?,
    };
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let scheme = match head.uri.scheme_str() {
        Some(scheme) => scheme,
        None if is_loopback(name) => "http",
        None => "https",
    };
    // It has passed the check of hosts, so it has no characters that would end a header's text.
    (!host.contains('"')).then(|| format!("{scheme}://{host}"))
}
