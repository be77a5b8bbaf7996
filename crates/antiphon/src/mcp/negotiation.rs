//! Negotiation of the version, request by request.

use antiphon_proto::{ErrorObject, Request as Message};
use http::HeaderMap;
use serde_json::json;

use super::errors::{HEADER_MISMATCH, UNSUPPORTED_VERSION};
use super::headers;
use super::logging::LogLevel;
use super::params::{Meta, Params};
use super::version::Version;

/// The version of a request: what it says of itself, and what its headers say.
pub(super) fn version_of(
    message: &Message,
    params: &Params<'_>,
    headers: Option<&HeaderMap>,
) -> Result<Version, ErrorObject> {
    let none = Meta::default();
    let meta = params.meta.as_ref().unwrap_or(&none);
    let mismatch = |reason: String| ErrorObject::new(HEADER_MISMATCH, reason);
    let header = match headers {
        Some(headers) => headers::only(headers, headers::VERSION).map_err(mismatch)?,
        None => None,
    };
    let Some(named) = meta.version.as_deref() else {
        let is_new = matches!(message.method(), "server/discover" | "subscriptions/listen");
        return match header.map(|name| (name, Version::of(name))) {
            // It asks for a version in its parameters.
            _ if message.method() == "initialize" => Ok(Version::LATEST_BEFORE),
            Some((name, None)) => Err(unsupported(name)),
            Some((_, Some(version))) if !version.is_stateless() && !is_new => Ok(version),
            None if !is_new => Ok(Version::LATEST_BEFORE),
            _ => Err(ErrorObject::invalid_params(
                "`_meta` has no `io.modelcontextprotocol/protocolVersion`",
            )),
        };
    };
    if headers.is_some() && header != Some(named) {
        let reason = match header {
            Some(_) => "the header mcp-protocol-version and the body say different versions",
            None => "the header mcp-protocol-version is missing",
        };
        return Err(mismatch(reason.to_owned()));
    }
    let version = Version::of(named).filter(|version| version.is_stateless());
    let version = version.ok_or_else(|| unsupported(named))?;
    if meta.capabilities.is_none() {
        return Err(ErrorObject::invalid_params(
            "`_meta` has no `io.modelcontextprotocol/clientCapabilities`",
        ));
    }
    if let Some(level) = meta.log_level.as_deref()
        && LogLevel::of(level).is_none()
    {
        return Err(ErrorObject::invalid_params("there is no such log level"));
    }
    Ok(version)
}

/// The beginning of a peer's text, for an error.
pub(super) fn short(text: &str) -> String {
    text.chars().take(100).collect()
}

fn unsupported(name: &str) -> ErrorObject {
    let supported = Version::ALL.map(Version::name);
    let data = json!({"supported": supported, "requested": short(name)});
    ErrorObject::new(UNSUPPORTED_VERSION, "Unsupported protocol version").with_data(&data)
}
