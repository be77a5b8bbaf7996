//! Methods that the protocol adds: what ends subscriptions, and what describes the others.

#[cfg(feature = "describe")]
use std::sync::OnceLock;

use antiphon_proto::{ErrorCode, ErrorObject};
use serde::Deserialize;
#[cfg(feature = "describe")]
use serde_json::value::{RawValue, to_raw_value};

use crate::call::{Call, CallFuture, Reply};
#[cfg(feature = "describe")]
use crate::tree::Access;

/// Ends a subscription, under whatever name a client knows this.
pub(super) const UNSUBSCRIBE: &str = "rpc.unsubscribe";

/// Answers with the OpenRPC document of the methods that the caller may see.
#[cfg(feature = "describe")]
pub(super) const DISCOVER: &str = "rpc.discover";

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
    let outcome = match (which, &call.scope.link) {
        (_, None) => Err(ErrorObject::of(ErrorCode::NEEDS_SESSION)),
        (Some(Ok(Which::Position((id,)) | Which::Name { subscription: id })), Some(link)) => {
            Ok(link.unsubscribe(&id))
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

/// The documents of one router, each made when it is asked for first: they never change.
#[cfg(feature = "describe")]
#[derive(Default)]
pub(super) struct Documents {
    public: OnceLock<Option<Box<RawValue>>>,
    local: OnceLock<Option<Box<RawValue>>>,
    admin: OnceLock<Option<Box<RawValue>>>,
}

#[cfg(feature = "describe")]
impl Documents {
    pub(super) fn discover(&self, call: Call) -> CallFuture {
        if !call.params().is_none_or(is_empty) {
            let error = ErrorObject::invalid_params("no parameters are expected");
            return CallFuture::ready(Reply::error(error));
        }
        let context = call.context();
        let reader = context.access();
        let document = match reader {
            Access::Public => &self.public,
            Access::Local => &self.local,
            Access::Admin => &self.admin,
        };
        let document =
            document.get_or_init(|| to_raw_value(&context.router().openrpc(reader)).ok());
        CallFuture::ready(call.answer(Ok(document)))
    }
}

/// Whether parameters are an empty list or an empty object.
#[cfg(feature = "describe")]
fn is_empty(params: &str) -> bool {
    let params = params.trim();
    let inside = params.strip_prefix(['[', '{']);
    let inside = inside.and_then(|rest| rest.strip_suffix([']', '}']));
    inside.is_some_and(|inside| inside.trim().is_empty())
}
