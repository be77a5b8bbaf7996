//! State that all clones of a dispatcher share.

use std::sync::Arc;

use antiphon_proto::Rules;

use super::elsewhere::Threads;
use super::limits::Limits;
use crate::audit::AuditLog;
use crate::call::CallLimits;
use crate::call_origin::{CallClient, Connection, Origin};
use crate::mcp::Service;
use crate::metrics::counters::{Counters, InFlight};
use crate::rate_limit::RateLimiter;
use crate::router::Endpoint;

pub(super) struct Shared {
    pub(super) endpoint: Endpoint,
    pub(super) rules: Rules,
    pub(super) limits: Limits,
    pub(super) call_limits: CallLimits,
    /// The limit of calls by caller, if there is one.
    pub(super) rate: Option<RateLimiter>,
    /// Where calls are recorded, if they are.
    pub(super) audit: Option<AuditLog>,
    /// The Model Context Protocol, if its clients are served.
    pub(super) mcp: Option<Arc<Service>>,
    pub(super) threads: Threads,
    /// The origin of calls from this process. It also has the state that all origins share.
    pub(super) in_process: Arc<Origin>,
}

impl Shared {
    pub(super) fn counters(&self) -> &Arc<Counters> {
        &self.in_process.common.counters
    }

    /// A place for a call that has to wait, until it is dropped; `None` if there is none.
    pub(super) fn place(
        &self,
        connection: &Connection,
        client: CallClient,
        route: usize,
    ) -> Option<InFlight> {
        let shares = connection.shares(client.address_group());
        self.counters()
            .enter(route, self.call_limits.places, shares)
    }

    /// The name of a method by its index, for the log.
    pub(super) fn method_name(&self, route: usize) -> String {
        let method = self.in_process.common.tree.method(route);
        method.map_or_else(String::new, |method| method.name().to_owned())
    }
}
