//! State that all clones of a dispatcher share.

use std::sync::Arc;

use antiphon_proto::Rules;

use super::limits::Limits;
use crate::call::CallLimits;
use crate::call_origin::Origin;
use crate::metrics::counters::Counters;
use crate::router::Endpoint;

pub(super) struct Shared {
    pub(super) endpoint: Endpoint,
    pub(super) rules: Rules,
    pub(super) limits: Limits,
    pub(super) call_limits: CallLimits,
    /// The origin of calls from this process. It also has the state that all origins share.
    pub(super) in_process: Arc<Origin>,
}

impl Shared {
    pub(super) fn counters(&self) -> &Arc<Counters> {
        &self.in_process.common.counters
    }

    /// The name of a method by its index, for the log.
    pub(super) fn method_name(&self, route: usize) -> String {
        let method = self.in_process.common.tree.method(route);
        method.map_or_else(String::new, |method| method.name().to_owned())
    }
}
