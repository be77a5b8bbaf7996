//! What a client says of its request, for the method that answers it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use antiphon_proto::RawJson;
use serde_json::value::RawValue;

use super::logging::LogLevel;
use super::params::{Capabilities, Params};
use super::version::Version;
use crate::context::Context;

/// The most bytes of a progress token: it goes back with each notification.
const MAX_TOKEN: usize = 1024;

/// What a client of the Model Context Protocol says of its request: [`Context::mcp`].
///
/// ```
/// use antiphon::{Context, Router};
///
/// let router = Router::new().method_fn("era", |ctx: Context| {
///     ctx.mcp().map(|request| request.version().to_string())
/// });
/// ```
#[derive(Debug)]
pub struct Request {
    version: Version,
    pub(super) capabilities: Option<Capabilities>,
    pub(super) progress_token: Option<RawJson>,
    pub(super) log_level: Option<LogLevel>,
    /// The parameters, if they answer what was asked before.
    answers: Option<RawJson>,
    /// What the method wants to know of the client before it can go on.
    wanted: Mutex<Option<Wanted>>,
    /// The least value of the next notification of progress.
    pub(super) progress: Mutex<f64>,
}

/// What has to be asked before a method can go on.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) key: String,
    pub(super) method: &'static str,
    pub(super) params: RawJson,
}

/// Answers of a client by key, as JSON texts.
pub(super) type Answers = BTreeMap<String, Box<RawValue>>;

impl Request {
    pub(super) fn new(version: Version, params: &Params<'_>, text: Option<RawJson>) -> Self {
        let meta = params.meta.as_ref();
        let token = meta.and_then(|meta| meta.progress_token);
        let token = token.filter(|token| is_token(token.get()));
        let is_answer = params.input_responses.is_some() || params.request_state.is_some();
        Self {
            version,
            capabilities: meta.and_then(|meta| meta.capabilities),
            progress_token: token.and_then(|token| RawJson::from_value(token).ok()),
            log_level: meta.and_then(|meta| LogLevel::of(meta.log_level.as_deref()?)),
            answers: text.filter(|_| is_answer),
            wanted: Mutex::default(),
            progress: Mutex::new(f64::NEG_INFINITY),
        }
    }

    /// The version that it is written in.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// Whether the client can let its user fill in a form. Before 2026-07-28 a request does not say
    /// so, and a client that cannot answers with an error.
    #[must_use]
    pub fn can_elicit(&self) -> bool {
        self.can(|capabilities| {
            let elicitation = capabilities.elicitation;
            elicitation.is_some_and(|modes| modes.form.is_some() || modes.url.is_none())
        })
    }

    /// Whether the client can send its user to an address.
    #[must_use]
    pub fn can_elicit_url(&self) -> bool {
        self.can(|capabilities| {
            capabilities
                .elicitation
                .is_some_and(|modes| modes.url.is_some())
        })
    }

    /// Whether the client can ask its model.
    #[must_use]
    pub fn can_sample(&self) -> bool {
        self.can(|capabilities| capabilities.sampling.is_some())
    }

    /// Whether the client can tell which folders its user works in.
    #[must_use]
    pub fn can_list_roots(&self) -> bool {
        self.can(|capabilities| capabilities.roots.is_some())
    }

    fn can(&self, has: impl Fn(&Capabilities) -> bool) -> bool {
        !self.version.is_stateless() || self.capabilities.as_ref().is_some_and(has)
    }

    /// The client's answers to what it was asked for an earlier attempt of this request, by key; see
    /// [`ToolResult::input_required`](crate::mcp::ToolResult::input_required). Whatever is in them is
    /// the client's word.
    #[must_use]
    pub fn input_responses(&self) -> BTreeMap<String, Box<RawValue>> {
        let read = |params: &Params<'_>| {
            let responses = params.input_responses.map(RawValue::get);
            responses.and_then(|text| serde_json::from_str(text).ok())
        };
        self.answers(read).unwrap_or_default()
    }

    /// The text that the server has given to the client with what it asked, as the client returns it.
    /// Anybody can make up such a text: what must not be forged has to be signed.
    #[must_use]
    pub fn request_state(&self) -> Option<String> {
        self.answers(|params| Some(params.request_state.as_deref()?.to_owned()))
    }

    fn answers<T>(&self, read: impl Fn(&Params<'_>) -> Option<T>) -> Option<T> {
        let text = self.answers.as_ref()?;
        read(&Params::read(Some(text.as_str())).ok()?)
    }

    /// Notes what the method wants to know before it can go on.
    pub(super) fn want(&self, wanted: Wanted) {
        *self.wanted.lock().unwrap_or_else(PoisonError::into_inner) = Some(wanted);
    }

    pub(super) fn take_wanted(&self) -> Option<Wanted> {
        self.wanted
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}

/// A token is a string or a number.
fn is_token(text: &str) -> bool {
    let is_kind =
        text.starts_with(|first: char| first == '"' || first == '-' || first.is_ascii_digit());
    is_kind && text.len() <= MAX_TOKEN
}

impl Context {
    /// What the client says of its request, if it speaks the Model Context Protocol.
    #[must_use]
    pub fn mcp(&self) -> Option<&Request> {
        self.get::<Arc<Request>>().map(|request| &**request)
    }
}
