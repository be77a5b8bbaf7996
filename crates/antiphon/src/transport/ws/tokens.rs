//! Header fields that are lists of tokens.

use http::header::{HeaderMap, HeaderName};

/// The subprotocol. Peers that do not name one speak it all the same.
pub(super) const SUBPROTOCOL: &str = "jsonrpc";

/// Whether the headers of this name list the token, in any case.
pub(super) fn lists(headers: &HeaderMap, name: &HeaderName, token: &[u8]) -> bool {
    tokens(headers, name).any(|one| one.eq_ignore_ascii_case(token))
}

/// What the headers of this name list, in all their lines.
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
