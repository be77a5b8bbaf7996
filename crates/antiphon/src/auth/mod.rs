//! Authenticators that are ready to use: bearer tokens from a file, JSON Web Tokens, client
//! certificates, peers of Unix sockets.
//!
//! | file | contents |
//! |---|---|
//! | `bearer.rs` | [`BearerTokens`]: tokens whose hashes are in a file |
//! | `token_file.rs` | the lines of that file |
//! | `new_token.rs` | [`NewToken`]: a random token and its line |
//! | `jwt/` | [`Jwt`]: tokens that an issuer has signed |
//! | `client_certificates.rs` | [`ClientCertificates`]: clients known by the certificate of the TLS handshake |
//! | `certificate.rs` | name and end of a certificate |
//! | `der.rs` | elements of DER |
//! | `unix_peers.rs` | [`UnixPeers`]: users of this machine |
//! | `error.rs` | [`AuthSetupError`]: why an authenticator cannot be made |
//!
//! Each answers `None` to credentials of another kind, so that several can stand side by side. What a
//! connection proves counts only for a caller that presents nothing: a wrong token is not better than
//! none.

mod bearer;
mod certificate;
mod client_certificates;
mod der;
mod error;
mod jwt;
mod new_token;
mod token_file;
#[cfg(unix)]
mod unix_peers;

pub use bearer::BearerTokens;
pub use client_certificates::ClientCertificates;
pub use error::AuthSetupError;
pub use jwt::{Jwt, JwtKeys};
pub use new_token::NewToken;
#[cfg(unix)]
pub use unix_peers::UnixPeers;
