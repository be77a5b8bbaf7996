//! Header fields of a request that are used here, found in one pass over its head.
//!
//! A lookup in a header map hashes the name. Ten lookups cost more than one iteration over the few
//! fields of a request.

use http::{HeaderMap, HeaderValue};

use crate::transport::http::proxy_fields::proves_a_proxy;

/// References to the header fields of one request.
#[derive(Debug)]
pub(crate) struct Fields<'a> {
    pub(crate) host: Occurrence<'a>,
    pub(crate) content_type: Occurrence<'a>,
    pub(crate) accept: Occurrence<'a>,
    pub(crate) origin: Occurrence<'a>,
    pub(crate) content_encoding: Occurrence<'a>,
    pub(crate) authorization: Occurrence<'a>,
    pub(crate) content_length: Occurrence<'a>,
    pub(crate) transfer_encoding: Occurrence<'a>,
    pub(crate) sec_fetch_site: Option<&'a HeaderValue>,
    pub(crate) timeout: Option<&'a HeaderValue>,
    pub(crate) traceparent: Option<&'a HeaderValue>,
    pub(crate) tracestate: Option<&'a HeaderValue>,
    /// Whether a field is present that only proxies add: the request did not come here directly.
    pub(crate) forwarded: bool,
    /// The bytes of all names and values.
    pub(crate) bytes: usize,
    /// All header fields, for those that need another lookup.
    pub(crate) all: &'a HeaderMap,
}

/// How often a field occurs. Some fields must not occur more than once.
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
            content_length: Occurrence::Never,
            transfer_encoding: Occurrence::Never,
            sec_fetch_site: None,
            timeout: None,
            traceparent: None,
            tracestate: None,
            forwarded: false,
            bytes: 0,
            all: headers,
        };
        for (name, value) in headers {
            fields.bytes += name.as_str().len() + value.len();
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
                "content-length" => fields.content_length.note(value),
                "transfer-encoding" => fields.transfer_encoding.note(value),
                name => fields.forwarded |= proves_a_proxy(name),
            }
        }
        fields
    }
}
