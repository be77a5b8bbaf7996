//! TLS options of a client.

/// The trusted certificate authorities, the server name, and who the client is.
#[derive(Default)]
pub(super) struct TlsOptions {
    /// Trusted certificate authorities, in PEM; `None` for those of the operating system.
    pub(super) ca: Option<Vec<u8>>,
    pub(super) server_name: Option<String>,
    /// The certificate chain of the client and its key, in PEM.
    pub(super) client: Option<(Vec<u8>, Vec<u8>)>,
}
