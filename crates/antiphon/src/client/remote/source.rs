//! Description of another server for the documents, health and metrics of the router that forwards to it.

use std::pin::Pin;
use std::sync::Arc;

use super::document::Told;
use super::forward::Forwarder;
use crate::describe::{RemoteMethods, RemoteSource, ServedBy, UpstreamState};

/// A server as documents see it.
pub(super) struct Source(pub(super) Arc<Forwarder>);

impl RemoteSource for Source {
    fn described(&self) -> Option<(u64, Arc<RemoteMethods>)> {
        let Self(forwarder) = self;
        forwarder.watch.begin();
        forwarder.documents.described()
    }

    fn asked(&self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let Self(forwarder) = self;
        forwarder.watch.begin();
        let forwarder = Arc::clone(forwarder);
        Box::pin(async move {
            // What is not known then will be.
            let _ = forwarder.documents.known().await;
        })
    }

    fn streams(&self, name: &str) -> Option<bool> {
        let Self(forwarder) = self;
        let told = match forwarder.documents.told() {
            Told::Methods(told) => Some(told),
            Told::None => None,
            // What the program or the name says holds all the same.
            Told::Silent => match forwarder.declared.with(name, None).ends {
                Some(_) => return Some(true),
                None if forwarder.documents.is_asked() => return None,
                None => None,
            },
        };
        let told = told.as_ref().and_then(|told| told.get(name));
        Some(forwarder.declared.with(name, told).ends.is_some())
    }

    fn served_by(&self) -> ServedBy {
        let Self(forwarder) = self;
        let upstreams = forwarder.client.upstreams().into_iter();
        let state = upstreams.map(|upstream| UpstreamState {
            place: upstream.place,
            is_up: upstream.is_up,
            in_flight: upstream.in_flight as u64,
            calls: upstream.calls,
            failed: upstream.failed,
        });
        ServedBy {
            name: forwarder.name.clone(),
            upstreams: state.collect(),
            joined: forwarder
                .flights
                .as_ref()
                .map_or(0, |flights| flights.joined()),
            cached: forwarder.cache.hits(),
            cache_bytes: forwarder.cache.bytes() as u64,
            is_all: forwarder.is_all,
        }
    }
}
