//! A server that has opened its doors.

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
use crate::server::accept::{Acceptor, Offer};
use crate::server::builder::{Server, Source};
use crate::server::error::ServeError;
use crate::server::exposure::Reach;
use crate::server::handle::Handle;
use crate::server::listener::Door;
use crate::server::routes::Site;
use crate::server::settings::Settings;
use crate::transport::http::Route;
use crate::transport::http::body::Budget;

/// How long connections have for the answers to calls that were ended.
const LAST_ANSWERS: Duration = Duration::from_millis(50);

/// A server that has bound its addresses and serves when it is told to.
#[derive(Debug)]
pub struct Listening {
    doors: Vec<Door>,
    addresses: Vec<SocketAddr>,
    settings: Settings,
    site: Site,
    offer: watch::Sender<Offer>,
    handle: Handle,
    /// Gone when the server is.
    token_file: Option<TokenFile>,
    stdio: Option<antiphon_proto::Framing>,
}

/// What a server need not make for itself, because its supervisor has.
#[derive(Default)]
pub(crate) struct Given {
    pub(crate) doors: Option<Vec<Door>>,
    pub(crate) admin: Option<AdminToken>,
    pub(crate) supervisor: Option<Box<dyn SupervisorClient>>,
}

impl Listening {
    pub(super) async fn new(server: Server) -> Result<Self, ServeError> {
        Self::with(server, Given::default()).await
    }

    /// A server that does not make for itself what it is given.
    pub(crate) async fn with(mut server: Server, given: Given) -> Result<Self, ServeError> {
        let token_file = match (&given.admin, &server.settings.admin_token_file) {
            (None, Some(path)) => Some(token_file(path)?),
            _ => None,
        };
        let doors = match given.doors {
            Some(doors) => doors,
            None => open_doors(&mut server).await?,
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
        let handle = Handle::default();
        let status = ServerStatus::new(
            (routes.iter())
                .map(|(_, route)| route.dispatcher().common())
                .collect(),
            handle.shutdown.clone(),
            Arc::clone(&handle.connections),
            Arc::clone(&handle.accepted),
            doors.iter().map(ToString::to_string).collect(),
            given.supervisor,
        );
        let addresses: Vec<_> = doors.iter().filter_map(Door::address).collect();
        let site = Site {
            routes,
            status: Arc::new(status),
            admin: given
                .admin
                .or_else(|| token_file.as_ref().map(|file| file.token.clone())),
            http_layers,
            tls,
            budget: Budget::new(settings.max_request_memory),
            reach: Reach::of(&doors),
        };
        site.reach.permits(&settings)?;
        let (offer, _) = watch::channel(site.offer(&settings));
        Ok(Self {
            doors,
            addresses,
            settings,
            site,
            offer,
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
        self.doors.iter().map(ToString::to_string).collect()
    }

    /// What the server knows about itself.
    #[cfg_attr(not(all(unix, feature = "supervisor")), allow(dead_code))]
    pub(crate) fn status(&self) -> Arc<ServerStatus> {
        Arc::clone(&self.site.status)
    }

    /// Stops the server and looks at it, from anywhere.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Serves until it is stopped through its [`Handle`], and then until its calls are finished or
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
            doors,
            settings,
            site,
            offer,
            handle,
            token_file: _kept,
            stdio,
            ..
        } = self;
        let connections = TaskTracker::new();
        let acceptors = TaskTracker::new();
        let public = !site.reach.is_local(&settings);
        let per_ip = public.then_some(settings.max_connections_per_ip);
        let shared = Acceptor::new(&offer, &handle, &connections, &settings, per_ip);
        for door in doors {
            acceptors.spawn(shared.clone().run(door));
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
                        match site.reach.permits(new) {
                            Ok(()) => {
                                site.reload_tls();
                                offer.send_replace(site.offer(new));
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
pub(crate) async fn open_doors(server: &mut Server) -> Result<Vec<Door>, ServeError> {
    let mut doors = Vec::new();
    for listener in std::mem::take(&mut server.listeners) {
        doors.push(Door::adopt(listener)?);
    }
    let settings = &server.settings;
    for address in settings.bind.iter().flat_map(|list| list.split(',')) {
        doors.push(Door::open(address.trim(), settings).await?);
    }
    Ok(doors)
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
    mut doors: Vec<Door>,
) -> Result<Listening, ServeError> {
    server.settings.tls()?;
    doors.extend(open_doors(&mut server).await?);
    let given = Given {
        doors: Some(doors),
        ..Given::default()
    };
    Listening::with(server, given).await
}

/// Whether the routes can be served, as far as that can be known without making what is made lazily.
#[cfg(all(unix, feature = "supervisor"))]
pub(crate) async fn check(server: &mut Server) -> Result<(), ServeError> {
    let routes = std::mem::take(&mut server.routes);
    let is_lazy = |(_, source): &(String, Source)| matches!(source, Source::Lazy(_));
    let (lazy, ready): (Vec<_>, Vec<_>) = routes.into_iter().partition(is_lazy);
    if ready.is_empty() && !lazy.is_empty() {
        return Ok(());
    }
    open(ready, &server.call_layers, &server.settings).await?;
    Ok(())
}

/// Freezes the routers, and makes those that were to be made at the start.
async fn open(
    sources: Vec<(String, Source)>,
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
            Source::Route(route) => {
                routes.push((Some(path), route));
                continue;
            }
            Source::Router(router) => router,
            Source::Lazy(make) => make().await.map_err(ServeError::Lazy)?,
        };
        let dispatcher = router.layers(layers).build_with(settings.calls.clone())?;
        routes.push((Some(path), Route::of_server(dispatcher)));
    }
    if routes.is_empty() {
        return Err(ServeError::NoRoute);
    }
    Ok(routes)
}
