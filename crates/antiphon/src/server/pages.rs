//! Documents of a server: health, metrics, OpenRPC, the page.

use std::sync::Arc;

use http::StatusCode;

use crate::describe::Access;
use crate::metrics::series::ENABLED;
use crate::metrics::status::ServerStatus;
use crate::metrics::{MEDIA_TYPE, render};
use crate::transport::http::pages::{Page, PageFuture, PageRequest, Pages};

const PLAIN: &str = "text/plain; charset=utf-8";

#[cfg(feature = "describe")]
const JSON: &str = "application/json";

/// All documents of a server.
pub(super) struct ServerPages {
    pub(super) server: Arc<ServerStatus>,
    /// Whether what it offers is shown to who comes with a browser.
    pub(super) page: bool,
    /// Whether what it has counted is.
    pub(super) metrics: bool,
}

impl Pages for ServerPages {
    fn health(&self, path: &str) -> Option<Page> {
        match path {
            // It answers.
            "/healthz" => Some(Page::new(PLAIN, "ok\n")),
            "/readyz" if self.server.is_stopping() => Some(Page {
                status: StatusCode::SERVICE_UNAVAILABLE,
                ..Page::new(PLAIN, "stopping\n")
            }),
            "/readyz" => Some(Page::new(PLAIN, "ready\n")),
            _ => None,
        }
    }

    fn get<'a>(&'a self, request: PageRequest<'a>) -> PageFuture<'a> {
        Box::pin(async move {
            match request.name {
                "metrics" if ENABLED && self.metrics => Some(self.measured(request.reader).await),
                _ => self.document(&request),
            }
        })
    }
}

impl ServerPages {
    /// What has been counted: by all workers, if there are any.
    async fn measured(&self, reader: Access) -> Page {
        let of_all = match self.server.supervisor() {
            Some(supervisor) => supervisor.ask("metrics", Vec::new()).await.ok(),
            None => None,
        };
        let snapshot = of_all.and_then(|sum| serde_json::from_value(sum).ok());
        let snapshot = snapshot.unwrap_or_else(|| self.server.snapshot());
        let snapshot = snapshot.without(&self.server.hidden(reader));
        Page::new(MEDIA_TYPE, render(&snapshot))
    }

    /// What is offered: for people as a page and its parts, for programs as OpenRPC.
    #[cfg(feature = "describe")]
    fn document(&self, request: &PageRequest<'_>) -> Option<Page> {
        use crate::Specification::{V1_3, V1_4};
        use crate::describe::page;

        if !self.page {
            return None;
        }
        let openrpc = |specification| {
            let document = request.tree.openrpc_text(request.reader, specification)?;
            Some(Page::new(JSON, document.get().to_owned()))
        };
        match request.name {
            // Whoever wants no HTML has come to the wrong place, and is told how to call.
            "" if !request.html => None,
            "openrpc.json" => openrpc(V1_3),
            "openrpc-1.4.json" => openrpc(V1_4),
            name => page::part(name).map(|(media_type, text)| Page::new(media_type, text)),
        }
    }

    /// What is offered is told to nobody.
    #[cfg(not(feature = "describe"))]
    fn document(&self, request: &PageRequest<'_>) -> Option<Page> {
        let _ = (self.page, request.html, request.tree, request.reader);
        None
    }
}
