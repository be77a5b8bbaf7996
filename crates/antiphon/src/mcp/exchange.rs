//! Exchange: what a request was, and how the reply of its method becomes an answer of the protocol.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use antiphon_proto::{ErrorCode, ErrorObject, message};
use http::StatusCode;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::ask;
use super::errors::{self, HEADER_MISMATCH, MISSING_CAPABILITY, UNSUPPORTED_VERSION};
use super::features::Passed;
use super::params::SERVER_INFO;
use super::request::Request;
use super::tools::ToolCall;
use super::version::Version;
use crate::call::{Output, Reply};
use crate::error::internal_error;
use crate::memory_budget::{Account, Payload, Wait};

/// Errors of a tool that are errors of the protocol: they say that it did not run, and a client may do
/// something about them that a model cannot.
const PROTOCOL: [ErrorCode; 5] = [
    ErrorCode::OVERLOADED,
    ErrorCode::LIMIT_EXCEEDED,
    ErrorCode::UNAUTHENTICATED,
    ErrorCode::FORBIDDEN,
    MISSING_CAPABILITY,
];

/// A request that was understood.
pub(crate) struct Exchange {
    pub(super) version: Version,
    /// What each result says of the server, if it says that.
    pub(super) server: Value,
    pub(super) request: Option<Arc<Request>>,
    pub(super) kind: Kind,
    /// How long clients may keep a result that does not say it itself, in milliseconds.
    pub(super) ttl: u64,
}

/// What becomes of a reply.
pub(super) enum Kind {
    /// It is that of a tool.
    Tool(Arc<ToolCall>),
    /// It is that of a method with a name of the protocol.
    Passed(&'static Passed),
    /// It is an answer already.
    Own,
    /// The request cannot be answered.
    Refused,
    /// The request does not say what it has to.
    Malformed,
}

impl Exchange {
    /// The status of an HTTP response with this error, if it is not that of any other response.
    pub(crate) fn status(&self, error: &ErrorObject) -> Option<StatusCode> {
        match (error.code(), &self.kind) {
            (HEADER_MISMATCH | MISSING_CAPABILITY | UNSUPPORTED_VERSION, _)
            | (_, Kind::Malformed) => Some(StatusCode::BAD_REQUEST),
            (ErrorCode::METHOD_NOT_FOUND, Kind::Refused) if self.version.is_stateless() => {
                Some(StatusCode::NOT_FOUND)
            }
            _ => None,
        }
    }

    /// The answer of the protocol to the request with this id. Its result may have `max` bytes.
    pub(crate) fn shape(
        &self,
        reply: Reply,
        id: &[u8],
        max: usize,
        account: &Arc<Account>,
    ) -> Reply {
        let answer = Answer { id, max, account };
        if let Some(wanted) = self
            .request
            .as_ref()
            .and_then(|request| request.take_wanted())
            && reply.0.is_err()
            && matches!(self.kind, Kind::Tool(_) | Kind::Passed(_))
        {
            let request = self.request.as_deref();
            let asked = ask::input_required(&wanted, request);
            return self.with_members(asked.to_string().as_bytes(), None, &answer);
        }
        match &self.kind {
            Kind::Own | Kind::Refused | Kind::Malformed => reply,
            Kind::Tool(tool) => self.of_tool(reply, tool, &answer),
            Kind::Passed(passed) => match reply.0 {
                Ok(output) => match output.result() {
                    b"null" => self.with_members(b"{}", Some(passed), &answer),
                    result => self.with_members(result, Some(passed), &answer),
                },
                Err(error) => Reply::error(error),
            },
        }
    }

    fn of_tool(&self, reply: Reply, tool: &ToolCall, answer: &Answer<'_>) -> Reply {
        let shaped = match reply.0 {
            Ok(output) if tool.is_for_agents => {
                return self.with_members(output.result(), None, answer);
            }
            Ok(output) => self.of_result(output.result(), tool, answer),
            Err(error) => Err(error),
        };
        match shaped {
            Ok(reply) => reply,
            Err(error) if PROTOCOL.contains(&error.code()) => Reply::error(error),
            Err(error) => {
                let failed = json!({
                    "content": [{"type": "text", "text": told(&error)}],
                    "isError": true,
                });
                self.with_members(failed.to_string().as_bytes(), None, answer)
            }
        }
    }

    /// The result of a method as a text, and as what it is if its schema is known.
    fn of_result(
        &self,
        result: &[u8],
        tool: &ToolCall,
        answer: &Answer<'_>,
    ) -> Result<Reply, ErrorObject> {
        let text = std::str::from_utf8(result).unwrap_or_default();
        let is_structured = match self.version.is_stateless() {
            true => tool.has_output,
            false => tool.is_object && text.starts_with('{'),
        };
        let mut begun = answer.begin();
        begun.add(br#"{"content":[{"type":"text","text":"#)?;
        match text.starts_with('"') {
            true => begun.add(result)?,
            false => begun.add_text(text)?,
        }
        begun.add(b"}]")?;
        if is_structured {
            begun.add(br#","structuredContent":"#)?;
            begun.add(result)?;
        }
        self.add_members(&mut begun, &Said::default(), None)?;
        begun.end()
    }

    /// A result that is an object, with the members that it does not have itself.
    fn with_members(&self, result: &[u8], kept: Option<&Passed>, answer: &Answer<'_>) -> Reply {
        let text = std::str::from_utf8(result).unwrap_or_default();
        let said = serde_json::from_str::<Said<'_>>(text);
        let (Some(begin), Ok(said)) = (text.trim_end().strip_suffix('}'), said) else {
            return Reply::error(internal_error(
                &"the result of a method with a name of the Model Context Protocol is no object",
            ));
        };
        if let Err(error) = self.check_capabilities(&said) {
            return Reply::error(error);
        }
        let written = || {
            let mut begun = answer.begin();
            begun.add(begin.as_bytes())?;
            self.add_members(&mut begun, &said, kept)?;
            begun.end()
        };
        written().unwrap_or_else(Reply::error)
    }

    /// Adds what each result has since 2026-07-28.
    fn add_members(
        &self,
        begun: &mut Begun<'_>,
        said: &Said<'_>,
        kept: Option<&Passed>,
    ) -> Result<(), ErrorObject> {
        if !self.version.is_stateless() {
            return begun.add(b"}");
        }
        let mut members = Vec::new();
        let is_complete = said
            .result_type
            .is_none_or(|kind| kind.get() == "\"complete\"");
        if said.result_type.is_none() {
            members.push(r#""resultType":"complete""#.to_owned());
        }
        if kept.is_some_and(|passed| passed.is_kept) && is_complete {
            if said.ttl.is_none() {
                members.push(format!("\"ttlMs\":{}", self.ttl));
            }
            if said.scope.is_none() {
                // Nobody but the method knows whom else its result is for.
                members.push(r#""cacheScope":"private""#.to_owned());
            }
        }
        if said.meta.is_none() {
            members.push(format!("\"_meta\":{{\"{SERVER_INFO}\":{}}}", self.server));
        }
        if !begun.is_empty_object() && !members.is_empty() {
            begun.add(b",")?;
        }
        begun.add(members.join(",").as_bytes())?;
        begun.add(b"}")
    }

    /// Checks that a client is asked for nothing that it cannot do.
    fn check_capabilities(&self, said: &Said<'_>) -> Result<(), ErrorObject> {
        let Some(request) = self.request.as_deref() else {
            return Ok(());
        };
        let asked = said.input_requests.iter().flatten();
        let mut missing = BTreeSet::new();
        for asked in asked.filter_map(|(_, asked)| asked.method.as_deref()) {
            let can_elicit = || request.can_elicit() || request.can_elicit_url();
            let (can, name) = match asked {
                "elicitation/create" => (can_elicit(), "elicitation"),
                "sampling/createMessage" => (request.can_sample(), "sampling"),
                "roots/list" => (request.can_list_roots(), "roots"),
                _ => continue,
            };
            if !can {
                missing.insert(name);
            }
        }
        match missing.is_empty() {
            true => Ok(()),
            false => Err(errors::missing(missing)),
        }
    }
}

/// The members of a result that this module would add.
#[derive(Default, Deserialize)]
struct Said<'a> {
    #[serde(borrow, default, rename = "resultType")]
    result_type: Option<&'a RawValue>,
    #[serde(default, rename = "ttlMs")]
    ttl: Option<IgnoredAny>,
    #[serde(default, rename = "cacheScope")]
    scope: Option<IgnoredAny>,
    #[serde(default, rename = "_meta")]
    meta: Option<IgnoredAny>,
    #[serde(default, rename = "inputRequests")]
    input_requests: Option<BTreeMap<String, Asked>>,
}

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    method: Option<String>,
}

/// What an error says to a model: its message, and what stands behind it.
fn told(error: &ErrorObject) -> String {
    let data = error.data().map(|data| {
        let text = serde_json::from_str::<String>(data);
        text.unwrap_or_else(|_| data.to_owned())
    });
    match data {
        Some(data) => format!("{}: {data}", error.message()),
        None => error.message().to_owned(),
    }
}

/// Where an answer goes.
struct Answer<'a> {
    id: &'a [u8],
    max: usize,
    account: &'a Arc<Account>,
}

/// An answer that has begun.
struct Begun<'a> {
    payload: Payload,
    start: usize,
    answer: &'a Answer<'a>,
}

impl<'a> Answer<'a> {
    fn begin(&'a self) -> Begun<'a> {
        let mut text = Vec::with_capacity(256);
        message::begin_result(&mut text, self.id);
        Begun {
            start: text.len(),
            payload: text.into(),
            answer: self,
        }
    }
}

impl Begun<'_> {
    fn add(&mut self, bytes: &[u8]) -> Result<(), ErrorObject> {
        let after = self.payload.len().saturating_add(bytes.len());
        if after.saturating_sub(self.start) > self.answer.max {
            return Err(ErrorObject::response_too_large(self.answer.max));
        }
        Ok(self.payload.extend(bytes, self.answer.account)?)
    }

    /// Adds a text as a JSON string.
    fn add_text(&mut self, text: &str) -> Result<(), ErrorObject> {
        let max = self.start.saturating_add(self.answer.max);
        let (account, wait) = (self.answer.account, Wait::Never);
        self.payload
            .write(text, max, account, wait, &"the text of a tool")
    }

    fn is_empty_object(&self) -> bool {
        let written = self.payload.text.get(self.start..).unwrap_or_default();
        written.trim_ascii() == b"{"
    }

    fn end(self) -> Result<Reply, ErrorObject> {
        Ok(Reply(Ok(Output {
            payload: self.payload,
            start: self.start,
            stream: None,
        })))
    }
}
