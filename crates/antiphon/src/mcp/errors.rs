//! Errors that the protocol defines (2026-07-28).

use antiphon_proto::{ErrorCode, ErrorObject};
use serde_json::{Map, json};

/// The headers do not say what the body says.
pub(super) const HEADER_MISMATCH: ErrorCode = ErrorCode(-32020);
/// The request can only be answered to a client that can do more.
pub(super) const MISSING_CAPABILITY: ErrorCode = ErrorCode(-32021);
/// The version is none that is spoken here.
pub(super) const UNSUPPORTED_VERSION: ErrorCode = ErrorCode(-32022);

/// The error of a request whose client would have to be able to do this.
pub(super) fn missing<'a>(capabilities: impl IntoIterator<Item = &'a str>) -> ErrorObject {
    let named = capabilities.into_iter();
    let required: Map<_, _> = named.map(|name| (name.to_owned(), json!({}))).collect();
    let text = "The client cannot do what this needs";
    ErrorObject::new(MISSING_CAPABILITY, text).with_data(&json!({"requiredCapabilities": required}))
}
