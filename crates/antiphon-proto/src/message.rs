//! Requests and responses: their kinds, and how they are written.

use std::time::Duration;

use bytes::Bytes;

use crate::error::ErrorObject;
use crate::raw::RawJson;
use crate::scan::Span;

/// A message as it came: one entry, or a batch of them (JSON-RPC 2.0, section 6).
#[derive(Debug)]
pub enum Incoming {
    /// A single object.
    Single(Entry),
    /// An array, neither empty nor longer than the rules allow. Also an array of one is a batch.
    Batch(Vec<Entry>),
}

/// One object of a message.
#[derive(Debug)]
pub enum Entry {
    /// A valid request or notification.
    Request(Request),
    /// An answer to a call of ours.
    Response(Response),
    /// Neither; it is answered −32600 with this id.
    Invalid(Invalid),
}

/// An entry that is JSON but no request: what can be said of whom to answer.
#[derive(Debug)]
pub struct Invalid {
    pub(crate) id: Option<RawJson>,
    pub(crate) reason: &'static str,
    pub(crate) kind: Likeness,
}

/// What an entry that is invalid was meant to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Likeness {
    /// It names a method.
    Request,
    /// It names none, but a result or an error.
    Answer,
    /// It cannot be told.
    Neither,
}

impl Invalid {
    /// A request that must not run after all, such as one whose id is in use.
    #[must_use]
    pub fn request(request: &Request, reason: &'static str) -> Self {
        let id = request.id.map(|span| RawJson::cut(&request.text, span));
        Self {
            id,
            reason,
            kind: Likeness::Request,
        }
    }

    /// What it was meant to be: an answer of the peer's is not to be answered with an error.
    #[must_use]
    pub fn likeness(&self) -> Likeness {
        self.kind
    }

    /// The id to echo, as JSON text: the entry's own if it has exactly one and that one is valid,
    /// else `null`.
    #[must_use]
    pub fn id(&self) -> &str {
        self.id.as_ref().map_or("null", RawJson::as_str)
    }

    /// Why it is no request, for a log.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        self.reason
    }
}

/// A valid request, or a notification if it has no id (sections 4 and 4.1).
///
/// It owns the message's bytes and places in it; nothing is copied but a method name that was
/// written with escapes.
#[derive(Debug, Clone)]
pub struct Request {
    pub(crate) text: Bytes,
    pub(crate) method: Name,
    pub(crate) params: Option<Span>,
    pub(crate) id: Option<Span>,
    pub(crate) extensions: Option<Box<Extensions>>,
}

#[derive(Debug, Clone)]
pub(crate) enum Name {
    Plain { start: u32, end: u32 },
    Unescaped(Box<str>),
}

/// The members beyond the specification that we read; most requests have none of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Extensions {
    pub(crate) timeout: Option<Duration>,
    pub(crate) traceparent: Option<String>,
    pub(crate) tracestate: Option<String>,
}

impl Request {
    /// The method's full name, unescaped.
    #[must_use]
    pub fn method(&self) -> &str {
        match &self.method {
            Name::Plain { start, end } => self.str(*start as usize..*end as usize),
            Name::Unescaped(name) => name,
        }
    }

    /// The same name as bytes, for a look-up: it need not be checked as UTF-8 again.
    #[must_use]
    pub fn method_bytes(&self) -> &[u8] {
        match &self.method {
            Name::Plain { start, end } => {
                let range = *start as usize..*end as usize;
                self.text.get(range).unwrap_or_default()
            }
            Name::Unescaped(name) => name.as_bytes(),
        }
    }

    /// The JSON text of `params`: an array or an object.
    #[must_use]
    pub fn params(&self) -> Option<&str> {
        self.params.map(|span| self.str(span.range()))
    }

    /// The length of that text in bytes; 0 if there is none.
    #[must_use]
    pub fn params_len(&self) -> usize {
        self.params.map_or(0, |span| span.range().len())
    }

    /// The same text as a piece of the message, which is not copied for it.
    #[must_use]
    pub fn raw_params(&self) -> Option<RawJson> {
        self.params.map(|span| RawJson::cut(&self.text, span))
    }

    /// The JSON text of the id; `None` is a notification. `null` is an id.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.id.map(|span| self.str(span.range()))
    }

    /// The same text as bytes, for an echo: it need not be looked at again.
    #[must_use]
    pub fn id_bytes(&self) -> Option<&[u8]> {
        self.id.and_then(|span| self.text.get(span.range()))
    }

    /// Whether it has no id: it runs, and is never answered (section 4.1).
    #[must_use]
    pub fn is_notification(&self) -> bool {
        self.id.is_none()
    }

    /// How long the caller is willing to wait: the member `timeout`, in whole milliseconds.
    #[must_use]
    pub fn timeout(&self) -> Option<Duration> {
        self.extensions.as_ref()?.timeout
    }

    /// The caller's place in a trace (W3C Trace Context), from the member `traceparent`.
    #[must_use]
    pub fn traceparent(&self) -> Option<&str> {
        self.extensions.as_ref()?.traceparent.as_deref()
    }

    /// What tracing systems pass along (W3C Trace Context), from the member `tracestate`.
    #[must_use]
    pub fn tracestate(&self) -> Option<&str> {
        self.extensions.as_ref()?.tracestate.as_deref()
    }

    fn str(&self, range: std::ops::Range<usize>) -> &str {
        // Checked as UTF-8 when the message was parsed, and cut at ASCII characters.
        let bytes = self.text.get(range).unwrap_or_default();
        std::str::from_utf8(bytes).unwrap_or_default()
    }
}

/// An answer to a call of ours (section 5).
#[derive(Debug, Clone)]
pub struct Response {
    pub(crate) id: RawJson,
    pub(crate) outcome: Result<RawJson, ErrorObject>,
}

impl Response {
    /// The JSON text of the id: the caller compares it byte for byte.
    #[must_use]
    pub fn id(&self) -> &str {
        self.id.as_str()
    }

    /// The result, or the error in its place.
    ///
    /// # Errors
    ///
    /// The error object of the answer.
    pub fn into_outcome(self) -> Result<RawJson, ErrorObject> {
        self.outcome
    }
}

/// The members beyond the specification that a request may bring; see [`Request::timeout`] and
/// [`Request::traceparent`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Extras<'a> {
    /// How long the caller is willing to wait, sent in whole milliseconds, at least one.
    pub timeout: Option<Duration>,
    /// The caller's place in a trace.
    pub traceparent: Option<&'a str>,
    /// What tracing systems pass along.
    pub tracestate: Option<&'a str>,
}

/// Appends a request, or a notification if `id` is `None`.
///
/// `params` and `id` are JSON text, `version` is what the member `jsonrpc` shall say.
///
/// ```
/// use antiphon_proto::message::write_request;
///
/// let mut out = Vec::new();
/// write_request(&mut out, "2.0", Some("1"), "calc.add", Some("[3,7]"));
/// assert_eq!(out, br#"{"jsonrpc":"2.0","id":1,"method":"calc.add","params":[3,7]}"#);
/// ```
pub fn write_request(
    out: &mut Vec<u8>,
    version: &str,
    id: Option<&str>,
    method: &str,
    params: Option<&str>,
) {
    write_request_with(out, version, id, method, params, Extras::default());
}

/// Appends a request as [`write_request`] does, with members beyond the specification.
///
/// ```
/// use std::time::Duration;
/// use antiphon_proto::message::{Extras, write_request_with};
///
/// let mut out = Vec::new();
/// let extras = Extras { timeout: Some(Duration::from_millis(1500)), ..Extras::default() };
/// write_request_with(&mut out, "2.0", None, "tick", None, extras);
/// assert_eq!(out, br#"{"jsonrpc":"2.0","method":"tick","timeout":1500}"#);
/// ```
pub fn write_request_with(
    out: &mut Vec<u8>,
    version: &str,
    id: Option<&str>,
    method: &str,
    params: Option<&str>,
    extras: Extras<'_>,
) {
    out.extend_from_slice(b"{\"jsonrpc\":");
    write_string(out, version);
    if let Some(id) = id {
        out.extend_from_slice(b",\"id\":");
        out.extend_from_slice(id.as_bytes());
    }
    out.extend_from_slice(b",\"method\":");
    write_string(out, method);
    if let Some(params) = params {
        out.extend_from_slice(b",\"params\":");
        out.extend_from_slice(params.as_bytes());
    }
    if let Some(timeout) = extras.timeout {
        out.extend_from_slice(b",\"timeout\":");
        out.extend_from_slice(timeout.as_millis().max(1).to_string().as_bytes());
    }
    if let Some(traceparent) = extras.traceparent {
        out.extend_from_slice(b",\"traceparent\":");
        write_string(out, traceparent);
    }
    if let Some(tracestate) = extras.tracestate {
        out.extend_from_slice(b",\"tracestate\":");
        write_string(out, tracestate);
    }
    out.push(b'}');
}

/// Appends what stands before a result; the result's JSON text and one `}` complete the answer.
///
/// ```
/// use antiphon_proto::message::begin_result;
///
/// let mut out = Vec::new();
/// begin_result(&mut out, b"1");
/// out.extend_from_slice(b"10}");
/// assert_eq!(out, br#"{"jsonrpc":"2.0","id":1,"result":10}"#);
/// ```
pub fn begin_result(out: &mut Vec<u8>, id: &[u8]) {
    out.extend_from_slice(BEFORE_ID);
    out.extend_from_slice(id);
    out.extend_from_slice(BEFORE_RESULT);
}

/// Whether `text` is what [`begin_result`] writes for this id.
#[must_use]
pub fn begins_result(text: &[u8], id: &[u8]) -> bool {
    let rest = text
        .strip_prefix(BEFORE_ID)
        .and_then(|rest| rest.strip_prefix(id));
    rest == Some(BEFORE_RESULT)
}

const BEFORE_ID: &[u8] = b"{\"jsonrpc\":\"2.0\",\"id\":";
const BEFORE_RESULT: &[u8] = b",\"result\":";

/// Appends an answer that carries an error.
///
/// ```
/// use antiphon_proto::{ErrorObject, message::write_error};
///
/// let mut out = Vec::new();
/// write_error(&mut out, b"null", &ErrorObject::new(7, "no"));
/// assert_eq!(out, br#"{"jsonrpc":"2.0","id":null,"error":{"code":7,"message":"no"}}"#);
/// ```
pub fn write_error(out: &mut Vec<u8>, id: &[u8], error: &ErrorObject) {
    out.extend_from_slice(BEFORE_ID);
    out.extend_from_slice(id);
    out.extend_from_slice(b",\"error\":");
    error.write(out);
    out.push(b'}');
}

fn write_string(out: &mut Vec<u8>, text: &str) {
    // A string always has a JSON form.
    let _ = serde_json::to_writer(out, text);
}
