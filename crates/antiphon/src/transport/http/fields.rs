//! Header fields that matter here, found in one pass over a request's head.
//!
//! A look-up in a header map hashes the name; ten of them cost more than the walk over the handful
//! of fields that a request has.

use http::{HeaderMap, HeaderValue};

/// References into one head.
#[derive(Debug)]
pub(crate) struct Fields<'a> {
    pub(crate) host: Occurrence<'a>,
    pub(crate) content_type: Occurrence<'a>,
    pub(crate) accept: Occurrence<'a>,
    pub(crate) origin: Occurrence<'a>,
    pub(crate) content_encoding: Occurrence<'a>,
    pub(crate) authorization: Occurrence<'a>,
    pub(crate) sec_fetch_site: Option<&'a HeaderValue>,
    pub(crate) timeout: Option<&'a HeaderValue>,
    pub(crate) traceparent: Option<&'a HeaderValue>,
    pub(crate) tracestate: Option<&'a HeaderValue>,
    /// Whether somebody in between says so: the request came through a proxy.
    pub(crate) forwarded: bool,
    /// The whole head, for what needs another look.
    pub(crate) all: &'a HeaderMap,
}

/// How often a field occurs: more than once means trouble for some of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Occurrence<'a> {
    Never,
    Once(&'a HeaderValue),
    Often,
}

impl<'a> Occurrence<'a> {
    fn note(&mut self, value: &'a HeaderValue) {
        *self = match self {
            Self::Never => Self::Once(value),
            Self::Once(_) | Self::Often => Self::Often,
        };
    }
}

impl<'a> Fields<'a> {
    pub(crate) fn of(headers: &'a HeaderMap) -> Self {
        let mut fields = Self {
            host: Occurrence::Never,
            content_type: Occurrence::Never,
            accept: Occurrence::Never,
            origin: Occurrence::Never,
            content_encoding: Occurrence::Never,
            authorization: Occurrence::Never,
            sec_fetch_site: None,
            timeout: None,
            traceparent: None,
            tracestate: None,
            forwarded: false,
            all: headers,
        };
        for (name, value) in headers {
            match name.as_str() {
                "host" => fields.host.note(value),
                "authorization" => fields.authorization.note(value),
                "content-type" => fields.content_type.note(value),
                "accept" => fields.accept.note(value),
                "origin" => fields.origin.note(value),
                "content-encoding" => fields.content_encoding.note(value),
                "sec-fetch-site" => fields.sec_fetch_site = Some(value),
                "rpc-timeout-ms" => fields.timeout = Some(value),
                "traceparent" => fields.traceparent = Some(value),
                "tracestate" => fields.tracestate = Some(value),
                "forwarded" => fields.forwarded = true,
                name => fields.forwarded |= name.starts_with("x-forwarded-"),
            }
        }
        fields
    }
}
