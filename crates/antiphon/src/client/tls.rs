//! Options of TLS on a client.

/// Whom a client trusts, and which name it asks for.
#[derive(Default)]
pub(super) struct TlsOptions {
    /// The authorities to trust, in PEM; `None` for those of the machine.
    pub(super) ca: Option<Vec<u8>>,
    pub(super) server_name: Option<String>,
}
