//! Addresses → sockets, and who can be reached from where.

use std::collections::HashSet;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket, lookup_host};
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

use crate::address::{Address, AddressError};
use crate::router::BoxLayer;
use crate::server::accept::Acceptor;
use crate::server::builder::{HttpLayer, Server, Source};
use crate::server::error::ServeError;
use crate::server::handle::Handle;
use crate::server::settings::{Profile, Settings};
use crate::transport::http::body::Budget;
use crate::transport::http::connection::{Entry, Http};
use crate::transport::http::guard::Guard;
use crate::transport::http::{HttpService, Route};

/// Connections that the system keeps for us until we accept them.
const BACKLOG: u32 = 1024;

/// A server that has bound its addresses and serves when it is told to.
#[derive(Debug)]
pub struct Listening {
    listeners: Vec<TcpListener>,
    addresses: Vec<SocketAddr>,
    settings: Settings,
    site: Site,
    http: watch::Sender<Http>,
    handle: Handle,
}

impl Listening {
    pub(super) async fn new(server: Server) -> Result<Self, ServeError> {
        let Server {
            routes,
            settings,
            call_layers,
            http_layers,
            listeners: adopted,
            ..
        } = server;
        let routes = open(routes, &call_layers, &settings).await?;
        let mut listeners = Vec::new();
        let mut addresses = Vec::new();
        for listener in adopted {
            listener.set_nonblocking(true)?;
            addresses.push(listener.local_addr()?);
            listeners.push(TcpListener::from_std(listener)?);
        }
        for address in settings.bind.iter().flat_map(|list| list.split(',')) {
            let socket = resolve(address.trim()).await?;
            let listener = bind(socket).map_err(|source| ServeError::Bind {
                address: socket.to_string(),
                source,
            })?;
            addresses.push(listener.local_addr()?);
            listeners.push(listener);
        }
        let site = Site {
            routes,
            http_layers,
            budget: Budget::new(settings.max_request_memory),
            loopback: addresses.iter().all(|address| address.ip().is_loopback()),
            ports: addresses.iter().map(SocketAddr::port).collect(),
        };
        site.permitted(&settings)?;
        let (http, _) = watch::channel(site.http(&settings));
        Ok(Self {
            listeners,
            addresses,
            settings,
            site,
            http,
            handle: Handle::default(),
        })
    }

    /// The addresses that it listens on, with the ports that were picked.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The first address as a URL, for a client.
    #[must_use]
    pub fn url(&self) -> String {
        self.addresses
            .first()
            .map(|address| format!("http://{address}"))
            .unwrap_or_default()
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
    /// None at present: what goes wrong with a connection ends that connection.
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
            site,
            http,
            handle,
            ..
        } = self;
        let connections = TaskTracker::new();
        let acceptors = TaskTracker::new();
        let public = !site.is_local(&settings);
        let per_ip = public.then_some(settings.max_connections_per_ip);
        let shared = Acceptor::new(&http, &handle, &connections, &settings, per_ip);
        for listener in listeners {
            acceptors.spawn(shared.clone().run(listener));
        }
        acceptors.close();
        loop {
            tokio::select! {
                () = acceptors.wait() => break,
                Ok(()) = reload.changed() => {
                    if let Some(new) = reload.borrow_and_update().as_ref() {
                        match site.permitted(new) {
                            Ok(()) => {
                                http.send_replace(site.http(new));
                                tracing::info!("the new settings hold for connections to come");
                            }
                            Err(error) => tracing::error!("the settings stay as they are: {error}"),
                        }
                    }
                }
            }
        }
        connections.close();
        let finished = tokio::time::timeout(settings.graceful_timeout, connections.wait());
        tokio::select! {
            finished = finished => {
                if finished.is_err() {
                    let left = handle.connections();
                    tracing::warn!("cutting {left} connections: the graceful timeout is over");
                    handle.kill();
                }
            }
            () = handle.life.killed() => {}
        }
        connections.wait().await;
        Ok(())
    }
}

/// What a server offers, apart from its settings.
struct Site {
    routes: Vec<(Option<String>, Route)>,
    http_layers: Vec<HttpLayer>,
    budget: Budget,
    /// Whether every listener is bound to loopback.
    loopback: bool,
    ports: Vec<u16>,
}

impl Site {
    /// How connections are served under these settings.
    fn http(&self, settings: &Settings) -> Http {
        let limit = |(path, route): &(Option<String>, Route)| {
            (path.clone(), route.clone().with_limits(&settings.calls))
        };
        let service = HttpService::with(
            self.routes.iter().map(limit).collect(),
            self.guard(settings),
            settings.body_limits(self.budget.clone()),
        );
        let layers = self.http_layers.iter();
        let entry = layers.fold(Entry::Plain(service), |inside, layer| layer(inside));
        let local = self.is_local(settings);
        Http::new(entry, local, settings.phases(), settings.head_limits())
    }

    fn guard(&self, settings: &Settings) -> Guard {
        let mut guard = Guard::default();
        self.ports.iter().for_each(|port| guard.note_port(*port));
        if !self.loopback {
            guard.allow_any_address();
        }
        settings
            .allow_host
            .iter()
            .for_each(|host| guard.allow_host(host));
        settings
            .allow_origin
            .iter()
            .for_each(|origin| guard.allow_origin(origin));
        guard
    }

    /// Whether callers can be taken for local: nobody else can reach any listener, and the server
    /// is known by loopback names only.
    fn is_local(&self, settings: &Settings) -> bool {
        settings.profile == Profile::Auto
            && self.loopback
            && self.guard(settings).is_loopback_only()
    }

    /// A server that strangers can reach must have been meant to.
    fn permitted(&self, settings: &Settings) -> Result<(), ServeError> {
        if settings.allow_unauthenticated_public || self.is_local(settings) {
            return Ok(());
        }
        let reason = if !self.loopback {
            "it listens beyond this machine"
        } else if settings.profile == Profile::Public {
            "its profile is public"
        } else {
            "it answers to names beyond the loopback ones"
        };
        Err(ServeError::Public {
            reason: reason.to_owned(),
        })
    }
}

impl std::fmt::Debug for Site {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Site")
            .field("routes", &self.routes)
            .finish_non_exhaustive()
    }
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

/// The socket address that an address of ours stands for.
async fn resolve(address: &str) -> Result<SocketAddr, ServeError> {
    let bad = |reason: String| ServeError::BadAddress {
        address: address.to_owned(),
        reason,
    };
    let parsed: Address = address
        .parse()
        .map_err(|error: AddressError| bad(error.to_string()))?;
    let (host, port, path) = match parsed {
        Address::Http { host, port, path } => (host, port, path),
        other => return Err(bad(format!("{other} can be called, but not served"))),
    };
    if path != "/" {
        return Err(bad("an address has no path: routes have".to_owned()));
    }
    let Some(host) = host else {
        return Ok(SocketAddr::from(([0, 0, 0, 0], port)));
    };
    let mut found = lookup_host((host, port))
        .await
        .map_err(|error| bad(error.to_string()))?;
    // A name such as localhost has several addresses; one listener is what was asked for.
    found
        .next()
        .ok_or_else(|| bad("the name has no address".to_owned()))
}

fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    // A server that has just stopped leaves connections behind that would block its port.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}
