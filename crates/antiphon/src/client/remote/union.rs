//! Servers whose methods are together the router of a program that is there to forward.

use std::sync::Arc;
use std::time::Duration;

use super::builder::{Remote, router};
use super::forward::Forwarder;
use crate::router::Router;

/// The pause between two checks of an upstream.
const CHECK: Duration = Duration::from_secs(2);

/// Other servers whose methods have the same prefix here, or none. The first one that describes a
/// method has it.
#[derive(Default)]
pub(crate) struct Union {
    forwarders: Vec<Arc<Forwarder>>,
    /// The scopes that callers of all of them need.
    scopes: Vec<Box<str>>,
}

impl Union {
    /// Adds a server, with this name if it has none.
    pub(crate) fn push(&mut self, mut remote: Remote, name: &str) {
        if remote.name.is_empty() {
            remote.name = name.into();
        }
        remote.check.get_or_insert(Some(CHECK));
        self.forwarders.push(remote.into_forwarder(true));
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.forwarders.is_empty()
    }

    /// Requires a scope of callers.
    pub(crate) fn require_scope(&mut self, scope: Box<str>) {
        self.scopes.push(scope);
    }

    /// Their methods as a router.
    pub(crate) fn router(&self) -> Router {
        let scopes = self.scopes.iter().cloned();
        scopes.fold(router(self.forwarders.clone()), Router::require_scope)
    }

    /// Begins to watch over the servers, and waits until each has described its methods or cannot be
    /// reached.
    pub(crate) fn begin(&self) -> impl Future<Output = ()> + Send + use<> {
        let forwarders = self.forwarders.clone();
        for forwarder in &forwarders {
            forwarder.watch.begin();
            forwarder.documents.ask();
        }
        async move {
            for forwarder in forwarders {
                // What is not known yet will be.
                let _ = forwarder.documents.known().await;
            }
        }
    }
}
