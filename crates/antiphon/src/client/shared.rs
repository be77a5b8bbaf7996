//! State that all clones of a client share.

use std::sync::Arc;
use std::time::Duration;

use antiphon_proto::{Id, IntoParams, Params};

use super::builder::Encoding;
use super::transport::ClientTransport;
use crate::session_state::NewCall;

/// The state that clones of a client share.
pub(super) struct Shared {
    /// The name of the server in errors: without path and query.
    pub(super) place: String,
    pub(super) transport: ClientTransport,
    pub(super) version: String,
    pub(super) separator: String,
    /// Merged into the named parameters of every call.
    pub(super) data: Params,
    pub(super) next_id: Box<dyn Fn() -> Id + Send + Sync>,
    pub(super) encoding: Encoding,
    pub(super) timeout: Option<Duration>,
    pub(super) max_response: usize,
    pub(super) max_batch_response: usize,
}

impl Shared {
    /// A call with a generated id.
    pub(super) fn new_call(&self) -> NewCall {
        NewCall::from((self.next_id)())
    }

    /// Whether the client reconnects after its connection was lost.
    pub(super) fn reconnects(&self) -> bool {
        matches!(&self.transport, ClientTransport::Session(source) if source.reconnects())
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

    /// The text of the parameters, with the client's own data merged into them.
    pub(super) fn params(&self, params: impl IntoParams) -> Result<Option<String>, String> {
        let params = params.into_params().merge(&self.shared.data);
        params.to_json().map_err(ToString::to_string)
    }
}
