//! Network in memory for tests, whose servers can be cut off.

use std::sync::{Arc, Mutex};

use http::HeaderMap;
use tokio::task::AbortHandle;

use super::call_options::CallOptions;
use super::driver::Driver;
use super::handle::Client;
use super::reconnect::Reconnect;
use super::session_connector::{SessionConnector, Target};
use super::session_source::SessionSource;
use super::shared::{Scope, Shared};
use super::transport::ClientTransport;
use crate::call_origin::{Connection, Transport};
use crate::dispatch::{Dispatcher, Limits};
use crate::memory_budget::Account;
use crate::router::Router;
use crate::session::event_loop::run;
use crate::session::{Session, SessionConfig};
use crate::shutdown::Shutdown;
use crate::transport::memory;

/// A server that can be cut off.
#[derive(Clone)]
pub(super) struct Net(Arc<Inner>);

struct Inner {
    server: Dispatcher,
    is_up: Mutex<bool>,
    connections: Mutex<Vec<(Shutdown, AbortHandle)>>,
}

impl Net {
    pub(super) fn new(router: Router) -> Self {
        Self(Arc::new(Inner {
            server: router
                .build_with(Limits::default().call_timeout(None))
                .unwrap(),
            is_up: Mutex::new(true),
            connections: Mutex::default(),
        }))
    }

    pub(super) fn set_up(&self, is_up: bool) {
        *self.0.is_up.lock().unwrap() = is_up;
    }

    pub(super) fn accepted(&self) -> usize {
        self.0.connections.lock().unwrap().len()
    }

    /// How many connections are open.
    pub(super) fn open(&self) -> usize {
        let connections = self.0.connections.lock().unwrap();
        let open = connections.iter().filter(|(_, task)| !task.is_finished());
        open.count()
    }

    /// Ends all connections, without a word.
    pub(super) fn cut(&self) {
        for (_, connection) in &*self.0.connections.lock().unwrap() {
            connection.abort();
        }
    }

    /// Stops as a server does, which waits for the calls in flight.
    pub(super) fn stop(&self) {
        for (shutdown, _) in &*self.0.connections.lock().unwrap() {
            shutdown.stop();
        }
    }

    pub(super) fn client(&self, reconnect: Option<Reconnect>) -> Client {
        let net = Arc::clone(&self.0);
        let connect = move || {
            if !*net.is_up.lock().unwrap() {
                return Err("it is down".into());
            }
            let (ours, theirs) = memory::pair();
            let connection = Connection::new(Transport::InProcess, None, Account::unlimited());
            let config = SessionConfig::default();
            let session = Session::new(
                theirs,
                net.server.clone(),
                connection,
                true,
                &config,
                |_| {},
            );
            let shutdown = Shutdown::default();
            let serving = tokio::spawn(run(session, shutdown.clone()));
            let mut connections = net.connections.lock().unwrap();
            connections.push((shutdown, serving.abort_handle()));
            Ok(ours)
        };
        let connector = SessionConnector {
            target: Target::Memory {
                connect: Box::new(connect),
            },
            place: "memory".to_owned(),
            dispatcher: Router::new().build().unwrap(),
            config: SessionConfig::default(),
            headers: HeaderMap::new(),
            max_message: usize::MAX,
        };
        let driver = Driver::new(connector, None, reconnect, true);
        let shared = Shared {
            place: "memory".to_owned(),
            transport: ClientTransport::Session(SessionSource::Own(driver)),
            calls: CallOptions::default(),
            upstreams: Vec::new(),
        };
        Client {
            scope: Scope {
                shared: Arc::new(shared),
                prefix: None,
            },
        }
    }
}
