//! Bearer tokens of a client: where they come from, and how long they are used.
//!
//! | file | contents |
//! |---|---|
//! | `bearer.rs` | [`BearerToken`]: a token, and when it expires |
//! | `grant.rs` | a token that is in use: header, number, times |
//! | `cache.rs` | [`Tokens`]: a fixed token, or a provider that is asked by one call for all |
//! | `plaintext.rs` | addresses to which a token would go unencrypted |

mod bearer;
mod cache;
mod grant;
mod plaintext;

pub use bearer::BearerToken;
pub(super) use cache::{TokenFault, Tokens};
pub(super) use grant::Grant;
pub(super) use plaintext::is_exposed;
