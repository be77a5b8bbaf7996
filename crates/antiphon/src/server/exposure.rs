//! Exposure of a server: who can reach it, and whether callers count as local.

use crate::address::NatsAddress;
use crate::server::error::ServeError;
use crate::server::listener::Listener;
use crate::server::settings::{Profile, Settings};
use crate::transport::http::host_check::Guard;

/// Reachability of a server, derived from its listeners.
pub(crate) struct Exposure {
    /// Whether every listener is bound to loopback or is a Unix socket.
    loopback: bool,
    /// Whether every broker is on this machine.
    brokers_are_local: bool,
    /// Whether all callers through brokers are asked who they are.
    brokers_identify: bool,
    /// Whether a proxy passes on connections to one of the listeners.
    proxied: bool,
    ports: Vec<u16>,
}

impl Exposure {
    pub(crate) fn of(listeners: &[Listener], brokers: &[NatsAddress]) -> Self {
        let addresses = listeners.iter().filter_map(Listener::address);
        Self {
            proxied: listeners.iter().any(|listener| listener.kind.proxy),
            loopback: listeners.iter().all(Listener::is_local),
            brokers_are_local: brokers.iter().all(NatsAddress::is_local),
            brokers_identify: brokers.iter().all(|one| one.files.identity.is_some()),
            ports: addresses.map(|address| address.port()).collect(),
        }
    }

    pub(super) fn guard(&self, settings: &Settings) -> Guard {
        let mut guard = Guard::default();
        self.ports.iter().for_each(|port| guard.note_port(*port));
        if !self.loopback {
            guard.allow_any_address();
        }
        // `Settings::check` has refused what cannot be added.
        for host in &settings.allow_host {
            let _ = guard.allow_host(host);
        }
        for origin in &settings.allow_origin {
            let _ = guard.allow_origin(origin);
        }
        guard
    }

    /// Whether callers count as local: the profile is [`Profile::Auto`], only this machine can
    /// reach the listeners, no proxy is known, and the server answers to loopback names only.
    pub(super) fn is_local(&self, settings: &Settings) -> bool {
        self.brokers_are_local && self.listens_locally(settings)
    }

    fn listens_locally(&self, settings: &Settings) -> bool {
        settings.profile == Profile::Auto
            && self.loopback
            && !self.is_behind_a_proxy(settings)
            && self.guard(settings).is_loopback_only()
    }

    fn is_behind_a_proxy(&self, settings: &Settings) -> bool {
        self.proxied || !settings.trusted_proxies.is_empty()
    }

    /// Refuses a server that other machines can reach, unless it authenticates its callers, or the
    /// settings allow that explicitly.
    ///
    /// # Errors
    ///
    /// [`ServeError::Public`] if the server is public and that was not allowed.
    pub(crate) fn check(&self, settings: &Settings, authenticates: bool) -> Result<(), ServeError> {
        if authenticates || settings.allow_unauthenticated_public || self.is_local(settings) {
            return Ok(());
        }
        if self.brokers_identify && self.listens_locally(settings) {
            return Ok(());
        }
        let reason = if !self.loopback {
            "it listens beyond this machine"
        } else if !self.brokers_are_local {
            "its NATS server is on another machine"
        } else if settings.profile == Profile::Public {
            "its profile is public"
        } else if self.is_behind_a_proxy(settings) {
            "it is behind a proxy"
        } else {
            "it answers to names beyond the loopback ones"
        };
        Err(ServeError::Public {
            reason: reason.to_owned(),
        })
    }
}
