//! Requests and responses: their types and their serialization.

use std::ops::Range;
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use crate::error::ErrorObject;
use crate::raw::RawJson;
use crate::scan::Span;

/// Maximum length of the JSON text of `after`, in bytes. A longer one names no item.
pub(crate) const MAX_AFTER_LEN: usize = 256;

/// Maximum length of the JSON text of `traceparent` and of `tracestate`, in bytes. A longer one is
/// ignored. Everybody passes on 512 characters (W3C Trace Context, section 3.3.1.5).
pub const MAX_TRACE_LEN: usize = 1024;

/// A parsed message: one entry or a batch (JSON-RPC 2.0, section 6).
#[derive(Debug)]
pub enum Incoming {
    /// A single object.
    Single(Entry),
    /// An array whose length is between one and the limit. An array of one entry is a batch as
    /// well.
    Batch(Vec<Entry>),
}

/// An object of a message.
#[derive(Debug)]
pub enum Entry {
    /// A valid request or notification.
    Request(Request),
    /// A response to one of our calls.
    Response(Response),
    /// Neither a request nor a response. It is answered with error −32600 and the id of this value.
    Invalid(Invalid),
}

/// An entry that is JSON but not a valid request or response, with the id for the error response.
#[derive(Debug)]
pub struct Invalid {
    pub(crate) id: Option<RawJson>,
    pub(crate) reason: &'static str,
    pub(crate) kind: Likeness,
}

/// What an invalid entry appears to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Likeness {
    /// A request: it names a method.
    Request,
    /// A response: it names no method, but has a result or an error.
    Answer,
    /// Unknown.
    Neither,
}

impl Incoming {
    /// Lets go of the message, if its requests are less than half of it: they are copied out. The
    /// rest is white space, or members that nobody reads. Returns the bytes that are kept.
    ///
    /// `length` is the length of the message.
    pub fn compact(&mut self, length: usize) -> usize {
        let entries = match self {
            Self::Single(entry) => std::slice::from_mut(entry),
            Self::Batch(entries) => entries,
        };
        let used = |entry: &Entry| match entry {
            Entry::Request(request) => Some(request.used()),
            Entry::Response(_) | Entry::Invalid(_) => None,
        };
        let kept: usize = match entries.iter().map(used).sum() {
            Some(kept) if kept < length / 2 => kept,
            _ => return length,
        };
        for entry in entries {
            if let Entry::Request(request) = entry {
                request.keep(request.params);
            }
        }
        kept
    }
}

impl Invalid {
    /// Rejects a valid request, for example because its id is already in use.
    #[must_use]
    pub fn request(request: &Request, reason: &'static str) -> Self {
        let id = request.id.map(|span| RawJson::cut(&request.text, span));
        Self {
            id,
            reason,
            kind: Likeness::Request,
        }
    }

    /// What the entry appears to be. An invalid response of the peer must not be answered with an
    /// error.
    #[must_use]
    pub fn likeness(&self) -> Likeness {
        self.kind
    }

    /// The id to return, as JSON text: the id of the entry if it has exactly one and that one is
    /// valid, else `null`.
    #[must_use]
    pub fn id(&self) -> &str {
        self.id.as_ref().map_or("null", RawJson::as_str)
    }

    /// Why the entry is invalid, for a log.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        self.reason
    }
}

/// A valid request, or a notification if it has no id (sections 4 and 4.1).
///
/// It shares the buffer of the message and stores offsets into it. Only a method name with escapes
/// is copied.
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

/// The supported members beyond the specification. Most requests have none.
#[derive(Debug, Clone, Default)]
pub(crate) struct Extensions {
    pub(crate) timeout: Option<Duration>,
    pub(crate) traceparent: Option<String>,
    pub(crate) tracestate: Option<String>,
    pub(crate) after: Option<String>,
    pub(crate) asks_start: bool,
}

impl Request {
    /// The full name of the method, unescaped.
    #[must_use]
    pub fn method(&self) -> &str {
        match &self.method {
            Name::Plain { start, end } => self.str(*start as usize..*end as usize),
            Name::Unescaped(name) => name,
        }
    }

    /// The name as bytes, for a lookup without another UTF-8 validation.
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

    /// The JSON text of `params`, an array or an object. `null` counts as no parameters, so it is
    /// `None`.
    #[must_use]
    pub fn params(&self) -> Option<&str> {
        self.params.map(|span| self.str(span.range()))
    }

    /// The JSON text of `params` as bytes, without another UTF-8 validation.
    #[must_use]
    pub fn params_bytes(&self) -> Option<&[u8]> {
        self.params.and_then(|span| self.text.get(span.range()))
    }

    /// The same request for another method, with a part of its own parameters as the parameters: the
    /// bytes in this range of their text, which have to be an array or an object. Without a range, or
    /// with one beyond the text, it has none.
    #[must_use]
    pub fn redirected(mut self, method: &str, params: Option<Range<usize>>) -> Self {
        self.params = self.params.zip(params).and_then(|(all, part)| {
            let all = all.range();
            let within = part.start < part.end && part.end <= all.len();
            within.then(|| Span::new(all.start + part.start, all.start + part.end))
        });
        self.method = Name::Unescaped(method.into());
        self
    }

    /// The same request for another method, with other parameters: JSON text, an array or an object.
    #[must_use]
    pub fn replaced(mut self, method: &str, params: Option<&str>) -> Self {
        self.keep(None);
        let mut own = BytesMut::from(&*self.text);
        self.params = params.map(|params| {
            let start = own.len();
            own.extend_from_slice(params.as_bytes());
            Span::new(start, own.len())
        });
        self.text = own.freeze();
        self.method = Name::Unescaped(method.into());
        self
    }

    /// Lets go of the parameters and of the message, when they are decoded: a call that waits would
    /// keep them alive. Method and id stay.
    pub fn forget_params(&mut self) {
        self.keep(None);
    }

    /// The bytes of the message that it uses.
    fn used(&self) -> usize {
        let spans = [self.params, self.id].into_iter().flatten();
        let used: usize = spans.map(|span| span.range().len()).sum();
        used + self.method_bytes().len()
    }

    /// Copies what it uses of the message into a buffer of its own.
    fn keep(&mut self, params: Option<Span>) {
        let mut own = BytesMut::with_capacity(self.used());
        let method = self.method_bytes();
        own.extend_from_slice(method);
        let name = match &self.method {
            Name::Plain { .. } => Some(method.len()),
            Name::Unescaped(_) => None,
        };
        let mut copy = |span: Span| {
            let start = own.len();
            own.extend_from_slice(self.text.get(span.range()).unwrap_or_default());
            Span::new(start, own.len())
        };
        let (id, params) = (self.id.map(&mut copy), params.map(&mut copy));
        if let Some(end) = name.and_then(|length| u32::try_from(length).ok()) {
            self.method = Name::Plain { start: 0, end };
        }
        (self.id, self.params) = (id, params);
        self.text = own.freeze();
    }

    /// The length of the JSON text of `params` in bytes; 0 without `params`.
    #[must_use]
    pub fn params_len(&self) -> usize {
        self.params.map_or(0, |span| span.range().len())
    }

    /// The JSON text of `params` as a slice of the message, without copying it.
    #[must_use]
    pub fn raw_params(&self) -> Option<RawJson> {
        self.params.map(|span| RawJson::cut(&self.text, span))
    }

    /// The JSON text of the id; `None` for a notification. `null` is an id.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.id.map(|span| self.str(span.range()))
    }

    /// The JSON text of the id as bytes, without another UTF-8 validation.
    #[must_use]
    pub fn id_bytes(&self) -> Option<&[u8]> {
        self.id.and_then(|span| self.text.get(span.range()))
    }

    /// Whether the request has no id: the method runs, and no response is sent (section 4.1).
    #[must_use]
    pub fn is_notification(&self) -> bool {
        self.id.is_none()
    }

    /// How long the caller waits for the response: the member `timeout`, in whole milliseconds.
    #[must_use]
    pub fn timeout(&self) -> Option<Duration> {
        self.extensions.as_ref()?.timeout
    }

    /// The parent span of the call (W3C Trace Context), from the member `traceparent`.
    #[must_use]
    pub fn traceparent(&self) -> Option<&str> {
        self.extensions.as_ref()?.traceparent.as_deref()
    }

    /// Vendor-specific trace data (W3C Trace Context), from the member `tracestate`.
    #[must_use]
    pub fn tracestate(&self) -> Option<&str> {
        self.extensions.as_ref()?.tracestate.as_deref()
    }

    /// The cursor of the item after which a subscription is to begin, from the member `after`. It has
    /// at most 256 bytes of JSON text.
    #[must_use]
    pub fn after(&self) -> Option<&str> {
        self.extensions.as_ref()?.after.as_deref()
    }

    /// Whether the member `after` is null: a subscription begins now, and the caller asks for the cursor of
    /// that place.
    #[must_use]
    pub fn asks_start(&self) -> bool {
        let extensions = self.extensions.as_ref();
        extensions.is_some_and(|extensions| extensions.asks_start)
    }

    fn str(&self, range: Range<usize>) -> &str {
        // The parser has validated the message as UTF-8, and spans begin and end at ASCII
        // characters.
        let bytes = self.text.get(range).unwrap_or_default();
        std::str::from_utf8(bytes).unwrap_or_default()
    }
}

/// A response to one of our calls (section 5).
#[derive(Debug, Clone)]
pub struct Response {
    pub(crate) id: RawJson,
    pub(crate) outcome: Result<RawJson, ErrorObject>,
}

impl Response {
    /// The JSON text of the id, which is compared byte by byte.
    #[must_use]
    pub fn id(&self) -> &str {
        self.id.as_str()
    }

    /// The result of the call.
    ///
    /// # Errors
    ///
    /// The error object, if the response has one.
    pub fn into_outcome(self) -> Result<RawJson, ErrorObject> {
        self.outcome
    }
}

/// Optional members of a request beyond the specification; see [`Request::timeout`] and
/// [`Request::traceparent`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Extras<'a> {
    /// How long the caller waits, sent as whole milliseconds, at least one.
    pub timeout: Option<Duration>,
    /// The parent span of the call.
    pub traceparent: Option<&'a str>,
    /// Vendor-specific trace data.
    pub tracestate: Option<&'a str>,
    /// The cursor of the item after which a subscription is to begin.
    pub after: Option<&'a str>,
    /// Without one, asks for the cursor of the place where it begins; see [`Request::asks_start`].
    pub asks_start: bool,
}

/// Appends a request, or a notification if `id` is `None`.
///
/// `params` and `id` are JSON text; `version` is the value of the member `jsonrpc`.
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
    match extras.after {
        Some(after) => {
            out.extend_from_slice(b",\"after\":");
            write_string(out, after);
        }
        None if extras.asks_start => out.extend_from_slice(b",\"after\":null"),
        None => {}
    }
    out.push(b'}');
}

/// Appends the part of a response before the result. The JSON text of the result and `}` complete
/// it.
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

/// Whether `text` begins with what [`begin_result`] writes for this id.
#[must_use]
pub fn begins_result(text: &[u8], id: &[u8]) -> bool {
    let rest = text
        .strip_prefix(BEFORE_ID)
        .and_then(|rest| rest.strip_prefix(id));
    rest == Some(BEFORE_RESULT)
}

/// The JSON text of the id in a response that [`begin_result`] or [`write_error`] has begun; `null`
/// in any other text.
///
/// ```
/// use antiphon_proto::message::response_id;
///
/// assert_eq!(response_id(br#"{"jsonrpc":"2.0","id":"a,b","result":10}"#), br#""a,b""#);
/// ```
#[must_use]
pub fn response_id(text: &[u8]) -> &[u8] {
    let rest = text.strip_prefix(BEFORE_ID).unwrap_or_default();
    let mut escaped = false;
    let length = match rest.first() {
        Some(b'"') => {
            let ends = |&byte: &u8| {
                let quote = byte == b'"' && !escaped;
                escaped = byte == b'\\' && !escaped;
                quote
            };
            rest.iter().skip(1).position(ends).map(|at| at + 2)
        }
        _ => rest.iter().position(|&byte| byte == b','),
    };
    length
        .and_then(|length| rest.get(..length))
        .unwrap_or(b"null")
}

const BEFORE_ID: &[u8] = b"{\"jsonrpc\":\"2.0\",\"id\":";
const BEFORE_RESULT: &[u8] = b",\"result\":";

/// Appends an error response.
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
    // Serializing a string cannot fail.
    let _ = serde_json::to_writer(out, text);
}
