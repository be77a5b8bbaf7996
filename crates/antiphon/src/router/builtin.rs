//! Methods that the protocol adds: what ends subscriptions, and what describes the others.

use antiphon_proto::{ErrorCode, ErrorObject};
use serde::Deserialize;

use crate::call::{Call, CallFuture, Reply};
#[cfg(feature = "describe")]
use crate::describe::Specification;

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

/// Answers with the document of the router that it is called on.
#[cfg(feature = "describe")]
pub(super) fn discover(call: Call) -> CallFuture {
    let specification = match call.params().map(serde_json::from_str) {
        None => Specification::default(),
        Some(Ok(wanted)) => match wanted {
            Wanted::Nothing([]) => Specification::default(),
            Wanted::Positional([version]) | Wanted::Named(Named { version }) => version.into(),
        },
        Some(Err(_)) => {
            let fault = "expected nothing, or a `version` of OpenRPC: \"1.3\" or \"1.4\"";
            let error = ErrorObject::invalid_params(fault);
            return CallFuture::ready(Reply::error(error));
        }
    };
    let context = call.context();
    let document = context.router().made(context.access(), specification);
    CallFuture::ready(call.answer(Ok(document)))
}

/// The version of the document, by position or by name.
#[cfg(feature = "describe")]
#[derive(Deserialize)]
#[serde(untagged)]
enum Wanted {
    Nothing([(); 0]),
    Positional([Version; 1]),
    Named(Named),
}

#[cfg(feature = "describe")]
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    #[serde(default)]
    version: Version,
}

#[cfg(feature = "describe")]
#[derive(Default, Deserialize)]
enum Version {
    #[default]
    #[serde(rename = "1.3", alias = "1.3.2")]
    V1_3,
    #[serde(rename = "1.4", alias = "1.4.0")]
    V1_4,
}

#[cfg(feature = "describe")]
impl From<Version> for Specification {
    fn from(version: Version) -> Self {
        match version {
            Version::V1_3 => Self::V1_3,
            Version::V1_4 => Self::V1_4,
        }
    }
}
