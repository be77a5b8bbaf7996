//! Stub of `nats/` for builds without it: there is no connection to a broker.
//!
//! The types match those of `nats/` but cannot be constructed. No address asks for them either, because
//! this build does not know the scheme.

use std::convert::Infallible;
use std::io;

use tokio_util::task::TaskTracker;

use crate::address::NatsAddress;
use crate::dispatch::Dispatcher;
use crate::memory_budget::account::Accounts;
use crate::session::SessionConfig;
use crate::shutdown::Shutdown;

/// Topics over a broker.
pub(crate) mod topics {
    use crate::address::NatsAddress;
    use crate::topic::link::in_process::SharedHub;

    /// Does nothing: there is no broker.
    pub(crate) async fn follow(_: SharedHub, _: NatsAddress) {
        std::future::pending().await
    }
}

/// A connection to a broker; cannot be constructed.
#[derive(Debug)]
pub(crate) struct Broker(Infallible);

/// What brokers allow; cannot be constructed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BrokerLimits(Infallible);

/// What calls run with; cannot be constructed.
#[derive(Clone, Debug)]
pub(crate) struct ServiceSetup(Infallible);

impl Broker {
    /// Always fails.
    pub(crate) async fn connect(_: NatsAddress) -> io::Result<Self> {
        let text = "this program was built without NATS (feature `nats` of antiphon)";
        Err(io::Error::new(io::ErrorKind::Unsupported, text))
    }

    pub(crate) fn url(&self) -> String {
        match self.0 {}
    }

    pub(crate) async fn run(
        self,
        _: impl Fn() -> Option<ServiceSetup> + Send + Sync + 'static,
        _: Shutdown,
        _: TaskTracker,
    ) {
        match self.0 {}
    }
}

impl BrokerLimits {
    /// Always `None`.
    pub(crate) fn of(_: &[Broker]) -> Option<Self> {
        None
    }

    pub(crate) fn setup(
        self,
        _: &Dispatcher,
        _: &Accounts,
        _: SessionConfig,
        _: bool,
        _: usize,
    ) -> ServiceSetup {
        match self.0 {}
    }
}
