//! Sessions of a client through a broker: one for each method that needs one, while somebody uses it.
//!
//! Calls go to whatever server is free. A subscription, and a call that tells of its progress, need one that
//! stays: the session of their method.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use http::HeaderMap;

use super::connect::NatsChannel;
use super::driver::Driver;
use super::reconnect::Reconnect;
use super::session_connector::{SessionConnector, Target};
use super::session_source::SessionSource;
use crate::dispatch::Dispatcher;
use crate::identity::Identity;
use crate::session::SessionConfig;
use crate::session_state::SessionHandle;

/// What the sessions of a client have in common.
pub(super) struct BrokerSessions {
    pub(super) channel: Arc<NatsChannel>,
    pub(super) place: String,
    /// The methods that servers may call.
    pub(super) dispatcher: Dispatcher,
    pub(super) config: SessionConfig,
    pub(super) max_message: usize,
    pub(super) reconnect: Option<Reconnect>,
    pub(super) tells_deadlines: bool,
    /// Whether calls do not wait while a session is lost, as those of a client that is one of several.
    pub(super) on_demand: AtomicBool,
    /// By the methods of the client's own calls.
    pub(super) open: Mutex<HashMap<String, Vec<OpenSession>>>,
}

/// A session, and whose it is.
pub(super) struct OpenSession {
    identity: Option<Identity>,
    source: Weak<SessionSource>,
}

impl BrokerSessions {
    /// The session of a method, for this caller. It ends when nobody uses it any more.
    pub(super) fn of(&self, method: &str, identity: Option<Identity>) -> Arc<SessionSource> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let mut of_method = open.get(method).into_iter().flatten();
        let own = of_method.find(|one| one.identity == identity);
        if let Some(source) = own.and_then(|one| one.source.upgrade()) {
            return source;
        }
        open.retain(|_, sessions| {
            sessions.retain(|one| one.source.strong_count() > 0);
            !sessions.is_empty()
        });
        let connector = SessionConnector {
            target: Target::Broker {
                channel: Arc::clone(&self.channel),
                method: method.to_owned(),
                identity: identity.clone(),
            },
            place: self.place.clone(),
            dispatcher: self.dispatcher.clone(),
            config: self.config.clone(),
            headers: HeaderMap::new(),
            max_message: self.max_message,
        };
        let driver = Driver::new(
            connector,
            None,
            self.reconnect.clone(),
            self.tells_deadlines,
        );
        let source = Arc::new(SessionSource::Own(driver));
        if self.on_demand.load(Ordering::Relaxed) {
            source.connect_on_demand();
        }
        open.entry(method.to_owned())
            .or_default()
            .push(OpenSession {
                identity,
                source: Arc::downgrade(&source),
            });
        source
    }

    /// Opens another session in the place of one whose server stops, if it is one of these.
    pub(super) fn retire(&self, handle: &SessionHandle) {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let sources = open.values().flatten().map(|one| &one.source);
        let sources: Vec<_> = sources.filter_map(Weak::upgrade).collect();
        drop(open);
        for source in sources {
            source.retire(handle);
        }
    }
}

/// The session of a method: that of the client, or one of its own.
pub(super) enum MethodSession<'a> {
    OfClient(&'a SessionSource),
    OfMethod(Arc<SessionSource>),
}

impl MethodSession<'_> {
    /// What keeps the session open.
    pub(super) fn keep(&self) -> Option<Arc<SessionSource>> {
        match self {
            Self::OfClient(_) => None,
            Self::OfMethod(source) => Some(Arc::clone(source)),
        }
    }
}

impl Deref for MethodSession<'_> {
    type Target = SessionSource;

    fn deref(&self) -> &SessionSource {
        match self {
            Self::OfClient(source) => source,
            Self::OfMethod(source) => source,
        }
    }
}
