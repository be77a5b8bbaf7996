//! Log messages for clients.

use std::future::poll_fn;
use std::sync::PoisonError;

use antiphon_proto::{RawJson, message};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::context::Context;
use crate::memory_budget::Payload;

/// How much a log message matters (RFC 5424).
///
/// ```
/// use antiphon::mcp::LogLevel;
///
/// assert!(LogLevel::Error > LogLevel::Warning);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "describe", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Of use to those who look for a fault.
    Debug,
    /// How it goes.
    Info,
    /// Normal, but of interest.
    Notice,
    /// Something may be wrong.
    Warning,
    /// Something has failed.
    Error,
    /// A part has failed.
    Critical,
    /// Somebody has to act at once.
    Alert,
    /// Nothing works.
    Emergency,
}

impl LogLevel {
    pub(super) fn of(name: &str) -> Option<Self> {
        serde_json::from_value(name.into()).ok()
    }
}

impl Context {
    /// Sends a log message to the client, if it speaks the Model Context Protocol and wants to have
    /// messages of this level. Since 2026-07-28 a request says so itself. Before, a client said it to
    /// the method `logging/setLevel`, which is the user's: here all are sent.
    ///
    /// Nothing is sent where no message can follow a call, as [`progress`](Self::progress) says.
    ///
    /// ```
    /// use antiphon::mcp::LogLevel;
    /// use antiphon::{Context, Router};
    ///
    /// let router = Router::new().method_fn("copy", |ctx: Context| async move {
    ///     ctx.log(LogLevel::Info, "copy", &"it begins").await;
    /// });
    /// ```
    pub async fn log<T: Serialize + ?Sized + Sync>(&self, level: LogLevel, logger: &str, data: &T) {
        let Some(request) = self.mcp() else { return };
        let is_wanted = match request.version().is_stateless() {
            true => request.log_level.is_some_and(|least| level >= least),
            false => true,
        };
        if let Ok(data) = serde_json::to_value(data)
            && is_wanted
        {
            let params = json!({"level": level, "logger": logger, "data": data});
            self.post_to_client("notifications/message", &params).await;
        }
    }

    /// Reports progress to the client under the token that it has given, if it has.
    ///
    /// A value is a number, or an object with the members `progress`, `total` and `message`; anything
    /// else is a message. What a client gets always rises.
    pub(crate) async fn tell_client<T: Serialize + ?Sized + Sync>(&self, value: &T) {
        let token = self
            .mcp()
            .and_then(|request| request.progress_token.clone());
        let (Some(request), Some(token)) = (self.mcp(), token) else {
            return;
        };
        let value = serde_json::to_value(value).unwrap_or_default();
        let mut params = match value {
            serde_json::Value::Object(members) if members.contains_key("progress") => members,
            serde_json::Value::Number(number) => {
                serde_json::Map::from_iter([("progress".to_owned(), number.into())])
            }
            serde_json::Value::String(text) => {
                serde_json::Map::from_iter([("message".to_owned(), text.into())])
            }
            other => serde_json::Map::from_iter([("message".to_owned(), other.to_string().into())]),
        };
        {
            let mut last = request
                .progress
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let said = params.get("progress").and_then(serde_json::Value::as_f64);
            match said {
                Some(said) if said > *last => *last = said,
                // It has to rise, and this one does not say how far it is.
                Some(_) => return,
                None => {
                    *last = if last.is_finite() { *last + 1.0 } else { 1.0 };
                    params.insert("progress".to_owned(), json!(*last));
                }
            }
        }
        let token = token.decode::<serde_json::Value>().unwrap_or_default();
        params.insert("progressToken".to_owned(), token);
        self.post_to_client("notifications/progress", &serde_json::Value::Object(params))
            .await;
    }

    /// Posts a notification, once there is room for it.
    async fn post_to_client(&self, method: &str, params: &serde_json::Value) {
        let Some(handle) = &self.origin.session else {
            return;
        };
        poll_fn(|cx| handle.poll_room(cx)).await;
        let Ok(params) = RawJson::from_value(params) else {
            return;
        };
        let mut text = Vec::new();
        message::write_request(&mut text, "2.0", None, method, Some(params.as_str()));
        let mut message = Payload::from(text);
        // Many calls may tell of something at the same time, so it is held however short it is.
        if message.hold_all(&self.origin.connection.memory).is_ok() {
            handle.post(message);
        }
    }
}
