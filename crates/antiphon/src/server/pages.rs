//! Documents of a server: health, metrics, OpenRPC, API documentation for browsers.

use std::sync::Arc;

use http::StatusCode;

use crate::describe::Reader;
use crate::metrics::method_metrics::ENABLED;
use crate::metrics::status::ServerStatus;
use crate::metrics::{MEDIA_TYPE, render};
use crate::transport::http::pages::{Page, PageFuture, PageRequest, Pages};

const PLAIN: &str = "text/plain; charset=utf-8";

#[cfg(feature = "describe")]
const JSON: &str = "application/json";

/// All documents of a server.
pub(super) struct ServerPages {
    pub(super) server: Arc<ServerStatus>,
    /// Whether the API documentation is served.
    pub(super) page: bool,
    /// Whether metrics are served.
    pub(super) metrics: bool,
}

impl Pages for ServerPages {
    fn health(&self, path: &str) -> Option<Page> {
        match path {
            // Liveness: that it answers at all is enough.
            "/healthz" => Some(Page::shared(PLAIN, "ok\n")),
            "/readyz" => {
                let (is_ready, text) = self.server.readiness();
                let page = Page::shared(PLAIN, text);
                Some(match is_ready {
                    true => page,
                    false => page.with_status(StatusCode::SERVICE_UNAVAILABLE),
                })
            }
            _ => None,
        }
    }

    fn get<'a>(&'a self, request: PageRequest<'a>) -> PageFuture<'a> {
        Box::pin(async move {
            match request.name {
                "metrics" if ENABLED && self.metrics && request.reader.is_anonymous() => {
                    let text = "the metrics are for callers who are known\n";
                    Some(Page::shared(PLAIN, text).with_status(StatusCode::UNAUTHORIZED))
                }
                "metrics" if ENABLED && self.metrics => {
                    Some(self.metrics_page(request.reader).await)
                }
                _ => self.document(&request),
            }
        })
    }
}

impl ServerPages {
    /// Metrics of all workers, or of this process if there are no workers.
    async fn metrics_page(&self, reader: Reader) -> Page {
        let total = match self.server.supervisor() {
            Some(supervisor) => supervisor.ask("metrics", Vec::new()).await.ok(),
            None => None,
        };
        let snapshot = total.and_then(|sum| serde_json::from_value(sum).ok());
        let snapshot = snapshot.unwrap_or_else(|| self.server.snapshot());
        let snapshot = snapshot.without(&self.server.hidden(reader));
        Page::made(MEDIA_TYPE, render(&snapshot))
    }

    /// API documentation: an HTML page with its assets, and OpenRPC for programs.
    #[cfg(feature = "describe")]
    fn document(&self, request: &PageRequest<'_>) -> Option<Page> {
        use bytes::Bytes;

        use std::sync::Arc;

        use serde_json::value::RawValue;

        use crate::Specification::{V1_3, V1_4};
        use crate::describe::page;

        /// The text of a document in the cache of its tree, which all requests share.
        struct CachedDocument(Option<Arc<RawValue>>);

        impl AsRef<[u8]> for CachedDocument {
            fn as_ref(&self) -> &[u8] {
                let text = self.0.as_deref();
                text.map(|text| text.get().as_bytes()).unwrap_or_default()
            }
        }

        if !self.page {
            return None;
        }
        let openrpc = |specification| {
            let text = request.tree.openrpc_text(request.reader, specification);
            let document = CachedDocument(text);
            Some(Page::shared(JSON, Bytes::from_owner(document)))
        };
        match request.name {
            // Not a browser: fall through to the response that explains how to call.
            "" if !request.html => None,
            "openrpc.json" => openrpc(V1_3),
            "openrpc-1.4.json" => openrpc(V1_4),
            name => page::part(name).map(|(media_type, text)| Page::shared(media_type, text)),
        }
    }

    /// Built without API documentation.
    #[cfg(not(feature = "describe"))]
    fn document(&self, request: &PageRequest<'_>) -> Option<Page> {
        let _ = (self.page, request.html, request.tree, request.reader);
        None
    }
}
