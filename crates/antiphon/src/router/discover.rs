//! `rpc.discover`: the method that returns the OpenRPC document.

use antiphon_proto::ErrorObject;
use serde::Deserialize;

use crate::call::{Call, Reply};
use crate::call_future::CallFuture;
use crate::describe::Specification;
use crate::router::endpoint::{Entries, Entry};
use crate::router::method::Handler;

/// The name that the OpenRPC specification gives it.
const DISCOVER: &str = "rpc.discover";

/// Adds the method that describes all others. As what ends subscriptions it is in no document.
pub(super) fn add(entries: &mut Entries) {
    if !entries.iter().any(|(known, _)| &**known == DISCOVER) {
        let handler = Handler::new(discover);
        let entry = Entry {
            handler,
            route: usize::MAX,
            cost: 1,
            below: false,
        };
        entries.push((DISCOVER.into(), entry));
    }
}

/// Answers with the document of the router that it is called on.
fn discover(call: Call) -> CallFuture {
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
    let document = context
        .router()
        .openrpc_text(context.reader(), specification);
    CallFuture::ready(call.answer(Ok(document.as_deref())))
}

/// The version of the document, by position or by name.
#[derive(Deserialize)]
#[serde(untagged)]
enum Wanted {
    Nothing([(); 0]),
    Positional([Version; 1]),
    Named(Named),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    #[serde(default)]
    version: Version,
}

#[derive(Default, Deserialize)]
enum Version {
    #[default]
    #[serde(rename = "1.3", alias = "1.3.2")]
    V1_3,
    #[serde(rename = "1.4", alias = "1.4.0")]
    V1_4,
}

impl From<Version> for Specification {
    fn from(version: Version) -> Self {
        match version {
            Version::V1_3 => Self::V1_3,
            Version::V1_4 => Self::V1_4,
        }
    }
}
