//! Server with bound listeners, from [`Server::listen`] until it stops.

use std::collections::HashSet;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout};
use tokio_util::task::TaskTracker;

use crate::admin_token::{AdminToken, PreparedToken, TokenFile};
use crate::audit::AuditLog;
use crate::dispatch::Dispatcher;
use crate::metrics::status::{ServerStatus, SupervisorClient};
use crate::rate_limit::RateTable;
use crate::router::endpoint::BoxLayer;
use crate::server::accept::Acceptor;
use crate::server::app::App;
use crate::server::authentication::NamedAuthenticators;
use crate::server::broker_topics;
use crate::server::brokers;
use crate::server::builder::Server;
use crate::server::connection_kind::ConnectionKind;
use crate::server::connection_limits::ConnectionSlots;
use crate::server::connection_setup::ConnectionSetup;
use crate::server::error::ServeError;
use crate::server::exposure::Exposure;
use crate::server::handle::ServerHandle;
use crate::server::listener::Listener;
use crate::server::own_thread::on_own_thread;
use crate::server::reload::{self, Reloads};
use crate::server::route_source::RouteSource;
use crate::server::settings::{Settings, broker};
use crate::server::worker_counts::WorkerCounts;
use crate::server::worker_load::WorkerLoad;
use crate::transport::http::Route;
use crate::transport::nats::{Broker, BrokerLimits};

/// How long the start waits for what other servers say of their methods, where that is of interest.
const OTHERS: Duration = Duration::from_secs(5);

/// How long connections have to send the error responses of calls that were dropped.
const LAST_ANSWERS: Duration = Duration::from_millis(50);

/// How long the end waits until the last lines of the audit log are written.
const LAST_LINES: Duration = Duration::from_millis(500);

/// How long the runtime has to drop calls that were cut.
const LAST_CALLS: Duration = Duration::from_millis(10);

/// A server whose listeners are bound. It accepts connections once [`serve`](Self::serve) is
/// called.
#[derive(Debug)]
pub struct BoundServer {
    listeners: Vec<Listener>,
    brokers: Vec<Broker>,
    addresses: Vec<SocketAddr>,
    settings: Settings,
    app: App,
    setup: watch::Sender<ConnectionSetup>,
    handle: ServerHandle,
    /// Deletes the file when dropped.
    token_file: Option<TokenFile>,
    stdio: Option<antiphon_proto::Framing>,
    counts: Option<WorkerCounts>,
}

/// Resources that come from the supervisor, so that the server does not create its own.
#[derive(Default)]
pub(crate) struct Provided {
    pub(crate) listeners: Option<Vec<Listener>>,
    pub(crate) admin: Option<AdminToken>,
    pub(crate) supervisor: Option<Box<dyn SupervisorClient>>,
    /// By which workers spread connections among themselves.
    pub(crate) counts: Option<WorkerCounts>,
}

impl BoundServer {
    /// Binds the addresses and builds the routes. Provided resources are used as they are.
    pub(crate) async fn bind(mut server: Server, provided: Provided) -> Result<Self, ServeError> {
        server.settings.check()?;
        let named = NamedAuthenticators::add_to(&mut server)?;
        let audit = open_audit_log(&server.settings, server.stdio.is_some())?;
        let token_path = server.settings.admin_token_file.clone();
        let token_path = token_path.filter(|_| provided.admin.is_none());
        let prepared = match &token_path {
            Some(path) => Some(token_file(path, PreparedToken::new(path, None))?),
            None => None,
        };
        let listeners = match provided.listeners {
            Some(listeners) => listeners,
            None => bind_listeners(&mut server, false).await?,
        };
        let brokers = brokers::connect(&server.settings).await?;
        let Server {
            routes,
            settings,
            call_layers,
            http_layers,
            stdio,
            ..
        } = server;
        let routes = build_routes(routes, &call_layers, &settings).await?;
        let tls = settings.tls()?;
        let handle = ServerHandle::default();
        let budgets = settings.budgets();
        let missing = audit.as_ref().map(AuditLog::missing_counter);
        let missing = missing.unwrap_or_default();
        let status = ServerStatus::new(
            (routes.iter())
                .map(|(_, route)| route.dispatcher().common())
                .collect(),
            handle.shutdown.clone(),
            Arc::clone(&handle.connections),
            Arc::clone(&handle.accepted),
            brokers::urls(&listeners, &brokers),
            budgets.clone(),
            provided.supervisor,
        )
        .count_missing(missing);
        let addresses: Vec<_> = listeners.iter().filter_map(Listener::address).collect();
        let app = App {
            routes,
            status: Arc::new(status),
            admin: provided
                .admin
                .or_else(|| prepared.as_ref().map(|file| file.token.clone())),
            http_layers,
            tls,
            budgets,
            rate_table: RateTable::new(Instant::now()),
            exposure: Exposure::of(&listeners, &settings.brokers()),
            brokers: BrokerLimits::of(&brokers),
            authenticators: server.authenticators,
            named,
            audit,
        };
        app.check_exposure(&settings)?;
        broker_topics::begin(&settings).await?;
        // The last step that can fail: until here, the file of a server that runs already stays.
        let token_file = match (prepared, &token_path) {
            (Some(prepared), Some(path)) => Some(token_file(path, prepared.publish())?),
            _ => None,
        };
        let (setup, _) = watch::channel(app.setup(&settings));
        Ok(Self {
            listeners,
            brokers,
            addresses,
            settings,
            app,
            setup,
            handle,
            token_file,
            stdio,
            counts: provided.counts,
        })
    }

    /// TCP addresses of the listeners. For port 0 this shows the port that the system picked.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// URL of the first listener, for clients; empty if there is none.
    #[must_use]
    pub fn url(&self) -> String {
        self.urls().into_iter().next().unwrap_or_default()
    }

    /// URLs of all listeners and brokers, for clients. With the WebSocket feature, an `http:` listener also
    /// accepts `ws:`.
    #[must_use]
    pub fn urls(&self) -> Vec<String> {
        brokers::urls(&self.listeners, &self.brokers)
    }

    /// Status and counters of the server.
    pub(crate) fn status(&self) -> Arc<ServerStatus> {
        Arc::clone(&self.app.status)
    }

    /// A handle to stop and observe the server from other tasks and threads.
    #[must_use]
    pub fn handle(&self) -> ServerHandle {
        self.handle.clone()
    }

    /// Serves until stopped through its [`ServerHandle`]. Then waits until all calls are finished
    /// or the graceful timeout has expired.
    ///
    /// # Errors
    ///
    /// [`ServeError::Io`] if standard input and output should be served but cannot be. An error on
    /// a connection ends only that connection.
    pub async fn serve(self) -> Result<(), ServeError> {
        let (_, never) = mpsc::channel(1);
        self.serve_reloading(never).await
    }

    /// Like [`serve`](Self::serve), and applies reloads.
    pub(crate) async fn serve_reloading(self, reloads: Reloads) -> Result<(), ServeError> {
        let audit = self.app.audit.clone();
        let ended = self.serve_connections(reloads).await;
        if let Some(audit) = audit {
            // Calls that were cut write their lines when the runtime drops them.
            tokio::time::sleep(LAST_CALLS).await;
            let flushed = on_own_thread("antiphon-flush", move || audit.flush(LAST_LINES));
            if let Err(error) = flushed.await {
                tracing::error!("the end of the audit log may be missing: {error}");
            }
        }
        ended
    }

    async fn serve_connections(self, reloads: Reloads) -> Result<(), ServeError> {
        let Self {
            listeners,
            brokers,
            settings,
            app,
            setup,
            handle,
            token_file: _kept,
            stdio,
            counts,
            ..
        } = self;
        let connections = TaskTracker::new();
        let acceptors = TaskTracker::new();
        let public = !app.exposure.is_local(&settings);
        let per_ip = public.then_some(settings.max_connections_per_ip);
        // Only a server of raw streams has no use for places for requests.
        let kind = |listener: &Listener| ConnectionKind::of(listener.kind.protocol);
        let both_kinds = (listeners.iter()).any(|one| kind(one) == ConnectionKind::Requests);
        let slots = ConnectionSlots::new(
            settings.max_connections,
            Arc::clone(&handle.connections),
            per_ip,
            both_kinds,
            counts.map(|counts| WorkerLoad::new(counts, app.budgets.clone())),
        );
        if slots.shared().is_some() {
            let (slots, shutdown) = (slots.clone(), handle.shutdown.clone());
            acceptors.spawn(async move {
                tokio::select! {
                    () = slots.end_penalties() => {}
                    () = shutdown.stopped() => {}
                }
            });
        }
        for broker in brokers {
            let current = setup.subscribe();
            let setup = move || current.borrow().broker.clone();
            acceptors.spawn(broker.run(setup, handle.shutdown.clone(), connections.clone()));
        }
        let shared = Acceptor::new(&setup, &handle, &connections, slots);
        for listener in listeners {
            acceptors.spawn(shared.clone().run(listener));
        }
        if let Some(framing) = stdio {
            let serving = shared.stdio(framing)?;
            connections.spawn(serving);
            let shutdown = handle.shutdown.clone();
            acceptors.spawn(async move { shutdown.stopped().await });
        }
        acceptors.close();
        let app = Arc::new(app);
        tokio::select! {
            () = acceptors.wait() => {}
            () = reload::apply(reloads, &app, &settings, &setup) => {}
        }
        connections.close();
        tokio::select! {
            () = connections.wait() => return Ok(()),
            () = handle.shutdown.killed() => {}
            () = handle.shutdown.overdue() => {}
            () = tokio::time::sleep(settings.graceful_timeout) => {
                let left = handle.connections();
                tracing::warn!("cutting {left} connections: the graceful timeout is over");
                handle.shutdown.end_calls();
            }
        }
        // Leave time to send the error responses of the dropped calls.
        if timeout(LAST_ANSWERS, connections.wait()).await.is_err() {
            handle.shutdown.kill();
            connections.wait().await;
        }
        Ok(())
    }
}

/// Binds all addresses of a server and wraps the sockets that are already listening. The default
/// address is left out if other listeners are served.
pub(crate) async fn bind_listeners(
    server: &mut Server,
    others_are_served: bool,
) -> Result<Vec<Listener>, ServeError> {
    let mut listeners = Vec::new();
    for listener in std::mem::take(&mut server.listeners) {
        listeners.push(Listener::from_std(listener)?);
    }
    let others_are_served = others_are_served || !listeners.is_empty() || server.stdio.is_some();
    let settings = &server.settings;
    for address in settings.addresses(others_are_served) {
        if broker(&address).is_some() {
            continue;
        }
        listeners.push(Listener::open(&address, settings).await?);
    }
    Ok(listeners)
}

/// Opens the audit log, if the settings name one.
fn open_audit_log(settings: &Settings, has_stdio: bool) -> Result<Option<AuditLog>, ServeError> {
    let Some(path) = &settings.audit_log else {
        return Ok(None);
    };
    if has_stdio && path == Path::new("-") {
        let text = "`audit-log` cannot be standard output: that is a connection";
        return Err(ServeError::BadSetting(text.to_owned()));
    }
    let opened = AuditLog::open(path).map_err(|error| {
        let path = path.display();
        ServeError::BadSetting(format!(
            "the audit log cannot be written to {path}: {error}"
        ))
    });
    opened.map(Some)
}

/// Tells of which file an error of the admin token's file is.
pub(crate) fn token_file<T>(path: &Path, made: io::Result<T>) -> Result<T, ServeError> {
    made.map_err(|error| {
        let path = path.display();
        ServeError::BadSetting(format!(
            "the admin token cannot be written to {path}: {error}"
        ))
    })
}

/// Binds the addresses of a server that also serves on the provided, already open listeners.
#[cfg(all(unix, feature = "supervisor"))]
pub(crate) async fn listen_also(
    mut server: Server,
    mut listeners: Vec<Listener>,
) -> Result<BoundServer, ServeError> {
    server.settings.check()?;
    server.settings.tls()?;
    listeners.extend(bind_listeners(&mut server, !listeners.is_empty()).await?);
    let provided = Provided {
        listeners: Some(listeners),
        ..Provided::default()
    };
    BoundServer::bind(server, provided).await
}

/// Checks that the routes can be served, as far as possible without building the lazy ones.
#[cfg(all(unix, feature = "supervisor"))]
pub(crate) async fn check(server: &mut Server) -> Result<(), ServeError> {
    let routes = std::mem::take(&mut server.routes);
    let is_lazy = |(_, source): &(String, RouteSource)| matches!(source, RouteSource::Lazy(_));
    let (lazy, ready): (Vec<_>, Vec<_>) = routes.into_iter().partition(is_lazy);
    open_audit_log(&server.settings, server.stdio.is_some())?;
    if ready.is_empty() && !lazy.is_empty() {
        return Ok(());
    }
    build_routes(ready, &server.call_layers, &server.settings).await?;
    Ok(())
}

/// Waits for what other servers say of their methods: agents ask for tools once, at their beginning.
async fn ask_others(dispatcher: &Dispatcher) {
    let _ = timeout(OTHERS, dispatcher.tree().asked()).await;
}

/// Builds all routes, including the lazy ones.
async fn build_routes(
    sources: Vec<(String, RouteSource)>,
    layers: &[BoxLayer],
    settings: &Settings,
) -> Result<Vec<(Option<String>, Route)>, ServeError> {
    let mut routes = Vec::new();
    // Those of which the router is that of another route.
    let mut shared = Vec::new();
    let mut known = HashSet::new();
    for (path, source) in sources {
        if !path.starts_with('/') || !known.insert(path.clone()) {
            return Err(ServeError::BadPath(path));
        }
        let router = match source {
            RouteSource::Route(route) => {
                routes.push((Some(path), route));
                continue;
            }
            RouteSource::Mcp(mcp) => {
                let (router, service) = mcp.into_parts();
                let Some(router) = router else {
                    shared.push((path, service));
                    continue;
                };
                let dispatcher = router.layers(layers).build_with(settings.calls.clone())?;
                ask_others(&dispatcher).await;
                let route = Route::of_server(dispatcher).speaking_mcp(service);
                routes.push((Some(path), route));
                continue;
            }
            RouteSource::Router(router) => router,
            RouteSource::Lazy(make) => make().await.map_err(ServeError::Lazy)?,
        };
        let dispatcher = router.layers(layers).build_with(settings.calls.clone())?;
        routes.push((Some(path), Route::of_server(dispatcher)));
    }
    for (path, service) in shared {
        let is_root = |(path, _): &&(Option<String>, Route)| path.as_deref() == Some("/");
        let root = routes.iter().find(is_root).ok_or(ServeError::NoRoute)?;
        ask_others(root.1.dispatcher()).await;
        let route = root.1.clone().speaking_mcp(service);
        routes.push((Some(path), route));
    }
    if routes.is_empty() {
        return Err(ServeError::NoRoute);
    }
    for (_, route) in &routes {
        settings.check_costs(route.tree())?;
    }
    Ok(routes)
}
