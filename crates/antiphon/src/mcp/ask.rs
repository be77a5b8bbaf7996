//! Requests of a method to its client: what its user says, what its model says, where it works.
//!
//! Before 2026-07-28 such a request is a call of the client, and the method waits for the answer. Since
//! then nobody calls the client: the method ends with what it wants to know, and the client makes the
//! same request again, with the answers. So a method runs from its beginning each time, and finds
//! those answers that it has got before.

use std::collections::BTreeMap;

use antiphon_proto::{ErrorCode, ErrorObject, RawJson};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::errors::{self, MISSING_CAPABILITY};
use super::request::{Answers, Request, Wanted};
use crate::context::Context;

/// The most bytes of what a client has to return with each attempt.
const MAX_STATE: usize = 64 * 1024;

/// What the user of a client has said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Elicited {
    /// `accept`, `decline` or `cancel`.
    pub action: String,
    /// What was filled in, if it was accepted.
    #[serde(default)]
    pub content: Option<Map<String, Value>>,
}

impl Elicited {
    /// What was filled in, if the user has accepted.
    #[must_use]
    pub fn accepted(&self) -> Option<&Map<String, Value>> {
        match self.action.as_str() {
            "accept" => self.content.as_ref(),
            _ => None,
        }
    }
}

impl Context {
    /// Has the user of the client fill in a form, if the client speaks the Model Context Protocol.
    /// `schema` is a JSON Schema of an object with members of simple types. `key` tells this question from
    /// others of the same call.
    ///
    /// Since 2026-07-28 the first attempt of a call ends here with an error, which becomes the question,
    /// and the method runs again from its beginning when the client has the answer. So nothing may have
    /// been done before that must not be done twice.
    ///
    /// ```
    /// use antiphon::{Context, ErrorObject, Router};
    /// use serde_json::json;
    ///
    /// async fn greet(ctx: Context) -> Result<String, ErrorObject> {
    ///     let schema = json!({"type": "object", "properties": {"name": {"type": "string"}}});
    ///     let said = ctx.elicit("name", "Who are you?", &schema).await?;
    ///     let name = said.accepted().and_then(|form| form.get("name")?.as_str());
    ///     Ok(format!("good evening, {}", name.unwrap_or("stranger")))
    /// }
    ///
    /// let router = Router::new().method_fn("greet", greet);
    /// ```
    ///
    /// # Errors
    ///
    /// If the client cannot do this, or cannot be asked; and to ask it. Pass the error on.
    pub async fn elicit<T: Serialize + ?Sized + Sync>(
        &self,
        key: &str,
        text: &str,
        schema: &T,
    ) -> Result<Elicited, ErrorObject> {
        let schema = serde_json::to_value(schema).unwrap_or_default();
        let params = json!({"message": text, "requestedSchema": schema});
        self.ask(key, "elicitation/create", "elicitation", &params)
            .await
    }

    /// Has the model of the client answer, if the client speaks the Model Context Protocol. `params` are
    /// those of `sampling/createMessage`; the result is that of this request. Otherwise it is as
    /// [`elicit`](Self::elicit).
    ///
    /// # Errors
    ///
    /// As those of [`elicit`](Self::elicit).
    pub async fn sample<T: Serialize + ?Sized + Sync>(
        &self,
        key: &str,
        params: &T,
    ) -> Result<Value, ErrorObject> {
        let params = serde_json::to_value(params).unwrap_or_default();
        self.ask(key, "sampling/createMessage", "sampling", &params)
            .await
    }

    /// Asks the client which folders its user works in: the result of `roots/list`. Otherwise it is as
    /// [`elicit`](Self::elicit).
    ///
    /// # Errors
    ///
    /// As those of [`elicit`](Self::elicit).
    pub async fn roots(&self, key: &str) -> Result<Value, ErrorObject> {
        self.ask(key, "roots/list", "roots", &json!({})).await
    }

    async fn ask<R: DeserializeOwned>(
        &self,
        key: &str,
        method: &'static str,
        capability: &str,
        params: &Value,
    ) -> Result<R, ErrorObject> {
        let Some(request) = self.mcp() else {
            return Err(ErrorObject::of(ErrorCode::NEEDS_SESSION));
        };
        let can = match capability {
            "elicitation" => request.can_elicit(),
            "sampling" => request.can_sample(),
            _ => request.can_list_roots(),
        };
        if !can {
            return Err(errors::missing([capability]));
        }
        if !request.version().is_stateless() {
            let peer = self.peer()?;
            return Ok(peer.call(method, params.clone()).await?);
        }
        let known = answers(request);
        if let Some(answer) = known.get(key) {
            return serde_json::from_str(answer.get()).map_err(|error| {
                ErrorObject::invalid_params(format_args!("the answer to `{key}`: {error}"))
            });
        }
        request.want(Wanted {
            key: key.to_owned(),
            method,
            params: RawJson::from_value(params).map_err(|_| ErrorCode::INTERNAL_ERROR)?,
        });
        Err(ErrorObject::new(
            MISSING_CAPABILITY,
            "The client has to say something first",
        ))
    }
}

/// All answers of the client: those that it has got, and those that it has returned since.
///
/// Those before are in a text that the client returns as it is. It could change them, but then these are
/// its own answers, too.
fn answers(request: &Request) -> Answers {
    let state = request.request_state();
    let before = state.and_then(|state| serde_json::from_str::<Answers>(&state).ok());
    let mut all = before.unwrap_or_default();
    all.extend(request.input_responses());
    all
}

/// The result that asks the client.
pub(super) fn input_required(wanted: &Wanted, request: Option<&Request>) -> Value {
    let params: Value = wanted.params.decode().unwrap_or_default();
    let asked = json!({"method": wanted.method, "params": params});
    let mut result = json!({
        "resultType": "input_required",
        "inputRequests": BTreeMap::from([(&wanted.key, asked)]),
    });
    let known = request.map(answers).unwrap_or_default();
    if !known.is_empty()
        && let Ok(state) = serde_json::to_string::<BTreeMap<String, Box<RawValue>>>(&known)
        && state.len() <= MAX_STATE
    {
        result["requestState"] = state.into();
    }
    result
}
