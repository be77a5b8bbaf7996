//! Route: one path of a server, and the media types of its responses.

use std::sync::Arc;

use http::StatusCode;
use http::header::HeaderValue;

use crate::dispatch::Dispatcher;
use crate::dispatch::Limits;
use crate::metrics::status::ServerStatus;
use crate::transport::http::fields::Fields;
use crate::transport::http::media;
use crate::transport::http::refusal::Refusal;

/// One path of a server: a frozen router, and how its answers look over HTTP.
///
/// ```
/// use antiphon::{Route, Router};
/// use http::StatusCode;
///
/// let dispatcher = Router::default().method_fn("add", |a: f64, b: f64| a + b).build()?;
/// let route = Route::new(dispatcher)
///     .response_content_types(["application/json-rpc", "application/json"])
///     .notification_status(StatusCode::ACCEPTED);
/// # Ok::<(), antiphon::RouterError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Route {
    pub(super) dispatcher: Dispatcher,
    types: Vec<String>,
    values: Vec<HeaderValue>,
    pub(super) notification_status: StatusCode,
    /// Whether the calls' limits are the server's.
    limited_by_server: bool,
}

impl Route {
    /// A route that answers `application/json`, and 204 where there is nothing to answer.
    #[must_use]
    pub fn new(dispatcher: Dispatcher) -> Self {
        Self {
            dispatcher,
            types: vec!["application/json".to_owned()],
            values: vec![HeaderValue::from_static("application/json")],
            notification_status: StatusCode::NO_CONTENT,
            limited_by_server: false,
        }
    }

    /// A route whose calls have the limits of the server it is on.
    pub(crate) fn of_server(dispatcher: Dispatcher) -> Self {
        Self {
            limited_by_server: true,
            ..Self::new(dispatcher)
        }
    }

    /// What can be called on it.
    pub(crate) fn tree(&self) -> &crate::describe::Tree {
        self.dispatcher.tree()
    }

    /// What answers on it.
    pub(crate) fn dispatcher(&self) -> &Dispatcher {
        &self.dispatcher
    }

    /// The route as a part of a server.
    pub(crate) fn served(mut self, server: &Arc<ServerStatus>, limits: &Limits) -> Self {
        let limits = self.limited_by_server.then(|| limits.clone());
        self.dispatcher = self.dispatcher.served(server, limits);
        self
    }

    /// The media types it can answer with, the preferred one first. A request whose `Accept`
    /// excludes them all, and does not name `text/event-stream` either, is refused with 406 before
    /// anything runs.
    ///
    /// Types that are no header values are left out; if none is left, all stays as it was.
    #[must_use]
    pub fn response_content_types<T: Into<String>>(
        mut self,
        types: impl IntoIterator<Item = T>,
    ) -> Self {
        let usable = types
            .into_iter()
            .map(Into::into)
            .filter_map(|name: String| {
                let value = HeaderValue::from_str(&name).ok()?;
                Some((name, value))
            });
        let (types, values): (Vec<_>, _) = usable.unzip();
        if !types.is_empty() {
            (self.types, self.values) = (types, values);
        }
        self
    }

    /// The status of a response to notifications alone: 204 by default, 202 for the Model Context
    /// Protocol, or 200.
    #[must_use]
    pub fn notification_status(mut self, status: StatusCode) -> Self {
        self.notification_status = status;
        self
    }

    /// In which form a caller with these fields can have an answer.
    pub(super) fn form(&self, fields: &Fields<'_>) -> Result<ResponseForm, Refusal> {
        let chosen = media::negotiate(fields, &self.types);
        let form = ResponseForm {
            whole: chosen.whole.and_then(|at| self.values.get(at)).cloned(),
            events: chosen.events,
        };
        if form.whole.is_none() && !form.events {
            return Err(Refusal::new(
                StatusCode::NOT_ACCEPTABLE,
                "Accept excludes every media type this path answers with",
            ));
        }
        Ok(form)
    }
}

/// What an answer may look like.
#[derive(Debug)]
pub(super) struct ResponseForm {
    /// The media type of an answer that is there as a whole, unless only an event stream will do.
    pub(super) whole: Option<HeaderValue>,
    /// Whether it may be an event stream.
    pub(super) events: bool,
}
