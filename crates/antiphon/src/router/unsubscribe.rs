//! Methods that end subscriptions.

use antiphon_proto::{ErrorCode, ErrorObject};
use serde::Deserialize;

use crate::call::{Call, Reply};
use crate::call_future::CallFuture;

/// Ends a subscription, under whatever name a client knows this.
pub(super) const UNSUBSCRIBE: &str = "rpc.unsubscribe";

/// The id of a subscription, by position or by name.
#[derive(Deserialize)]
#[serde(untagged)]
enum Which {
    Position((String,)),
    Name { subscription: String },
}

/// Answers true if the caller had this subscription; it is over then.
pub(super) fn unsubscribe(call: Call) -> CallFuture {
    let which = call.params().map(serde_json::from_str);
    let outcome = match (which, &call.origin.session) {
        (_, None) => Err(ErrorObject::of(ErrorCode::NEEDS_SESSION)),
        (Some(Ok(Which::Position((id,)) | Which::Name { subscription: id })), Some(handle)) => {
            Ok(handle.unsubscribe(&id))
        }
        _ => Err(ErrorObject::invalid_params(
            "the id of a subscription is expected",
        )),
    };
    CallFuture::ready(match outcome {
        Ok(found) => call.answer(Ok(found)),
        Err(error) => Reply::error(error),
    })
}
