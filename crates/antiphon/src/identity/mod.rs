//! Identities: who calls, and what a method asks of its callers.
//!
//! A server has [`Authenticators`] or it has none. With none nobody is asked, and every method is open to
//! whoever reaches the server. With some, each caller is anonymous or has an [`Identity`], and each
//! method has a [`Requirement`]. Dispatch compares the two, so batches, sessions and streams need
//! nothing of their own.
//!
//! | file | contents |
//! |---|---|
//! | `subject.rs` | [`Identity`]: subject, scopes, claims, expiry |
//! | `credentials.rs` | [`Credentials`]: what a caller presents |
//! | `authenticator.rs` | [`Authenticator`]: credentials → identity; several in their order |
//! | `identification.rs` | what is known of the caller of a message, and of a session |
//! | `principal.rs` | on whose behalf a call is made |
//! | `statement.rs` | the text of an identity, for another process |
//! | `resource.rs` | what a server says to clients that need a token |
//! | `requirement.rs` | what a method asks of its callers, and the errors if they fall short |

mod authenticator;
mod credentials;
mod identification;
mod principal;
mod requirement;
mod resource;
#[cfg(feature = "nats")]
mod statement;
mod subject;

pub(crate) use authenticator::Authenticators;
pub use authenticator::{AuthenticationError, Authenticator};
pub(crate) use credentials::PeerCredentials;
pub use credentials::{Credentials, UnixPeer};
pub(crate) use identification::{Attempt, Identification};
pub(crate) use principal::Principal;
pub(crate) use requirement::{Requirement, is_scope};
#[cfg(feature = "nats")]
pub(crate) use statement::{Statement, milliseconds};
pub use subject::Identity;
