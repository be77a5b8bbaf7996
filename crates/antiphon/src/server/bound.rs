//! Server with its listeners bound: what [`Server::listen`] makes, until it stops.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use crate::admin_token::{AdminToken, TokenFile};
use crate::metrics::status::{ServerStatus, SupervisorClient};
use crate::router::BoxLayer;
use crate::server::accept::Acceptor;
use crate::server::app::App;
use crate::server::builder::Server;
use crate::server::error::ServeError;
use crate::server::exposure::Exposure;
use crate::server::handle::ServerHandle;
use crate::server::listener::Listener;
use crate::server::settings::Settings;
use crate::server::setup::ConnectionSetup;
use crate::server::source::RouteSource;
use crate::transport::http::Route;
use crate::transport::http::request_body::Budget;

/// How long connections have for the answers to calls that were ended.
const LAST_ANSWERS: Duration = Duration::from_millis(50);

/// A server that has bound its addresses and serves when it is told to.
#[derive(Debug)]
pub struct BoundServer {
    listeners: Vec<Listener>,
    addresses: Vec<SocketAddr>,
    settings: Settings,
    app: App,
    setup: watch::Sender<ConnectionSetup>,
    handle: ServerHandle,
    /// Gone when the server is.
    token_file: Option<TokenFile>,
    stdio: Option<antiphon_proto::Framing>,
}

/// What a server does not make for itself, because its supervisor has.
#[derive(Default)]
pub(crate) struct Provided {
    pub(crate) listeners: Option<Vec<Listener>>,
    pub(crate) admin: Option<AdminToken>,
    pub(crate) supervisor: Option<Box<dyn SupervisorClient>>,
}

impl BoundServer {
    /// Binds the addresses of a server, except for what it is provided with.
    pub(crate) async fn bind(mut server: Server, given: Provided) -> Result<Self, ServeError> {
        let token_file = match (&given.admin, &server.settings.admin_token_file) {
            (None, Some(path)) => Some(token_file(path)?),
            _ => None,
        };
        let listeners = match given.listeners {
            Some(listeners) => listeners,
            None => bind_listeners(&mut server).await?,
        };
        let Server {
            routes,
            settings,
            call_layers,
            http_layers,
            stdio,
            ..
        } = server;
        let routes = open(routes, &call_layers, &settings).await?;
        let tls = settings.tls()?;
        let handle = ServerHandle::default();
        let status = ServerStatus::new(
            (routes.iter())
                .map(|(_, route)| route.dispatcher().common())
                .collect(),
            handle.shutdown.clone(),
            Arc::clone(&handle.connections),
            Arc::clone(&handle.accepted),
            listeners.iter().map(ToString::to_string).collect(),
            given.supervisor,
        );
        let addresses: Vec<_> = listeners.iter().filter_map(Listener::address).collect();
        let app = App {
            routes,
            status: Arc::new(status),
            admin: given
                .admin
                .or_else(|| token_file.as_ref().map(|file| file.token.clone())),
            http_layers,
            tls,
            budget: Budget::new(settings.max_request_memory),
            exposure: Exposure::of(&listeners),
        };
        app.exposure.check(&settings)?;
        let (setup, _) = watch::channel(app.setup(&settings));
        Ok(Self {
            listeners,
            addresses,
            settings,
            app,
            setup,
            handle,
            token_file,
            stdio,
        })
    }

    /// The TCP addresses that it listens on, with the ports that were picked.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The first address as a URL, for a client.
    #[must_use]
    pub fn url(&self) -> String {
        self.urls().into_iter().next().unwrap_or_default()
    }

    /// All addresses as URLs, for clients. Where it says `http:` there is WebSocket as well, under
    /// `ws:`, if the feature is on.
    #[must_use]
    pub fn urls(&self) -> Vec<String> {
        self.listeners.iter().map(ToString::to_string).collect()
    }

    /// What the server knows about itself.
    #[cfg_attr(not(all(unix, feature = "supervisor")), allow(dead_code))]
    pub(crate) fn status(&self) -> Arc<ServerStatus> {
        Arc::clone(&self.app.status)
    }

    /// Stops the server and looks at it, from anywhere.
    #[must_use]
    pub fn handle(&self) -> ServerHandle {
        self.handle.clone()
    }

    /// Serves until it is stopped through its [`ServerHandle`], and then until its calls are finished or
    /// the graceful timeout is over.
    ///
    /// # Errors
    ///
    /// [`ServeError::Io`] if standard input and output are to be served and cannot be. What goes
    /// wrong with a connection ends that connection.
    pub async fn serve(self) -> Result<(), ServeError> {
        let (_keep, never) = watch::channel(None);
        self.serve_reloading(never).await
    }

    /// Serves, and takes over new settings for connections to come.
    pub(crate) async fn serve_reloading(
        self,
        mut reload: watch::Receiver<Option<Settings>>,
    ) -> Result<(), ServeError> {
        let Self {
            listeners,
            settings,
            app,
            setup,
            handle,
            token_file: _kept,
            stdio,
            ..
        } = self;
        let connections = TaskTracker::new();
        let acceptors = TaskTracker::new();
        let public = !app.exposure.is_local(&settings);
        let per_ip = public.then_some(settings.max_connections_per_ip);
        let shared = Acceptor::new(&setup, &handle, &connections, &settings, per_ip);
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
        loop {
            tokio::select! {
                () = acceptors.wait() => break,
                Ok(()) = reload.changed() => {
                    if let Some(new) = reload.borrow_and_update().as_ref() {
                        match app.exposure.check(new) {
                            Ok(()) => {
                                app.reload_tls();
                                setup.send_replace(app.setup(new));
                                tracing::info!("the new settings hold for connections to come");
                            }
                            Err(error) => tracing::error!("the settings stay as they are: {error}"),
                        }
                    }
                }
            }
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
        // Their callers are told, if they listen.
        if timeout(LAST_ANSWERS, connections.wait()).await.is_err() {
            handle.shutdown.kill();
            connections.wait().await;
        }
        Ok(())
    }
}

/// Opens all addresses of a server.
pub(crate) async fn bind_listeners(server: &mut Server) -> Result<Vec<Listener>, ServeError> {
    let mut listeners = Vec::new();
    for listener in std::mem::take(&mut server.listeners) {
        listeners.push(Listener::from_std(listener)?);
    }
    let settings = &server.settings;
    for address in settings.bind.iter().flat_map(|list| list.split(',')) {
        listeners.push(Listener::open(address.trim(), settings).await?);
    }
    Ok(listeners)
}

fn token_file(path: &std::path::Path) -> Result<TokenFile, ServeError> {
    TokenFile::write(path).map_err(|error| {
        let path = path.display();
        ServeError::BadSetting(format!(
            "the admin token cannot be written to {path}: {error}"
        ))
    })
}

/// Opens the addresses of a server, which is also to serve on some that are open.
#[cfg(all(unix, feature = "supervisor"))]
pub(crate) async fn listen_also(
    mut server: Server,
    mut listeners: Vec<Listener>,
) -> Result<BoundServer, ServeError> {
    server.settings.tls()?;
    listeners.extend(bind_listeners(&mut server).await?);
    let given = Provided {
        listeners: Some(listeners),
        ..Provided::default()
    };
    BoundServer::bind(server, given).await
}

/// Whether the routes can be served, as far as that can be known without making what is made lazily.
#[cfg(all(unix, feature = "supervisor"))]
pub(crate) async fn check(server: &mut Server) -> Result<(), ServeError> {
    let routes = std::mem::take(&mut server.routes);
    let is_lazy = |(_, source): &(String, RouteSource)| matches!(source, RouteSource::Lazy(_));
    let (lazy, ready): (Vec<_>, Vec<_>) = routes.into_iter().partition(is_lazy);
    if ready.is_empty() && !lazy.is_empty() {
        return Ok(());
    }
    open(ready, &server.call_layers, &server.settings).await?;
    Ok(())
}

/// Freezes the routers, and makes those that were to be made at the start.
async fn open(
    sources: Vec<(String, RouteSource)>,
    layers: &[BoxLayer],
    settings: &Settings,
) -> Result<Vec<(Option<String>, Route)>, ServeError> {
    let mut routes = Vec::new();
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
            RouteSource::Router(router) => router,
            RouteSource::Lazy(make) => make().await.map_err(ServeError::Lazy)?,
        };
        let dispatcher = router.layers(layers).build_with(settings.calls.clone())?;
        routes.push((Some(path), Route::of_server(dispatcher)));
    }
    if routes.is_empty() {
        return Err(ServeError::NoRoute);
    }
    Ok(routes)
}
