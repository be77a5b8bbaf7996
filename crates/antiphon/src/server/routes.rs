//! What a server offers: its routes under given settings, for connections to come.

use std::sync::Arc;

use crate::admin_token::AdminToken;
use crate::metrics::status::ServerStatus;
use crate::server::accept::Offer;
use crate::server::builder::HttpLayer;
use crate::server::exposure::Reach;
use crate::server::pages::Documents;
use crate::server::raw::Raw;
use crate::server::settings::Settings;
use crate::session::SessionConfig;
use crate::transport::http::body::Budget;
use crate::transport::http::connection::{Entry, Http};
use crate::transport::http::{HttpService, Route};
use crate::transport::tls::server::ServerTls;

/// What a server offers, apart from its settings.
pub(super) struct Site {
    pub(super) routes: Vec<(Option<String>, Route)>,
    pub(super) status: Arc<ServerStatus>,
    pub(super) admin: Option<AdminToken>,
    pub(super) http_layers: Vec<HttpLayer>,
    pub(super) tls: Option<ServerTls>,
    pub(super) budget: Budget,
    pub(super) reach: Reach,
}

impl Site {
    /// What connections are offered under these settings.
    pub(super) fn offer(&self, settings: &Settings) -> Offer {
        Offer {
            raw: self.raw(settings),
            tls: self.tls.clone(),
            http: self.http(settings),
        }
    }

    fn raw(&self, settings: &Settings) -> Option<Raw> {
        let root = self
            .routes
            .iter()
            .find(|(path, _)| path.as_deref() == Some("/"));
        let (_, route) = root.or_else(|| self.routes.first())?;
        Some(Raw {
            dispatcher: (route.clone())
                .served(&self.status, &settings.calls)
                .dispatcher()
                .clone(),
            config: SessionConfig::new(settings.sessions.clone()),
            max_message: settings.max_request,
            local: self.reach.is_local(settings),
        })
    }

    /// Reads certificate and key again. A pair that cannot be used changes nothing.
    pub(super) fn reload_tls(&self) {
        if let Some(Err(error)) = self.tls.as_ref().map(ServerTls::reload) {
            tracing::error!("the certificate stays as it is: {error}");
        }
    }

    /// What is shown to who does not call: by default to who could be local, and to nobody else.
    fn documents(&self, settings: &Settings) -> Documents {
        let shown = |said: Option<bool>| said.unwrap_or_else(|| self.reach.is_local(settings));
        Documents {
            server: Arc::clone(&self.status),
            page: shown(settings.page),
            metrics: shown(settings.metrics),
        }
    }

    /// How requests are answered under these settings.
    fn http(&self, settings: &Settings) -> Http {
        let limit = |(path, route): &(Option<String>, Route)| {
            let route = route.clone().served(&self.status, &settings.calls);
            (path.clone(), route)
        };
        let service = HttpService::with(
            self.routes.iter().map(limit).collect(),
            self.reach.guard(settings),
            settings.body_limits(self.budget.clone()),
            &SessionConfig::new(settings.sessions.clone()),
            Arc::new(self.documents(settings)),
            self.admin.clone(),
        );
        let layers = self.http_layers.iter();
        let entry = layers.fold(Entry::Plain(service), |inside, layer| layer(inside));
        let local = self.reach.is_local(settings);
        Http::new(entry, local, settings.phases(), settings.head_limits())
    }
}

impl std::fmt::Debug for Site {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Site")
            .field("routes", &self.routes)
            .finish_non_exhaustive()
    }
}
