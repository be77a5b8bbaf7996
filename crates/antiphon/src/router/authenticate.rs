//! `rpc.authenticate`: a session says who its peer is.
//!
//! Browsers cannot send the header `Authorization` with a WebSocket handshake, and raw streams have
//! no headers.

use antiphon_proto::{ErrorCode, ErrorObject};
use serde::{Deserialize, Serialize};

use crate::call::{Call, Reply};
use crate::call_future::CallFuture;
use crate::call_origin::Transport;
use crate::error::limit_exceeded;
use crate::identity::{Attempt, Identification, Identity};

/// The name of the method.
pub(super) const AUTHENTICATE: &str = "rpc.authenticate";

/// A token, by position or by name.
#[derive(Deserialize)]
#[serde(untagged)]
enum Params {
    Position((String,)),
    Name(Named),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    token: String,
}

/// Who the peer is from now on.
#[derive(Serialize)]
struct Authenticated {
    subject: String,
    scopes: Vec<String>,
    /// Seconds from now.
    #[serde(rename = "expiresIn", skip_serializing_if = "Option::is_none")]
    expires_in: Option<u64>,
}

impl From<Identity> for Authenticated {
    fn from(identity: Identity) -> Self {
        let left = |end: std::time::SystemTime| end.duration_since(std::time::SystemTime::now());
        Self {
            subject: identity.subject().to_owned(),
            scopes: identity.scopes().map(str::to_owned).collect(),
            expires_in: identity
                .expires_at()
                .map(|end| left(end).map_or(0, |left| left.as_secs())),
        }
    }
}

/// Answers with the subject and the scopes of the token.
pub(super) fn authenticate(call: Call) -> CallFuture {
    let refuse = |error| CallFuture::ready(Reply::error(error));
    let unknown = || ErrorObject::of(ErrorCode::METHOD_NOT_FOUND);
    let session = match &call.origin.identification {
        Identification::Session(session) => std::sync::Arc::clone(session),
        // Who calls in this process is known without a token, or nobody asks.
        _ if call.transport() == Transport::InProcess => return refuse(unknown()),
        Identification::Unasked => return refuse(unknown()),
        Identification::Anonymous | Identification::Known(_) => {
            return refuse(ErrorObject::of(ErrorCode::NEEDS_SESSION));
        }
    };
    let params = call.params().map(serde_json::from_str);
    let Some(Ok(Params::Position((token,)) | Params::Name(Named { token }))) = params else {
        return refuse(ErrorObject::invalid_params("a `token` is expected"));
    };
    let context = call.context();
    CallFuture::boxed(&context, async move {
        let error = match session.authenticate(&token).await {
            Ok(identity) => return call.answer(Ok(Authenticated::from(identity))),
            Err(Attempt::Unavailable) => ErrorObject::of(ErrorCode::OVERLOADED),
            Err(Attempt::Refused) => ErrorObject::of(ErrorCode::UNAUTHENTICATED),
            Err(Attempt::Limited(wait)) => limit_exceeded(wait),
        };
        Reply::error(error)
    })
}
