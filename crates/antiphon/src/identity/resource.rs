//! Description of a server for clients that need a token (RFC 9728).

use serde_json::json;

use super::authenticator::Authenticators;

impl Authenticators {
    /// What a client has to know to get a token for the resource at this URL; `None` if nobody makes any.
    pub(crate) fn resource_document(&self, resource: &str) -> Option<String> {
        let issuers: Vec<_> = self.issuers().collect();
        let document = json!({
            "resource": resource,
            "authorization_servers": issuers,
            "bearer_methods_supported": ["header"],
        });
        (!issuers.is_empty()).then(|| document.to_string())
    }
}
