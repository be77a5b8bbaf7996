//! TLS options of a client.

/// The trusted certificate authorities, and the server name.
#[derive(Default)]
pub(super) struct TlsOptions {
    /// Trusted certificate authorities, in PEM; `None` for those of the operating system.
    pub(super) ca: Option<Vec<u8>>,
    pub(super) server_name: Option<String>,
}
