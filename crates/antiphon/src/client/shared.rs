//! State that all clones of a client share.

use std::sync::Arc;

use antiphon_proto::IntoParams;

use super::call_options::CallOptions;
use super::passed_identity::PassedIdentity;
use super::transport::ClientTransport;
use crate::session_state::{NewCall, SessionHandle};

/// The state that clones of a client share.
pub(super) struct Shared {
    /// The name of the server in errors: without path and query.
    pub(super) place: String,
    pub(super) transport: ClientTransport,
    pub(super) calls: CallOptions,
    /// The clients among which a balanced one chooses, by their index in its balancer.
    pub(super) upstreams: Vec<Arc<Self>>,
}

impl Shared {
    /// A call with a generated id.
    pub(super) fn new_call(&self) -> NewCall {
        NewCall::from((self.calls.next_id)())
    }

    /// Whether there can be subscriptions.
    pub(super) fn has_sessions(&self) -> bool {
        match &self.transport {
            ClientTransport::Session(_) => true,
            ClientTransport::Http(_) => self.transport.is_broker(),
            ClientTransport::Balanced(_) => self.upstreams.iter().any(|one| one.has_sessions()),
        }
    }

    /// Whether requests may go through a broker, one by one, also those of a batch.
    pub(super) fn uses_broker(&self) -> bool {
        match &self.transport {
            ClientTransport::Balanced(_) => self.upstreams.iter().any(|one| one.uses_broker()),
            transport => transport.is_broker(),
        }
    }

    /// Whether calls are made in the name of the caller of the method that makes them.
    pub(super) fn forwards_identity(&self) -> bool {
        match &self.transport {
            ClientTransport::Session(source) => source.forwards_identity(),
            ClientTransport::Http(http) => matches!(http.identity, PassedIdentity::OfCaller),
            ClientTransport::Balanced(_) => {
                self.upstreams.iter().any(|one| one.forwards_identity())
            }
        }
    }

    /// Opens another connection in the place of one whose server stops, wherever it belongs.
    pub(super) fn retire(&self, handle: &SessionHandle) {
        self.transport.retire(handle);
        self.upstreams.iter().for_each(|one| one.retire(handle));
    }

    /// Whether the client reconnects after its connection was lost.
    pub(super) fn reconnects(&self) -> bool {
        match &self.transport {
            ClientTransport::Balanced(_) => true,
            transport => transport.reconnects(),
        }
    }
}

/// Name of a method in backquotes: what is called, and its name in errors, in one text.
#[derive(Clone)]
pub(super) struct QuotedName(String);

impl QuotedName {
    pub(super) fn quoted(&self) -> &str {
        &self.0
    }

    pub(super) fn plain(&self) -> &str {
        let inside = 1..self.0.len().saturating_sub(1);
        self.0.get(inside).unwrap_or_default()
    }
}

/// A client's view of the shared state: the methods under a prefix.
#[derive(Clone)]
pub(super) struct Scope {
    pub(super) shared: Arc<Shared>,
    /// The prefix of every method name, including the separator.
    pub(super) prefix: Option<Arc<str>>,
}

impl Scope {
    /// The full name of a method.
    pub(super) fn name(&self, method: &str) -> String {
        match &self.prefix {
            Some(prefix) => format!("{prefix}{method}"),
            None => method.to_owned(),
        }
    }

    /// The full name of a method, as errors quote it.
    pub(super) fn quoted_name(&self, method: &str) -> QuotedName {
        let prefix = self.prefix.as_deref().unwrap_or_default();
        QuotedName(["`", prefix, method, "`"].concat())
    }

    /// The text of the parameters, with the client's own data merged into them.
    pub(super) fn params(&self, params: impl IntoParams) -> Result<Option<String>, String> {
        let params = params.into_params().merge(&self.shared.calls.data);
        params.into_json().map_err(|fault| fault.to_string())
    }
}
