//! Network in memory for tests, whose servers can be cut off.

use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

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

/// Whether a server stands still, and who waits for it to go on.
#[derive(Default)]
struct Frozen {
    yes: bool,
    waiting: Vec<Waker>,
}

/// A server that can be cut off.
#[derive(Clone)]
pub(super) struct Net(Arc<Inner>);

struct Inner {
    server: Dispatcher,
    is_up: Mutex<bool>,
    frozen: Mutex<Frozen>,
    connections: Mutex<Vec<(Shutdown, AbortHandle)>>,
}

impl Net {
    pub(super) fn new(router: Router) -> Self {
        Self(Arc::new(Inner {
            server: router
                .build_with(Limits::default().call_timeout(None))
                .unwrap(),
            is_up: Mutex::new(true),
            frozen: Mutex::default(),
            connections: Mutex::default(),
        }))
    }

    pub(super) fn set_up(&self, is_up: bool) {
        *self.0.is_up.lock().unwrap() = is_up;
    }

    /// Has the server stand still, or go on. It still takes connections and what is sent.
    pub(super) fn freeze(&self, yes: bool) {
        let mut frozen = self.0.frozen.lock().unwrap();
        frozen.yes = yes;
        frozen.waiting.drain(..).for_each(Waker::wake);
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
        let own = Arc::clone(&self.0);
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
            let mut running = Box::pin(run(session, shutdown.clone()));
            let net = Arc::clone(&net);
            let serving = tokio::spawn(poll_fn(move |cx| {
                let mut frozen = net.frozen.lock().unwrap();
                if frozen.yes {
                    frozen.waiting.push(cx.waker().clone());
                    return Poll::Pending;
                }
                drop(frozen);
                running.as_mut().poll(cx)
            }));
            let mut connections = own.connections.lock().unwrap();
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
