//! Builder of what connections are served with: the routes under the current settings.

use std::sync::Arc;

use crate::address::trusted_proxies::TrustedProxies;
use crate::admin_token::AdminToken;
use crate::audit::AuditLog;
use crate::identity::Authenticators;
use crate::memory_budget::MemoryBudgets;
use crate::memory_budget::account::Accounts;
use crate::metrics::status::ServerStatus;
use crate::rate_limit::{RateLimiter, RateTable};
use crate::server::authentication::NamedAuthenticators;
use crate::server::connection_setup::ConnectionSetup;
use crate::server::error::ServeError;
use crate::server::exposure::Exposure;
use crate::server::http_layer::HttpLayer;
use crate::server::pages::ServerPages;
use crate::server::settings::Settings;
use crate::server::stream_connection::StreamConnections;
use crate::transport::http::connection::{Http, HttpHandler};
use crate::transport::http::routes::Routes;
use crate::transport::http::{HttpService, Route};
use crate::transport::nats::BrokerLimits;
use crate::transport::tls::server::ServerTls;

/// A route with its path, under the limits of the server.
type ServedRoute = (Option<String>, Route);

/// Everything a server serves, apart from its settings.
pub(super) struct App {
    pub(super) routes: Vec<(Option<String>, Route)>,
    pub(super) status: Arc<ServerStatus>,
    pub(super) admin: Option<AdminToken>,
    pub(super) http_layers: Vec<HttpLayer>,
    pub(super) tls: Option<ServerTls>,
    pub(super) budgets: MemoryBudgets,
    /// The debts of callers under the rate limit.
    pub(super) rate_table: Arc<RateTable>,
    pub(super) exposure: Exposure,
    /// What the brokers allow, if it serves through any.
    pub(super) brokers: Option<BrokerLimits>,
    pub(super) authenticators: Authenticators,
    pub(super) named: NamedAuthenticators,
    pub(super) audit: Option<AuditLog>,
}

impl App {
    /// Setup of new connections under these settings.
    pub(super) fn setup(&self, settings: &Settings) -> ConnectionSetup {
        let rate = (settings.rate_limit)
            .map(|limit| RateLimiter::new(limit, Arc::clone(&self.rate_table)));
        let served = |route: &Route| {
            let route = route.clone();
            let audit = self.audit.clone();
            route.served(&self.status, &settings.calls, rate.clone(), audit)
        };
        let routes: Vec<_> = (self.routes.iter())
            .map(|(path, route)| (path.clone(), served(route)))
            .collect();
        let answers = (routes.iter()).map(|(_, route)| route.dispatcher().max_answer());
        let accounts = settings.accounts(&self.budgets, answers.max().unwrap_or_default());
        // `Settings::check` has refused what is no network.
        let proxies = TrustedProxies::parse(&settings.trusted_proxies).unwrap_or_default();
        let raw = self.raw(&routes, settings);
        let asks = !self.authenticators.is_empty();
        let broker = raw.as_ref().zip(self.brokers).map(|(raw, limits)| {
            let (config, max) = (settings.raw_sessions(), settings.max_connections);
            limits.setup(&raw.dispatcher, &accounts, config, asks, max)
        });
        ConnectionSetup {
            broker,
            proxies: Arc::new(proxies),
            header_timeout: settings.header_timeout,
            raw,
            tls: self.tls.clone(),
            http: self.http(routes, accounts.clone(), settings),
            accounts,
        }
    }

    fn raw(&self, routes: &[ServedRoute], settings: &Settings) -> Option<StreamConnections> {
        let root = routes.iter().find(|(path, _)| path.as_deref() == Some("/"));
        let (_, route) = root.or_else(|| routes.first())?;
        Some(StreamConnections {
            dispatcher: route.dispatcher().clone(),
            config: settings
                .raw_sessions()
                .authenticators(self.authenticators.clone()),
            max_message: settings.max_request,
            local: self.exposure.is_local(settings),
        })
    }

    /// Refuses settings with which a method of these routes could never run.
    pub(super) fn check_costs(&self, settings: &Settings) -> Result<(), ServeError> {
        let mut trees = self.routes.iter().map(|(_, route)| route.tree());
        trees.try_for_each(|tree| settings.check_costs(tree))
    }

    /// Refuses settings under which others than this machine could reach a server that asks nobody.
    pub(super) fn check_exposure(&self, settings: &Settings) -> Result<(), ServeError> {
        let authenticates = !self.authenticators.is_empty();
        self.exposure.check(settings, authenticates)
    }

    /// Reads the files again that were named at the start: certificate and key, those of the
    /// authenticators. What is invalid leaves in use what was there.
    pub(super) fn reload_files(&self) {
        if let Some(Err(error)) = self.tls.as_ref().map(ServerTls::reload) {
            tracing::error!("the certificate stays as it is: {error}");
        }
        self.named.reload();
        // It may have been moved away.
        if let Some(Err(error)) = self.audit.as_ref().map(AuditLog::reopen) {
            tracing::error!("the audit log stays as it is: {error}");
        }
    }

    /// Documents served besides RPC calls. By default they are served only if callers count as
    /// local.
    fn documents(&self, settings: &Settings) -> ServerPages {
        let shown =
            |setting: Option<bool>| setting.unwrap_or_else(|| self.exposure.is_local(settings));
        ServerPages {
            server: Arc::clone(&self.status),
            page: shown(settings.page),
            metrics: shown(settings.metrics),
        }
    }

    /// HTTP service under these settings.
    fn http(&self, routes: Vec<ServedRoute>, accounts: Accounts, settings: &Settings) -> Http {
        let service = HttpService::with(
            Routes::new(routes),
            self.exposure.guard(settings),
            settings.body_limits(),
            accounts,
            settings
                .web_sockets()
                .authenticators(self.authenticators.clone()),
            Arc::new(self.documents(settings)),
            self.admin.clone(),
        );
        let layers = self.http_layers.iter();
        let handler = layers.fold(HttpHandler::Plain(service), |inside, layer| layer(inside));
        let local = self.exposure.is_local(settings);
        Http::new(handler, local, settings.timeouts(), settings.head_limits())
    }
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App")
            .field("routes", &self.routes)
            .finish_non_exhaustive()
    }
}
