//! Header fields that are lists of tokens.

use http::header::{HeaderMap, HeaderName};

/// The WebSocket subprotocol. Peers that do not name one are assumed to use it.
pub(super) const SUBPROTOCOL: &str = "jsonrpc";

/// Whether the header fields of this name contain the token; case is ignored.
pub(super) fn lists(headers: &HeaderMap, name: &HeaderName, token: &[u8]) -> bool {
    tokens(headers, name).any(|one| one.eq_ignore_ascii_case(token))
}

/// The tokens in all header fields of this name.
pub(super) fn tokens<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> impl Iterator<Item = &'a [u8]> {
    headers
        .get_all(name)
        .into_iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
}
